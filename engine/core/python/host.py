"""rplay's plugin host: does what only the Python that has ansible-core can do.

The controller starts it once per run, when something first needs it. Frames go both ways: four bytes with the length
(little-endian), then JSON. They arrive on standard input and leave through a copy of standard output; standard output
itself is redirected to standard error, so that no imported code can print into an answer.

A request is {id, op, with}. `op` names a function in `OPERATIONS`, or as PART.NAME one in the `OPERATIONS` of a part;
its arguments are the host and the entries of `with`. The answer is {id, result} or {id, error}, with a sentence. Each
pending request has its own thread (the main thread if it is free), so functions must be thread-safe.

During a request, a function may ask the controller: `host.controller.call(op, ...)` sends {call, for, op, with}, where
`for` is the request, and waits for {call, result} or {call, error}, which is raised as `RequestError`.

Parts are further files, whose texts come with `hello`. Each is loaded by its first operation, and imports from here
with `from __main__ import RequestError`. The part `versions` has what depends on ansible-core's version.
"""

import ast
import hashlib
import importlib.machinery
import io
import itertools
import json
import os
import queue
import re
import struct
import sys
import threading
import traceback
import types
import zipfile

CORE = 'ansible.module_utils'
COLLECTIONS = 'ansible_collections'
PLACEHOLDER = b'#<<INCLUDE_ANSIBLE_MODULE_COMMON>>'


class RequestError(Exception):
    """An invalid request; the message is a sentence for the user."""


class Core(object):
    """The installed ansible-core; only its version is imported."""

    def __init__(self, versions):
        spec = importlib.machinery.PathFinder.find_spec('ansible')
        origin = spec.origin if spec is not None else None
        release = os.path.join(os.path.dirname(origin), 'release.py') if origin else None
        if not release or not os.path.isfile(release):
            raise RequestError('there is no ansible-core')
        self.package = os.path.dirname(origin)
        names = {}
        with io.open(release, 'rb') as source:
            exec(compile(source.read(), release, 'exec'), names)
        self.version = names['__version__']
        self.versions = versions
        if not versions.is_supported(self.version):
            raise RequestError('ansible-core %s is not supported; %s' % (self.version, versions.SUPPORTED))
        self.routes = {}

    def module_utils(self):
        return os.path.join(self.package, 'module_utils')

    def routing(self, path, kind):
        """The entries of a runtime.yml for a kind of plugins: {name: {...}}."""
        if path not in self.routes:
            self.routes[path] = read_yaml(path)
        found = self.routes[path].get('plugin_routing') or {}
        return found.get(kind) or {}


def removed(name, tombstone, collection):
    """What is said of a module_utils that is no more, in ansible-core's words."""
    text = '(%s)' % tombstone['warning_text'] if tombstone.get('warning_text') else ''
    of = 'ansible-core' if collection == 'ansible.builtin' else "collection '%s'" % collection
    when = ''
    if tombstone.get('removal_version'):
        when = ' version %s' % tombstone['removal_version']
    elif tombstone.get('removal_date'):
        when = ' in a release after %s' % tombstone['removal_date']
    return ' '.join(word for word in ('module_util', name, 'has been removed', text) if word) + (
        '. This feature was removed from %s%s.' % (of, when))


def read_yaml(path):
    import yaml

    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    try:
        with io.open(path, 'rb') as source:
            content = yaml.load(source, Loader=loader)
    except (IOError, OSError):
        return {}
    except yaml.YAMLError as error:
        raise RequestError('%s: %s' % (path, ' '.join(str(error).split())))
    return content if isinstance(content, dict) else {}


class Imports(ast.NodeVisitor):
    """The module_utils that a source imports: for each the candidate names, longest first, and whether it may be
    missing."""

    def __init__(self, package):
        self.package = package
        self.found = []
        self.optional = 0

    def generic_visit(self, node):
        # As in ansible-core, only imports at the top level of the source are required.
        nested = not isinstance(node, ast.Module)
        self.optional += nested
        super().generic_visit(node)
        self.optional -= nested

    def visit_Import(self, node):
        for alias in node.names:
            self.add(alias.name, None)

    def visit_ImportFrom(self, node):
        module = node.module or ''
        if node.level:
            if self.package is None:
                return
            words = self.package.split('.')
            if node.level > len(words):
                return
            start = '.'.join(words[:len(words) - node.level + 1])
            module = '%s.%s' % (start, module) if module else start
        for alias in node.names:
            self.add(module, alias.name)

    def add(self, module, name):
        whole = module if name in (None, '*') else '%s.%s' % (module, name)
        words = whole.split('.')
        in_core = words[:2] == CORE.split('.')
        in_collection = words[0] == COLLECTIONS and words[3:5] == ['plugins', 'module_utils']
        if not in_core and not in_collection:
            return
        self.found.append((whole, None if name in (None, '*') else module, bool(self.optional)))


class Closure(object):
    """Files that a module needs, by their paths in its bundle."""

    def __init__(self, core, utils, collections, without=()):
        self.core = core
        self.utils = utils
        self.collections = collections
        self.without = without
        self.content = {}
        # Paths on this machine: those that were read, with size and time, and those that do not exist.
        self.read = []
        self.absent = []
        self.waiting = []
        self.seen = set()

    def add_source(self, name, is_package, source, path):
        """Adds a module, and queues its imports."""
        words = name.split('.')
        inner = '/'.join(words + ['__init__.py'] if is_package else words) + ('' if is_package else '.py')
        if inner in self.content:
            return
        self.content[inner] = source
        package = name if is_package else '.'.join(words[:-1])
        try:
            tree = ast.parse(source, os.path.basename(path or name))
        except (SyntaxError, ValueError) as error:
            raise RequestError('Unable to compile %r: %s' % (words[-1] if path else name, error))
        imports = Imports(package)
        imports.visit(tree)
        self.waiting.extend((whole, module, optional, name) for whole, module, optional in imports.found)
        self.add_packages(words[:-1])

    def add_packages(self, words):
        """Adds the packages around a module, with their own files if they have any."""
        for depth in range(1, len(words) + 1):
            name = '.'.join(words[:depth])
            inner = '/'.join(words[:depth] + ['__init__.py'])
            if inner in self.content or inner in self.without:
                continue
            found = None
            if depth > (4 if words[0] == COLLECTIONS else 1):
                found = self.find(words[:depth])
            if found is not None and found[1]:
                self.add_source(name, True, found[0], found[2])
            else:
                self.content[inner] = self.core_init() if name == 'ansible' else b''

    def core_init(self):
        return ('__version__ = %r\n' % self.core.version).encode('utf-8')

    def follow(self):
        """Adds imported modules until none is left."""
        while self.waiting:
            whole, module, optional, by = self.waiting.pop()
            if (whole, module) in self.seen:
                continue
            self.seen.add((whole, module))
            candidates = [whole] if module is None or module == whole else [whole, module]
            if whole.startswith(CORE + '.six.') or whole == CORE + '.six':
                # `six` creates its submodules itself.
                candidates = [CORE + '.six']
            if module is None:
                # `import a.b.c` needs all of them; add_packages adds the outer ones.
                candidates = [whole]
            for candidate in candidates:
                if self.take(candidate):
                    break
            else:
                if not optional:
                    # The controller inserts its own name of the module.
                    message = 'Could not find imported module support code for {}. Looked for (%r)'
                    raise RequestError(message % candidates)

    def take(self, name):
        words = name.split('.')
        root = 2 if words[0] == 'ansible' else 5
        if len(words) < root:
            return False
        if len(words) == root:
            self.add_packages(words)
            return True
        base = '/'.join(words)
        ends = (base + '.py', base + '/__init__.py')
        if any(end in self.content for end in ends):
            return True
        # The user's own takes precedence over the shared ones.
        found = self.find(words, self.utils) if words[0] == 'ansible' else None
        if found is None and any(end in self.without for end in ends):
            return True
        found = found or self.find(words)
        if found is None:
            redirect = self.redirect(words, root)
            if redirect is None:
                return False
            shim = 'import sys\nimport %s\nsys.modules[%r] = sys.modules[%r]\n' % (redirect, name, redirect)
            found = (shim.encode('utf-8'), False, None)
        self.add_source(name, found[1], found[0], found[2])
        return True

    def find(self, words, directories=None):
        """(source, whether it is a package, path), or None."""
        places = self.places(words) if directories is None else [(directory, words[2:]) for directory in directories]
        for start, rest in places:
            path = os.path.join(start, *rest)
            for end, is_package in (('/__init__.py', True), ('.py', False)):
                source = self.source(path + end)
                if source is not None:
                    return source, is_package, path + end
        return None

    def places(self, words):
        """Directories to search, and what to search for in each."""
        if words[0] == 'ansible':
            own = [(directory, words[2:]) for directory in self.utils]
            return own + [(self.core.module_utils(), words[2:])]
        return [(os.path.join(root, *words[1:3]), words[3:]) for root in self.collections]

    def source(self, path):
        try:
            with io.open(path, 'rb') as source:
                about = os.fstat(source.fileno())
                content = source.read()
        except (IOError, OSError):
            self.absent.append(path)
            return None
        self.read.append([path, about.st_size, int(about.st_mtime_ns)])
        return content

    def redirect(self, words, root):
        """The new name of a moved module_utils, from the metadata of its collection or of ansible-core."""
        if words[0] == 'ansible':
            paths = [os.path.join(self.core.package, 'config', 'ansible_builtin_runtime.yml')]
        else:
            paths = [os.path.join(start, *(words[1:3] + ['meta', 'runtime.yml'])) for start in self.collections]
        name = '.'.join(words)
        for path in paths:
            entry = self.core.routing(path, 'module_utils').get('.'.join(words[root:])) or {}
            if entry.get('tombstone'):
                raise RequestError('Task failed: ' + removed(name, entry['tombstone'], 'ansible.builtin' if root == 2 else '.'.join(words[1:3])))
            to = entry.get('redirect')
            if to:
                if not to.startswith(COLLECTIONS + '.') and not to.startswith('ansible.'):
                    # `ns.collection.name` is short for the full path.
                    parts = to.split('.')
                    to = '.'.join([COLLECTIONS] + parts[:2] + ['plugins', 'module_utils'] + parts[2:])
                self.waiting.append((to, None, False, name))
                return to
        return None

    def bundle(self, directory):
        """Writes the files as one ZIP, named by its SHA-256. Equal content makes an equal file."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(self.content):
                about = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                about.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(about, self.content[name])
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        path = os.path.join(directory, digest)
        if not os.path.exists(path):
            new = '%s.%d.%d' % (path, os.getpid(), threading.get_ident())
            with io.open(new, 'wb') as file:
                file.write(content)
            os.rename(new, path)
        return digest


class Controller(object):
    """The connection to the controller."""

    def __init__(self, out):
        self.out = out
        self.writing = threading.Lock()
        self.numbers = itertools.count()
        self.waiting = {}
        self.local = threading.local()

    def send(self, message):
        text = json.dumps(message)
        if '\\ud' in text:
            # Halves of characters, which stand for bytes that are not UTF-8, are replaced: no reader of JSON takes them.
            text = json.dumps(message, ensure_ascii=False).encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')
        content = text.encode('utf-8')
        with self.writing:
            self.out.write(struct.pack('<I', len(content)) + content)
            self.out.flush()

    def request(self):
        """The request that this thread works on, or None; threads that it starts need it for their calls."""
        return getattr(self.local, 'request', None)

    def call(self, op, request=None, **arguments):
        """Asks the controller and returns its answer."""
        if request is None:
            request = self.request()
        if request is None:
            raise RequestError('%r can only be asked while a request is under way' % op)
        number = next(self.numbers)
        slot = self.waiting[number] = queue.SimpleQueue()
        try:
            self.send({'call': number, 'for': request, 'op': op, 'with': arguments})
            answer = slot.get()
        finally:
            del self.waiting[number]
        if 'error' in answer:
            raise RequestError(answer['error'])
        return answer.get('result')

    def answered(self, message):
        slot = self.waiting.get(message['call'])
        if slot is not None:
            slot.put(message)


class Host(object):
    def __init__(self, controller):
        self.controller = controller
        self.core = None
        self.base = None
        self.texts = {}
        self.parts = {}
        # The queues at which threads without a request wait.
        self.idle = []
        self.lock = threading.RLock()

    def part(self, name):
        """A part of this program, loaded once."""
        with self.lock:
            if name not in self.parts:
                if name not in self.texts:
                    raise RequestError('there is no part %r' % name)
                module = types.ModuleType('rplay_' + name)
                sys.modules[module.__name__] = module
                exec(compile(self.texts[name], 'rplay/%s.py' % name, 'exec'), module.__dict__)
                self.parts[name] = module
            return self.parts[name]

    def hello(self, parts):
        """The version of ansible-core, and where its Python has collections."""
        self.texts = parts
        self.core = Core(self.part('versions'))
        collections = [os.path.join(directory, COLLECTIONS) for directory in sys.path if directory]
        return {
            'version': self.core.version,
            'package': self.core.package,
            'collections': [directory for directory in collections if os.path.isdir(directory)],
            'python': sys.executable,
        }

    def shared(self):
        """The bundle that all modules share."""
        with self.lock:
            if self.base is None:
                base = Closure(self.core, [], [])
                for name in self.core.versions.base_modules(self.core.package, self.core.version):
                    base.waiting.append((name, None, False, 'rplay'))
                base.follow()
                self.base = base
            return self.base

    def build(self, path, package, utils, collections, directory):
        """The bundles of a module: the shared one and its own. `read` and `absent` name the files that show whether the
        bundles are still valid."""
        base = self.shared()
        closure = Closure(self.core, utils, collections, base.content)
        source = closure.source(path)
        if source is None:
            raise RequestError('%s cannot be read' % path)
        source = source.replace(PLACEHOLDER, b'from ansible.module_utils.basic import *')
        closure.add_source(package, False, source, path)
        closure.follow()
        return {
            'base': base.bundle(directory),
            'bundle': closure.bundle(directory),
            'read': base.read + closure.read,
            'absent': closure.absent,
        }


    def jinja(self, kind):
        """Jinja's own filters or tests, each with the first sentence of its docstring."""
        import inspect

        import jinja2.defaults

        own = {'filter': jinja2.defaults.DEFAULT_FILTERS, 'test': jinja2.defaults.DEFAULT_TESTS}[kind]
        told = {}
        for name, function in own.items():
            # The others are operators, which no template calls by name.
            if name.isidentifier():
                first = (inspect.getdoc(function) or '').split('\n\n')[0]
                sentence = re.split(r'[.!?]', ' '.join(first.split()).split(' (')[0])[0]
                told[name] = sentence.rstrip(':') + '.'
        return told


OPERATIONS = {'hello': Host.hello, 'build': Host.build, 'jinja': Host.jinja}


def operation(host, name):
    part, _, short = name.rpartition('.')
    known = host.part(part).OPERATIONS if part else OPERATIONS
    if short not in known:
        raise RequestError('there is no operation %r' % name)
    return known[short]


def answer(host, request):
    try:
        return {'result': operation(host, request['op'])(host, **request.get('with', {}))}
    except RequestError as wrong:
        return {'error': str(wrong)}
    except Exception as error:
        traceback.print_exc()
        return {'error': '%s: %s' % (type(error).__name__, ' '.join(str(error).split()))}


def work(host, requests, is_main=False):
    """Answers requests one by one. The main thread is preferred when it is free, since some things work only there."""
    controller = host.controller
    while True:
        request = requests.get()
        number = controller.local.request = request.get('id')
        try:
            controller.send(dict(answer(host, request), id=number))
        except (TypeError, ValueError, RecursionError) as error:
            controller.send({'id': number, 'error': 'what it yields cannot be passed on: %s' % error})
        except BaseException as error:
            # A plugin called exit, which must not end the process.
            controller.send({'id': number, 'error': '%s: %s' % (type(error).__name__, error)})
        controller.local.request = None
        host.idle.insert(0 if is_main else len(host.idle), requests)


def receive(host, stream):
    """Distributes incoming messages: answers to the waiting calls, requests to threads."""
    while True:
        head = exactly(stream, 4)
        body = exactly(stream, struct.unpack('<I', head)[0]) if head is not None else None
        if body is None:
            # The controller is gone.
            os._exit(0)
        message = json.loads(body.decode('utf-8'))
        if 'call' in message:
            host.controller.answered(message)
            continue
        try:
            waiting = host.idle.pop(0)
        except IndexError:
            waiting = queue.SimpleQueue()
            threading.Thread(target=work, args=(host, waiting), daemon=True).start()
        waiting.put(message)


def exactly(stream, length):
    content = b''
    while len(content) < length:
        part = stream.read(length - len(content))
        if not part:
            return None
        content += part
    return content


def main():
    requests = os.fdopen(os.dup(0), 'rb')
    answers = os.fdopen(os.dup(1), 'wb')
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    sys.path = [entry for entry in sys.path if entry not in ('', '.')]
    host = Host(Controller(answers))
    own = queue.SimpleQueue()
    host.idle.append(own)
    threading.Thread(target=receive, args=(host, requests), daemon=True).start()
    work(host, own, is_main=True)


main()
