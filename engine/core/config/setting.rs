//! A setting: its value, where it comes from, and how it is read.

use std::{fmt, ops::Deref, path::Path};

use super::{
    error::ConfigError,
    file::ConfigFile,
    inputs::ConfigInputs,
    kinds::{Base, Kind},
    tables::name_of,
};
use crate::source::{Problems, Span};

/// A value and its origin.
#[derive(Clone, Debug)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The origin of a setting's value.
#[derive(Clone, Debug)]
pub enum Origin {
    Default,
    File(Span),
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(span) => span.fmt(f),
            Origin::Environment(name) => f.write_str(name),
        }
    }
}

/// The environment takes precedence over the file; among several variables or keys of a setting, the last one counts.
pub(super) fn setting<T: Kind>(
    file: &ConfigFile,
    inputs: &ConfigInputs<'_>,
    keys: &[&str],
    variables: &[&'static str],
    problems: &mut Problems,
) -> Option<Setting<T>> {
    // As in Ansible, an empty variable counts as not set, unless the setting is text.
    let set = |text: &String| !text.is_empty() || T::TAKES_EMPTY;
    let environment = variables.iter().rev().find_map(|name| Some((*name, (inputs.env)(name).filter(set)?)));
    if let Some((name, text)) = environment {
        let base = Base { directory: inputs.directory, inputs };
        match T::parse(&text, &base) {
            Ok(value) => return Some(Setting { value, origin: Origin::Environment(name) }),
            Err(message) => problems.push(ConfigError::Environment { name, message }),
        }
    }
    let entry = keys.iter().rev().find_map(|key| file.get(key))?;
    let directory = file.source.as_ref().and_then(|source| source.path.as_deref()).and_then(Path::parent);
    let base = Base { directory: directory.unwrap_or(inputs.directory), inputs };
    match T::parse(&entry.value, &base) {
        Ok(value) => Some(Setting { value, origin: Origin::File(entry.place.clone()) }),
        Err(message) => {
            let name = keys.first().map_or_else(|| entry.key.clone(), |key| name_of(key).to_owned());
            let message = format!("Config '{name}' has an invalid value: {message}");
            problems.push(ConfigError::Line { message, place: entry.place.clone(), help: None });
            None
        }
    }
}
