"""All code that depends on the version of ansible-core."""

import dataclasses
import os
import sys

SUPPORTED = 'rplay uses 2.16 to 2.21'

# What stands for the traceback of a failure if there is none.
NO_TRACEBACK = '(traceback unavailable)'


def numbers(version):
    """(2, 19) of `2.19.14rc1`."""
    return tuple(int(''.join(filter(str.isdigit, part)) or 0) for part in version.split('.')[:2])


def is_supported(version):
    return (2, 16) <= numbers(version) <= (2, 21)


def base_modules(package, version):
    """Modules that the runner on hosts always needs, whatever a module imports."""
    names = ['basic', 'common.respawn', 'common.parameters']
    if numbers(version) >= (2, 19):
        # Since then, arguments and results are serialized by profiles, which are imported by names computed at run
        # time, and a module that restarts itself uses the loader.
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
        # Before 2.19, all text may be a template unless it is marked.
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
    """Makes the loader decrypt with these (ID, password) pairs."""
    from ansible.parsing import vault

    secrets = [(name, vault.VaultSecret(password)) for name, password in passwords]
    loader.set_vault_secrets(secrets)
    context = getattr(vault, 'VaultSecretsContext', None)
    if context is not None:
        try:
            context.initialize(context(secrets))
        except RuntimeError:
            # Already set, with the same passwords.
            pass


def templates(version):
    """The object that calls filters, tests and lookups like the templates of this ansible-core."""
    return Since219() if numbers(version) >= (2, 19) else Before219()


class Since219(object):
    """Undefined values and errors are markers, which templates pass around as values."""

    def __init__(self):
        from ansible._internal._datatag._tags import TrustedAsTemplate, VaultedValue
        from ansible._internal._errors import _error_utils
        from ansible._internal._templating import _engine, _jinja_bits, _jinja_common, _jinja_plugins, _utils

        self.error_utils = _error_utils
        self.common = _jinja_common
        self.engines = _engine
        self.bits = _jinja_bits
        self.plugins = _jinja_plugins
        self.utils = _utils
        self.trusted = TrustedAsTemplate
        self.vaults = VaultedValue
        self.omit = _utils.Omit
        flatten = _jinja_bits._flatten_and_lazify_vars

        def flattened(mapping):
            # Mappings that are fetched when read stay as they are.
            if getattr(mapping, 'is_fetched', False):
                yield mapping
            elif hasattr(mapping, 'maps'):
                for each in mapping.maps:
                    yield from flattened(each)
            else:
                yield from flatten(mapping)

        _jinja_bits._flatten_and_lazify_vars = flattened

        class Engine(_engine.TemplateEngine):
            """Deep copies of values share the engine."""

            def __deepcopy__(self, memo):
                return self

        self.engine = Engine

    def message(self, error, kind, name):
        """The causes of an error as one sentence."""
        return self.error_utils.format_exception_message(error)

    def environment(self, loader):
        return self.bits.AnsibleEnvironment(ansible_basedir=loader.get_basedir())

    def marker(self, hint):
        return self.common.UndefinedMarker(hint=hint, _no_template_source=True)

    def failed(self, message):
        """A marker for an error of the controller."""
        from ansible.errors import AnsibleTemplateError

        return self.common.CapturedExceptionMarker(AnsibleTemplateError(message))

    def is_marker(self, value):
        return isinstance(value, self.common.Marker)

    def failure(self, marker):
        """The exception that a marker stands for; None for an undefined value."""
        return None if isinstance(marker, self.common.UndefinedMarker) else marker._as_exception()

    def hint(self, marker):
        return marker._undefined_message

    def call(self, environment, loader, variables, run):
        """Calls run(function that returns a Jinja context) as if within a template."""
        engine = self.engine(loader=loader, variables=variables)
        engine._environment = environment
        options = self.engines.TemplateOptions.DEFAULT
        with self.utils.TemplateContext(template_value='', templar=engine, options=options):
            try:
                return run(lambda: self.bits._new_context(
                    environment=environment, template_name=None, blocks={}, jinja_vars=variables,
                    jinja_globals=environment.globals,
                ), engine)
            except self.common.MarkerError as error:
                return error.source

    def lookup(self, engine, name, terms, named, is_loop):
        return self.plugins._invoke_lookup(
            plugin_name=name, lookup_terms=terms, lookup_kwargs=named, invoked_as_with=is_loop)

    def templar(self, loader, variables):
        """The `_templar` of action plugins."""
        from ansible.template import Templar

        return Templar._from_template_engine(self.engine(loader=loader, variables=variables))

    def engine_of(self, templar):
        return templar._engine

    def data(self, text):
        """Text from a host: not a template, since it is not trusted."""
        return text

    def blame_module(self, result):
        """Adds to the result of a module that failed what shows that it comes from a module."""
        from ansible.module_utils._internal import _messages

        if hasattr(_messages, 'ErrorSummary') and not isinstance(result.get('exception'), _messages.ErrorSummary):
            event = _messages.Event(msg=str(result.get('msg', '')), formatted_traceback=result.get('exception'))
            result['exception'] = _messages.ErrorSummary(event=event)

    def blames_module(self, result):
        """Whether a result that says that it failed has this from a module."""
        from ansible.module_utils._internal import _messages

        return isinstance(result.get('exception'), _messages.ErrorSummary)

    def result(self, error):
        """The result of a task whose plugin raised this."""
        from ansible.errors import AnsibleConnectionFailure

        try:
            from ansible.errors import AnsibleTaskError
        except ImportError:
            from ansible._internal._errors._task_errors import AnsibleTaskError  # noqa
        try:
            raise AnsibleTaskError(obj=None) from error
        except AnsibleTaskError as failed:
            result = self.result_of(failed)
        if isinstance(error, AnsibleConnectionFailure):
            result['unreachable'] = True
        return result

    def result_of(self, failed):
        of_exception = getattr(self.error_utils, 'result_dict_from_exception', None)
        if of_exception is not None:
            return of_exception(failed, accept_result_contribution=True)
        # Since 2.21 results are objects.
        from ansible._internal._task import UnifiedTaskResult

        result = UnifiedTaskResult._create_from_exception(failed, accept_result_contribution=True, source_is_module=False)
        return result.as_result_dict()

    def texts(self, value):
        """Converts warnings, deprecations and errors in results, which are objects, to the texts of older versions."""
        from ansible.module_utils._internal import _messages

        if isinstance(value, dict):
            return {key: self.texts(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.texts(item) for item in value]
        if isinstance(value, _messages.DeprecationSummary):
            return self.deprecation(value)
        if isinstance(value, _messages.ErrorSummary):
            return value.event.formatted_traceback or NO_TRACEBACK
        if isinstance(value, _messages.SummaryBase):
            return value.event.msg
        return value

    def deprecation(self, summary):
        """A deprecation in the format of results."""
        about = {'msg': summary.event.msg, 'version': summary.version, 'date': summary.date}
        by = getattr(summary.deprecator, 'resolved_name', None) or getattr(summary, 'collection_name', None)
        about = {key: str(value) for key, value in about.items() if value is not None}
        kind = getattr(summary.deprecator, 'type', None)
        deprecator = {'resolved_name': by, 'type': getattr(kind, 'value', None)} if by else None
        return dict(about, collection_name='.'.join(by.split('.')[:2]) if by else None, deprecator=deprecator)

    def plain(self, engine, text):
        """Renders text that a plugin returned as a trusted template; other text is unchanged."""
        if self.trusted.is_tagged_on(text) and self.engines.is_possibly_template(text):
            return engine.template(text)
        return text

    def vaulted(self, text, envelope):
        """Text that was encrypted."""
        return self.vaults(ciphertext=envelope).tag(text)

    def envelope(self, text):
        tag = self.vaults.get_tag(text)
        return tag.ciphertext if tag is not None else None

    def is_trusted(self, text):
        return self.trusted.is_tagged_on(text)

    def trust(self, text):
        return self.trusted().tag(text)

    def missing(self, error):
        """Whether an error says that there is no such plugin."""
        return type(error).__name__ == 'AnsibleTemplatePluginNotFoundError'

    def watch(self, display, tell):
        """Passes warnings to tell(kind, text) instead of showing them."""
        from ansible.utils.display import _display_utils

        def text(summary):
            # The origin is the template, whose place the controller knows.
            return _display_utils.format_message(summary, False).split('\nOrigin: ')[0]

        display._warning = lambda warning: tell('warning', text(warning))
        display._deprecated = lambda warning: tell('deprecated', text(warning), self.deprecation(warning))
        display._error = lambda error, stderr=True: tell('warning', text(error))
        show_messages(display, tell)


class Before219(object):
    """Undefined values are Jinja's, and errors are exceptions."""

    def __init__(self):
        from ansible.template import AnsibleUndefined, Templar
        from jinja2.runtime import Undefined

        self.undefined = AnsibleUndefined
        self.base = Undefined
        self.templar_class = Templar
        self.omit = object()

    def message(self, error, kind, name):
        from ansible.errors import AnsibleUndefinedVariable

        if isinstance(error, AnsibleUndefinedVariable):
            return str(error)
        return "The %s plugin '%s' failed: %s" % (kind, name, error)

    def environment(self, loader):
        return self.templar_class(loader=loader).environment

    def marker(self, hint):
        return self.undefined(hint=hint)

    failed = marker

    def is_marker(self, value):
        return isinstance(value, self.base)

    def failure(self, marker):
        return None

    def hint(self, marker):
        return marker._undefined_message

    def call(self, environment, loader, variables, run):
        from jinja2.exceptions import UndefinedError

        templar = self.templar_class(loader=loader, variables=variables)
        try:
            return run(lambda: templar.environment.context_class(templar.environment, dict(variables), None, {}), templar)
        except UndefinedError as error:
            return self.marker(str(error))

    def lookup(self, templar, name, terms, named, is_loop):
        return templar._lookup(name, *terms, **named)

    def templar(self, loader, variables):
        return self.templar_class(loader=loader, variables=variables)

    def engine_of(self, templar):
        return templar

    def blame_module(self, result):
        pass

    def blames_module(self, result):
        return True

    def data(self, text):
        from ansible.utils.unsafe_proxy import AnsibleUnsafeText

        return AnsibleUnsafeText(text)

    def result(self, error):
        from ansible.errors import AnsibleConnectionFailure

        found = getattr(error, 'result', None)
        if isinstance(found, dict):
            result = dict(found)
            result.setdefault('msg', str(error))
        else:
            # In the words of 2.19, like everything else here.
            result = {'failed': True, 'msg': 'Task failed: %s' % error}
        if isinstance(error, AnsibleConnectionFailure):
            result['unreachable'] = True
        return result

    def texts(self, value):
        return value

    def plain(self, engine, text):
        return str.__str__(text)

    def is_trusted(self, text):
        return False

    def trust(self, text):
        return text

    def vaulted(self, text, envelope):
        return text

    def envelope(self, text):
        return None

    def missing(self, error):
        text = str(error)
        return text.startswith('lookup plugin (') and text.endswith('not found') or text.startswith('Could not load')

    def watch(self, display, tell):
        display.warning = lambda msg, *more, **named: tell('warning', str(msg))
        display.deprecated = lambda msg, *more, **named: tell('deprecated', str(msg))
        show_messages(display, tell)


def show_messages(display, tell):
    """Passes what plugins display to tell('message', text). Of lines for `-v`, only those of the user's plugins are shown,
    not those about ansible-core's own work."""
    import ansible

    core = os.path.dirname(ansible.__file__) + os.sep

    def message(msg, color=None, stderr=False, screen_only=False, log_only=False, *more, **named):
        if not log_only:
            tell('message', str(msg))

    def verbose(msg, host=None, caplevel=2):
        if display.verbosity > caplevel:
            caller = sys._getframe(1)
            if caller.f_code.co_filename.endswith(os.path.join('utils', 'display.py')):
                caller = caller.f_back
            if caller is None or not caller.f_code.co_filename.startswith(core):
                tell('message', str(msg) if host is None else '<%s> %s' % (host, msg))

    display.display = message
    display.verbose = verbose


def vars_plugins():
    """Vars plugins in the order in which ansible-core calls them."""
    from ansible.plugins.loader import vars_loader
    from ansible.vars import plugins

    if vars_loader._paths is None:
        plugins._prime_vars_loader()
    for name in list(vars_loader._plugin_instance_cache):
        plugin = vars_loader.get(name)
        if plugin is not None:
            yield plugin


def plugin_name(plugin):
    return getattr(plugin, 'ansible_name', None) or plugin._load_name


def is_host_group_vars(plugin):
    return plugin_name(plugin) in ('host_group_vars', 'ansible.builtin.host_group_vars') and os.path.dirname(
        os.path.abspath(plugin._original_path)).endswith(os.path.join('ansible', 'plugins', 'vars'))


def vars_plugin_runs(plugin, stage):
    from ansible.vars import plugins

    return plugins._plugin_should_run(plugin, stage)


def vars_of_plugin(loader, plugin, path, entities):
    from ansible.vars import plugins

    get_plugin_vars = getattr(plugins, 'get_plugin_vars', None)
    if get_plugin_vars is None:
        # Since 2.20 no plugin has the older get_host_vars and get_group_vars.
        return plugin.get_vars(loader, path, entities)
    return get_plugin_vars(loader, plugin, path, entities)


def failure(error):
    """The causes of an error as one sentence."""
    try:
        from ansible._internal._errors import _error_utils
    except ImportError:
        return str(error) or type(error).__name__
    return _error_utils.format_exception_message(error)


def version_info():
    """The content of the variable `ansible_version`."""
    from ansible.cli import CLI

    return CLI.version_info(gitinfo=False)


def task_result(host, task, data, fields):
    """A result in the form that the TaskQueueManager accepts."""
    try:
        from ansible._internal._task import HostTaskResult, UnifiedTaskResult
    except ImportError:
        pass
    else:
        return HostTaskResult(host=host, task=task, utr=UnifiedTaskResult.from_action_result_dict(data))
    from ansible.executor import task_result as module

    kind = getattr(module, '_RawTaskResult', None) or module.TaskResult
    return kind(host, task, data, fields)


def line(mapping):
    """The line where a mapping of a YAML file begins."""
    try:
        from ansible._internal._datatag._tags import Origin
    except ImportError:
        return getattr(mapping, '_line_number', None)
    origin = Origin.get_tag(mapping)
    return origin and origin.line_num


def source_context(cause):
    """The lines that a cause of a failure points at; None if this version shows none."""
    try:
        from ansible._internal._datatag._tags import Origin
        from ansible._internal._errors._error_utils import SourceContext
    except ImportError:
        return None
    if not os.path.isabs(cause['path']):
        return None
    return str(SourceContext.from_origin(Origin(path=cause['path'], line_num=cause['line'], col_num=cause['column'])))


def messages(data, causes):
    """Converts the texts of warnings, deprecations and errors to the form that results have in this version.

    `causes` are the messages of a failure with their places, that of the task first.
    """
    try:
        from ansible.module_utils._internal import _messages
    except ImportError:
        return
    if not hasattr(_messages, 'WarningSummary'):
        return

    def summary(kind, text, traceback=None):
        return kind(event=_messages.Event(msg=text, formatted_traceback=traceback))

    for result in [data] + [item for item in data.get('results') or () if isinstance(item, dict)]:
        for name, kind in (('warnings', _messages.WarningSummary), ('deprecations', _messages.DeprecationSummary)):
            if name in result:
                told = [item.get('msg') if isinstance(item, dict) else item for item in result[name] or ()]
                result[name] = [summary(kind, str(item)) for item in told]
        if isinstance(result.get('exception'), str):
            result['exception'] = summary(_messages.ErrorSummary, str(result.get('msg', '')), result['exception'])
    event = None
    for cause in reversed(causes):
        # A message ends with its cause's message, which ansible-core appends itself.
        msg = cause['msg']
        if event is not None and msg.endswith(': ' + event.msg):
            msg = msg[:-len(event.msg) - 2]
        why = 'The above exception was the direct cause of the following exception:'
        chain = event and _messages.EventChain(msg_reason='<<< caused by >>>', traceback_reason=why, event=event)
        event = _messages.Event(msg=msg, formatted_source_context=source_context(cause), chain=chain)
    if event is not None:
        told = data.get('exception')
        if told is not None:
            event = dataclasses.replace(event, formatted_traceback=told.event.formatted_traceback)
        data['exception'] = _messages.ErrorSummary(event=event)


def set_resolved_action(task, name):
    """Sets the action's full name."""
    try:
        task.resolved_action = name
    except AttributeError:
        task._resolved_action = name
