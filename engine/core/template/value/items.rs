//! The items of a value, and its truth value.

use minijinja::{Value, value::ValueKind};

use crate::{
    limits,
    template::value::{
        containers::{self, Dict, List, changeable},
        error::{EvalError, EvalResult},
        show::type_name,
        undefined::present,
    },
};

/// `bool()`.
pub(crate) fn truth(value: &Value) -> bool {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => false,
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            value.len().map_or_else(|| value.try_iter().is_ok_and(|mut items| items.next().is_some()), |len| len > 0)
        }
        _ => value.is_true(),
    }
}

/// The items of an iteration: of a list, the keys of a mapping, the characters of a string.
pub(crate) fn items(value: &Value) -> EvalResult<Vec<Value>> {
    if let Some(list) = value.downcast_object_ref::<Vec<Value>>() {
        return Ok(list.clone());
    }
    match value.kind() {
        ValueKind::String => {
            Ok(value.as_str().unwrap_or_default().chars().map(|c| Value::from(c.to_string())).collect())
        }
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => match value.try_iter() {
            Ok(items) => Ok(items.collect()),
            Err(error) => Err(EvalError::new(error.to_string())),
        },
        _ => {
            present(value.clone())?;
            Err(EvalError::new(format!("'{}' object is not iterable", type_name(value))))
        }
    }
}

/// The same value with mutable lists and mappings, recursively.
pub(crate) fn thaw(value: &Value) -> Value {
    if changeable(value) {
        return value.clone();
    }
    match value.kind() {
        ValueKind::Map => {
            let pairs = containers::pairs(value).into_iter();
            Dict::of(limits::with_stack(|| pairs.map(|(key, value)| (key, thaw(&value))).collect()))
        }
        ValueKind::Seq if !value.is_tuple() => {
            let parts = items(value).unwrap_or_default();
            List::of(limits::with_stack(|| parts.iter().map(thaw).collect()))
        }
        _ => value.clone(),
    }
}
