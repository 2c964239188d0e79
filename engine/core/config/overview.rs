//! All settings of ansible-core, with their values and whether rplay supports them.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::{
    ConfigError, FOLLOWED, Problems, Source, Surroundings, WITHOUT_EFFECT, file, find,
    kinds::{Base, unquoted},
};

/// Name, keys, variables of the environment, default, type and variables of plays of every setting, as
/// `ansible-config` of ansible-core 2.19 names them.
const SETTINGS: &str = include_str!("settings.tsv");

/// The same for the settings of ansible-core's plugins, after the plugin's kind and name; in the end whether a value
/// must be given.
const PLUGINS: &str = include_str!("plugins.tsv");

/// The same for rplay's own settings, which Ansible does not have.
const OWN: &str = include_str!("own.tsv");

/// What a setting changes here.
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

/// A setting as it stands.
#[derive(Clone, Debug)]
pub struct Shown {
    pub name: &'static str,
    /// `boolean`, `integer`, `list`, `pathlist` ...
    pub kind: &'static str,
    /// Section and key, with a dot between.
    pub keys: Vec<&'static str>,
    pub variables: Vec<&'static str>,
    /// Variables of plays that set it.
    pub vars: Vec<&'static str>,
    /// As Python writes it.
    pub value: String,
    pub default: &'static str,
    /// `default`, `env: NAME`, `var: NAME` or the file.
    pub origin: String,
    pub effect: Effect,
    /// Somebody must give a value: there is no default.
    pub required: bool,
}

impl Shown {
    /// The value with its type.
    pub fn typed(&self) -> Json {
        typed(&self.value, self.kind, self.default)
    }

    /// The value as one writes it in a configuration file.
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

/// The settings of one plugin.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// `become`, `connection` ...
    pub kind: &'static str,
    pub plugin: &'static str,
    pub settings: Vec<Shown>,
}

/// Kinds of plugins that have settings.
pub const PLUGIN_TYPES: &[&str] = &[
    "become",
    "cache",
    "callback",
    "cliconf",
    "connection",
    "httpapi",
    "inventory",
    "lookup",
    "netconf",
    "shell",
    "vars",
];

/// The configuration file and all settings.
#[derive(Debug)]
pub struct Overview {
    pub file: Option<PathBuf>,
    pub settings: Vec<Shown>,
    /// rplay's own: the section `[rplay]`.
    pub own: Vec<Shown>,
    /// Those of ansible-core's plugins.
    pub plugins: Vec<PluginSettings>,
    /// Section and key of all lines of the file.
    pub entries: Vec<(String, String)>,
}

impl Overview {
    /// Reads all settings from these inputs.
    ///
    /// # Errors
    /// If the configuration file cannot be read or parsed.
    pub fn read(around: &Surroundings<'_>) -> Result<Self, Problems> {
        match find(around, &mut Problems::default()) {
            Some(path) => Self::read_file(&path, around),
            None => Ok(Self::defaults(around)),
        }
    }

    /// The same with this configuration file.
    ///
    /// # Errors
    /// It cannot be read or parsed.
    pub fn read_file(path: &Path, around: &Surroundings<'_>) -> Result<Self, Problems> {
        let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
        let file = file::ConfigFile::parse(Source::read(path).map_err(unreadable)?)?;
        let mut overview = Self::of(&file, around);
        overview.file = Some(path.to_owned());
        Ok(overview)
    }

    /// The settings without a configuration file.
    pub fn defaults(around: &Surroundings<'_>) -> Self {
        Self::of(&file::ConfigFile::default(), around)
    }

    fn of(file: &file::ConfigFile, around: &Surroundings<'_>) -> Self {
        // Ansible's own tests have settings that nobody else is to see.
        let settings = settings(file, around).filter(|setting| !setting.name.starts_with("_Z_")).collect();
        let mut plugins: Vec<PluginSettings> = Vec::new();
        for line in PLUGINS.lines() {
            let Some((kind, plugin, setting)) = of_plugin(line, file, around) else { continue };
            match plugins.last_mut().filter(|last| last.kind == kind && last.plugin == plugin) {
                Some(last) => last.settings.push(setting),
                None => plugins.push(PluginSettings { kind, plugin, settings: vec![setting] }),
            }
        }
        let entries = file.entries().iter().map(|entry| (entry.section.clone(), entry.key.clone())).collect();
        let own = OWN.lines().filter_map(|line| shown(line, file, around)).collect();
        Overview { file: None, settings, own, plugins, entries }
    }
}

/// All settings with their current values.
fn settings<'s>(file: &'s file::ConfigFile, around: &'s Surroundings<'_>) -> impl Iterator<Item = Shown> {
    SETTINGS.lines().filter_map(move |line| shown(line, file, around))
}

/// What was asked for by name does not exist.
#[derive(Debug)]
pub enum Unknown {
    Setting,
    Plugin,
}

/// One setting: of a plugin (its kind and name) or of none. Variables of plays, asked for by name, go before the
/// environment and the file.
///
/// # Errors
/// There is no such setting or plugin; the configuration file cannot be read.
pub fn setting(
    name: &str,
    plugin: Option<(&str, &str)>,
    variable: &dyn Fn(&str) -> Option<Json>,
    around: &Surroundings<'_>,
) -> Result<Result<(Json, Shown), Unknown>, Problems> {
    let file = match find(around, &mut Problems::default()) {
        Some(path) => {
            let unreadable = |error| ConfigError::Unreadable { path: path.clone(), error };
            file::ConfigFile::parse(Source::read(&path).map_err(unreadable)?)?
        }
        None => file::ConfigFile::default(),
    };
    let found = match plugin {
        None => SETTINGS
            .lines()
            .find(|line| line.split('\t').next() == Some(name))
            .and_then(|line| shown(line, &file, around)),
        Some((kind, plugin)) => {
            let plugin =
                plugin.strip_prefix("ansible.builtin.").or(plugin.strip_prefix("ansible.legacy.")).unwrap_or(plugin);
            let mut own = PLUGINS.lines().filter(|line| line.starts_with(&format!("{kind}\t{plugin}\t"))).peekable();
            if own.peek().is_none() {
                return Ok(Err(Unknown::Plugin));
            }
            own.find(|line| line.split('\t').nth(2) == Some(name))
                .and_then(|line| of_plugin(line, &file, around))
                .map(|(_, _, setting)| setting)
        }
    };
    let Some(mut found) = found else { return Ok(Err(Unknown::Setting)) };
    let value = match found.vars.iter().rev().find_map(|name| Some((*name, variable(name)?))) {
        Some((name, value)) => {
            found.origin = format!("var: {name}");
            match &value {
                Json::String(text) => {
                    typed(&like(text, found.kind, &|path| path.to_owned()), found.kind, found.default)
                }
                _ => value,
            }
        }
        None => found.typed(),
    };
    Ok(Ok((value, found)))
}

/// Settings of Ansible that somebody has changed and that have no effect here, each with where it comes from.
pub(super) fn ignored(
    file: &file::ConfigFile,
    around: &Surroundings<'_>,
) -> impl Iterator<Item = (&'static str, String)> {
    let default = |setting: &Shown| setting.origin == "default" || setting.value == setting.default;
    let followed = |setting: &Shown| {
        FOLLOWED.iter().any(|(_, keys, env)| {
            keys.iter().any(|key| setting.keys.contains(key)) || env.iter().any(|name| setting.variables.contains(name))
        })
    };
    // Settings that rplay reads itself are reported elsewhere.
    let ignored =
        move |setting: &Shown| setting.effect == Effect::NotSupported && !default(setting) && !followed(setting);
    settings(file, around)
        .filter(ignored)
        .map(|setting| {
            let name = setting.keys.first().and_then(|key| key.split_once('.')).map_or(setting.name, |(_, key)| key);
            (name, setting.origin.strip_prefix("env: ").map(str::to_owned).unwrap_or(setting.origin))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// Ansible's name of the setting with this key (section and key, with a dot between) or environment variable; the key
/// or variable itself if it is none of Ansible's.
pub(super) fn name_of(key: &str) -> &str {
    let named = |line: &&str| line.split('\t').skip(1).take(2).any(|words| words.split(',').any(|word| word == key));
    SETTINGS.lines().find(named).and_then(|line| line.split('\t').next()).unwrap_or(key)
}

/// Whether ansible-core has a setting with this section and key.
pub(super) fn has_key(name: &str) -> bool {
    SETTINGS.lines().any(|line| line.split('\t').nth(1).is_some_and(|keys| keys.split(',').any(|key| key == name)))
}

fn shown(line: &'static str, file: &file::ConfigFile, around: &Surroundings<'_>) -> Option<Shown> {
    let [name, keys, variables, default, kind, vars] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    Some(stands(Line { name, kind, keys, variables, vars, default, required: false }, file, around))
}

/// Kind and name of the plugin, and its setting.
fn of_plugin(
    line: &'static str,
    file: &file::ConfigFile,
    around: &Surroundings<'_>,
) -> Option<(&'static str, &'static str, Shown)> {
    let [of, plugin, name, kind, keys, variables, vars, default, required] =
        line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let line = Line { name, kind, keys, variables, vars, default, required: required == "1" };
    Some((of, plugin, stands(line, file, around)))
}

/// A line of the tables, taken apart; words have commas between.
struct Line {
    name: &'static str,
    kind: &'static str,
    keys: &'static str,
    variables: &'static str,
    vars: &'static str,
    default: &'static str,
    required: bool,
}

fn stands(line: Line, file: &file::ConfigFile, around: &Surroundings<'_>) -> Shown {
    let words = |text: &'static str| text.split(',').filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let Line { name, kind, default, required, .. } = line;
    let (keys, variables, vars) = (words(line.keys), words(line.variables), words(line.vars));
    let is_set = |text: &String| !text.is_empty() || !matches!(kind, "integer" | "int" | "float");
    // Of several variables or keys the last one counts.
    let environment = variables
        .iter()
        .rev()
        .find_map(|name| Some(((around.env)(name).filter(is_set)?, format!("env: {name}"), around.folder.to_owned())));
    let entry = || {
        let entry = keys.iter().rev().find_map(|key| file.get(key))?;
        let path = entry.place.source.path.as_ref()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(around.folder);
        Some((unquoted(&entry.value).to_owned(), path.display().to_string(), folder.to_owned()))
    };
    let expanded = |folder: &Path, path: &str| Base { folder, around }.path(path).display().to_string();
    let (value, origin) = match environment.or_else(entry) {
        Some((text, origin, folder)) => (like(&text, kind, &|path| expanded(&folder, path)), origin),
        None => {
            // Folders of the user's in Ansible's defaults.
            let home = (around.env)("HOME").unwrap_or_default();
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
    Shown { name, kind, keys, variables, vars, value, default, origin, effect, required }
}

/// A text in the form of its type: booleans and lists as Python writes them.
fn like(text: &str, kind: &str, expanded: &dyn Fn(&str) -> String) -> String {
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

/// A value as Python writes it, with its type.
fn typed(text: &str, kind: &str, default: &str) -> Json {
    // Python's lists and mappings of texts without quotes in them.
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_setting_has_its_value_and_where_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ansible.cfg"), "[defaults]\nforks = 7\nroles_path = a:b\n").unwrap();
        let env = |name: &str| (name == "ANSIBLE_HOST_KEY_CHECKING").then(|| "no".to_owned());
        let around = Surroundings { env: &env, folder: folder.path() };
        let overview = Overview::read(&around).unwrap();
        assert!(overview.settings.len() > 200);
        let find = |name: &str| overview.settings.iter().find(|setting| setting.name == name).unwrap();
        let forks = find("DEFAULT_FORKS");
        assert_eq!((forks.value.as_str(), forks.effect), ("7", Effect::Works));
        assert!(Path::new(&forks.origin).ends_with("ansible.cfg"));
        let checking = find("HOST_KEY_CHECKING");
        assert_eq!((checking.value.as_str(), checking.origin.as_str()), ("False", "env: ANSIBLE_HOST_KEY_CHECKING"));
        let roles = format!("['{0}/a', '{0}/b']", folder.path().display());
        assert_eq!(find("DEFAULT_ROLES_PATH").value, roles);
        assert_eq!(find("DEFAULT_FORKS").typed(), Json::from(7));
        assert_eq!(find("DEFAULT_LOG_PATH").typed(), Json::Null);
        assert!(find("INVENTORY_IGNORE_EXTS").typed().as_array().is_some_and(|items| items.len() > 5));
        let ssh = overview.plugins.iter().find(|of| of.plugin == "ssh").unwrap();
        let checking = ssh.settings.iter().find(|setting| setting.name == "host_key_checking").unwrap();
        assert_eq!((checking.typed(), checking.origin.as_str()), (Json::from(false), "env: ANSIBLE_HOST_KEY_CHECKING"));
        assert_eq!(find("COLOR_OK").origin, "default");
        assert_eq!(find("ANSIBLE_NOCOWS").effect, Effect::NotNeeded);
    }

    #[test]
    fn variables_go_before_the_environment_and_the_last_name_counts() {
        let env = |name: &str| match name {
            "ANSIBLE_BECOME_FLAGS" => Some("-a".to_owned()),
            "ANSIBLE_SUDO_FLAGS" => Some("-s".to_owned()),
            "ANSIBLE_TIMEOUT" => Some(String::new()),
            _ => None,
        };
        let around = Surroundings { env: &env, folder: Path::new("/") };
        let none = |_: &str| None;
        let ask = |name: &str, plugin, vars: &dyn Fn(&str) -> Option<Json>| {
            let (value, shown) = setting(name, plugin, vars, &around).unwrap().unwrap();
            (value, shown.origin)
        };
        let sudo = Some(("become", "sudo"));
        assert_eq!(ask("become_flags", sudo, &none), (Json::from("-s"), "env: ANSIBLE_SUDO_FLAGS".to_owned()));
        let given = |name: &str| (name == "ansible_become_flags").then(|| Json::from("-v"));
        assert_eq!(ask("become_flags", sudo, &given), (Json::from("-v"), "var: ansible_become_flags".to_owned()));
        let port = |name: &str| (name == "ansible_ssh_port").then(|| Json::from("2022"));
        let ssh = Some(("connection", "ssh"));
        assert_eq!(ask("port", ssh, &port), (Json::from(2022), "var: ansible_ssh_port".to_owned()));
        assert_eq!(ask("DEFAULT_TIMEOUT", None, &none), (Json::from(10), "default".to_owned()));
        assert!(matches!(setting("nope", None, &none, &around).unwrap(), Err(Unknown::Setting)));
        let nowhere = setting("x", Some(("lookup", "a.b.c")), &none, &around);
        assert!(matches!(nowhere.unwrap(), Err(Unknown::Plugin)));
    }
}
