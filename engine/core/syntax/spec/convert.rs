//! Converts values of arguments to their types, and formats them like Python.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};
use rplay_contract::argtypes::python_float;

use super::argument_type::ArgumentType;
use crate::{
    source::Source,
    syntax::{Kind, Node, Style, yaml},
};

/// A constant of a specification.
pub(super) fn value_of(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::from(()),
        Kind::Bool(b) => Value::from(*b),
        Kind::Int(i) => Value::from(*i),
        Kind::Float(f) => Value::from(*f),
        Kind::Digits(text) | Kind::Time(text) => Value::from(text.clone()),
        Kind::Str(text) => Value::from(text.value.clone()),
        Kind::Bytes(bytes) => Value::from_bytes(bytes.to_vec()),
        Kind::Seq(items) => items.iter().map(value_of).collect(),
        Kind::Map(entries) => Value::from_pairs(entries.iter().map(|(key, item)| (value_of(key), value_of(item)))),
    }
}

impl ArgumentType {
    /// A value converted to this type.
    ///
    /// # Errors
    /// Why it cannot be, in the words of ansible-core.
    pub fn converted(self, value: &Value) -> Result<Value, String> {
        let class = || match tagged_name(value).as_str() {
            name if name.starts_with('_') => {
                format!("<class 'ansible.module_utils._internal._datatag.{name}'> cannot be converted to")
            }
            name => format!("<class '{name}'> cannot be converted to"),
        };
        let text = value.as_str().map(str::trim);
        match self {
            ArgumentType::Raw => Ok(value.clone()),
            ArgumentType::Str | ArgumentType::Path => Ok(Value::from(python_text(value))),
            ArgumentType::Bool => {
                let word = match value.kind() {
                    ValueKind::Bool => return Ok(value.clone()),
                    ValueKind::String | ValueKind::Number => python_text(value).trim().to_ascii_lowercase(),
                    _ => return Err(format!("{} a bool", class())),
                };
                match word.as_str() {
                    "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(Value::from(true)),
                    "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(Value::from(false)),
                    _ => Err(format!(
                        "The value '{}' is not a valid boolean. Valid booleans include: 'y', 'yes', 'on', '1', 'true', 't', 1, 'n', 'no', 'off', '0', 'false', 'f', 0",
                        python_text(value)
                    )),
                }
            }
            ArgumentType::Int => {
                let found = match value.kind() {
                    ValueKind::Bool => Some(value.is_true().into()),
                    ValueKind::Number => match value.as_i64() {
                        Some(whole) => Some(whole.into()),
                        None => i128::try_from(value.clone()).ok(),
                    },
                    _ => text.and_then(whole_number),
                };
                found
                    .map(Value::from)
                    .ok_or_else(|| format!("\"{}\" cannot be converted to an int", python_repr(value)))
            }
            ArgumentType::Float => {
                let found = match value.kind() {
                    ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
                    ValueKind::Number => f64::try_from(value.clone()).ok(),
                    _ => text.and_then(|text| text.replace('_', "").parse().ok()),
                };
                found.map(Value::from).ok_or_else(|| format!("{} a float", class()))
            }
            ArgumentType::List => match value.kind() {
                ValueKind::Seq | ValueKind::Iterable => Ok(items(value).into()),
                ValueKind::String => Ok(value.as_str().unwrap_or_default().split(',').map(Value::from).collect()),
                ValueKind::Number | ValueKind::Bool => Ok(Value::from(vec![Value::from(python_text(value))])),
                _ => Err(format!("{} a list", class())),
            },
            ArgumentType::Dict => match (value.kind(), text) {
                (ValueKind::Map, _) => Ok(value.clone()),
                (_, Some(text)) => dict(text).map_err(str::to_owned),
                _ => Err(format!("{} a dict", class())),
            },
            ArgumentType::Json => match value.kind() {
                ValueKind::String | ValueKind::Seq | ValueKind::Map => Ok(value.clone()),
                _ => Err(format!("{} a json string", class())),
            },
            ArgumentType::Bytes | ArgumentType::Bits => {
                let unit = if self == ArgumentType::Bytes { ("B", "byte", "Byte") } else { ("b", "bit", "Bit") };
                match is_size(&python_text(value), unit.0, unit.1) {
                    true => Ok(value.clone()),
                    false => Err(format!("{} a {} value", class(), unit.2)),
                }
            }
        }
    }
}

/// `12`, `1.0`, `1e3`: text that means a whole number.
fn whole_number(text: &str) -> Option<i128> {
    let text = text.replace('_', "");
    let of_float = || text.parse::<f64>().ok().filter(|f| f.fract() == 0.0 && f.abs() < 1e18).map(|f| f as i128);
    text.parse().ok().or_else(of_float)
}

/// `{"a": 1}`, `{'a': 1}`, or `a=1 b='2 3'` or `a=1, b=2`.
fn dict(text: &str) -> Result<Value, &'static str> {
    if text.starts_with('{') {
        if let Ok(serde_json::Value::Object(json)) = serde_json::from_str(text) {
            return Ok(Value::from_pairs(json.into_iter().map(|(key, value)| (key, from_json(value)))));
        }
        return of_python(text).ok_or("unable to evaluate string as dictionary");
    }
    if !text.contains('=') {
        return Err("dictionary requested, could not parse JSON or key=value");
    }
    let fields = fields(text);
    let pairs: Option<Vec<(&str, &str)>> = fields.iter().map(|field| field.split_once('=')).collect();
    pairs.map(Value::from_pairs).ok_or("unable to evaluate string in the \"key=value\" format as dictionary")
}

/// Fields between commas or spaces; quotes and backslashes keep these in a field.
fn fields(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut quote, mut escaped) = (Vec::new(), String::new(), None, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                field.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' | '\'' if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            ',' | ' ' | '\n' | '\t' if quote.is_none() => fields.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    fields.push(field);
    fields.retain(|field| !field.is_empty());
    fields
}

/// A dict in Python's notation. Where YAML's agrees with it, that is what reads it.
fn of_python(text: &str) -> Option<Value> {
    let node = yaml::load(&Source::inline("value", text)).ok()?.node;
    (is_python(&node) && matches!(node.kind, Kind::Map(_))).then(|| value_of(&node))
}

fn is_python(node: &Node) -> bool {
    match &node.kind {
        Kind::Str(text) => matches!(text.style, Style::Single | Style::Double),
        Kind::Int(_) | Kind::Digits(_) | Kind::Float(_) => true,
        Kind::Bool(_) => matches!(node.span.text(), "True" | "False"),
        Kind::Seq(items) => items.iter().all(is_python),
        Kind::Map(entries) => entries.iter().all(|(key, item)| is_python(key) && is_python(item)),
        Kind::Null | Kind::Time(_) | Kind::Bytes(_) => false,
    }
}

fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(b),
        Json::Number(number) => match number.as_i128() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => items.into_iter().map(from_json).collect(),
        Json::Object(entries) => Value::from_pairs(entries.into_iter().map(|(key, value)| (key, from_json(value)))),
    }
}

/// `10`, `1.5M`, `2 GB`, `3 kilobytes`.
fn is_size(text: &str, short: &str, long: &str) -> bool {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim();
    if number.parse::<f64>().is_err() {
        return false;
    }
    let prefixes = ["", "K", "M", "G", "T", "P", "E", "Z", "Y"];
    let words = ["", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta"];
    unit.is_empty()
        || unit.eq_ignore_ascii_case("b")
        || prefixes.iter().any(|prefix| {
            let upper = unit.to_ascii_uppercase();
            upper == *prefix || (unit.starts_with(prefix) && unit.get(prefix.len()..) == Some(short))
        })
        || words.iter().any(|word| unit.to_ascii_lowercase().strip_prefix(word) == Some(long))
}

pub(super) fn items(value: &Value) -> Vec<Value> {
    value.try_iter().map(Iterator::collect).unwrap_or_default()
}

pub(super) fn entries(dict: &Value) -> IndexMap<Arc<str>, Value> {
    items(dict).into_iter().filter_map(|key| Some((python_text(&key).into(), dict.get_item(&key).ok()?))).collect()
}

pub(super) fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        ValueKind::Bytes => "bytes",
        _ => "str",
    }
}

/// The name of the class of a value that a file wrote.
pub(super) fn tagged_name(value: &Value) -> String {
    match type_name(value) {
        name @ ("NoneType" | "bool") => name.to_owned(),
        name => format!("_AnsibleTagged{}{}", name[..1].to_uppercase(), &name[1..]),
    }
}

/// Same as Python's `str()`.
pub(super) fn python_text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => python_repr(value),
    }
}

/// Same as Python's `repr()`.
fn python_repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Number if !value.is_integer() => {
            f64::try_from(value.clone()).map_or_else(|_| value.to_string(), python_float)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            format!("[{}]", items(value).iter().map(python_repr).collect::<Vec<_>>().join(", "))
        }
        ValueKind::Map => {
            let entries: Vec<String> = items(value)
                .iter()
                .map(|key| format!("{}: {}", python_repr(key), python_repr(&value.get_item(key).unwrap_or_default())))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        _ => match value.as_str() {
            Some(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
            Some(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")),
            None => value.to_string(),
        },
    }
}
