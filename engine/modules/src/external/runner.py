"""Runs modules written in Python: one process for a user and an interpreter, which forks for each call.

The agent starts it with one end of a socket as standard input. Over that, both ways, go frames: four bytes with the
length (little-endian), then JSON. The first one names the bundle of shared code and is answered with what Python this
is. Each further one is a call and names the directory with its three FIFOs: `out` and `err` become the module's standard
output and error; what becomes of the process is written to `status`, one line each: `pid N`, then `exit N`, or
`error TEXT` if the module could not be started. When the socket ends, everything ends.

A bundle is a ZIP file with Python sources, at the paths of their packages. Compiled code is kept beside it.

Python 3.6 is the oldest that is supported, so this must be understood by it.
"""

import errno
import gc
import hashlib
import importlib
import importlib.machinery
import json
import marshal
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import zipimport

# More than this is no frame of the agent.
MOST = 256 << 20


class Bundle(object):
    """Imports the modules of one ZIP file."""

    def __init__(self, path):
        self.path = path
        self.archive = zipimport.zipimporter(path)
        self.compiled = self.kept()
        if self.compiled is None:
            self.compiled = self.compile()
            self.keep()
        # Loaded code by the name of its module: what a call of this bundle needs, the next one needs, too.
        self.loaded = {}
        self.respawns = None

    def files(self):
        import zipfile

        with zipfile.ZipFile(self.path) as archive:
            return archive.namelist()

    def code_path(self):
        return '%s.%s' % (self.path, sys.implementation.cache_tag)

    def kept(self):
        """The compiled code as it was kept; None if there is none, or it is damaged."""
        try:
            with open(self.code_path(), 'rb') as kept:
                digest, code = kept.read(64), kept.read()
            if hashlib.sha256(code).hexdigest().encode() == digest:
                return marshal.loads(code)
        except Exception:
            pass
        return None

    def keep(self):
        code = marshal.dumps(self.compiled)
        new = '%s.%d' % (self.code_path(), os.getpid())
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, 'wb') as kept:
                kept.write(hashlib.sha256(code).hexdigest().encode() + code)
            os.rename(new, self.code_path())
        except OSError:
            # A full disk: it will be compiled again.
            try:
                os.unlink(new)
            except OSError:
                pass

    def compile(self):
        """By the name of each module: the path of its source, whether it is a package, its code.

        The code is None where this Python does not understand the source: who imports it will hear so.
        """
        compiled = {}
        for path in self.files():
            if not path.endswith('.py'):
                continue
            words = path[:-3].split('/')
            package = words[-1] == '__init__'
            name = '.'.join(words[:-1] if package else words)
            try:
                code = marshal.dumps(self.code_of(path))
            except (SyntaxError, ValueError):
                code = None
            compiled[name] = (path, package, code)
        return compiled

    def code_of(self, path):
        source = self.archive.get_data(os.path.join(self.path, path))
        return compile(source, os.path.join(self.path, path), 'exec', 0, True)

    def find_spec(self, name, path=None, target=None):
        found = self.compiled.get(name)
        if found is None:
            return None
        origin = os.path.join(self.path, found[0])
        spec = importlib.machinery.ModuleSpec(name, self, origin=origin, is_package=found[1])
        spec.has_location = True
        if found[1]:
            spec.submodule_search_locations.append(os.path.dirname(origin))
        return spec

    def find_module(self, name, path=None):
        return self if name in self.compiled else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self.get_code(module.__name__), module.__dict__)

    def entry(self, name):
        try:
            return self.compiled[name]
        except KeyError:
            raise ImportError('there is no module %s' % name)

    def get_code(self, name):
        if name in self.loaded:
            return self.loaded[name]
        path, _package, code = self.entry(name)
        return self.code_of(path) if code is None else marshal.loads(code)

    def load(self):
        """Loads all code, before the process forks. What is not understood fails in the call that imports it."""
        self.respawns = self.mentions(b'respawn_module')
        for name, (_path, _package, code) in self.compiled.items():
            if code is not None:
                self.loaded[name] = marshal.loads(code)
        freeze()

    def get_source(self, name):
        return self.archive.get_data(self.get_filename(name)).decode('utf-8')

    def get_data(self, path):
        return self.archive.get_data(path)

    def get_filename(self, name):
        return os.path.join(self.path, self.entry(name)[0])

    def is_package(self, name):
        return self.entry(name)[1]

    def mentions(self, word):
        """Whether the word is in one of the sources."""
        return any(word in self.get_data(os.path.join(self.path, path)) for path, _, _ in self.compiled.values())


def freeze():
    """What there is by now is never garbage: a collection in a child would copy its pages."""
    if hasattr(gc, 'freeze'):
        gc.freeze()


def whole(base, bundle):
    """Another file with the content of both bundles: what a process is given that imports from one place."""
    path = '%s.with-%s' % (bundle.path, os.path.basename(base.path))
    if not os.path.exists(path):
        import zipfile

        new = '%s.%d' % (path, os.getpid())
        with zipfile.ZipFile(new, 'w') as archive:
            seen = set()
            for part in (bundle, base):
                for name in part.files():
                    if name not in seen:
                        seen.add(name)
                        archive.writestr(name, part.get_data(os.path.join(part.path, name)))
        os.rename(new, path)
    return path


def receive(control):
    """The next frame; None at the end."""
    head = exactly(control, 4)
    if head is None:
        return None
    (length,) = struct.unpack('<I', head)
    if length > MOST:
        raise ValueError('a frame of %d bytes' % length)
    body = exactly(control, length)
    return None if body is None else json.loads(body.decode('utf-8'))


def exactly(control, length):
    parts = []
    while length > 0:
        part = control.recv(min(length, 1 << 20))
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b''.join(parts)


def send(control, message):
    body = json.dumps(message).encode('utf-8')
    control.sendall(struct.pack('<I', len(body)) + body)


class Runner(object):
    def __init__(self, control):
        self.control = control
        self.base = None
        self.bundles = {}
        # By the process: where to say how it has ended.
        self.running = {}
        self.woken, self.wake = os.pipe()
        for end in (self.woken, self.wake):
            os.set_blocking(end, False)

    def prepare(self, path):
        """Imports what all modules use. Returns what is wrong, or None."""
        self.base = Bundle(path)
        sys.meta_path.insert(0, self.base)
        said = []

        class Ear(object):
            def write(self, text):
                said.append(text)

            def flush(self):
                pass

        # It ends the process when this Python is too old for it, and says so in JSON on standard output.
        out, sys.stdout = sys.stdout, Ear()
        try:
            importlib.import_module('ansible.module_utils.basic')
            for name in ('runpy', 'pkgutil', 'atexit', 'encodings.utf_8_sig') + self.serializers():
                importlib.import_module(name)
        except SystemExit:
            text = ''.join(said).strip()
            try:
                text = json.loads(text)['msg']
            except (ValueError, KeyError, TypeError):
                pass
            return text or 'ansible.module_utils.basic refuses this Python'
        except BaseException:
            return traceback.format_exc().strip().splitlines()[-1]
        finally:
            sys.stdout = out
        gc.collect()
        freeze()
        return None

    def serializers(self):
        """What reads arguments and writes results, which each call would import by itself."""
        return tuple(name for name in sorted(self.base.compiled) if '._json._profiles._module_' in name)

    def serve(self):
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.wake)
        while True:
            try:
                ready = select.select([self.control, self.woken], [], [])[0]
            except InterruptedError:
                ready = [self.woken]
            if self.woken in ready:
                try:
                    os.read(self.woken, 4096)
                except OSError:
                    pass
                self.reap()
            if self.control in ready:
                call = receive(self.control)
                if call is None:
                    return
                self.begin(call)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                return
            if pid == 0:
                return
            told = self.running.pop(pid, None)
            if told is not None:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                say(told, 'exit %d' % code)
                os.close(told)

    def begin(self, call):
        try:
            status = os.open(os.path.join(call['directory'], 'status'), os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            # The agent does not want it any more.
            return
        try:
            bundle = self.bundles.get(call['bundle'])
            if bundle is None:
                bundle = Bundle(call['bundle'])
                bundle.load()
                self.bundles[call['bundle']] = bundle
            path = whole(self.base, bundle) if bundle.respawns else bundle.path
            out, err = (os.open(os.path.join(call['directory'], name), os.O_WRONLY) for name in ('out', 'err'))
            pid = os.fork()
        except Exception as error:
            say(status, 'error %s' % ' '.join(str(error).split()))
            os.close(status)
            return
        if pid == 0:
            code = 1
            try:
                os.setsid()
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                null = os.open(os.devnull, os.O_RDWR)
                for old, new in ((null, 0), (out, 1), (err, 2)):
                    os.dup2(old, new)
                for other in [null, out, err, status, self.woken, self.wake] + list(self.running.values()):
                    os.close(other)
                code = run(call, bundle, path, self.base)
            finally:
                os._exit(code)
        os.close(out)
        os.close(err)
        self.running[pid] = status
        say(status, 'pid %d' % pid)


def say(status, line):
    try:
        os.write(status, (line + '\n').encode('utf-8', 'replace'))
    except OSError:
        # Nobody listens any more.
        pass


def run(call, bundle, path, base):
    """Runs a module as the main program, in the child. Returns the exit code."""
    import atexit
    import runpy

    code = 1
    try:
        os.environ.update(call['environment'])
        # What the bundle brings comes before what has been imported under the same names.
        for name in bundle.compiled:
            if not bundle.compiled[name][1]:
                sys.modules.pop(name, None)
        sys.meta_path.insert(0, bundle)
        name_deprecators(bundle, base)
        sys.argv = [call['module'].rsplit('.', 1)[-1]]
        basic = sys.modules['ansible.module_utils.basic']
        parameters = importlib.import_module('ansible.module_utils.common.parameters')
        arguments = dict(call['arguments'])
        for name in parameters.PASS_VARS:
            if name in call['settings']:
                arguments['_ansible_' + name] = call['settings'][name]
        basic._ANSIBLE_ARGS = json.dumps({'ANSIBLE_MODULE_ARGS': arguments}).encode('utf-8')
        if hasattr(basic, '_ANSIBLE_PROFILE'):
            basic._ANSIBLE_PROFILE = 'legacy'
        names = {'_module_fqn': call['module'], '_modlib_path': path}
        try:
            runpy.run_module(call['module'], init_globals=names, run_name='__main__', alter_sys=True)
            broke_down('New-style module did not handle its own exit.', None)
        except Exception as error:
            is_wanted = 'error' in (call['settings'].get('tracebacks_for') or ())
            broke_down(reasons(error), traceback.format_exc() if is_wanted else None)
    except SystemExit as end:
        code = 0 if end.code is None else end.code
        if not isinstance(code, int):
            sys.stderr.write('%s\n' % (code,))
            code = 1
    except BaseException:
        traceback.print_exc()
    for last in (getattr(threading, '_shutdown', None), getattr(atexit, '_run_exitfuncs', None), sys.stdout.flush, sys.stderr.flush):
        try:
            if last is not None:
                last()
        except BaseException:
            pass
    return code & 0xFF


def name_deprecators(bundle, base):
    """ansible-core knows who deprecates something by the place of its file beside that of its own code."""
    deprecator = sys.modules.get('ansible.module_utils._internal._deprecator')
    known = getattr(deprecator, '_path_as_core_plugininfo', None)
    if known is not None:
        own = bundle.path + os.sep
        deprecator._path_as_core_plugininfo = lambda name: known(
            os.path.join(base.path, name[len(own):]) if name.startswith(own) else name)


def reasons(error):
    """What an exception says, and those that led to it."""
    said = []
    while error is not None and len(said) < 20:
        text = str(error).strip() or type(error).__name__
        if not any(earlier.endswith(text) for earlier in said):
            said.append(text)
        error = error.__cause__
    return ': '.join(said)


def broke_down(text, trace):
    result = {'failed': True, 'msg': 'Task failed: Module failed: %s' % text}
    if trace:
        result['exception'] = trace
    sys.stdout.write('%s\n' % json.dumps(result))


def main():
    control = socket.socket(fileno=0)
    # What stands for the current directory, which may be anybody's.
    sys.path = [entry for entry in sys.path if entry not in ('', '.')]
    first = receive(control)
    if first is None:
        return
    runner = Runner(control)
    wrong = runner.prepare(first['base'])
    send(control, {'python': '.'.join(map(str, sys.version_info[:3])), 'executable': sys.executable, 'wrong': wrong})
    if wrong is None:
        try:
            runner.serve()
        finally:
            # Nobody waits for them any more.
            for pid in runner.running:
                try:
                    os.killpg(pid, signal.SIGKILL)
                except OSError:
                    pass


main()
