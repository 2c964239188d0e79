"""The state that plugins keep in their modules, which ansible-core's tasks do not share: each runs in a process of its
own, where modules are freshly imported.
"""

import os
import sys

# What a module or class may keep: such values are copied, all others are only remembered.
CONTAINERS = (dict, list, set)


def copied(value, copies):
    """A copy of nested containers. `copies` maps the identities of containers to their copies, so that what several
    modules share stays shared."""
    kind = type(value)
    if kind not in CONTAINERS:
        return tuple(copied(item, copies) for item in value) if kind is tuple else value
    if id(value) not in copies:
        # A container may contain itself.
        new = copies[id(value)] = kind()
        if kind is dict:
            new.update((key, copied(item, copies)) for key, item in value.items())
        elif kind is list:
            new.extend(copied(item, copies) for item in value)
        else:
            new.update(value)
    return copies[id(value)]


def same(value, other, level=0):
    """Whether a value is the same object as the other, or a container with the same content. Plugins' own comparisons
    are not called."""
    kind = type(value)
    if kind is not type(other) or level > 100:
        return False
    if kind is dict:
        return len(value) == len(other) and all(
            key in other and same(item, other[key], level + 1) for key, item in list(value.items()))
    if kind in (list, tuple):
        return len(value) == len(other) and all(same(item, by, level + 1) for item, by in zip(value, other))
    if kind is set:
        return value == other
    if kind in (str, bytes, int, float, bool):
        return value == other
    return value is other


class Namespace(object):
    """The names of a module or a class."""

    def __init__(self, owner, copies):
        self.owner = owner
        self.fresh = {name: copied(value, copies) for name, value in self.names().items()}

    def names(self):
        return {name: value for name, value in list(vars(self.owner).items()) if not name.startswith('__')}

    def has_changed(self):
        now = self.names()
        return len(now) != len(self.fresh) or not all(
            name in self.fresh and same(value, self.fresh[name]) for name, value in now.items())

    def set(self, names):
        """New values take the place of old ones, which a call on another thread may still be reading."""
        for name in self.names():
            if name not in names:
                delattr(self.owner, name)
        for name, value in names.items():
            if vars(self.owner).get(name, self) is not value:
                setattr(self.owner, name, value)


class Globals(object):
    """The state of all modules that the user or a collection brings."""

    # For so many tasks that take turns, as with several hosts.
    MOST_KEPT = 100

    def __init__(self, package):
        self.package = package
        self.spaces = []
        self.modules = {}
        self.count = 0
        self.turn = None
        # What tasks have left that may go on: by their turns.
        self.kept = {}

    def is_users(self, name, module):
        if not name.startswith(('ansible_collections.', 'ansible.plugins.', 'ansible.legacy.')):
            return False
        path = getattr(module, '__file__', None)
        loading = getattr(getattr(module, '__spec__', None), '_initializing', False)
        return isinstance(path, str) and not loading and not os.path.realpath(path).startswith(self.package + os.sep)

    def learn(self):
        """After a plugin was loaded: remembers modules that were imported since."""
        if len(sys.modules) == self.count:
            return
        self.count = len(sys.modules)
        copies = {}
        for name, module in list(sys.modules.items()):
            if self.modules.get(name) is module or not self.is_users(name, module):
                continue
            self.modules[name] = module
            self.spaces.append(Namespace(module, copies))
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == module.__name__:
                    self.spaces.append(Namespace(value, copies))

    def enter(self, turn):
        """Before a plugin is loaded for a call: the state is that of this task, which begins with fresh modules."""
        if turn != self.turn:
            changed = [space for space in self.spaces if space.has_changed()]
            if changed:
                self.kept[self.turn] = [(space, space.names()) for space in changed]
            # All are copied together, for what they share.
            copies = {}
            for space in changed:
                space.set({name: copied(value, copies) for name, value in space.fresh.items()})
            for space, names in self.kept.pop(turn, ()):
                space.set(names)
            while len(self.kept) > self.MOST_KEPT:
                del self.kept[next(iter(self.kept))]
            self.turn = turn
