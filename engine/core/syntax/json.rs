//! From JSON to nodes, by JSON's rules.

use std::sync::Arc;

use super::{Kind, Node, Style, Text, error::YamlError, loaded::Loaded};
use crate::source::{Problems, Source, Span};

/// The value of a plain scalar in valid JSON.
pub(super) fn json_scalar(text: &str) -> Option<Kind> {
    Some(match text {
        "null" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        _ => match text.parse() {
            Ok(int) => Kind::Int(int),
            Err(_) if is_int(text) => Kind::Digits(text.into()),
            Err(_) => Kind::Float(text.parse().ok()?),
        },
    })
}

/// Whether it consists of digits, of which there are not too many.
fn is_int(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() <= 4300 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// JSON without places: each value spans the whole text.
pub(super) fn json_document(source: &Arc<Source>) -> Result<Loaded, Problems> {
    let span = Span::new(source, 0..source.text.len());
    match serde_json::from_str(&source.text) {
        Ok(value) => Ok(Loaded { node: json_node(value, &span), warnings: Vec::new() }),
        Err(error) => Err(YamlError::Other { at: span, problem: error.to_string(), help: None }.into()),
    }
}

fn json_node(value: serde_json::Value, span: &Span) -> Node {
    use serde_json::Value as Json;
    let text =
        |value: String| Kind::Str(Text { value: value.into(), style: Style::Double, vault: false, no_template: false });
    let kind = match value {
        Json::Null => Kind::Null,
        Json::Bool(b) => Kind::Bool(b),
        Json::Number(number) => json_scalar(&number.to_string()).unwrap_or(Kind::Null),
        Json::String(value) => text(value),
        Json::Array(items) => Kind::Seq(items.into_iter().map(|item| json_node(item, span)).collect()),
        Json::Object(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Node { span: span.clone(), kind: text(key) }, json_node(value, span)))
                .collect(),
        ),
    };
    Node { span: span.clone(), kind }
}
