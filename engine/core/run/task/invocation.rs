//! What a module was called with, which results show from `-vvv` on.

use rplay_contract::wire::{Map, Value as Wire};

use crate::{
    plan::module,
    run::task::prepare::Ready,
    vars::{Value, from_wire, mapping},
};

/// Ansible's placeholder for a secret argument.
const SECRET: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// Arguments that are not shown although their values are no secrets elsewhere: what a task writes may hold any.
const UNSHOWN: [(&str, &str); 1] = [("copy", "content")];

/// Arguments with an underscore that ansible-core has, too. Others are between this engine and its modules.
const KNOWN_INTERNALS: [&str; 4] = ["_diff_peek", "_original_basename", "_raw_params", "_uses_shell"];

/// The arguments of a prepared call, those that were not given with their defaults; `None` if no module is called.
pub(crate) fn of(ready: &Ready) -> Option<Value> {
    let Ready::Call(prepared) = ready else { return None };
    let entry = module(&prepared.call.module)?;
    let args = (entry.args)();
    let is_unshown = |name: &str| UNSHOWN.contains(&(entry.name, name));
    let given = |names: &[&str], args: &Map| {
        args.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.clone())
    };
    let is_told = |name: &str| !name.starts_with('_') || KNOWN_INTERNALS.contains(&name);
    let shown = args.iter().filter(|arg| is_told(arg.name)).map(|arg| {
        let names: Vec<&str> = std::iter::once(arg.name).chain(arg.aliases.iter().copied()).collect();
        let value = match given(&names, &prepared.call.args) {
            Some(Wire::Null) | None => arg.default.map_or(Value::from(()), default),
            Some(_) if arg.secret || is_unshown(arg.name) => SECRET.into(),
            Some(value) => from_wire(value),
        };
        (arg.name, value)
    });
    Some(mapping([("module_args", mapping(shown))]))
}

/// A default as the source has it, if it is a plain value.
fn default(written: &str) -> Value {
    match serde_json::from_str(written) {
        Ok(serde_json::Value::Bool(value)) => value.into(),
        Ok(serde_json::Value::Number(number)) => number.as_i64().map_or(Value::from(()), Value::from),
        Ok(serde_json::Value::String(text)) => text.into(),
        _ => Value::from(()),
    }
}
