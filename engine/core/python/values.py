"""Plugins that return values: filters, tests and lookups, called as by ansible-core's own templates.

ansible-core's loaders find them, so that names, redirections and files with several plugins work the same. Values are
sent as JSON; types that JSON lacks are mappings with the key `$` (see `decoded` and `encoded`). Values from the
controller are data: none is trusted as a template. Variables are fetched when a plugin reads them.
"""

import base64
import datetime
import math
import os
import threading

from collections.abc import Mapping, Set
from __main__ import RequestError

STATE = {}
DIRECTORIES = []
LOCK = threading.RLock()

# The other end does not read deeper JSON.
MOST_LEVELS = 100


class World(object):
    """ansible-core, ready for use in this process."""

    def __init__(self, host):
        from ansible import constants
        from ansible.parsing.dataloader import DataLoader
        from ansible.parsing.vault import VaultLib
        from ansible.plugins import loader
        from ansible.utils.collection_loader import AnsibleCollectionConfig
        from ansible.utils.display import Display

        if AnsibleCollectionConfig.collection_finder is None:
            loader.init_plugin_loader()
        self.host = host
        self.collections = AnsibleCollectionConfig
        self.loader = loader
        self.loaders = {'filter': loader.filter_loader, 'test': loader.test_loader, 'lookup': loader.lookup_loader}
        self.templates = host.core.versions.templates(host.core.version)
        self.package = os.path.realpath(host.core.package)
        self.globals = host.part('globals').Globals(self.package)
        self.data = DataLoader()
        self.shared = None
        self.playbooks = []

        class Vault(VaultLib):
            """The controller keeps the passwords and decrypts."""

            def decrypt(self, vaulttext, *more, **named):
                text = vaulttext if isinstance(vaulttext, str) else bytes(vaulttext).decode('utf-8')
                return host.controller.call('decrypt', envelope=text).encode('utf-8')

        self.data._vault = Vault([('default', object())])
        self.templates.watch(Display(), self.tell)

    def tell(self, kind, text, about=None):
        if self.host.controller.request() is not None:
            try:
                self.host.controller.call('tell', kind=kind, text=text, about=about)
            except RequestError:
                pass

    def environment(self):
        with LOCK:
            if self.shared is None:
                self.shared = self.templates.environment(self.data)
            return self.shared

    def add(self, path, is_playbook):
        with LOCK:
            # Plugins are searched for again.
            self.shared = None
            self.loader.add_all_plugin_dirs(path)
            if is_playbook:
                if not self.playbooks:
                    self.data.set_basedir(path)
                self.playbooks.append(path)
                self.collections.playbook_paths = self.playbooks


def world(host):
    """Imports ansible-core when first needed; bundling a module does not need it."""
    with LOCK:
        if 'world' not in STATE:
            STATE['world'] = World(host)
        while DIRECTORIES:
            STATE['world'].add(*DIRECTORIES.pop(0))
        return STATE['world']


def directory(host, path, is_playbook):
    """Makes the plugins in a playbook's or role's directory available from now on."""
    with LOCK:
        DIRECTORIES.append((path, is_playbook))


class Fetched(dict):
    """A mapping whose entries are fetched from the controller when they are read: all variables, `hostvars`, or a
    host's."""

    is_fetched = True

    def __init__(self, call, path):
        dict.__init__(self)
        self.call = call
        self.path = path
        # Entries that the plugin has set, and names that it has deleted.
        self.own = {}
        self.gone = set()
        self.names = None

    def fetch(self, name):
        if name in self.own:
            return self.own[name]
        if not isinstance(name, str) or name in self.gone:
            raise KeyError(name)
        path = self.path + [name]
        if path == ['vars']:
            value = Fetched(self.call, [])
        elif path[0] in ('hostvars', 'ansible_delegated_vars') and len(path) < 3:
            if len(path) == 2 and name not in self:
                raise KeyError(name)
            if len(path) == 1 and name not in self:
                raise KeyError(name)
            value = Fetched(self.call, path)
        else:
            answer = self.call.ask('variable', path=path)
            if answer is None:
                raise KeyError(name)
            value = self.call.decoded(answer['value'])
        self.own[name] = value
        return value

    def __getitem__(self, name):
        return self.fetch(name)

    def get(self, name, default=None):
        try:
            return self.fetch(name)
        except KeyError:
            return default

    def raw_get(self, name):
        """For `hostvars`: the variables of a host, or an undefined value."""
        try:
            return self.fetch(name)
        except KeyError:
            return self.call.templates.marker('hostvars[%r]' % (name,))

    def __contains__(self, name):
        if name in self.own:
            return True
        return isinstance(name, str) and name not in self.gone and bool(self.call.ask('has', path=self.path + [name]))

    def keys(self):
        if self.names is None:
            self.names = self.call.ask('names', path=self.path)
        names = [name for name in self.names if name not in self.gone]
        return dict.fromkeys(names + list(self.own)).keys()

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.keys())

    def __bool__(self):
        return True

    def values(self):
        return [self[name] for name in self.keys()]

    def items(self):
        return [(name, self[name]) for name in self.keys()]

    def copy(self):
        copied = Fetched(self.call, self.path)
        copied.own = dict(self.own)
        copied.gone = set(self.gone)
        return copied

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def __setitem__(self, name, value):
        self.own[name] = value
        self.gone.discard(name)

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        self.own.pop(name, None)
        self.gone.add(name)

    def pop(self, name, *default):
        try:
            value = self.fetch(name)
        except KeyError:
            if default:
                return default[0]
            raise
        del self[name]
        return value

    def popitem(self):
        name = next(reversed(list(self)), None)
        if name is None:
            raise KeyError('popitem(): dictionary is empty')
        return name, self.pop(name)

    def clear(self):
        for name in list(self):
            del self[name]

    def update(self, *more, **named):
        for name, value in dict(*more, **named).items():
            self[name] = value

    def __ior__(self, other):
        self.update(other)
        return self

    def setdefault(self, name, default=None):
        if name not in self:
            self[name] = default
        return self[name]

    def __or__(self, other):
        return {**dict(self.items()), **other}

    def __ror__(self, other):
        return {**other, **dict(self.items())}

    def __eq__(self, other):
        return self is other or dict(self.items()) == other

    __hash__ = None

    def __repr__(self):
        return repr(dict(self.items()))


class Call(object):
    """A call of a plugin."""

    def __init__(self, host, kind, name):
        self.host = host
        self.kind = kind
        self.name = name
        self.world = world(host)
        self.templates = self.world.templates
        # Threads of the plugin need it to read variables.
        self.request = host.controller.request()
        # The controller's undefined values, by identity: they are sent back as references.
        self.markers = {}
        # The template engine, and the function that creates a Jinja context.
        self.engine = None
        self.context = None

    def ask(self, op, **arguments):
        return self.host.controller.call(op, request=self.request, **arguments)

    def decoded(self, json):
        if isinstance(json, list):
            return [self.decoded(item) for item in json]
        if not isinstance(json, dict):
            return json
        kind = json.get('$')
        if kind is None:
            return {key: self.decoded(value) for key, value in json.items()}
        value = json.get('v')
        if kind == 'dict':
            return {self.key(key): self.decoded(item) for key, item in value}
        if kind == 'keys':
            trust = self.templates.trust
            return {trust(key): self.decoded(item) for key, item in value.items()}
        if kind == 'tuple':
            return tuple(self.decoded(item) for item in value)
        if kind == 'bytes':
            return base64.b64decode(value)
        if kind == 'int':
            return int(value)
        if kind == 'trusted':
            return self.templates.trust(value)
        if kind == 'vaulted':
            return self.templates.vaulted(value, json['e'])
        if kind == 'float':
            return float(value)
        if kind == 'datetime':
            return datetime.datetime.fromisoformat(value)
        if kind == 'date':
            return datetime.date.fromisoformat(value)
        if kind == 'timedelta':
            return datetime.timedelta(microseconds=value)
        if kind == 'omit':
            return self.templates.omit
        if kind == 'undefined':
            marker = self.templates.failed(value) if json.get('failed') else self.templates.marker(value)
            self.markers[id(marker)] = (json['n'], marker)
            return marker
        raise RequestError('there is no kind of value %r' % kind)

    def key(self, json):
        key = self.decoded(json)
        return tuple(key) if isinstance(key, list) else key

    def encoded(self, value, level=0):
        if level > MOST_LEVELS:
            raise RequestError('its value is nested deeper than %d levels' % MOST_LEVELS)
        level += 1
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            if self.templates.is_trusted(value):
                plain = self.plain(value)
                if plain is value:
                    return {'$': 'trusted', 'v': str.__str__(value)}
                return self.encoded(plain, level) if not isinstance(plain, str) else self.text(plain)
            return self.text(value)
        if isinstance(value, int):
            number = int(value)
            if -2 ** 63 <= number < 2 ** 63:
                return number
            return {'$': 'int', 'v': str(number)}
        if isinstance(value, float):
            return {'$': 'float', 'v': repr(float(value))} if not math.isfinite(value) else float(value)
        if self.templates.is_marker(value):
            return self.marked(value)
        if isinstance(value, Mapping):
            entries = [(self.encoded(key, level), self.encoded(item, level)) for key, item in value.items()]
            if all(isinstance(key, str) and key != '$' for key, _ in entries):
                return dict(entries)
            if all(isinstance(key, dict) and key['$'] == 'trusted' for key, _ in entries):
                return {'$': 'keys', 'v': {key['v']: item for key, item in entries}}
            return {'$': 'dict', 'v': entries}
        if isinstance(value, list):
            return [self.encoded(item, level) for item in value]
        if isinstance(value, tuple):
            return {'$': 'tuple', 'v': [self.encoded(item, level) for item in value]}
        if isinstance(value, (bytes, bytearray)):
            return {'$': 'bytes', 'v': base64.b64encode(bytes(value)).decode('ascii')}
        if isinstance(value, datetime.datetime):
            return {'$': 'datetime', 'v': value.isoformat()}
        if isinstance(value, datetime.timedelta):
            return {'$': 'timedelta', 'v': value // datetime.timedelta(microseconds=1)}
        if isinstance(value, datetime.date):
            return {'$': 'date', 'v': value.isoformat()}
        if isinstance(value, datetime.time):
            return value.isoformat()
        if value is self.templates.omit:
            return {'$': 'omit'}
        if isinstance(value, Set):
            return [self.encoded(item, level) for item in value]
        if hasattr(value, '__next__') or isinstance(value, range):
            return [self.encoded(item, level) for item in value]
        if isinstance(getattr(value, 'data', None), str):
            # Text that is decrypted when it is read.
            return str(value)
        if callable(getattr(value, '_decrypt', None)):
            return str(value)
        raise RequestError("Type '%s' is unsupported for variable storage." % type(value).__name__)

    def plain(self, text):
        """The value of a trusted text. Without an engine it stays text."""
        return self.templates.plain(self.engine, text) if self.engine is not None else str.__str__(text)

    def text(self, value):
        envelope = self.templates.envelope(value)
        return {'$': 'vaulted', 'v': str.__str__(value), 'e': envelope} if envelope else str.__str__(value)

    def marked(self, marker):
        known = self.markers.get(id(marker))
        if known is not None:
            return {'$': 'undefined', 'n': known[0]}
        failure = self.templates.failure(marker)
        if failure is not None:
            raise failure
        return {'$': 'undefined', 'v': str(self.templates.hint(marker))}

    def run(self, within):
        """The result of a plugin: {value}, {error} or {missing}."""
        variables = Fetched(self, [])

        def inside(context, engine):
            self.engine = engine
            self.context = context
            return {'value': self.encoded(within(engine))}

        try:
            told = self.templates.call(self.world.environment(), self.world.data, variables, inside)
            return told if isinstance(told, dict) else {'value': self.marked(told)}
        except RequestError:
            raise
        except Exception as error:
            if self.templates.missing(error):
                return {'missing': True}
            return {'error': self.templates.message(error, self.kind, self.name)}


def function(environment, kind, name):
    from jinja2.exceptions import TemplateSyntaxError

    functions = environment.filters if kind == 'filter' else environment.tests
    try:
        return functions[name]
    except KeyError:
        return None
    except TemplateSyntaxError:
        return None


def invoke(host, kind, name, args, named, turn):
    """Calls a filter or a test."""
    from jinja2.utils import _PassArg

    call = Call(host, kind, name)

    def within(engine):
        environment = call.world.environment()
        plugin = function(environment, kind, name)
        wanted = _PassArg.from_obj(plugin)
        given = [call.decoded(arg) for arg in args]
        if wanted is _PassArg.context:
            given.insert(0, call.context())
        elif wanted is _PassArg.eval_context:
            given.insert(0, call.context().eval_ctx)
        elif wanted is _PassArg.environment:
            given.insert(0, environment)
        return plugin(*given, **{key: call.decoded(value) for key, value in named.items()})

    try:
        with LOCK:
            call.world.globals.enter(turn)
            found = function(call.world.environment(), kind, name)
            call.world.globals.learn()
    except Exception as error:
        if call.templates.missing(error):
            return {'missing': True}
        return {'error': call.templates.message(error, kind, name)}
    return call.run(within) if found is not None else {'missing': True}


def filter_(host, name, args, named, turn=None):
    return invoke(host, 'filter', name, args, named, turn)


def test(host, name, args, named, turn=None):
    return invoke(host, 'test', name, args, named, turn)


def lookup(host, name, args, named, is_loop=False, turn=None):
    """Runs a lookup. `named` may have `wantlist` and `errors`, as in a template."""
    call = Call(host, 'lookup', name)
    # While ansible-core loads a module, other threads may see it half loaded.
    with LOCK:
        call.world.globals.enter(turn)
        try:
            call.world.loaders['lookup'].get(name, class_only=True)
        except Exception:
            # The call reports the error.
            pass
        call.world.globals.learn()

    def within(engine):
        terms = [call.decoded(arg) for arg in args]
        return call.templates.lookup(
            engine, name, terms, {key: call.decoded(value) for key, value in named.items()}, is_loop)

    return call.run(within)


def replaces(host, kind, name):
    """Whether a plugin of the user's overrides ansible-core's own of this name."""
    own = world(host)
    try:
        with LOCK:
            found = own.loaders[kind].get(name)
    except Exception:
        # It exists but cannot be loaded; the call reports the error.
        return True
    path = getattr(found, '_original_path', None)
    return bool(path) and not os.path.realpath(path).startswith(own.package + os.sep)


OPERATIONS = {'directory': directory, 'filter': filter_, 'test': test, 'lookup': lookup, 'replaces': replaces}
