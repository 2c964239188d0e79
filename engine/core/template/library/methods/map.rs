//! Methods of mappings, as Python's `dict` has them.

use minijinja::{Value, value::Tuple};

use crate::template::{
    args::Args,
    value::{
        containers::{self, Dict},
        depth,
        error::{EvalError, EvalResult},
        items, show,
        undefined::is_undefined,
    },
};

/// The names of the methods.
pub(super) const NAMES: [&str; 10] =
    ["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];

/// Calls a method of a mapping.
///
/// # Errors
/// If there is no such method, or it does not take these arguments or this value.
pub(super) fn call(value: &Value, name: &str, mut args: Args) -> EvalResult {
    let none = Value::from(());
    let answer = match name {
        "get" => {
            let key = args.required("key")?;
            let default = args.raw("default").unwrap_or(none);
            match value.as_object().and_then(|object| object.get_value(&key)) {
                // An undefined value stays what it is; only a missing key has the default.
                Some(found) => found,
                None => default,
            }
        }
        "keys" => Value::from(items::items(value)?),
        "values" => Value::from(containers::pairs(value).into_iter().map(|(_, value)| value).collect::<Vec<_>>()),
        "items" => Value::from(
            containers::pairs(value)
                .into_iter()
                .map(|(key, value)| Value::from(Tuple::from(vec![key, value])))
                .collect::<Vec<_>>(),
        ),
        "copy" => containers::map(containers::pairs(value)),
        "update" => {
            let dict = changing_map(value)?;
            if let Some(other) = args.optional("other")? {
                if containers::is_map(&other) {
                    // Read before the lock: it may be the mapping itself.
                    let new = containers::pairs(&other);
                    dict.entries().extend(new);
                } else {
                    for pair in items::items(&other)? {
                        if let [key, value] = items::items(&pair)?.as_slice() {
                            dict.entries().insert(key.clone(), value.clone());
                        }
                    }
                }
            }
            for (name, value) in args.named.drain(..) {
                dict.entries().insert(Value::from(name), value);
            }
            none
        }
        "pop" => {
            let key = args.required("key")?;
            let default = args.raw("default");
            match changing_map(value)?.entries().shift_remove(&key).or(default) {
                Some(value) => value,
                None => return Err(EvalError::new(show::repr(&key))),
            }
        }
        "popitem" => match changing_map(value)?.entries().pop() {
            Some((key, value)) => Value::from(Tuple::from(vec![key, value])),
            None => return Err(EvalError::new("'popitem(): dictionary is empty'")),
        },
        "setdefault" => {
            let key = args.required("key")?;
            let default = args.raw("default").unwrap_or(none);
            let there = changing_map(value)?.entries().entry(key).or_insert(default).clone();
            depth::check_depth([value])?;
            there
        }
        "clear" => {
            changing_map(value)?.entries().clear();
            none
        }
        _ => return Err(EvalError::new("no such method")),
    };
    if !is_undefined(&answer) {
        args.finish()?;
    }
    Ok(answer)
}

fn changing_map(value: &Value) -> EvalResult<&Dict> {
    value.downcast_object_ref::<Dict>().ok_or_else(|| EvalError::new("this mapping cannot be changed here"))
}
