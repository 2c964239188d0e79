"""A lookup of a project's own, with an option and an error."""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: roles_of
short_description: the roles of servers
options:
  _terms: {description: servers, required: true}
  prefix: {description: what each begins with, type: str, default: "", env: [{name: PROOF_PREFIX}]}
"""


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        if not isinstance(terms[0], (list, dict)):
            raise AnsibleError(f"no servers: {terms[0]!r}")
        servers = terms[0] if isinstance(terms[0], list) else terms
        return [self.get_option("prefix") + server["tags"]["role"] for server in servers]
