//! Calls of plugins that are not built in.

use minijinja::Value;

use crate::{
    template::{
        args::Args,
        eval::machine::Machine,
        value::{
            error::{EvalError, EvalResult},
            items,
            undefined::present,
        },
    },
    vars::{Outside, PluginCall, PluginError, PluginKind},
};

/// The result of a call.
pub(crate) enum Called {
    /// It may be undefined.
    Value(Value),
    /// There is no such plugin; with a help text.
    Missing(Option<String>),
}

/// Whether a plugin of the user's overrides the built-in one of this name.
pub(crate) fn replaces(machine: &Machine<'_>, kind: PluginKind, name: &str) -> bool {
    let magic = &machine.session.scope.magic;
    magic.plugins().is_some_and(|plugins| plugins.replaces(kind, name))
}

/// Calls a plugin by name.
///
/// # Errors
/// If the plugin fails, or must not be called now.
pub(crate) fn call(
    machine: &Machine<'_>,
    kind: PluginKind,
    name: &str,
    positional: &[Value],
    named: &[(String, Value)],
    is_loop: bool,
) -> EvalResult<Called> {
    let scope = &machine.session.scope;
    let Some(plugins) = scope.magic.plugins() else { return Ok(Called::Missing(None)) };
    // Filters and tests only compute; what a lookup reads is unknown.
    machine.look_outside(if kind == PluginKind::Lookup { Outside::Volatile } else { Outside::Files })?;
    let at = machine.origin.span(None);
    match plugins.call(&PluginCall { kind, name, positional, named, is_loop, scope, at: &at }) {
        Ok(value) => Ok(Called::Value(value)),
        Err(PluginError::Missing { help }) => Ok(Called::Missing(help)),
        Err(PluginError::Failed(message)) => Err(EvalError::new(message)),
    }
}

/// The result of a filter; the inner `Err` is the help text if there is no such filter.
pub(crate) fn filter(
    machine: &Machine<'_>,
    name: &str,
    input: Value,
    args: Args,
) -> EvalResult<Result<Value, Option<String>>> {
    let positional: Vec<Value> = std::iter::once(input).chain(args.positional).collect();
    Ok(match call(machine, PluginKind::Filter, name, &positional, &args.named, false)? {
        Called::Value(value) => Ok(value),
        Called::Missing(help) => Err(help),
    })
}

/// The result of a test; the inner `Err` is the help text if there is no such test.
pub(crate) fn test(
    machine: &Machine<'_>,
    name: &str,
    subject: &Value,
    args: Args,
) -> EvalResult<Result<bool, Option<String>>> {
    let positional: Vec<Value> = std::iter::once(subject.clone()).chain(args.positional).collect();
    Ok(match call(machine, PluginKind::Test, name, &positional, &args.named, false)? {
        Called::Value(value) => Ok(items::truth(&present(value)?)),
        Called::Missing(help) => Err(help),
    })
}
