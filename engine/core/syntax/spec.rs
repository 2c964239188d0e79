//! Argument specifications of roles, and the validation of arguments against them, with Ansible's messages.

mod convert;
mod types;

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};

use crate::source::Span;
use convert::{constant, convert, entries, items, python_text, type_name};
pub use types::{ArgumentOption, ArgumentSpec, ArgumentSpecs, ArgumentType};

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

#[cfg(test)]
mod tests;
