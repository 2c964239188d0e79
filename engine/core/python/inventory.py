"""Inventory sources that only a plugin written in Python understands.

`parse` has ansible-core's own InventoryManager read one source into the hosts and groups that are known so far, so that
`enable_plugins`, `verify_file`, `auto`, caches and messages are those of the version installed.

Format of values: scalars and lists as they are; a mapping is {"map": {...}}, text that may be a template is
{"template": text}, an encrypted value {"vault": envelope}. So an answer from a cloud can never pass for a template.
"""

import base64
import datetime
import threading

from __main__ import RequestError

# Variables that every host gets when it is added; the controller computes them itself.
OWN = ('inventory_hostname', 'inventory_hostname_short', 'inventory_file', 'inventory_dir')
LOCK = threading.Lock()
KEPT = []
# Directories whose plugins are known.
DIRECTORIES = []


class Messages(object):
    """Collects messages instead of displaying them: warnings, deprecations, errors and notes."""

    def __init__(self):
        from ansible.utils.display import Display

        self.kept = []
        self.notes = []
        messages = self

        def display(self, msg, *args, **kwargs):
            messages.kept.append(str(msg))

        Display.display = display
        # Lines are wrapped where they are shown.
        Display().columns = 1 << 20

    def take(self):
        kept, self.kept = self.kept, []
        found = []
        for text in kept:
            text = text.strip()
            for head in ('[WARNING]: ', '[DEPRECATION WARNING]: ', '[ERROR]: '):
                if text.startswith(head):
                    found.append(text[len(head):].strip())
                    break
            else:
                self.notes.append(text)
        return found

    def take_notes(self):
        """The notes that the verbosity allows. Warnings must have been taken before."""
        notes, self.notes = self.notes, []
        return notes


def messages():
    """The only instance."""
    if not KEPT:
        KEPT.append(Messages())
    return KEPT[0]


def ready(directories):
    """Prepares the collection loader, and plugins next to playbooks."""
    from ansible.plugins.loader import add_all_plugin_dirs, init_plugin_loader
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader()
    AnsibleCollectionConfig.playbook_paths = directories
    for directory in directories:
        if directory not in DIRECTORIES:
            DIRECTORIES.append(directory)
            add_all_plugin_dirs(directory)


def parse(host, source, directories, secrets, groups, hosts, processed, cache, verbosity, extra):
    """Reads a source. `secrets` are IDs with passwords in base64, `processed` the sources that were read before."""
    try:
        from ansible import context
        from ansible.module_utils.common.collections import ImmutableDict
        from ansible.utils.display import Display

        with LOCK:
            told = messages()
            Display().verbosity = verbosity
            context.CLIARGS = ImmutableDict(extra_vars=tuple(extra))
            told.take()
            told.take_notes()
            answer = read(host.part('versions'), source, directories, secrets, groups, hosts, processed, cache)
            answer['notes'] = told.take_notes()
            Display().verbosity = 0
            return answer
    except ImportError as error:
        raise RequestError('ansible-core cannot be imported: %s' % error)


def read(versions, source, directories, secrets, groups, hosts, processed, cache):
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    told = messages()
    ready(directories)
    told.take()
    loader = DataLoader()
    versions.set_passwords(loader, [(name, base64.b64decode(secret)) for name, secret in secrets])
    manager = InventoryManager(loader=loader, sources=None, parse=False)
    data = manager._inventory
    seed(data, versions, groups, hosts)
    data.processed_sources.extend(processed)
    before = {id(entity): dict(entity.vars) for entity in list(data.groups.values()) + list(data.hosts.values())}
    # The controller has already warned about the names so far.
    told.take()
    try:
        parsed = manager.parse_source(source, cache=cache)
    except AnsibleError as error:
        # The settings make an unparsable source an error; the warnings say why.
        return {'parsed': False, 'warnings': told.take() or [str(error)]}
    return {
        'parsed': bool(parsed),
        'groups': [
            {
                'name': group.name,
                'vars': changed(group, before, versions),
                'hosts': [host.name for host in group.hosts],
                'children': [child.name for child in group.child_groups],
                'priority': group.priority,
            }
            for group in data.groups.values()
        ],
        'hosts': [{'name': host.name, 'vars': changed(host, before, versions)} for host in data.hosts.values()],
        'warnings': told.take(),
    }


def seed(data, versions, groups, hosts):
    for group in groups:
        data.add_group(group['name'])
    for host in hosts:
        data.add_host(host['name'])
        data.hosts[host['name']].vars.update(take(host['vars'], versions))
    for group in groups:
        known = data.groups[group['name']]
        known.vars.update(take(group['vars'], versions))
        known.set_priority(group['priority'])
        for child in group['children'] + group['hosts']:
            data.add_child(group['name'], child)


def changed(entity, before, versions):
    known = before.get(id(entity), {})
    missing = object()
    found = {}
    for name, value in entity.vars.items():
        if name not in OWN and known.get(name, missing) is not value:
            found[str(name)] = give(value, versions)
    return found


def take(value, versions):
    """Converts a value from the controller."""
    if isinstance(value, list):
        return [take(item, versions) for item in value]
    if isinstance(value, dict):
        if 'template' in value:
            return versions.trusted(value['template'])
        if 'vault' in value:
            return versions.encrypted(value['vault'])
        return {key: take(item, versions) for key, item in value['map'].items()}
    return value


def give(value, versions):
    """Converts a value for the controller."""
    if value is None or isinstance(value, bool):
        return value
    envelope = versions.envelope(value)
    if envelope is not None:
        return {'vault': envelope}
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return {'template': str(value)} if versions.is_trusted(value) else str(value)
    if isinstance(value, bytes):
        return value.decode('utf-8', 'surrogateescape').encode('utf-8', 'replace').decode('utf-8')
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, 'items'):
        return {'map': {str(key): give(item, versions) for key, item in value.items()}}
    if hasattr(value, '__iter__'):
        return [give(item, versions) for item in value]
    return str(value)


OPERATIONS = {'parse': parse}
