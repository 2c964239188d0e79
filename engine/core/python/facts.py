"""Cache plugins, which keep facts of hosts between runs.

A plugin receives and returns the same as in ansible-core: since 2.19, ansible-core wraps it, so that its keys and
values have the format of that version. What a cache returns is data.
"""

import threading

from __main__ import RequestError

LOCK = threading.RLock()
PLUGINS = {}


class Untrusted(object):
    """Text from a cache is not a template, even if it was one."""

    def template(self, text):
        return str.__str__(text)


def exchange(host):
    call = host.part('values').Call(host, 'cache', 'facts')
    call.engine = Untrusted()
    return call


def plugin(host, name):
    host.part('values').world(host)
    if name not in PLUGINS:
        from ansible.errors import AnsibleError
        from ansible.plugins.loader import cache_loader

        try:
            found = cache_loader.get(name)
        except Exception as error:
            message = str(error) or type(error).__name__
            told = name in message or isinstance(error, AnsibleError)
            raise RequestError(message if told else "Unable to load the cache plugin '%s': %s" % (name, message))
        if found is None:
            raise RequestError("Unable to load the cache plugin '%s'." % name)
        PLUGINS[name] = found
    return PLUGINS[name]


def asked(host, name, what):
    """Runs an operation of a plugin; its errors name the plugin."""
    with LOCK:
        cache = plugin(host, name)
        try:
            return what(cache)
        except RequestError:
            raise
        except Exception as error:
            raise RequestError("The cache plugin '%s' failed: %s" % (name, str(error) or type(error).__name__))


def load(host, name):
    with LOCK:
        plugin(host, name)


def get(host, name, of):
    """All facts of a host; None if there are none."""
    def found(cache):
        if not cache.contains(of):
            return None
        try:
            return dict(cache.get(of))
        except KeyError:
            # It has expired in the meantime.
            return None

    facts = asked(host, name, found)
    return None if facts is None else exchange(host).encoded(facts)


def set_(host, name, of, facts):
    value = exchange(host).decoded(facts)
    asked(host, name, lambda cache: cache.set(of, value))


def delete(host, name, of):
    def gone(cache):
        try:
            if cache.contains(of):
                cache.delete(of)
        except KeyError:
            # As in ansible-core: it is not there.
            pass

    asked(host, name, gone)


OPERATIONS = {'load': load, 'get': get, 'set': set_, 'delete': delete}
