class ModuleDocFragment(object):
    DOCUMENTATION = r'''
options:
  token:
    description: How the service knows who asks.
    type: str
    version_added: 1.1.0
notes:
  - Runs on the host.
'''

    RETRIES = r'''
options:
  retries:
    description: How often to try.
    type: int
    default: 3
requirements:
  - patience
'''
