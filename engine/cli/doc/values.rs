//! Values in documentation as text.

use rplay::{
    syntax::emit,
    vars::{Value, from_wire},
};
use serde_json::{Map, Value as Json};

pub(super) fn template_value(value: &Json) -> Value {
    from_wire(value.clone().into())
}

/// A text, or a list of texts.
pub(super) fn sentences(value: &Json) -> Vec<String> {
    match value {
        Json::Null => Vec::new(),
        Json::Array(items) => items.iter().map(shown).collect(),
        other => vec![shown(other)],
    }
}

pub(super) fn comma_separated(value: &Json) -> String {
    sentences(value).join(", ")
}

/// A value on one line, as Ansible shows it.
pub(super) fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "null".to_owned(),
        Json::Array(_) | Json::Object(_) => flow(value),
        other => other.to_string(),
    }
}

pub(super) fn flow(value: &Json) -> String {
    let options = emit::Options {
        default_flow_style: Some(true),
        width: Some(i32::MAX),
        allow_unicode: false,
        ..emit::Options::plain()
    };
    emit::to_yaml(&template_value(value), &options).unwrap_or_default().trim_end().trim_end_matches("\n...").to_owned()
}

/// The sources of a setting's value, without version numbers and their collections.
pub(super) fn without_tags(value: Json) -> Json {
    match value {
        Json::Array(entries) => entries.into_iter().map(without_tags).collect(),
        Json::Object(fields) => fields
            .into_iter()
            .filter(|(key, _)| key != "version_added_collection" && key != "collection_name" && key != "version_added")
            .map(|(key, value)| (key, without_tags(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// Whether there is nothing to show.
pub(super) fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::String(text) => text.is_empty(),
        _ => false,
    }
}
