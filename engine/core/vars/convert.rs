//! Conversion between template values and wire values.

use indexmap::IndexMap;
use minijinja::value::{Value, ValueKind};
use rplay_contract::wire::{self, Map};

use super::{
    as_json,
    big_integer::{BigInteger, of_marked},
    is_omit,
};
use crate::limits;

/// A rendered value as passed to a module; omitted entries of mappings and lists are dropped.
pub fn to_wire(value: &Value) -> wire::Value {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => wire::Value::Null,
        ValueKind::Bool => wire::Value::Bool(value.is_true()),
        ValueKind::Number => match i128::try_from(value.clone()) {
            Ok(int) if value.is_integer() => wire::Value::Int(int),
            _ => f64::try_from(value.clone()).map_or(wire::Value::Null, wire::Value::Float),
        },
        ValueKind::String => wire::Value::Str(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Bytes => wire::Value::Bytes(value.as_bytes().unwrap_or_default().to_vec()),
        ValueKind::Map => wire::Value::Map(limits::with_stack(|| to_wire_map(value))),
        ValueKind::Seq | ValueKind::Iterable => match value.try_iter() {
            Ok(items) => {
                let items = items.filter(|item| !is_omit(item));
                wire::Value::List(limits::with_stack(|| items.map(|item| to_wire(&item)).collect()))
            }
            Err(_) => wire::Value::Null,
        },
        _ => {
            let text = BigInteger::marked(value).or_else(|| as_json(value));
            wire::Value::Str(text.unwrap_or_else(|| value.to_string()))
        }
    }
}

/// The entries of a mapping; keys become text.
pub fn to_wire_map(value: &Value) -> Map {
    let Ok(keys) = value.try_iter() else { return Map::new() };
    keys.filter_map(|key| {
        let entry = value.get_item(&key).ok().filter(|entry| !is_omit(entry))?;
        let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        Some((key, to_wire(&entry)))
    })
    .collect()
}

/// A value from a host, as templates see it. It stays data, whatever it contains.
pub fn from_wire(value: wire::Value) -> Value {
    match value {
        wire::Value::Null => Value::from(()),
        wire::Value::Bool(b) => Value::from(b),
        wire::Value::Int(i) => i64::try_from(i).map_or_else(|_| Value::from(i), Value::from),
        wire::Value::Float(f) => Value::from(f),
        wire::Value::Str(s) => of_marked(&s).unwrap_or_else(|| Value::from(s)),
        wire::Value::Bytes(b) => Value::from_bytes(b),
        wire::Value::Blob(blob) => Value::from(format!("sha256:{}", blob.sha256)),
        wire::Value::List(items) => items.into_iter().map(from_wire).collect(),
        wire::Value::Map(map) => from_wire_map(map),
    }
}

/// A mapping from a host.
pub fn from_wire_map(map: Map) -> Value {
    mapping(map.into_iter().map(|(key, value)| (key, from_wire(value))))
}

/// A mapping of these entries, in order.
pub fn mapping<K: Into<Value>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Value {
    let entries: IndexMap<Value, Value> = entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    Value::from_object(entries)
}

#[cfg(test)]
mod tests {
    use rplay_contract::wire::data;

    use super::*;
    use crate::vars::omit;

    #[test]
    fn values_keep_their_types_both_ways() {
        let map = data! { "i" => 3, "f" => 1.0, "s" => "x", "b" => true, "n" => wire::Value::Null, "l" => vec![1, 2],
        "big" => 12345678901234567890123i128, "huge" => format!("{}-{}", wire::number::MARK, "9".repeat(50)),
        "inf" => f64::INFINITY };
        assert_eq!(to_wire_map(&from_wire_map(map.clone())), map);
    }

    #[test]
    fn omitted_entries_are_not_sent() {
        let value = mapping([("a", Value::from(1)), ("b", omit())]);
        assert_eq!(to_wire_map(&value), data! { "a" => 1 });
    }
}
