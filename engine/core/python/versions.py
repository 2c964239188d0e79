"""What of ansible-core's insides depends on its version: all of it stands here."""

import os

SUPPORTED = 'rplay uses 2.16 to 2.21'


def numbers(version):
    """(2, 19) of `2.19.14rc1`."""
    return tuple(int(''.join(filter(str.isdigit, part)) or 0) for part in version.split('.')[:2])


def is_supported(version):
    return (2, 16) <= numbers(version) <= (2, 21)


def base_modules(package, version):
    """Modules that the runner on hosts needs whatever a module imports."""
    names = ['basic', 'common.respawn', 'common.parameters']
    if numbers(version) >= (2, 19):
        # Since then arguments and results are coded by profiles, which are imported by names made up at run time,
        # and a module that starts itself anew goes by way of the loader.
        internal = os.path.join(package, 'module_utils', '_internal')
        profiles = os.listdir(os.path.join(internal, '_json', '_profiles'))
        modules = sorted(name[:-3] for name in profiles if name.startswith('_module_') and name.endswith('.py'))
        names += ['_internal._json._profiles.' + name for name in modules]
        if os.path.exists(os.path.join(internal, '_ansiballz', '_loader.py')):
            names += ['_internal._ansiballz._loader']
    return ['ansible.module_utils.' + name for name in names]
