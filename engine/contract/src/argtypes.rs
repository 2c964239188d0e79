//! The types of arguments, parsed as leniently as in Ansible: `"yes"` is a boolean, `"5"` a number, `a,b` a list.

use std::borrow::Cow;

use rplay_wire::{Map, Value, number::MARK};

use crate::{
    args::{ArgType, ELEMENT, NO_CHOICE, NO_CHOICES, NOT_CONVERTED},
    choice,
};

/// A boolean: yes, on, 1, true, y, t and their opposites, in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub bool);

impl ArgType for Flag {
    const KIND: &'static str = "bool";

    fn parse(value: &Value) -> Result<Self, String> {
        let word = match value {
            Value::Bool(b) => return Ok(Flag(*b)),
            Value::Int(0) => return Ok(Flag(false)),
            Value::Int(1) => return Ok(Flag(true)),
            Value::Float(f) if *f == 0.0 || *f == 1.0 => return Ok(Flag(*f == 1.0)),
            Value::Str(s) => s.trim().to_ascii_lowercase(),
            Value::Int(_) | Value::Float(_) => return Err(no_boolean(value)),
            other => return Err(not_converted("bool", &unconvertible(other, "a bool"))),
        };
        match word.as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" => Ok(Flag(true)),
            "n" | "no" | "off" | "0" | "false" | "f" => Ok(Flag(false)),
            _ => Err(no_boolean(value)),
        }
    }
}

choice! {
    /// Whether something is to exist: `state`, where `present` is named first. The order shows in messages and
    /// documentation, and is that of ansible-core for each module.
    pub enum PresentAbsent {
        Present = "present",
        Absent = "absent",
    }
}

choice! {
    /// Whether something is to exist: `state`, where `absent` is named first.
    pub enum AbsentPresent {
        Absent = "absent",
        Present = "present",
    }
}

/// The reason why a value is not of that kind.
fn not_converted(kind: &str, why: &str) -> String {
    format!("{NOT_CONVERTED}{kind}: {why}")
}

/// That no value of that type becomes one of another, in Python's words.
fn unconvertible(value: &Value, wanted: &str) -> String {
    format!("<class '{}'> cannot be converted to {wanted}", value.type_name())
}

fn no_boolean(value: &Value) -> String {
    let shown = String::parse(value).unwrap_or_default();
    let words = "0, 1, '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'";
    not_converted("bool", &format!("The value '{shown}' is not a valid boolean. Valid booleans include: {words}"))
}

/// A boolean for which every word that is none means no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LooseFlag(pub bool);

impl ArgType for LooseFlag {
    const KIND: &'static str = "bool";

    fn parse(value: &Value) -> Result<Self, String> {
        match Flag::parse(value) {
            Ok(flag) => Ok(LooseFlag(flag.0)),
            Err(_) if matches!(value, Value::List(_) | Value::Map(_)) => {
                Err(format!("must be a boolean, not {}", value.type_name()))
            }
            Err(_) => Ok(LooseFlag(false)),
        }
    }
}

/// The words that YAML 1.1 reads as this boolean.
pub fn boolean_words(value: &Value) -> &'static [&'static str] {
    match value {
        Value::Bool(true) => &["yes", "on", "true"],
        Value::Bool(false) => &["no", "off", "false"],
        _ => &[],
    }
}

/// Which of some words a value is. `named` are those that an error names, the others are their synonyms.
///
/// # Errors
/// It is none of them.
pub fn choice_at(value: &Value, all: &[&str], named: &[&str]) -> Result<usize, String> {
    let text = String::parse(value)?;
    // YAML 1.1 reads `yes`, `no`, `on`, `off` as booleans before a module sees them.
    let is_meant = |word: &&str| **word == *text || boolean_words(value).contains(word);
    all.iter().position(is_meant).ok_or_else(|| format!("{NO_CHOICE}{}, got: {text}", named.join(", ")))
}

/// Text; numbers and booleans are converted as in Python.
pub type Text = String;

impl ArgType for String {
    const KIND: &'static str = "str";

    fn parse(value: &Value) -> Result<Self, String> {
        Ok(match value {
            // An integer of any size is its digits.
            Value::Str(s) => s.strip_prefix(MARK).unwrap_or(s).to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(i) => i.to_string(),
            Value::Float(f) => python_float(*f),
            Value::Bytes(b) => String::from_utf8(b.clone()).map_err(|_| "must be text in UTF-8".to_owned())?,
            // Ansible passes structures given for text as JSON.
            Value::List(_) | Value::Map(_) => rplay_wire::python_text(value),
            Value::Null => String::new(),
            Value::Blob(_) => return Err("must be text".to_owned()),
        })
    }
}

/// A float in Python's format: `1.0`, not `1`.
pub fn python_float(f: f64) -> String {
    if f.is_finite() && f == f.trunc() && f.abs() < 1e16 { format!("{f:.1}") } else { f.to_string() }
}

/// A whole number.
impl ArgType for i64 {
    const KIND: &'static str = "int";

    fn parse(value: &Value) -> Result<Self, String> {
        let wrong = || {
            let shown = rplay_wire::python_text(&Value::List(vec![value.clone()]));
            let shown = shown.strip_prefix('[').and_then(|shown| shown.strip_suffix(']')).unwrap_or(&shown);
            not_converted("int", &format!("\"{shown}\" cannot be converted to an int"))
        };
        match value {
            Value::Int(i) => i64::try_from(*i).map_err(|_| wrong()),
            Value::Float(f) if *f == f.trunc() && f.abs() < 9e15 => Ok(*f as i64),
            Value::Bool(b) => Ok((*b).into()),
            Value::Str(s) => {
                // As a decimal number of Python's: `1e1`, `1.` and `1_0` are whole.
                let s = s.trim().replace('_', "");
                let whole = |f: &f64| *f == f.trunc() && f.abs() < 9e15;
                let decimal = || s.parse().ok().filter(whole).map(|f| f as i64);
                s.parse().ok().or_else(decimal).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl ArgType for u64 {
    const KIND: &'static str = "int";

    fn parse(value: &Value) -> Result<Self, String> {
        u64::try_from(i64::parse(value)?).map_err(|_| "must not be negative".to_owned())
    }
}

impl ArgType for f64 {
    const KIND: &'static str = "float";

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Int(i) => Ok(*i as f64),
            Value::Float(f) => Ok(*f),
            Value::Str(s) => s.trim().parse().map_err(|_| not_converted("float", &unconvertible(value, "a float"))),
            Value::Bool(set) => Ok(f64::from(u8::from(*set))),
            other => Err(not_converted("float", &unconvertible(other, "a float"))),
        }
    }
}

/// Any value, unchanged.
impl ArgType for Value {
    const KIND: &'static str = "raw";
    const TAKES_NULL: bool = true;

    fn parse(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

/// A list; a string is split at commas, any other single value is a list of one item.
impl<T: ArgType> ArgType for Vec<T> {
    const KIND: &'static str = "list";
    const SECRET: bool = T::SECRET;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn parse(value: &Value) -> Result<Self, String> {
        let is_plain = matches!(T::KIND, "str" | "path" | "int" | "float" | "bool");
        let items = items(value, is_plain)?;
        items.iter().map(|item| T::parse(item).map_err(|reason| of_element(item, reason))).collect()
    }
}

/// What is a list for itself. `is_plain`: a dict is no element.
fn items(value: &Value, is_plain: bool) -> Result<Cow<'_, [Value]>, String> {
    Ok(match value {
        Value::List(items) => Cow::Borrowed(items),
        Value::Str(text) if text.is_empty() => Cow::Borrowed(&[]),
        Value::Str(text) => text.split(',').map(|part| Value::Str(part.trim().to_owned())).collect(),
        Value::Map(_) if is_plain => return Err(not_converted("list", &unconvertible(value, "a list"))),
        Value::Null => return Err(not_converted("list", &unconvertible(value, "a list"))),
        other => Cow::Borrowed(std::slice::from_ref(other)),
    })
}

/// The reason why a list's element is refused.
fn of_element(value: &Value, reason: String) -> String {
    if reason.starts_with(NOT_CONVERTED) {
        return format!("{ELEMENT}{} {reason}", value.type_name());
    }
    match reason.strip_prefix(NO_CHOICE).and_then(|rest| rest.rsplit_once(", got: ")) {
        Some((words, given)) => format!("{NO_CHOICES}{words}. Got no match for: {given}"),
        None => reason,
    }
}

/// A dict; text is read as JSON, or as `key=value` pairs.
impl ArgType for Map {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Map(map) => Ok(map.clone()),
            Value::Str(text) if text.trim_start().starts_with('{') => {
                match serde_json::from_str::<serde_json::Value>(text) {
                    Ok(json) => match Value::from(json) {
                        Value::Map(map) => Ok(map),
                        _ => Err(not_converted("dict", "unable to evaluate string as dictionary")),
                    },
                    Err(_) => Err(not_converted("dict", "unable to evaluate string as dictionary")),
                }
            }
            Value::Str(text) if text.contains('=') => text
                .split([',', ' '])
                .filter(|pair| !pair.is_empty())
                .map(|pair| match pair.split_once('=') {
                    Some((key, value)) => Ok((key.to_owned(), Value::from(value))),
                    None => Err(not_converted("dict", &format!("`{pair}` is not key=value"))),
                })
                .collect(),
            Value::Str(_) => Err(not_converted("dict", "dictionary requested, could not parse JSON or key=value")),
            other => Err(not_converted("dict", &unconvertible(other, "a dict"))),
        }
    }
}

/// A path on the host; `~` and `$VARIABLES` are expanded there, when the module runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathArg(pub String);

impl ArgType for PathArg {
    const KIND: &'static str = "path";

    fn parse(value: &Value) -> Result<Self, String> {
        String::parse(value).map(PathArg)
    }
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl ArgType for Secret {
    const KIND: &'static str = "str";
    const SECRET: bool = true;

    fn parse(value: &Value) -> Result<Self, String> {
        String::parse(value).map(Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of the words is that of each module in ansible-core.
    #[test]
    fn presence_is_read_alike_and_told_in_both_orders() {
        let word = |text: &str| Value::Str(text.to_owned());
        assert_eq!(PresentAbsent::parse(&word("present")), Ok(PresentAbsent::Present));
        assert_eq!(AbsentPresent::parse(&word("absent")), Ok(AbsentPresent::Absent));
        let told = |text: &str| (PresentAbsent::parse(&word(text)).err(), AbsentPresent::parse(&word(text)).err());
        let (present_first, absent_first) = told("gone");
        assert_eq!(present_first.as_deref(), Some("must be one of: present, absent, got: gone"));
        assert_eq!(absent_first.as_deref(), Some("must be one of: absent, present, got: gone"));
    }

    #[test]
    fn an_integer_of_any_size_is_its_digits() {
        let digits = "1234567890123456789012345678901234567890";
        assert_eq!(Text::parse(&Value::Str(format!("{MARK}{digits}"))), Ok(digits.to_owned()));
    }

    #[test]
    fn a_dict_is_no_list_of_texts() {
        let dict = || Value::Map(rplay_wire::data! { "a" => "b" });
        let wrong = "unable to convert to list: <class 'dict'> cannot be converted to a list";
        assert_eq!(Vec::<Text>::parse(&dict()), Err(wrong.to_owned()));
        assert_eq!(Vec::<Value>::parse(&dict()), Ok(vec![dict()]));
    }
}
