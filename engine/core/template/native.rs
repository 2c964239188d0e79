//! From what a template works with to plain data.

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};

use super::{
    fault::{Answer, Cause, Fault, absent, present},
    python,
};
use crate::{
    limits,
    vars::{Lines, is_omit},
};

/// Plain data: nothing undefined inside, `omit` dropped from containers, tuples as lists.
pub(crate) fn freeze(value: Value) -> Answer {
    if is_omit(&value) {
        return Err(Box::new(Fault { cause: Cause::Omitted, range: None }));
    }
    if plain(&value) { Ok(value) } else { rebuild(value) }
}

/// Whether nothing has to be changed. Most results are such.
fn plain(value: &Value) -> bool {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::Bytes => true,
        ValueKind::String => !value.is_safe(),
        ValueKind::Seq => {
            value.downcast_object_ref::<Vec<Value>>().is_some_and(|items| items.iter().all(plain))
                || value.downcast_object_ref::<Lines>().is_some()
        }
        ValueKind::Map => value
            .downcast_object_ref::<IndexMap<Value, Value>>()
            .is_some_and(|entries| entries.iter().all(|(key, value)| plain(key) && plain(value))),
        _ => value.downcast_object_ref::<super::dates::Moment>().is_some(),
    }
}

fn rebuild(value: Value) -> Answer {
    if value.is_undefined() {
        return Err(Fault::with_help("the expression has no value", "an `if` without `else` needs one here"));
    }
    if absent(&value).is_some() {
        return present(value);
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map
            if value.downcast_object_ref::<super::objects::Range>().is_none() =>
        {
            limits::deeper(&LEVELS, || rebuild_parts(&value)).unwrap_or_else(|| Err(python::too_deep()))
        }
        ValueKind::String => Ok(Value::from(value.as_str().unwrap_or_default())),
        _ if plain(&value) => Ok(value),
        _ => {
            let kind = match value.downcast_object_ref::<super::objects::Range>() {
                Some(_) => "range".to_owned(),
                None => python::type_name(&value),
            };
            Err(Fault::with_help(
                format!("Type '{kind}' is unsupported for variable storage."),
                match kind.as_str() {
                    "range" => "make a list of it: `| list`",
                    _ => "a method must be called: add `()`, or write `x['name']` for a key of that name",
                },
            ))
        }
    }
}

thread_local! {
    /// Containers within each other that are being rebuilt: a list may hold itself.
    static LEVELS: limits::Counter = const { std::cell::Cell::new(0) };
}

fn rebuild_parts(value: &Value) -> Answer {
    let part = |part: Value| if plain(&part) { Ok(part) } else { rebuild(part) };
    if !python::is_map(value) {
        let items = python::items(value)?.into_iter().filter(|item| !is_omit(item));
        return items.map(part).collect::<Answer<Vec<_>>>().map(Value::from);
    }
    let mut entries = IndexMap::new();
    for (key, value) in python::pairs(value).into_iter().filter(|(_, value)| !is_omit(value)) {
        entries.insert(freeze(key)?, part(value)?);
    }
    Ok(Value::from_object(entries))
}

/// The value without entries and items that are `omit`, all the way down: what a module is given.
pub fn drop_omitted(value: Value) -> Value {
    match value.kind() {
        ValueKind::Seq => {
            let items = python::items(&value).unwrap_or_default().into_iter();
            Value::from(items.filter(|item| !is_omit(item)).map(drop_omitted).collect::<Vec<_>>())
        }
        ValueKind::Map => {
            let entries = python::pairs(&value).into_iter().filter(|(_, value)| !is_omit(value));
            python::map(entries.map(|(key, value)| (key, drop_omitted(value))))
        }
        _ => value,
    }
}
