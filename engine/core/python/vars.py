"""Vars plugins, called for the variables of groups and hosts as by ansible-core's VariableManager.

`host_group_vars` is built into rplay. Since plugins run in the order of their file names, the variables of the others
come in two parts: weaker than those of `host_group_vars` (`below`), and stronger (`above`).
"""

import base64
import threading

from __main__ import RequestError

LOCK = threading.RLock()
STATE = {}


def begin(host, directories, secrets, groups, hosts, processed, sources):
    """Takes the hosts and groups. Returns the variables that plugins add when the inventory has been read
    (`run_vars_plugins = start`, `stage: inventory`), and whether any plugin runs later."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    inventory = host.part('inventory')
    versions = host.part('versions')
    with LOCK:
        loader = DataLoader()
        messages = inventory.messages()
        inventory.ready(directories)
        if directories:
            loader.set_basedir(directories[0])
        versions.set_passwords(loader, [(name, base64.b64decode(secret)) for name, secret in secrets])
        data = InventoryManager(loader=loader, sources=None, parse=False)._inventory
        inventory.seed(data, versions, groups, hosts)
        STATE.update(host=host, data=data, loader=loader)
        messages.take()
        found = {'groups': {}, 'hosts': {}}
        for kind, entities in (('groups', data.groups), ('hosts', data.hosts)):
            for name, entity in list(entities.items()):
                vars = merged(versions, sources, [entity], 'inventory')
                if vars:
                    found[kind][name] = inventory.give(vars, versions)['map']
        found['later'] = any(versions.vars_plugin_runs(plugin, 'task') for plugin, _ in foreign(versions))
        found['warnings'] = messages.take()
        return found


def foreign(versions):
    """All vars plugins except `host_group_vars`, each with whether it is stronger than that."""
    above = False
    for plugin in versions.vars_plugins():
        if versions.is_host_group_vars(plugin):
            above = True
        else:
            yield plugin, above


def merged(versions, paths, entities, stage, wanted=(False, True)):
    from ansible.utils.vars import combine_vars

    data = {}
    for path in paths:
        for plugin, above in foreign(versions):
            if above in wanted and versions.vars_plugin_runs(plugin, stage):
                try:
                    more = versions.vars_of_plugin(STATE['loader'], plugin, path, entities)
                except Exception as error:
                    message = versions.failure(error)
                    raise RequestError("The vars plugin '%s' failed: %s" % (versions.plugin_name(plugin), message))
                if more:
                    data = combine_vars(data, more)
    return data


def get(host, path, groups=None, name=None):
    """Variables of these groups, or of a host, for a directory of the inventory or the playbook."""
    versions = host.part('versions')
    inventory = host.part('inventory')
    with LOCK:
        data = STATE['data']
        if groups is not None:
            entities = [data.groups[group] for group in groups if group in data.groups]
        else:
            entity = data.get_host(name)
            if entity is None:
                from ansible.inventory.host import Host

                entity = Host(name)
            entities = [entity]
        messages = inventory.messages()
        messages.take()
        below = merged(versions, [path], entities, 'task', (False,))
        above = merged(versions, [path], entities, 'task', (True,))
        return {
            'below': inventory.give(below, versions)['map'],
            'above': inventory.give(above, versions)['map'],
            'warnings': messages.take(),
        }


OPERATIONS = {'begin': begin, 'get': get}
