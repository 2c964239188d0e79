"""Action plugins, run with ansible-core's ActionBase.

A plugin sees a connection of ansible-core's own class, but the controller carries out its commands and transfers
through the host's agent. The same holds for `_execute_module`, which runs rplay's built-in modules where there are any.
All other methods of ActionBase are ansible-core's own. To become another user, the controller is told which, and its
agent does it.

What hosts send is data, never a template.
"""

import base64
import os
import threading

from __main__ import RequestError

LOCK = threading.RLock()
STATE = {}

# Keys of a plugin's result that affect the run. A host cannot set them through a module.
CONTROLS = ('add_host', 'add_group', 'parent_groups', 'ansible_stats')


def text(value):
    return value.decode('utf-8', 'surrogateescape') if isinstance(value, bytes) else str.__str__(value)


def encode64(value):
    content = value if isinstance(value, bytes) else str(value).encode('utf-8', 'surrogateescape')
    return base64.b64encode(content).decode('ascii')


class AgentConnection(object):
    """A plugin's way to its host: replaces the methods of a connection."""

    def __init__(self, call, connection):
        self.call = call
        self.connection = connection
        # Whether the next command runs as another user.
        self.becomes = False

    def ask(self, op, **arguments):
        from ansible.errors import AnsibleConnectionFailure, AnsibleError

        try:
            answer = self.call.ask(op, **arguments)
        except RequestError as wrong:
            raise AnsibleError(str(wrong))
        if isinstance(answer, dict) and 'unreachable' in answer:
            raise AnsibleConnectionFailure(answer['unreachable'])
        return answer

    def exec_command(self, cmd, in_data=None, sudoable=True):
        becomes, self.becomes = self.becomes and sudoable, False
        arguments = {'input': encode64(in_data)} if in_data else {}
        answer = self.ask('exec', command=text(cmd), become=becomes, **arguments)
        return answer['rc'], answer['stdout'].encode('utf-8'), answer['stderr'].encode('utf-8')

    def put_file(self, in_path, out_path):
        from ansible.errors import AnsibleFileNotFound

        source = os.path.abspath(text(in_path))
        if not os.path.exists(source):
            raise AnsibleFileNotFound('file or module does not exist: %s' % source)
        self.ask('put', source=source, dest=text(out_path))

    def fetch_file(self, in_path, out_path):
        self.ask('fetch', source=text(in_path), dest=os.path.abspath(text(out_path)))

    def connect(self):
        return self.connection

    def reset(self):
        self.ask('reset')

    def close(self):
        pass

    def become_command(self, cmd, shell):
        self.becomes = True
        return cmd


def options_of(kind, plugin, variables, names):
    """The options of a connection, shell or become plugin that are set by variables."""
    from ansible import constants

    wanted = constants.config.get_plugin_vars(kind, plugin._load_name)
    found = {}
    for name in wanted:
        if name in names:
            found[name] = variables[name]
    return found


def connected(call, about, task, context, variables):
    """A connection of ansible-core's class for the host's connection type, which uses the controller."""
    loader = call.world.loader
    plugin = loader.connection_loader.get(about['kind'], context, os.devnull)
    if plugin is None:
        # The plugin's collection is not installed; its class is not needed.
        plugin = loader.connection_loader.get('ssh', context, os.devnull)
    names = set(variables.keys())
    keys = {'remote_user': about['user'], 'port': about['port'], 'become': task.become}
    set_options(plugin, {key: value for key, value in keys.items() if value is not None},
                options_of('connection', plugin, variables, names))
    if getattr(plugin, '_shell', None) is not None:
        shell = options_of('shell', plugin._shell, variables, names)
        if about['remote_tmp'] and 'ansible_remote_tmp' not in shell:
            shell['ansible_remote_tmp'] = about['remote_tmp']
        set_options(plugin._shell, {}, shell)
    way = AgentConnection(call, plugin)
    for name in ('exec_command', 'put_file', 'fetch_file', 'reset', 'close'):
        setattr(plugin, name, getattr(way, name))
    plugin._connect = way.connect
    plugin._connected = True
    plugin._rplay = way
    if task.become:
        become = loader.become_loader.get(task.become_method)
        if become is not None:
            set_options(become, {'become_user': task.become_user}, {})
            become.build_become_command = way.become_command
            plugin.set_become_plugin(become)
    return plugin


def reached(call, about, task, context, variables):
    """An unchanged connection plugin, for hosts that cannot have an agent: ansible-core does the whole task."""
    from ansible.errors import AnsibleError

    loader = call.world.loader
    with LOCK:
        plugin = loader.connection_loader.get(about['kind'], context, os.devnull)
    if plugin is None:
        raise AnsibleError("the connection plugin '%s' was not found" % about['kind'])
    if getattr(plugin, 'force_persistence', False):
        raise AnsibleError("the connection plugin '%s' needs a persistent connection, which is not supported"
                           % about['kind'])
    names = set(variables.keys())
    # The login password of the command line always has this name, even if the plugin's option only has it as an alias.
    keys = {'remote_user': about['user'], 'become': task.become, 'timeout': task.timeout or None,
            'password': about['password']}
    plugin.set_options(task_keys={key: value for key, value in keys.items() if value is not None},
                       var_options=options_of('connection', plugin, variables, names))
    if getattr(plugin, '_shell', None) is not None:
        shell = options_of('shell', plugin._shell, variables, names)
        if about['remote_tmp'] and 'ansible_remote_tmp' not in shell:
            shell['ansible_remote_tmp'] = about['remote_tmp']
        plugin._shell.set_options(var_options=shell)
    if task.become:
        become = loader.become_loader.get(task.become_method)
        if become is None:
            raise AnsibleError("Invalid become method specified, could not find matching plugin: '%s'."
                               % task.become_method)
        keys = {'become_user': task.become_user, 'become_pass': about['become_pass']}
        become.set_options(task_keys={key: value for key, value in keys.items() if value is not None},
                           var_options=options_of('become', become, variables, names))
        plugin.set_become_plugin(become)
    return plugin


def set_options(plugin, keys, variables):
    from ansible.errors import AnsibleError

    try:
        plugin.set_options(task_keys=keys, var_options=variables)
    except (AnsibleError, KeyError):
        # A required option is not set, but only the plugin's own transport needs it.
        plugin._options = dict(getattr(plugin, '_options', None) or {})


class ExecuteModule(object):
    """`_execute_module` of all plugins: those that rplay runs ask the controller."""

    def __init__(self, base):
        self.own = base._execute_module
        shared = self

        def execute(plugin, module_name=None, module_args=None, tmp=None, task_vars=None, persist_files=False,
                    delete_remote_tmp=None, wrap_async=False, ignore_unknown_opts=False, **more):
            way = getattr(plugin._connection, '_rplay', None)
            if way is None:
                # The plugin has created a connection of its own.
                if ignore_unknown_opts:
                    more['ignore_unknown_opts'] = True
                result = shared.own(plugin, module_name=module_name, module_args=module_args, task_vars=task_vars,
                                  persist_files=persist_files, wrap_async=wrap_async, **more)
                for name in CONTROLS:
                    result.pop(name, None)
                return result
            return shared.execute(way, plugin, module_name, module_args, wrap_async, ignore_unknown_opts)

        base._execute_module = execute

    def execute(self, way, plugin, name, args, wrap_async, ignore_unknown_opts):
        task = plugin._task
        args = dict(task.args if args is None else args)
        args = {key: value for key, value in args.items() if not str(key).startswith('_ansible_')}
        answer = way.ask('module', name=text(name or task.action), args=way.call.encoded(args),
                         check=bool(task.check_mode), diff=bool(task.diff), background=bool(wrap_async),
                         lenient=bool(ignore_unknown_opts))
        result = way.call.decoded(answer)
        for name in CONTROLS:
            result.pop(name, None)
        result['_ansible_parsed'] = True
        result.setdefault('changed', False)
        if result.get('failed'):
            way.call.templates.blame_module(result)
        return result


def prepared():
    """Changes ansible-core for all plugins, once."""
    with LOCK:
        if 'execute_module' not in STATE:
            from ansible.plugins.action import ActionBase

            STATE['execute_module'] = ExecuteModule(ActionBase)


def role_of(about):
    class Role(object):
        _role_path = about['path']
        _role_name = about['name']
        _metadata = None

        def get_name(self, include_role_fqcn=True):
            return about['name']

    return Role()


def task_of(about, args, variables, directories, role, set_resolved_action):
    """ansible-core's Task with the attributes that plugins read. `variables` are those of the task itself."""
    from ansible import constants
    from ansible.playbook.block import Block
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

    class Given(Task):
        def get_search_path(self):
            return list(directories)

        def get_dep_chain(self):
            return None

        def get_path(self):
            return '%s:%s' % tuple(about['place']) if about['place'] else ''

    task = Given()
    task.action = about['action']
    task.args = args
    for name in ('async_val', 'poll', 'check_mode', 'diff', 'no_log', 'become', 'become_method', 'become_user',
                 'delegate_to', 'register', 'name'):
        if about[name] is not None:
            setattr(task, name, about[name])
    if task.become_method is None:
        task.become_method = constants.DEFAULT_BECOME_METHOD
    for name in ('ignore_errors', 'when'):
        if about[name] is not None:
            setattr(task, name, about[name])
    task.environment = [about['environment']]
    task.tags = list(about['tags'])
    task.vars = variables
    play = Play()
    play.name = about['play']
    task._parent = Block(play=play)
    set_resolved_action(task, about['resolved'])
    if about['collections']:
        task.collections = list(about['collections'])
        # ansible-core searches a list of collections alone; its own modules come last in each.
        if not {'ansible.builtin', 'ansible.legacy'} & set(task.collections):
            task.collections.append('ansible.legacy')
    if role is not None:
        task._role = role_of(role)
    return task


# The parts of a context that the controller sets, or withholds; all others come from variables.
OURS = ('connection', 'remote_addr', 'remote_user', 'port', 'password', 'become', 'become_method', 'become_user', 'become_pass')


def context_of(task, about, variables, verbosity):
    from ansible import constants
    from ansible.playbook.play_context import PlayContext

    context = PlayContext()
    names = set(variables.keys())
    for attribute, given in constants.MAGIC_VARIABLE_MAPPING.items():
        name = next((name for name in given if name in names), None)
        if name is not None and attribute not in OURS:
            setattr(context, attribute, variables[name])
    context.connection = about['kind']
    context.remote_addr = about['address'] or variables.get('ansible_host') or variables.get('inventory_hostname')
    context.password = context.become_pass = None
    context.remote_user = about['user']
    context.port = about['port']
    context.verbosity = verbosity
    for name in ('check_mode', 'diff', 'become', 'become_method', 'become_user', 'no_log'):
        setattr(context, name, getattr(task, name))
    return context


def run(host, name, args, task, connection, directories, role, verbosity, turn=None):
    """Runs a plugin: {result}, which may say that it failed."""
    values = host.part('values')

    class Call(values.Call):
        """Values here are already rendered and stay as they are."""

        def decoded(self, json):
            return self.templates.data(json) if isinstance(json, str) else values.Call.decoded(self, json)

        def plain(self, text):
            """A template in the plugin's own result is rendered now; one that cannot be rendered stays as it is."""
            try:
                return values.Call.plain(self, text)
            except AnsibleError:
                return str.__str__(text)

    from ansible.errors import AnsibleError

    call = Call(host, 'action', name)
    prepared()
    from ansible.utils.display import Display

    Display().verbosity = verbosity
    variables = values.Fetched(call, [])
    plugin = None
    try:
        given = task_of(task, *({key: call.decoded(value) for key, value in those.items()} for those in (args, task['vars'])),
                        directories, role, host.core.versions.set_resolved_action)
        theirs = variables
        if task['delegate_to']:
            theirs = values.Fetched(call, ['ansible_delegated_vars', task['delegate_to']])
        context = context_of(given, connection, theirs, verbosity)
        with LOCK:
            call.world.globals.enter(turn)
        reach = reached if connection['own'] else connected
        way = reach(call, connection, given, context, theirs)
        templar = call.templates.templar(call.world.data, variables)
        plugin = call.world.loader.action_loader.get(
            name, task=given, connection=way, play_context=context, loader=call.world.data, templar=templar,
            shared_loader_obj=call.world.loader)
        if plugin is None:
            raise RequestError("the action plugin '%s' was not found" % name)
        with LOCK:
            call.world.globals.learn()
        try:
            result = plugin.run(task_vars=variables)
        finally:
            plugin.cleanup()
            if connection['own']:
                way.close()
    except RequestError:
        raise
    except Exception as error:
        result = dict(call.templates.result(error), _ansible_raised=True)
    if not isinstance(result, dict):
        result = call.templates.result(not_a_dict(result))
    elif not call.templates.blames_module(result):
        result = dict(result, _ansible_own=True)
    # While the plugin ran, templates were its own affair.
    call.engine = call.templates.engine_of(call.templates.templar(call.world.data, variables))
    result = call.templates.texts(dict(result))
    if result.get('exception', '') in (None, host.core.versions.NO_TRACEBACK):
        # Nobody asked for tracebacks.
        del result['exception']
    return {'result': call.encoded(result)}


def not_a_dict(result):
    """The error of what ansible-core does with a result first."""
    try:
        if 'ansible_facts' in result:
            result['ansible_facts']
        return TypeError(result['failed'])
    except Exception as error:
        return error


OPERATIONS = {'run': run}
