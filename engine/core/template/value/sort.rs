//! Sorts values in Python's order.

use std::cmp::Ordering;

use minijinja::Value;

use crate::template::value::{error::EvalResult, ops};

/// A sort key: case-insensitive for text by default.
pub(crate) fn folded(value: &Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value.clone(),
    }
}

/// Sorts in Python's order; values of different kinds cannot be ordered.
pub(crate) fn sort_values(items: &mut [Value], case_sensitive: bool, reverse: bool) -> EvalResult<()> {
    let mut keyed: Vec<(Value, Value)> =
        items.iter().map(|item| (folded(item, case_sensitive), item.clone())).collect();
    sort_keyed(&mut keyed, reverse)?;
    for (slot, (_, value)) in items.iter_mut().zip(keyed) {
        *slot = value;
    }
    Ok(())
}

pub(crate) fn sort_keyed(keyed: &mut [(Value, Value)], reverse: bool) -> EvalResult<()> {
    let mut first = None;
    keyed.sort_by(|(a, _), (b, _)| match ops::order("<", a, b) {
        Ok(order) => {
            let order = order.unwrap_or(Ordering::Equal);
            if reverse { order.reverse() } else { order }
        }
        Err(error) => {
            first.get_or_insert(error);
            Ordering::Equal
        }
    });
    first.map_or(Ok(()), Err)
}

/// Sorts by keys; as in Python, keys of different kinds cannot be sorted.
pub(crate) fn sort_pairs(pairs: &mut [(Value, Value)]) -> EvalResult<()> {
    let mut first = None;
    pairs.sort_by(|(a, _), (b, _)| match ops::order("<", a, b) {
        Ok(order) => order.unwrap_or(std::cmp::Ordering::Equal),
        Err(error) => {
            first.get_or_insert(error);
            std::cmp::Ordering::Equal
        }
    });
    first.map_or(Ok(()), Err)
}
