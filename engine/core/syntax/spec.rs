//! Argument specifications of roles, and the validation of arguments against them, with Ansible's messages.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};
use rplay_contract::argtypes::python_float;

use super::{Kind, Node};
use crate::source::Span;

/// The specifications of a role by entry point (`main`, and other task files).
#[derive(Clone, Debug, Default)]
pub struct ArgumentSpecs {
    pub entry_points: IndexMap<Arc<str>, ArgumentSpec>,
}

/// The arguments of one entry point.
#[derive(Clone, Debug, Default)]
pub struct ArgumentSpec {
    pub short_description: Option<String>,
    pub options: IndexMap<Arc<str>, ArgumentOption>,
}

/// One argument.
#[derive(Clone, Debug)]
pub struct ArgumentOption {
    /// Its location.
    pub span: Span,
    pub kind: ArgumentType,
    pub required: bool,
    pub no_log: bool,
    pub default: Option<Node>,
    pub choices: Vec<Node>,
    pub aliases: Vec<Arc<str>>,
    /// The type of a list's items.
    pub elements: Option<ArgumentType>,
    /// The keys of a dict, or of each dict in a list.
    pub options: IndexMap<Arc<str>, ArgumentOption>,
}

impl ArgumentOption {
    /// An option without attributes: text, not required.
    pub(super) fn new(span: Span) -> Self {
        ArgumentOption {
            span,
            kind: ArgumentType::Str,
            required: false,
            no_log: false,
            default: None,
            choices: Vec::new(),
            aliases: Vec::new(),
            elements: None,
            options: IndexMap::new(),
        }
    }
}

/// The types of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    Str,
    Bool,
    Int,
    Float,
    List,
    Dict,
    Path,
    Raw,
    Json,
    Bytes,
    Bits,
}

impl ArgumentType {
    pub const ALL: [ArgumentType; 11] = [
        ArgumentType::Str,
        ArgumentType::Bool,
        ArgumentType::Int,
        ArgumentType::Float,
        ArgumentType::List,
        ArgumentType::Dict,
        ArgumentType::Path,
        ArgumentType::Raw,
        ArgumentType::Json,
        ArgumentType::Bytes,
        ArgumentType::Bits,
    ];

    /// The name in a specification.
    pub fn name(self) -> &'static str {
        match self {
            ArgumentType::Str => "str",
            ArgumentType::Bool => "bool",
            ArgumentType::Int => "int",
            ArgumentType::Float => "float",
            ArgumentType::List => "list",
            ArgumentType::Dict => "dict",
            ArgumentType::Path => "path",
            ArgumentType::Raw => "raw",
            ArgumentType::Json => "json",
            ArgumentType::Bytes => "bytes",
            ArgumentType::Bits => "bits",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "jsonarg" { "json" } else { name };
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An error in a role's arguments.
#[derive(Clone, Debug)]
pub struct ArgumentError {
    /// Ansible's message, an entry of `argument_errors`.
    pub msg: String,
    /// Where the option is specified; `None` for unspecified arguments.
    pub option: Option<Span>,
}

/// Validates rendered arguments. `values` are the variables named by the specification and all others that were passed
/// to the role explicitly; the latter are rejected if the specification does not name them.
pub fn validate(
    options: &IndexMap<Arc<str>, ArgumentOption>,
    values: &IndexMap<Arc<str>, Value>,
) -> Vec<ArgumentError> {
    let mut errors = Vec::new();
    check(options, values, &[], &mut errors);
    errors
}

fn check(
    options: &IndexMap<Arc<str>, ArgumentOption>,
    values: &IndexMap<Arc<str>, Value>,
    path: &[&str],
    errors: &mut Vec<ArgumentError>,
) {
    let found_in = match path {
        [] => String::new(),
        path => format!(" found in {}", path.join(" -> ")),
    };
    let given = |name: &Arc<str>, option: &ArgumentOption| {
        std::iter::once(name).chain(&option.aliases).find_map(|name| values.get(name)).cloned()
    };
    let missing: Vec<_> = options
        .iter()
        .filter(|(name, option)| option.required && option.default.is_none() && given(name, option).is_none())
        .collect();
    if let Some((_, first)) = missing.first() {
        let names: Vec<&str> = missing.iter().map(|(name, _)| &***name).collect();
        let msg = format!("missing required arguments: {}{found_in}", names.join(", "));
        errors.push(ArgumentError { msg, option: Some(first.span.clone()) });
    }

    let mut converted = Vec::new();
    for (name, option) in options {
        let Some(value) = given(name, option) else { continue };
        if value.is_none() {
            converted.push((name, option, value));
            continue;
        }
        match convert(option.kind, &value) {
            Ok(value) => {
                let items = elements(name, option, &value, errors);
                converted.push((name, option, items.unwrap_or(value)));
            }
            Err(why) => {
                let why = if option.no_log { "the value is hidden".to_owned() } else { why };
                let inside = match path {
                    [] => String::new(),
                    path => format!(" found in '{}'.", path.join(" -> ")),
                };
                let msg = format!(
                    "argument '{name}' is of type {}{inside} and we were unable to convert to {}: {why}",
                    type_name(&value),
                    option.kind.name()
                );
                errors.push(ArgumentError { msg, option: Some(option.span.clone()) });
            }
        }
    }
    for (name, option, value) in &converted {
        if let Some(msg) = outside_choices(name, option, value) {
            errors.push(ArgumentError { msg: format!("{msg}{found_in}"), option: Some(option.span.clone()) });
        }
    }
    for (name, option, value) in &converted {
        if option.options.is_empty() {
            continue;
        }
        let inner: Vec<&str> = path.iter().copied().chain([&***name]).collect();
        let dicts = if value.kind() == ValueKind::Seq { items(value) } else { vec![value.clone()] };
        for dict in dicts.iter().filter(|dict| dict.kind() == ValueKind::Map) {
            check(&option.options, &entries(dict), &inner, errors);
        }
    }

    let mut unknown: Vec<String> = values
        .keys()
        .filter(|name| !options.iter().any(|(known, option)| known == *name || option.aliases.contains(name)))
        .map(|name| path.iter().copied().chain([&**name]).collect::<Vec<_>>().join("."))
        .collect();
    if !unknown.is_empty() {
        unknown.sort();
        let mut known: Vec<&str> = options.keys().map(|name| &**name).collect();
        known.sort_unstable();
        let msg = format!("{}. Supported parameters include: {}.", unknown.join(", "), known.join(", "));
        errors.push(ArgumentError { msg, option: None });
    }
}

/// The items of a list, converted to the element type.
fn elements(name: &str, option: &ArgumentOption, value: &Value, errors: &mut Vec<ArgumentError>) -> Option<Value> {
    let kind = option.elements.filter(|_| option.kind == ArgumentType::List)?;
    let mut converted = Vec::new();
    for item in items(value) {
        match convert(kind, &item) {
            Ok(item) => converted.push(item),
            Err(why) => {
                let why = if option.no_log { "the value is hidden".to_owned() } else { why };
                let msg = format!(
                    "Elements value for option '{name}' is of type {} and we were unable to convert to {}: {why}",
                    type_name(&item),
                    kind.name()
                );
                errors.push(ArgumentError { msg, option: Some(option.span.clone()) });
            }
        }
    }
    Some(Value::from(converted))
}

fn outside_choices(name: &str, option: &ArgumentOption, value: &Value) -> Option<String> {
    if option.choices.is_empty() {
        return None;
    }
    let choices: Vec<Value> = option.choices.iter().map(constant).collect();
    let allowed = || choices.iter().map(python_text).collect::<Vec<_>>().join(", ");
    let fits = |value: &Value| choices.contains(value) || is_one_boolean_word(&choices, value);
    if value.kind() == ValueKind::Seq {
        let shown = |item: &Value| if option.no_log { "a hidden value".to_owned() } else { python_text(item) };
        let others: Vec<String> = items(value).iter().filter(|item| !fits(item)).map(shown).collect();
        return (!others.is_empty()).then(|| {
            format!("value of {name} must be one or more of: {}. Got no match for: {}", allowed(), others.join(", "))
        });
    }
    // Unlike in Ansible, a secret value is not repeated.
    let got = if option.no_log { "a hidden value".to_owned() } else { python_text(value) };
    (!fits(value)).then(|| format!("value of {name} must be one of: {}, got: {got}", allowed()))
}

/// Whether YAML read a boolean from a word that matches exactly one choice.
fn is_one_boolean_word(choices: &[Value], value: &Value) -> bool {
    let words: &[&str] = match value.as_str() {
        Some("True") => &["y", "yes", "on", "1", "true", "t"],
        Some("False") => &["n", "no", "off", "0", "false", "f"],
        _ => return false,
    };
    choices.iter().filter(|choice| choice.as_str().is_some_and(|choice| words.contains(&choice))).count() == 1
}

fn constant(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::from(()),
        Kind::Bool(b) => Value::from(*b),
        Kind::Int(i) => Value::from(*i),
        Kind::Float(f) => Value::from(*f),
        Kind::Time(text) => Value::from(text.clone()),
        Kind::Str(text) => Value::from(text.value.clone()),
        Kind::Seq(_) | Kind::Map(_) => Value::from(node.span.text()),
    }
}

/// The value converted to the type, or why it cannot be.
fn convert(kind: ArgumentType, value: &Value) -> Result<Value, String> {
    let class = || format!("<class '{}'> cannot be converted to", type_name(value));
    let text = value.as_str().map(str::trim);
    match kind {
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
                _ => text.and_then(|text| text.replace('_', "").parse::<i128>().ok()),
            };
            found.map(Value::from).ok_or_else(|| format!("\"{}\" cannot be converted to an int", python_repr(value)))
        }
        ArgumentType::Float => {
            let found = match value.kind() {
                ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
                ValueKind::Number => f64::try_from(value.clone()).ok(),
                _ => text.and_then(|text| text.parse().ok()),
            };
            found.map(Value::from).ok_or_else(|| format!("{} a float", class()))
        }
        ArgumentType::List => match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => Ok(items(value).into()),
            ValueKind::String => Ok(value.as_str().unwrap_or_default().split(',').map(Value::from).collect()),
            ValueKind::Number => Ok(Value::from(vec![Value::from(python_text(value))])),
            _ => Err(format!("{} a list", class())),
        },
        ArgumentType::Dict => match (value.kind(), text) {
            (ValueKind::Map, _) => Ok(value.clone()),
            (_, Some(text)) => {
                dict(text).ok_or_else(|| "dictionary requested, could not parse JSON or key=value".to_owned())
            }
            _ => Err(format!("{} a dict", class())),
        },
        ArgumentType::Json => match value.kind() {
            ValueKind::String | ValueKind::Seq | ValueKind::Map => Ok(value.clone()),
            _ => Err(format!("{} a json string", class())),
        },
        ArgumentType::Bytes | ArgumentType::Bits => {
            let unit = if kind == ArgumentType::Bytes { ("B", "byte", "Byte") } else { ("b", "bit", "Bit") };
            match is_size(&python_text(value), unit.0, unit.1) {
                true => Ok(value.clone()),
                false => Err(format!("{} a {} value", class(), unit.2)),
            }
        }
    }
}

/// `{"a": 1}`, or `a=1 b=2` or `a=1, b=2`.
fn dict(text: &str) -> Option<Value> {
    if text.starts_with('{') {
        let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
        return Some(Value::from_pairs(json.into_iter().map(|(key, value)| (key, from_json(value)))));
    }
    let pairs = text.split([',', ' ']).filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('='));
    let pairs: Vec<(&str, &str)> = pairs.collect::<Option<_>>()?;
    (!pairs.is_empty()).then(|| Value::from_pairs(pairs))
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
        || prefixes.iter().any(|prefix| {
            let upper = unit.to_ascii_uppercase();
            upper == *prefix || (upper.starts_with(prefix) && unit.get(prefix.len()..) == Some(short))
        })
        || words.iter().any(|word| {
            let lower = unit.to_ascii_lowercase();
            lower.strip_prefix(word).is_some_and(|rest| rest.trim_end_matches('s') == long)
        })
}

fn items(value: &Value) -> Vec<Value> {
    value.try_iter().map(Iterator::collect).unwrap_or_default()
}

fn entries(dict: &Value) -> IndexMap<Arc<str>, Value> {
    items(dict).into_iter().filter_map(|key| Some((python_text(&key).into(), dict.get_item(&key).ok()?))).collect()
}

fn type_name(value: &Value) -> &'static str {
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

/// Same as Python's `str()`.
fn python_text(value: &Value) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        source::Source,
        syntax::{read_argument_specs, yaml},
    };

    fn value(node: &Node) -> Value {
        match &node.kind {
            Kind::Seq(items) => items.iter().map(value).collect(),
            Kind::Map(entries) => Value::from_pairs(entries.iter().map(|(key, item)| (constant(key), value(item)))),
            _ => constant(node),
        }
    }

    fn errors(options: &str, given: &str) -> Vec<String> {
        let text = format!("argument_specs: {{main: {{options: {options}}}}}");
        let (specs, _) = read_argument_specs(&Source::inline("argument_specs.yml", text)).expect("a spec");
        let given = yaml::load(&Source::inline("given", given)).expect("values").node;
        let given = entries(&value(&given));
        validate(&specs.entry_points["main"].options, &given).into_iter().map(|error| error.msg).collect()
    }

    /// Right-hand sides were recorded from ansible-core 2.19.
    #[test]
    fn words_are_those_of_ansible() {
        for (options, given, expected) in [
            ("{a: {type: str, required: true}, b: {required: true}}", "{}", &["missing required arguments: a, b"][..]),
            ("{a: {required: true}}", "{a: null}", &[]),
            (
                "{state: {choices: [present, absent]}}",
                "{state: foo}",
                &["value of state must be one of: present, absent, got: foo"],
            ),
            (
                "{state: {type: list, elements: str, choices: [a, b]}}",
                "{state: [a, c, d]}",
                &["value of state must be one or more of: a, b. Got no match for: c, d"],
            ),
            ("{n: {type: int, choices: [1, 2]}}", "{n: '3'}", &["value of n must be one of: 1, 2, got: 3"]),
            (
                "{n: {type: int}}",
                "{n: abc}",
                &[
                    "argument 'n' is of type str and we were unable to convert to int: \"'abc'\" cannot be converted to an int",
                ],
            ),
            (
                "{n: {type: int}}",
                "{n: 1.5}",
                &[
                    "argument 'n' is of type float and we were unable to convert to int: \"1.5\" cannot be converted to an int",
                ],
            ),
            (
                "{n: {type: float}}",
                "{n: x}",
                &[
                    "argument 'n' is of type str and we were unable to convert to float: <class 'str'> cannot be converted to a float",
                ],
            ),
            (
                "{n: {type: list}}",
                "{n: {a: 1}}",
                &[
                    "argument 'n' is of type dict and we were unable to convert to list: <class 'dict'> cannot be converted to a list",
                ],
            ),
            ("{n: {type: list, elements: str}}", "{n: 'a,b'}", &[]),
            ("{n: {type: list}}", "{n: 5}", &[]),
            (
                "{n: {type: list, elements: int}}",
                "{n: ['1', x]}",
                &[
                    "Elements value for option 'n' is of type str and we were unable to convert to int: \"'x'\" cannot be converted to an int",
                ],
            ),
            (
                "{n: {type: dict}}",
                "{n: abc}",
                &[
                    "argument 'n' is of type str and we were unable to convert to dict: dictionary requested, could not parse JSON or key=value",
                ],
            ),
            ("{n: {type: dict}}", "{n: a=1 b=2}", &[]),
            ("{n: {type: str}}", "{n: [1]}", &[]),
            (
                "{n: {type: bytes}}",
                "{n: 1x}",
                &[
                    "argument 'n' is of type str and we were unable to convert to bytes: <class 'str'> cannot be converted to a Byte value",
                ],
            ),
            ("{n: {type: bytes}, m: {type: bytes}}", "{n: 10, m: 2 GB}", &[]),
            (
                "{n: {type: dict, options: {x: {required: true}, y: {type: int}}}}",
                "{n: {y: q, z: 1}}",
                &[
                    "missing required arguments: x found in n",
                    "argument 'y' is of type str found in 'n'. and we were unable to convert to int: \"'q'\" cannot be converted to an int",
                    "n.z. Supported parameters include: x, y.",
                ],
            ),
            (
                "{n: {type: list, elements: dict, options: {x: {required: true}, c: {choices: [a]}}}}",
                "{n: [{x: 1, c: b}, {}]}",
                &["value of c must be one of: a, got: b found in n", "missing required arguments: x found in n"],
            ),
            (
                "{n: {type: list, elements: dict, options: {x: {type: dict, options: {q: {required: true}}}}}}",
                "{n: [{x: {}}]}",
                &["missing required arguments: q found in n -> x"],
            ),
            ("{a: {}}", "{b: 1}", &["b. Supported parameters include: a."]),
            ("{a: {type: bool, choices: [true]}}", "{a: 'no'}", &["value of a must be one of: True, got: False"]),
            ("{a: {choices: ['1']}}", "{a: 1}", &[]),
            ("{a: {choices: ['yes', 'no']}}", "{a: yes}", &[]),
            ("{a: {aliases: [z], required: true}}", "{z: 1}", &[]),
            ("{n: {type: dict, options: {x: {required: true}}}}", "{n: null}", &[]),
        ] {
            assert_eq!(errors(options, given), expected, "{options} {given}");
        }
    }

    #[test]
    fn secrets_are_not_repeated() {
        for options in ["choices: [a]", "type: int", "type: list, elements: int"] {
            let errors = errors(&format!("{{p: {{no_log: true, {options}}}}}"), "{p: hunter2}");
            assert!(errors.len() == 1 && !errors[0].contains("hunter2"), "{errors:?}");
        }
    }
}
