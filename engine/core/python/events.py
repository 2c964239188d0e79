"""rplay's callback host: passes the events of a run to callback plugins.

The controller starts it when a run has callback plugins written in Python. Frames come on standard input, a socket: four
bytes with the length (little-endian), then JSON. The first says how the run was started; the answer lists the loaded
plugins, or says what is wrong. Each further one is an event; one with `wait` is answered once all plugins have handled
it. Standard output and standard error are those of the controller, so that the output of plugins is visible.

Plugins are loaded, chosen and called by ansible-core's own TaskQueueManager, and get its own classes.
"""

import argparse
import inspect
import json
import os
import signal
import socket
import struct
import sys
import traceback
import types


def load(text):
    module = types.ModuleType('versions')
    exec(compile(text, 'rplay/versions.py', 'exec'), module.__dict__)
    return module


# The keys of items' results in a loop's result besides the modules' own.
SHOWN = ('_ansible_item_label', '_ansible_verbose_always')


class Callbacks(object):
    def __init__(self, setup):
        self.versions = load(setup['versions'])
        self.native = setup['stdout'] is None
        self.tasks = {}
        self.sources = Sources(self.versions)
        # The results of a loop's items, until the loop ends, by task and host.
        self.items = {}
        self.playbook = self.play = self.current = None
        sys.argv = setup['argv']
        from ansible import context

        context._init_global_context(argparse.Namespace(**setup['options']))
        from ansible.inventory.manager import InventoryManager
        from ansible.parsing.dataloader import DataLoader
        from ansible.plugins.loader import add_all_plugin_dirs, init_plugin_loader
        from ansible.utils.collection_loader import AnsibleCollectionConfig
        from ansible.utils.display import Display
        from ansible.vars.manager import VariableManager

        Display().verbosity = setup['options']['verbosity']
        init_plugin_loader()
        AnsibleCollectionConfig.playbook_paths = setup['directories']
        for directory in setup['directories']:
            add_all_plugin_dirs(directory)
        self.loader = DataLoader()
        self.inventory = InventoryManager(loader=self.loader, sources=None, parse=False)
        self.variables = VariableManager(
            loader=self.loader, inventory=self.inventory, version_info=self.versions.version_info()
        )
        self.tqm = self.manager(setup)

    def manager(self, setup):
        from ansible.executor.task_queue_manager import TaskQueueManager

        # The manager needs one; if the controller itself writes the output, this one is silent.
        stdout = 'minimal' if self.native else setup['stdout']
        manager = TaskQueueManager(self.inventory, self.variables, self.loader, {}, stdout, setup['additional'])
        # Plugins receive the events of an interrupted run until its end; they may set handlers of their own.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        manager.load_callbacks()
        if self.native:
            self.stdout(manager).disabled = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return manager

    def stdout(self, manager):
        plugin = getattr(manager, '_stdout_callback', None)
        return plugin if plugin is not None else manager._callback_plugins[0]

    def loaded(self):
        plugins = [plugin for plugin in self.tqm._callback_plugins if not plugin.disabled]
        return [str(getattr(plugin, '_load_name', type(plugin).__name__)) for plugin in plugins]

    def host(self, name):
        from ansible.inventory.host import Host

        known = self.inventory._inventory.hosts.get(name)
        return known if known is not None else Host(name)

    # One method per event, by the controller's names.

    def playbook_started(self, path):
        from ansible.playbook import Playbook

        loader, variables = self.loader, self.variables

        class Written(Playbook):
            def get_plays(self):
                try:
                    return Playbook.load(path, variable_manager=variables, loader=loader).get_plays()
                except Exception:
                    # Encrypted, or not a file at all.
                    return []

        Written.__name__ = Playbook.__name__
        self.playbook = Written(self.loader)
        self.playbook._file_name = path
        self.playbook._basedir = os.path.dirname(os.path.abspath(path))
        self.loader.set_basedir(self.playbook._basedir)
        self.tqm.send_callback('v2_playbook_on_start', self.playbook)

    def play_started(self, name, hosts, patterns, variables, check_mode, place):
        from ansible.playbook.play import Play
        from ansible.playbook.play_context import PlayContext

        for host in hosts:
            if host not in self.inventory._inventory.hosts:
                self.inventory._inventory.add_host(host)
        self.inventory.reconcile_inventory()
        play = new_of(Play, place, self.sources)
        play.name = name
        play.hosts = patterns
        play.check_mode = check_mode
        play.vars = variables
        play._loader = self.loader
        play._variable_manager = self.variables
        self.play, self.current = play, None
        self.tasks.clear()
        context = PlayContext(play, {}, self.tqm._connection_lockfile.fileno())
        for plugin in self.tqm._callback_plugins:
            plugin.set_play_context(context)
        self.tqm.send_callback('v2_playbook_on_play_start', play)

    def no_hosts(self):
        self.tqm.send_callback('v2_playbook_on_no_hosts_matched')

    def no_hosts_left(self):
        self.tqm.send_callback('v2_playbook_on_no_hosts_remaining')

    def task_started(self, id, name, action, handler, args, vars, around, tags, role, role_path, looped, no_log,
                     check_mode, place):
        # With `no_log`, the file would show what the task hides.
        task = new_task(handler, place, None if no_log else self.sources, action)
        task.name = name
        task.action = action
        self.versions.set_resolved_action(task, action if '.' in action else 'ansible.builtin.' + action)
        task.args = args
        task.vars = vars
        task.tags = tags
        task.no_log = no_log
        task.check_mode = check_mode
        task._loader = self.loader
        task._variable_manager = self.variables
        if looped:
            task.loop = '{{ items }}'
        if role is not None:
            from ansible.playbook.role import Role

            task._role = Role()
            task._role._role_name = role
            task._role._role_path = role_path
        if self.play is not None:
            from ansible.playbook.block import Block

            task._parent = Block(play=self.play)
            task._parent.vars = around
        self.tasks[id] = self.current = task
        if handler:
            self.tqm.send_callback('v2_playbook_on_handler_task_start', task)
        else:
            self.tqm.send_callback('v2_playbook_on_task_start', task, is_conditional=False)

    def flushed(self, place):
        """Only for plugins with `wants_implicit_tasks`."""
        task = new_task(False, place)
        task.action = 'meta'
        task.args = {'_raw_params': 'flush_handlers'}
        self.versions.set_resolved_action(task, 'ansible.builtin.meta')
        task.implicit = True
        task._loader = self.loader
        task._variable_manager = self.variables
        self.tqm.send_callback('v2_playbook_on_task_start', task, is_conditional=False)

    def host_started(self, task, host):
        self.tqm.send_callback('v2_runner_on_start', self.host(host), self.tasks[task])

    def result(self, task, host, status, data, delegated_to, item, shown, causes=()):
        task = self.tasks[task]
        if delegated_to is not None:
            task.delegate_to = delegated_to
            data.setdefault('_ansible_delegated_vars', {'ansible_delegated_host': delegated_to})
        # The controller omits results that show nothing. As in ansible-core, an item of an include has none.
        if item is None or 'include_args' not in data:
            data.setdefault('changed', status == 'changed')
        for word in ('skipped', 'failed', 'unreachable'):
            if status.startswith(word) or (word == 'failed' and status == 'ignored'):
                data.setdefault(word, True)
        if item is not None:
            data['_ansible_item_result'] = True
            data.setdefault('item', item['label'])
            data.setdefault('ansible_loop_var', 'item')
            data['_ansible_item_label'] = item['label']
        if shown:
            data['_ansible_verbose_always'] = True
        data['_ansible_no_log'] = bool(task.no_log)
        self.versions.messages(data, causes)
        fields = Fields(task, {'name': task.get_name(), 'action': task.action, 'args': task.args, 'loop': task.loop})
        fields.update(no_log=task.no_log, delegate_to=task.delegate_to, ignore_errors=status.endswith('ignored'))
        return self.versions.task_result(self.host(host), task, data, fields)

    def before_result(self, result, status, shows_diff, polled):
        if polled:
            kind = 'failed' if status in ('failed', 'ignored') else 'ok'
            self.tqm.send_callback('v2_runner_on_async_' + kind, result)
        if shows_diff and status in ('ok', 'changed'):
            self.tqm.send_callback('v2_on_file_diff', result)

    def item_done(self, status, shows_diff, polled, **about):
        result = self.result(status=status, **about)
        self.before_result(result, status, shows_diff, polled)
        shown = {key: about['data'][key] for key in SHOWN if key in about['data']}
        self.items.setdefault((about['task'], about['host']), []).append(shown)
        event = {'ok': 'ok', 'changed': 'ok', 'skipped': 'skipped'}.get(status, 'failed')
        self.tqm.send_callback('v2_runner_item_on_' + event, result)

    def host_done(self, status, shows_diff, polled, **about):
        shown = self.items.pop((about['task'], about['host']), [])
        items = about['data'].get('results')
        if isinstance(items, list) and len(items) == len(shown):
            for item, keys in zip(items, shown):
                if isinstance(item, dict):
                    item.update(keys)
        result = self.result(status=status, item=None, **about)
        self.before_result(result, status, shows_diff, polled)
        if status in ('failed', 'ignored'):
            self.tqm.send_callback('v2_runner_on_failed', result, ignore_errors=status == 'ignored')
        elif status.startswith('unreachable'):
            self.tqm.send_callback('v2_runner_on_unreachable', result)
        else:
            self.tqm.send_callback('v2_runner_on_skipped' if status == 'skipped' else 'v2_runner_on_ok', result)

    def retrying(self, left, data, **about):
        data['attempts'] = data.get('attempts') or 1
        data['retries'] = data['attempts'] + left
        self.tqm.send_callback('v2_runner_retry', self.result(data=data, status='failed', shown=False, **about))

    def included(self, task, hosts, file, item):
        from ansible.playbook.included_file import IncludedFile

        task, variables = self.tasks[task], {}
        if item is not None:
            variables = {'item': item['label'], 'ansible_loop_var': 'item', '_ansible_item_label': item['label']}
        included = IncludedFile(file, {}, variables, task, is_role=short(task.action) == 'include_role')
        for host in hosts:
            included._hosts.append(self.host(host))
        self.tqm.send_callback('v2_playbook_on_include', included)

    def notified(self, handler, host):
        task = new_task(True)
        task.name = handler
        self.tqm.send_callback('v2_playbook_on_notify', task, self.host(host))

    def run_ended(self, hosts, custom):
        from ansible.executor.stats import AggregateStats

        stats = AggregateStats()
        for host, counts in hosts.items():
            stats.processed[host] = 1
            for name, count in counts.items():
                if count:
                    getattr(stats, name)[host] = count
        stats.custom.update(custom)
        self.tqm.send_callback('v2_playbook_on_stats', stats)


class Sources(object):
    """Plays and tasks as written, for plugins that ask for them; files are read again then."""

    def __init__(self, versions):
        self.versions = versions
        # The mappings of a file by the lines where they begin.
        self.files = {}

    def at(self, place):
        path, _, line = place.rpartition(':')
        if path not in self.files:
            self.files[path] = {}
            try:
                from ansible.parsing.dataloader import DataLoader

                self.add(DataLoader().load_from_file(path), self.files[path])
            except Exception:
                # No longer YAML, encrypted, or not a file at all.
                pass
        return self.files[path].get(line)

    def add(self, value, found):
        if isinstance(value, dict):
            line = self.versions.line(value)
            if line is not None:
                found.setdefault(str(line), value)
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self.add(part, found)


class Fields(dict):
    """The keywords of a task for one host; those that the controller does not render are as written."""

    def __init__(self, task, known):
        dict.__init__(self, known)
        self.task = task

    def __missing__(self, name):
        if name not in self.task.fattributes:
            raise KeyError(name)
        return getattr(self.task, name)

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default


# Keywords that plays and tasks have as their file has them; the controller says all others. Those that ansible-core reads
# for every event are not among them: files are read only for plugins that ask.
AS_WRITTEN = {
    'any_errors_fatal', 'async_val', 'become', 'become_method', 'become_user', 'changed_when', 'collections', 'connection',
    'delay', 'delegate_facts', 'delegate_to', 'diff', 'environment', 'failed_when', 'gather_facts',
    'ignore_errors', 'ignore_unreachable', 'loop_control', 'loop_with', 'max_fail_percentage', 'module_defaults', 'notify',
    'order', 'poll', 'port', 'register', 'remote_user', 'retries', 'run_once', 'serial', 'tags', 'throttle', 'timeout', 'until',
    'vars_files', 'vars_prompt', 'when', 'tasks', 'pre_tasks', 'post_tasks', 'handlers', 'roles',
}


def keyword(kind, name):
    """An attribute that is read from the file when a plugin asks for it, unless it was set."""
    usual = inspect.getattr_static(kind, name)

    def read(self):
        if name in self._rplay_known:
            return self._rplay_known[name]
        loaded = self._rplay_loaded()
        return usual.__get__(self, kind) if loaded is None else getattr(loaded, name)

    def write(self, value):
        self._rplay_known[name] = value

    return property(read, write)


def loaded(self):
    """A play or task as ansible-core itself reads it; None if it is not in a file."""
    if self._rplay_read is None:
        self._rplay_read = [None]
        try:
            written = self._ds
            if written is not None:
                self._rplay_read = [self._rplay_kind.load(written, variable_manager=self._variable_manager, loader=self._loader)]
                parent = getattr(self, '_parent', None)
                play = parent and parent._play._rplay_loaded()
                if play is not None:
                    # What it inherits.
                    from ansible.playbook.block import Block

                    self._rplay_read[0]._parent = Block(play=play)
        except Exception:
            # It names what only the controller finds.
            pass
    return self._rplay_read[0]


def new_of(kind, place, sources=None):
    """An object of one of ansible-core's classes, with its place as given by the controller."""
    if kind not in new_of.kinds:
        def written(self):
            if self._rplay_written is None and self._rplay_sources is not None:
                self._rplay_written = self._rplay_sources.at(self._rplay_path)
            return self._rplay_written

        def write(self, value):
            self._rplay_written = value

        def tasks(self):
            written = self._ds
            return [] if written is None else kind.load(
                written, variable_manager=self._variable_manager, loader=self._loader).get_tasks()

        members = {'_rplay_path': '', '_rplay_sources': None, '_rplay_written': None, '_ds': property(written, write)}
        members['get_path'] = lambda self: self._rplay_path
        members.update(_rplay_kind=kind, _rplay_read=None, _rplay_known={}, _rplay_loaded=loaded)
        members.update((name, keyword(kind, name)) for name in AS_WRITTEN if name in kind.fattributes)
        if hasattr(kind, 'get_tasks'):
            members['get_tasks'] = tasks
        new_of.kinds[kind] = type(kind.__name__, (kind,), members)
    made = new_of.kinds[kind]()
    # What its constructor sets are defaults.
    made._rplay_known = {}
    made._rplay_path = place
    made._rplay_sources = sources
    return made


new_of.kinds = {}


def short(action):
    """The name of one of ansible-core's actions without its collection."""
    return action.rpartition('.')[2] if action.startswith(('ansible.builtin.', 'ansible.legacy.')) else action


def new_task(handler, place='', sources=None, action=''):
    """A task; plugins tell includes by their class."""
    from ansible.playbook.handler import Handler
    from ansible.playbook.handler_task_include import HandlerTaskInclude
    from ansible.playbook.role_include import IncludeRole
    from ansible.playbook.task import Task
    from ansible.playbook.task_include import TaskInclude

    kind = Handler if handler else Task
    if short(action) == 'include_tasks':
        kind = HandlerTaskInclude if handler else TaskInclude
    elif short(action) == 'include_role':
        kind = IncludeRole
    return new_of(kind, place, sources)


def receive(link):
    head = exactly(link, 4)
    body = exactly(link, struct.unpack('<I', head)[0]) if head is not None else None
    return None if body is None else json.loads(body.decode('utf-8'))


def exactly(link, length):
    content = bytearray()
    while len(content) < length:
        part = link.recv(min(length - len(content), 1 << 20))
        if not part:
            return None
        content += part
    return bytes(content)


def send(link, message):
    content = json.dumps(message).encode('utf-8')
    link.sendall(struct.pack('<I', len(content)) + content)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (IOError, OSError, ValueError):
            # Nobody reads any longer.
            pass


def main():
    link = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.path = [entry for entry in sys.path if entry not in ('', '.')]
    setup = receive(link)
    try:
        callbacks = Callbacks(setup)
    except BaseException as error:
        flush()
        send(link, {'error': ' '.join(str(error).split()) or type(error).__name__})
        return
    flush()
    send(link, {'loaded': callbacks.loaded()})
    while True:
        event = receive(link)
        if event is None:
            break
        wait = event.pop('wait', False)
        name = event.pop('event')
        error = None
        try:
            if name != 'flush':
                getattr(callbacks, name)(**event)
        except BaseException as raised:
            # The manager has reported plugins' own exceptions; with Ansible, this one ends the run.
            error = '%s: %s' % (type(raised).__name__, raised)
            traceback.print_exc()
        if wait:
            flush()
            send(link, {'error': error} if error else {})
    flush()


main()
