//! Differences between the desired and the actual state, in the playbook's terms and without values: values may be
//! secret, and names are enough to find the place.

use serde_json::Value as Json;

/// An argument, or an entry of it, that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `image`, `env.JWT_SECRET`, `ports.3000/tcp`.
    pub field: String,
    /// It is there and no longer wanted.
    pub removed: bool,
}

impl Difference {
    pub(crate) fn new(field: impl Into<String>) -> Self {
        Difference { field: field.into(), removed: false }
    }

    pub(crate) fn removed(field: impl Into<String>) -> Self {
        Difference { field: field.into(), removed: true }
    }
}

/// "image, env.A changed; env.B removed".
pub(super) fn reasons(differences: &[Difference]) -> String {
    let named = |removed: bool| {
        let fields: Vec<_> = differences.iter().filter(|d| d.removed == removed).map(|d| d.field.as_str()).collect();
        (!fields.is_empty()).then(|| fields.join(", "))
    };
    let changed = named(false).map(|fields| format!("{fields} changed"));
    let removed = named(true).map(|fields| format!("{fields} removed"));
    changed.into_iter().chain(removed).collect::<Vec<_>>().join("; ")
}

/// Whether the value counts as unset: the Engine returns unset values as null, zero, "" or an empty collection.
pub(super) fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Bool(true) => false,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}

/// Whether the actual value includes the desired one: all desired keys, and equal lists.
pub(super) fn covers(there: &Json, wanted: &Json) -> bool {
    match (there, wanted) {
        (Json::Object(there), Json::Object(wanted)) => {
            wanted.iter().all(|(key, value)| covers(there.get(key).unwrap_or(&Json::Null), value))
        }
        (Json::Array(there), Json::Array(wanted)) => {
            there.len() == wanted.len() && there.iter().zip(wanted).all(|(there, wanted)| covers(there, wanted))
        }
        (Json::Number(there), Json::Number(wanted)) => there.as_f64() == wanted.as_f64(),
        (there, wanted) => there == wanted || (is_empty(there) && is_empty(wanted)),
    }
}

/// The desired entries of a mapping that are missing or differ; additional entries are ignored.
pub(super) fn map_differences(field: &str, wanted: &Json, there: Option<&Json>) -> Vec<Difference> {
    let wanted = wanted.as_object().into_iter().flatten();
    wanted
        .filter(|(key, value)| there.and_then(|there| there.get(key.as_str())) != Some(value))
        .map(|(key, _)| Difference::new(format!("{field}.{key}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_name_fields_and_never_values() {
        let all = [Difference::new("image"), Difference::removed("env.B"), Difference::new("env.A")];
        assert_eq!(reasons(&all), "image, env.A changed; env.B removed");
        assert_eq!(reasons(&all[1..2]), "env.B removed");
        let of = map_differences("labels", &json!({"a": "1", "b": "2"}), Some(&json!({"a": "1", "b": "3", "c": "4"})));
        assert_eq!(of, [Difference::new("labels.b")]);
    }

    #[test]
    fn more_is_covered_and_less_is_not() {
        assert!(covers(&json!({"a": 1, "b": 2}), &json!({"a": 1.0})));
        assert!(covers(&json!({"a": null}), &json!({"a": []})));
        assert!(!covers(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
        assert!(!covers(&json!(["a", "b"]), &json!(["b", "a"])));
    }
}
