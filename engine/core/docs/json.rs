//! YAML as JSON, and JSON as Ansible prints it.

use serde_json::{Map, Number, Value as Json};

use crate::{
    source::Source,
    syntax::{Kind, Node, yaml},
};

/// A YAML document as JSON. `name` is for messages.
///
/// # Errors
/// If the text is not YAML; with what is wrong.
pub(super) fn read(name: &str, text: &str) -> Result<Json, String> {
    let source = Source::inline(name, text);
    yaml::load(&source).map(|loaded| of_node(&loaded.node)).map_err(|problems| problems.one_line())
}

pub(super) fn of_node(node: &Node) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::Int(i) => i64::try_from(*i).map_or_else(|_| Json::String(i.to_string()), Json::from),
        Kind::Float(f) => Number::from_f64(*f).map_or_else(|| Json::String(f.to_string()), Json::Number),
        Kind::Digits(text) | Kind::Time(text) => Json::String(text.to_string()),
        Kind::Str(text) => Json::String(text.value.to_string()),
        Kind::Bytes(bytes) => Json::String(String::from_utf8_lossy(bytes).into_owned()),
        Kind::Seq(items) => items.iter().map(of_node).collect(),
        Kind::Map(entries) => {
            let key = |key: &Node| match of_node(key) {
                Json::String(text) => text,
                other => other.to_string(),
            };
            Json::Object(entries.iter().map(|(name, value)| (key(name), of_node(value))).collect::<Map<_, _>>())
        }
    }
}
