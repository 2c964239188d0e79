//! Variables as JSON, with unrendered templates.

use serde_json::{Map, Value as Json, json};

use crate::vars::{Lazy, Value, as_json, is_trusted};
use minijinja::value::ValueKind;

/// A value as written; secrets as their envelopes.
pub fn of(value: &Lazy) -> Json {
    match value {
        Lazy::Data(data) => of_data(data),
        Lazy::Template(template) => Json::from(&*template.text),
        Lazy::Vaulted(vaulted) => json!({ "__ansible_vault": &*vaulted.envelope }),
        Lazy::List(items) => items.iter().map(of).collect(),
        Lazy::Map(entries) => Json::Object(entries.iter().map(|(key, value)| (key.to_string(), of(value))).collect()),
    }
}

/// The same for other programs: as in ansible-core, text that must never be a template is marked.
pub(super) fn marked(value: &Lazy) -> Json {
    match value {
        Lazy::Data(data) => of_value(data, true),
        Lazy::List(items) => items.iter().map(marked).collect(),
        Lazy::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.to_string(), marked(value))).collect())
        }
        other => of(other),
    }
}

/// The key of a mapping that represents text which must never be a template.
pub(super) const UNSAFE: &str = "__ansible_unsafe";

pub(super) fn of_data(value: &Value) -> Json {
    of_value(value, false)
}

fn of_value(value: &Value, marks: bool) -> Json {
    let of_data = |value: &Value| of_value(value, marks);
    let items = || value.try_iter().into_iter().flatten();
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => match i128::try_from(value.clone()) {
            Ok(number) => {
                serde_json::Number::from_i128(number).map_or_else(|| Json::String(number.to_string()), Json::Number)
            }
            Err(_) => Json::String(value.to_string()),
        },
        ValueKind::Number => f64::try_from(value.clone()).map_or(Json::Null, Json::from),
        ValueKind::Seq | ValueKind::Iterable => items().map(|item| of_data(&item)).collect(),
        ValueKind::Map => {
            let entry = |key: Value| {
                let value = value.get_item(&key).unwrap_or_default();
                (key.as_str().map_or_else(|| key.to_string(), str::to_owned), of_data(&value))
            };
            Json::Object(items().map(entry).collect::<Map<_, _>>())
        }
        ValueKind::String if marks && !is_trusted(value) => json!({ UNSAFE: value.as_str() }),
        _ => {
            let text = value.as_str().map(str::to_owned).or_else(|| as_json(value));
            Json::String(text.unwrap_or_else(|| value.to_string()))
        }
    }
}

/// A value in Python's format; `quoted` for text inside a list or a mapping.
pub(crate) fn python(value: &Json, quoted: bool) -> String {
    let join = |items: Vec<String>| items.join(", ");
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) if !quoted => text.clone(),
        Json::String(text) if text.contains('\'') && !text.contains('"') => format!("{text:?}"),
        Json::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")),
        Json::Array(items) => format!("[{}]", join(items.iter().map(|item| python(item, true)).collect())),
        // People see just the text.
        Json::Object(entries) if entries.len() == 1 && entries.contains_key(UNSAFE) => python(&entries[UNSAFE], quoted),
        Json::Object(entries) => {
            let entry = |(key, value): (&String, &Json)| format!("'{key}': {}", python(value, true));
            format!("{{{}}}", join(entries.iter().map(entry).collect()))
        }
    }
}
