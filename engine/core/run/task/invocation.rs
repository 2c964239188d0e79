//! What a module was called with: shown from `-vvv` on, and registered for the items of loops.

use rplay_contract::{
    Arg,
    module_result::NO_LOG_VALUE,
    wire::{Call, Value as Wire},
};

use crate::{
    actions::entries,
    plan::module,
    run::hidden_values::HiddenValues,
    syntax::spec::ArgumentType,
    vars::{Value, from_wire, mapping},
};

/// Arguments that are not shown although their values are no secrets elsewhere: what a task writes may hold any.
const UNSHOWN: [(&str, &str); 1] = [("copy", "content")];

/// Arguments with an underscore that ansible-core has, too. Others are between this engine and its modules.
const KNOWN_INTERNALS: [&str; 4] = ["_diff_peek", "_original_basename", "_raw_params", "_uses_shell"];

/// A result with it.
pub(crate) fn added(result: &Value, invocation: &Value) -> Value {
    let mut data = entries(result);
    data.insert("invocation".into(), invocation.clone());
    mapping(data)
}

/// A result without it.
pub(crate) fn removed(result: &Value) -> Value {
    if !result.get_attr("invocation").is_ok_and(|found| !found.is_undefined()) {
        return result.clone();
    }
    let mut data = entries(result);
    data.shift_remove("invocation");
    mapping(data)
}

/// The arguments of a call, those that were not given with their defaults; `None` if the module is not native.
pub(crate) fn of(call: &Call, hidden: Option<&HiddenValues>) -> Option<Value> {
    let entry = module(&call.module)?;
    let args = (entry.args)();
    let is_unshown = |name: &str| UNSHOWN.contains(&(entry.name, name));
    let given = |arg: &Arg| call.args.iter().rfind(|(name, _)| arg.is_called(name));
    let is_told = |arg: &&Arg| !arg.name.starts_with('_') || KNOWN_INTERNALS.contains(&arg.name);
    let shown = args.iter().filter(is_told).flat_map(|arg| {
        let (value, alias) = match given(arg) {
            Some((_, Wire::Null)) | None => (arg.default.map_or(Value::from(()), default), None),
            Some(_) if is_unshown(arg.name) => (NO_LOG_VALUE.into(), None),
            Some((name, value)) => {
                let mut value = value.clone();
                if let Some(hidden) = hidden {
                    hidden.mask_value(&mut value);
                }
                let value = from_wire(value);
                let alias = (name != arg.name).then(|| (name.as_str(), value.clone()));
                (converted(arg, value), alias)
            }
        };
        alias.into_iter().chain([(arg.name, value)])
    });
    Some(mapping([("module_args", mapping(shown))]))
}

/// The value of an argument as the module receives it; unchanged if it is none of its type. A path is expanded only on
/// the host.
fn converted(arg: &Arg, value: Value) -> Value {
    match ArgumentType::named(arg.kind).filter(|kind| *kind != ArgumentType::Path) {
        Some(kind) => kind.converted(&value).unwrap_or(value),
        None => value,
    }
}

/// A default as the source has it, if it is a plain value or the name of a choice.
fn default(written: &str) -> Value {
    let text = [".to_owned()", ".to_string()", ".into()"]
        .iter()
        .fold(written.trim(), |text, ending| text.strip_suffix(ending).unwrap_or(text));
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':');
    // What a type wraps: `Flag(false)`.
    if let Some((name, rest)) = text.split_once('(')
        && let Some(inner) = rest.strip_suffix(')').filter(|inner| !inner.is_empty())
        && is_name(name)
    {
        return default(inner);
    }
    match (serde_json::from_str(text), text.rsplit_once("::")) {
        (Ok(serde_json::Value::Bool(value)), _) => value.into(),
        (Ok(serde_json::Value::Number(number)), _) => number.as_i64().map_or(Value::from(()), Value::from),
        (Ok(serde_json::Value::String(text)), _) => text.into(),
        (Err(_), Some((_, choice))) if is_name(choice) => choice.to_lowercase().into(),
        (Err(_), None) if text == "vec![]" => Value::from(Vec::<Value>::new()),
        _ => Value::from(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_source() {
        for (written, want) in [
            ("false", Value::from(false)),
            ("Flag(true)", Value::from(true)),
            ("10", Value::from(10)),
            ("\"a\".to_owned()", Value::from("a")),
            ("State::Present", Value::from("present")),
            ("vec![]", Value::from(Vec::<Value>::new())),
            ("Map::new()", Value::from(())),
        ] {
            assert_eq!(default(written), want, "{written}");
        }
    }
}
