//! Argument specifications of roles, and the validation of arguments against them, with Ansible's messages.

mod argument_type;
mod convert;
mod relations;
mod types;

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};

use crate::source::Span;
pub use argument_type::{ArgumentType, Wanted};
use convert::{entries, items, python_text, tagged_name, type_name, value_of};
pub use relations::Relations;
pub use types::{ArgumentOption, ArgumentSpec, ArgumentSpecs};

/// An error in a role's arguments.
#[derive(Clone, Debug)]
pub struct ArgumentError {
    /// Ansible's message, an entry of `argument_errors`.
    pub msg: String,
    /// Where the option is specified; `None` for unspecified arguments.
    pub option: Option<Span>,
}

/// Validates rendered arguments. `values` are the variables named by the specification and all others that were passed
/// to the role explicitly; the latter are rejected if the specification does not name them. Defaults are validated, too.
pub fn validate(
    options: &IndexMap<Arc<str>, ArgumentOption>,
    values: &IndexMap<Arc<str>, Value>,
) -> Vec<ArgumentError> {
    let mut check = Check::default();
    check.no_dicts(options, values);
    check.dict(options, &Relations::default(), values, &[]);
    let Check { mut errors, mut unknown, known } = check;
    if !unknown.is_empty() {
        unknown.sort();
        let msg = format!("{}. Supported parameters include: {known}.", unknown.join(", "));
        errors.push(ArgumentError { msg, option: None });
    }
    errors
}

#[derive(Default)]
struct Check {
    errors: Vec<ArgumentError>,
    /// Unspecified arguments, with the names of the dicts that they are in.
    unknown: Vec<String>,
    /// The arguments that were specified in the first place where there were unspecified ones.
    known: String,
}

impl Check {
    fn fail(&mut self, msg: String, option: &ArgumentOption) {
        self.errors.push(ArgumentError { msg, option: Some(option.span.clone()) });
    }

    /// Reports in advance, once for each option, a value that should be a dict with specified keys and is not, as Ansible does.
    fn no_dicts(&mut self, options: &IndexMap<Arc<str>, ArgumentOption>, values: &IndexMap<Arc<str>, Value>) {
        for (name, option) in options.iter().filter(|(_, option)| option.options.is_some() && option.has_dicts()) {
            let Some(value) = values.get(name).filter(|value| value.is_true() || value.as_str().is_some()) else {
                continue;
            };
            let given = if value.kind() == ValueKind::Seq { items(value) } else { vec![value.clone()] };
            let wrong =
                given.iter().find(|value| value.kind() != ValueKind::Map).and_then(|value| match value.as_str() {
                    Some(_) => ArgumentType::Dict.converted(value).err(),
                    None => Some(format!(
                        "Value '{}' in the sub parameter field '{name}' must be a list, not '{}'",
                        python_text(value),
                        tagged_name(value)
                    )),
                });
            if let Some(msg) = wrong {
                self.fail(msg, option);
            }
        }
    }

    /// One dict: first its keys and values, then what they demand of each other, then the dicts in it.
    fn dict(
        &mut self,
        options: &IndexMap<Arc<str>, ArgumentOption>,
        relations: &Relations,
        given: &IndexMap<Arc<str>, Value>,
        path: &[&str],
    ) {
        let found_in = match path {
            [] => String::new(),
            path => format!(" found in {}", path.join(" -> ")),
        };
        let mut values = self.named(options, given, path);
        if let (Some(msg), Some((_, first))) = (relations.excluded(&values), options.first()) {
            self.fail(format!("{msg}{found_in}"), first);
        }
        for (name, option) in options {
            if let Some(default) = option.default.as_ref().filter(|_| !values.contains_key(name)) {
                values.insert(name.clone(), value_of(default));
            }
        }
        let missing = |(name, option): &(&Arc<str>, &ArgumentOption)| option.required && !values.contains_key(*name);
        let mut missing: Vec<_> = options.iter().filter(missing).collect();
        missing.sort_by_key(|(name, _)| (*name).clone());
        if let Some((_, first)) = missing.first() {
            let names: Vec<&str> = missing.iter().map(|(name, _)| &***name).collect();
            self.fail(format!("missing required arguments: {}{found_in}", names.join(", ")), first);
        }
        for (name, option) in options {
            if let Some(value) = values.get_mut(name).filter(|value| !value.is_none()) {
                self.convert(name, option, value, path);
            }
        }
        for (name, option) in options {
            if let Some(msg) = values.get(name).and_then(|value| outside_choices(name, option, value)) {
                self.fail(format!("{msg}{found_in}"), option);
            }
        }
        for msg in relations.missing(&values) {
            let option = options.first().map(|(_, option)| option.span.clone());
            self.errors.push(ArgumentError { msg: format!("{msg}{found_in}"), option });
        }
        for (name, option) in options {
            self.inner(name, option, values.get(name), path);
        }
    }

    /// The values by the names of their options instead of aliases, where the last alias wins. Collects unspecified
    /// ones.
    fn named(
        &mut self,
        options: &IndexMap<Arc<str>, ArgumentOption>,
        given: &IndexMap<Arc<str>, Value>,
        path: &[&str],
    ) -> IndexMap<Arc<str>, Value> {
        let mut values = given.clone();
        let mut aliases: Vec<&str> = Vec::new();
        let mut is_contradictory = false;
        for (name, option) in options {
            if option.required && option.default.is_some() {
                is_contradictory = true;
                self.fail(format!("internal error: required and default are mutually exclusive for {name}"), option);
            }
            for alias in &option.aliases {
                aliases.push(alias);
                if let Some(value) = given.get(alias) {
                    values.insert(name.clone(), value.clone());
                }
            }
        }
        let is_known = |name: &&Arc<str>| options.contains_key(*name) || aliases.contains(&&***name);
        let unknown: Vec<&Arc<str>> = given.keys().filter(|name| !is_known(name)).collect();
        if !is_contradictory && !unknown.is_empty() {
            if self.unknown.is_empty() {
                let mut known: Vec<&str> = options.keys().map(|name| &**name).collect();
                known.sort_unstable();
                aliases.sort_unstable();
                self.known = known.join(", ");
                if !aliases.is_empty() {
                    self.known = format!("{} ({})", self.known, aliases.join(", "));
                }
            }
            let whole = |name: &Arc<str>| path.iter().copied().chain([&**name]).collect::<Vec<_>>().join(".");
            self.unknown.extend(unknown.into_iter().map(whole));
        }
        values
    }

    /// Converts a value, and the items of a list, to the wanted types. What cannot be converted stays as it is.
    fn convert(&mut self, name: &str, option: &ArgumentOption, value: &mut Value, path: &[&str]) {
        let why = |why: String| if option.no_log { "the value is hidden".to_owned() } else { why };
        match converted(&option.wanted, value) {
            Ok(converted) => *value = converted,
            Err(reason) => {
                let inside = match path {
                    [] => String::new(),
                    path => format!(" found in '{}'.", path.join(" -> ")),
                };
                let msg = format!(
                    "argument '{name}' is of type {}{inside} and we were unable to convert to {}: {}",
                    type_name(value),
                    option.wanted.name,
                    why(reason)
                );
                self.fail(msg, option);
                return;
            }
        }
        let is_list = option.wanted.kind == Some(ArgumentType::List);
        let Some(wanted) = option.elements.as_ref().filter(|_| is_list) else { return };
        let mut whole = Vec::new();
        for item in items(value) {
            match converted(wanted, &item) {
                Ok(item) => whole.push(item),
                Err(reason) => {
                    let msg = format!(
                        "Elements value for option '{name}' is of type {} and we were unable to convert to {}: {}",
                        type_name(&item),
                        wanted.name,
                        why(reason)
                    );
                    self.fail(msg, option);
                    whole.push(item);
                }
            }
        }
        *value = Value::from(whole);
    }

    /// The dict or dicts that an option with keys has as its value.
    fn inner(&mut self, name: &Arc<str>, option: &ArgumentOption, value: Option<&Value>, path: &[&str]) {
        let Some(options) = &option.options else { return };
        if !option.has_dicts() {
            return;
        }
        let path: Vec<&str> = path.iter().copied().chain([&**name]).collect();
        let dicts = match value {
            None if option.apply_defaults => vec![Value::from_pairs([] as [(&str, Value); 0])],
            None => return,
            Some(value) if value.kind() == ValueKind::Seq => items(value),
            Some(value) if value.as_str().is_some() => {
                self.fail(format!("value of '{name}' must be of type dict or list of dicts"), option);
                return;
            }
            Some(value) => vec![value.clone()],
        };
        for dict in dicts.iter().filter(|dict| dict.kind() == ValueKind::Map) {
            self.dict(options, &option.relations, &entries(dict), &path);
        }
    }
}

/// The value as the wanted type, or why it cannot be.
fn converted(wanted: &Wanted, value: &Value) -> Result<Value, String> {
    match wanted.kind {
        Some(kind) => kind.converted(value),
        None => Err("'NoneType' object is not callable".to_owned()),
    }
}

fn outside_choices(name: &str, option: &ArgumentOption, value: &Value) -> Option<String> {
    let written = option.choices.as_ref()?;
    let Some(choices) = written.as_seq() else {
        let shown = python_text(&value_of(written));
        return Some(format!("internal error: choices for argument {name} are not iterable: {shown}"));
    };
    let choices: Vec<Value> = choices.iter().map(value_of).collect();
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
