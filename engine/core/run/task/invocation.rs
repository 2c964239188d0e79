//! What a module was called with, which results show from `-vvv` on.

use rplay_contract::wire::{Map, Value as Wire};

use crate::{
    plan::module,
    run::task::prepare::Ready,
    vars::{Value, from_wire, mapping},
};

/// Ansible's word in the place of a secret argument.
const SECRET: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// The arguments of a prepared call, those that were not given with their defaults; `None` if no module is called.
pub(crate) fn of(ready: &Ready) -> Option<Value> {
    let Ready::Call(prepared) = ready else { return None };
    let args = (module(&prepared.call.module)?.args)();
    let given = |names: &[&str], args: &Map| {
        args.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.clone())
    };
    let shown = args.iter().map(|arg| {
        let names: Vec<&str> = std::iter::once(arg.name).chain(arg.aliases.iter().copied()).collect();
        let value = match given(&names, &prepared.call.args) {
            Some(Wire::Null) | None => arg.default.map_or(Value::from(()), default),
            Some(_) if arg.secret => SECRET.into(),
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
