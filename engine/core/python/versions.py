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


def trusted(text):
    """Text that may be a template."""
    try:
        from ansible.template import trust_as_template
    except ImportError:
        # Before 2.19 all text may be one that is not marked otherwise.
        return text
    return trust_as_template(text)


def is_trusted(text):
    """Whether a text may be a template."""
    try:
        from ansible.template import is_trusted_as_template
    except ImportError:
        return not getattr(text, '__UNSAFE__', False)
    return is_trusted_as_template(text)


def encrypted(envelope):
    """A value that is encrypted until it is used."""
    try:
        from ansible.parsing.vault import EncryptedString
    except ImportError:
        from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode

        return AnsibleVaultEncryptedUnicode(envelope)
    return EncryptedString(ciphertext=envelope)


def envelope(value):
    """The envelope of an encrypted value; None for others."""
    try:
        from ansible.parsing.vault import VaultHelper
    except ImportError:
        found = getattr(value, '_ciphertext', None)
        return found.decode('utf-8') if isinstance(found, bytes) else found
    return VaultHelper.get_ciphertext(value, with_tags=False)


def set_passwords(loader, passwords):
    """Has encrypted values decrypted with these (id, password)."""
    from ansible.parsing import vault

    secrets = [(name, vault.VaultSecret(password)) for name, password in passwords]
    loader.set_vault_secrets(secrets)
    context = getattr(vault, 'VaultSecretsContext', None)
    if context is not None:
        try:
            context.initialize(context(secrets))
        except RuntimeError:
            # It was set already, with the same ones.
            pass
