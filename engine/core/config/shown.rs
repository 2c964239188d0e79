//! A setting as `rplay config` shows it: its value, type and effect.

use std::path::Path;

use serde_json::Value as Json;

use super::{
    file::{self, ConfigFile},
    inputs::ConfigInputs,
    kinds::{Base, unquoted},
    settings::{FOLLOWED, WITHOUT_EFFECT},
};
use crate::inventory::python;

/// The effect of a setting in rplay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Works,
    /// About Python, plugins and Ansible's own implementation.
    NotNeeded,
    NotSupported,
}

impl Effect {
    /// The text in `rplay config list`.
    pub fn words(self) -> &'static str {
        match self {
            Effect::Works => "works",
            Effect::NotNeeded => "no effect: it is about Ansible's own implementation",
            Effect::NotSupported => "no effect: not supported yet",
        }
    }
}

/// A setting and its current value.
#[derive(Clone, Debug)]
pub struct Shown {
    pub name: &'static str,
    /// `boolean`, `integer`, `list`, `pathlist` ...
    pub kind: &'static str,
    /// Section and key, separated by a dot.
    pub keys: Vec<&'static str>,
    pub variables: Vec<&'static str>,
    /// Variables of plays that set it.
    pub vars: Vec<&'static str>,
    /// In Python's format.
    pub value: String,
    pub default: &'static str,
    /// `default`, `env: NAME`, `var: NAME` or the file.
    pub origin: String,
    pub effect: Effect,
    /// It must be set: there is no default.
    pub required: bool,
    /// Its description, in lines; empty for settings from the tables.
    pub about: Vec<String>,
}

impl Shown {
    /// The value with its type.
    pub fn typed(&self) -> Json {
        typed(&self.value, self.kind, self.default)
    }

    /// The default with its type.
    pub fn default_typed(&self) -> Json {
        typed(self.default, self.kind, self.default)
    }

    /// The value as written in a configuration file.
    pub fn plain(&self) -> String {
        let separator = if self.kind.starts_with("path") { ":" } else { ", " };
        match self.typed() {
            Json::Null => String::new(),
            Json::Array(items) => {
                let words = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
                words.collect::<Vec<_>>().join(separator)
            }
            _ => self.value.clone(),
        }
    }
}

pub(super) fn shown(line: &'static str, file: &ConfigFile, inputs: &ConfigInputs<'_>) -> Option<Shown> {
    let [name, keys, variables, default, kind, vars] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    Some(stands(Line { name, kind, keys, variables, vars, default, required: false }, file, inputs))
}

/// Kind and name of the plugin, and its setting.
pub(super) fn of_plugin(
    line: &'static str,
    file: &ConfigFile,
    inputs: &ConfigInputs<'_>,
) -> Option<(&'static str, &'static str, Shown)> {
    let [of, plugin, name, kind, keys, variables, vars, default, required] =
        line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let line = Line { name, kind, keys, variables, vars, default, required: required == "1" };
    Some((of, plugin, stands(line, file, inputs)))
}

/// The fields of a line of the tables; words are separated by commas.
struct Line {
    name: &'static str,
    kind: &'static str,
    keys: &'static str,
    variables: &'static str,
    vars: &'static str,
    default: &'static str,
    required: bool,
}

fn stands(line: Line, file: &ConfigFile, inputs: &ConfigInputs<'_>) -> Shown {
    let words = |text: &'static str| text.split(',').filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let Line { name, kind, default, required, .. } = line;
    let (keys, variables, vars) = (words(line.keys), words(line.variables), words(line.vars));
    let is_set = |text: &String| !text.is_empty() || !matches!(kind, "integer" | "int" | "float");
    // Among several variables or keys, the last one counts.
    let environment = variables.iter().rev().find_map(|name| {
        Some(((inputs.env)(name).filter(is_set)?, format!("env: {name}"), inputs.directory.to_owned()))
    });
    let entry = || {
        let entry = keys.iter().rev().find_map(|key| file.get(key))?;
        let path = entry.place.source.path.as_ref()?;
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(inputs.directory);
        Some((unquoted(&entry.value).to_owned(), path.display().to_string(), directory.to_owned()))
    };
    let expanded = |directory: &Path, path: &str| Base { directory, inputs }.path(path).display().to_string();
    let (value, origin) = match environment.or_else(entry) {
        Some((text, origin, directory)) => (like(&text, kind, &|path| expanded(&directory, path)), origin),
        None => {
            // Ansible's defaults contain directories in the home directory.
            let home = (inputs.env)("HOME").unwrap_or_default();
            let default = match kind {
                "path" | "pathspec" | "pathlist" | "tmppath" | "tmp" if !home.is_empty() => {
                    default.replace("~/", &format!("{home}/"))
                }
                _ => default.to_owned(),
            };
            (default, "default".to_owned())
        }
    };
    let effect = effect(&keys, &variables);
    Shown { name, kind, keys, variables, vars, value, default, origin, effect, required, about: Vec::new() }
}

/// An option of a plugin, from its documentation.
pub(super) fn of_documentation(name: &str, option: &Json, file: &ConfigFile, inputs: &ConfigInputs<'_>) -> Shown {
    // Leaking is harmless: a command reads the documentation of a few plugins, once.
    let kept = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let sources = |key: &str, named: &dyn Fn(&Json) -> Option<String>| {
        let entries = option.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        kept(entries.iter().filter_map(named).collect::<Vec<_>>().join(","))
    };
    let text = |entry: &Json, key: &str| entry.get(key)?.as_str().map(str::to_owned);
    let named = |entry: &Json| text(entry, "name");
    let in_file = |entry: &Json| Some(format!("{}.{}", text(entry, "section")?, text(entry, "key")?));
    let line = Line {
        name: kept(name.to_owned()),
        kind: kept(text(option, "type").unwrap_or_else(|| "string".to_owned())),
        keys: sources("ini", &in_file),
        variables: sources("env", &named),
        vars: sources("vars", &named),
        default: kept(python(option.get("default").unwrap_or(&Json::Null), false)),
        required: option.get("required").is_some_and(|required| required == true),
    };
    let about = match option.get("description") {
        Some(Json::Array(lines)) => lines.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        Some(Json::String(line)) => vec![line.clone()],
        _ => Vec::new(),
    };
    Shown { about, ..stands(line, file, inputs) }
}

/// A text in the format of its type: booleans and lists as in Python.
pub(super) fn like(text: &str, kind: &str, expanded: &dyn Fn(&str) -> String) -> String {
    let text = text.trim();
    let quoted = |items: Vec<String>| {
        let items: Vec<String> = items.into_iter().map(|item| format!("'{item}'")).collect();
        format!("[{}]", items.join(", "))
    };
    match kind {
        "boolean" | "bool" => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "y" | "t" => "True".to_owned(),
            _ => "False".to_owned(),
        },
        "list" => quoted(text.split(',').map(|item| unquoted(item).to_owned()).collect()),
        "pathspec" => quoted(text.split(':').map(|item| expanded(item.trim())).collect()),
        "pathlist" => quoted(text.split(',').map(|item| expanded(item.trim())).collect()),
        "path" | "tmp" | "tmppath" if text != "None" => expanded(text),
        _ => text.to_owned(),
    }
}

/// A value in Python's format as data of its type.
pub(super) fn typed(text: &str, kind: &str, default: &str) -> Json {
    // Python's lists and mappings of texts that contain no quotes.
    let parsed = |text: &str| serde_json::from_str::<Json>(&text.replace('\'', "\"")).ok();
    let as_text = || Json::from(text);
    match kind {
        _ if text == "None" && default == "None" => Json::Null,
        "boolean" | "bool" => match text {
            "True" | "true" => Json::from(true),
            "False" | "false" => Json::from(false),
            _ => as_text(),
        },
        "integer" | "int" => text.parse::<i64>().map_or_else(|_| as_text(), Json::from),
        "float" => text.parse::<f64>().map_or_else(|_| as_text(), Json::from),
        "list" | "pathspec" | "pathlist" | "dict" | "dictionary" => parsed(text).unwrap_or_else(as_text),
        _ => as_text(),
    }
}

fn effect(keys: &[&str], variables: &[&str]) -> Effect {
    let followed = FOLLOWED.iter().find(|(_, own, env)| {
        own.iter().any(|key| keys.contains(key)) || env.iter().any(|name| variables.contains(name))
    });
    match followed {
        Some((field, ..)) if WITHOUT_EFFECT.contains(field) => Effect::NotSupported,
        Some(_) => Effect::Works,
        None => {
            let not_needed =
                |key: &&str| key.split_once('.').is_some_and(|(section, key)| file::is_harmless(section, key));
            if keys.iter().any(not_needed) { Effect::NotNeeded } else { Effect::NotSupported }
        }
    }
}
