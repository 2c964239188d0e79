"""Become plugins: how to start a command as another user.

The plugin builds the command for a program whose path only the host's agent knows; a placeholder stands for it. Values
that the plugin would generate for each call are fixed, so that one agent of that user serves all tasks.
"""

import threading

from __main__ import RequestError

LOCK = threading.RLock()

# The agent puts its own path here. It is one word for every shell.
AGENT = 'RPLAY_AGENT_PATH'


def text(value):
    if value is None:
        return None
    return value.decode('utf-8', 'replace') if isinstance(value, bytes) else str.__str__(value)


def texts(values):
    values = values if isinstance(values, (list, tuple)) else [values]
    return [text(value) for value in values if value]


def command(host, method, keywords, password):
    """How the plugin becomes another user: {command, prompt, user, password, failed, missing}; None if there is no such
    plugin. `keywords` are those of the task."""
    call = host.part('values').Call(host, 'become', method)
    variables = host.part('values').Fetched(call, [])
    loader = call.world.loader
    with LOCK:
        plugin = loader.become_loader.get(method)
        shell = loader.shell_loader.get('sh')
        shell.executable = '/bin/sh'
    if plugin is None:
        return None
    if getattr(plugin, 'require_tty', False):
        raise RequestError("the become plugin '%s' needs a terminal, which rplay does not give it" % method)
    keys = {key: value for key, value in keywords.items() if value is not None}
    if password is not None:
        keys['become_pass'] = password
    names = set(variables.keys())
    wanted = host.part('actions').options_of('become', plugin, variables, names)
    try:
        plugin.set_options(task_keys=keys, var_options=wanted)
        if password is not None and not plugin.get_option('become_pass'):
            plugin.set_option('become_pass', password)
        made = plugin.build_become_command('%s agent' % AGENT, shell)
    except RequestError:
        raise
    except Exception as error:
        message = host.part('versions').failure(error)
        raise RequestError("the become plugin '%s' failed: %s" % (method, message))
    own = getattr(plugin, '_id', '') or ''

    def settled(value):
        value = text(value)
        return value.replace(own, 'rplay') if own and value else value

    try:
        secret = plugin.get_option('become_pass')
    except KeyError:
        secret = password
    try:
        user = plugin.get_option('become_user')
    except KeyError:
        user = keys.get('become_user')
    return {
        'command': settled(made),
        'prompt': settled(getattr(plugin, 'prompt', None)) or None,
        'user': text(user) or 'root',
        'password': text(secret) or None,
        'failed': texts(getattr(plugin, 'fail', None)),
        'missing': texts(getattr(plugin, 'missing', None)),
    }


OPERATIONS = {'command': command}
