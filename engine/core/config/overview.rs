//! All settings of ansible-core, with their values and whether rplay supports them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::{
    deprecated,
    error::ConfigError,
    file::{ConfigFile, find},
    inputs::ConfigInputs,
    settings::FOLLOWED,
    shown::{Effect, Shown, like, of_documentation, of_plugin, shown, typed},
    tables::{OWN, PLUGINS, SETTINGS},
};
use crate::{
    source::{Problems, Source},
    syntax::builtin_name,
};

/// The settings of one plugin.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// `become`, `connection` ...
    pub kind: &'static str,
    pub plugin: String,
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
    config: ConfigFile,
}

impl Overview {
    /// Reads all settings from these inputs.
    ///
    /// # Errors
    /// If the configuration file cannot be read or parsed.
    pub fn read(inputs: &ConfigInputs<'_>) -> Result<Self, Problems> {
        match find(inputs, &mut Problems::default()) {
            Some(path) => Self::read_file(&path, inputs),
            None => Ok(Self::defaults(inputs)),
        }
    }

    /// The same with this configuration file.
    ///
    /// # Errors
    /// If it cannot be read or parsed.
    pub fn read_file(path: &Path, inputs: &ConfigInputs<'_>) -> Result<Self, Problems> {
        let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
        let file = ConfigFile::parse(Source::read(path).map_err(unreadable)?)?;
        let mut overview = Self::of(file, inputs);
        overview.file = Some(path.to_owned());
        Ok(overview)
    }

    /// The settings without a configuration file.
    pub fn defaults(inputs: &ConfigInputs<'_>) -> Self {
        Self::of(ConfigFile::default(), inputs)
    }

    /// Adds the settings of a user's plugin: the options in its documentation, in order.
    pub fn add(&mut self, kind: &'static str, plugin: &str, options: &Map<String, Json>, inputs: &ConfigInputs<'_>) {
        let settings = options.iter().map(|(name, option)| of_documentation(name, option, &self.config, inputs));
        self.plugins.push(PluginSettings { kind, plugin: plugin.to_owned(), settings: settings.collect() });
    }

    fn of(config: ConfigFile, inputs: &ConfigInputs<'_>) -> Self {
        let file = &config;
        // These settings are only for Ansible's own tests.
        let settings = settings(file, inputs).filter(|setting| !setting.name.starts_with("_Z_")).collect();
        let mut plugins: Vec<PluginSettings> = Vec::new();
        for line in PLUGINS.lines() {
            let Some((kind, plugin, setting)) = of_plugin(line, file, inputs) else { continue };
            match plugins.last_mut().filter(|last| last.kind == kind && last.plugin == plugin) {
                Some(last) => last.settings.push(setting),
                None => plugins.push(PluginSettings { kind, plugin: plugin.to_owned(), settings: vec![setting] }),
            }
        }
        let entries = file.entries().iter().map(|entry| (entry.section.clone(), entry.key.clone())).collect();
        let own = OWN.lines().filter_map(|line| shown(line, file, inputs)).collect();
        Overview { file: None, settings, own, plugins, entries, config }
    }
}

/// All settings with their current values.
fn settings<'s>(file: &'s ConfigFile, inputs: &'s ConfigInputs<'_>) -> impl Iterator<Item = Shown> {
    SETTINGS.lines().filter_map(move |line| shown(line, file, inputs))
}

/// A requested name that does not exist.
#[derive(Debug)]
pub enum Unknown {
    Setting,
    Plugin,
}

/// One setting: of a plugin (its kind and name) or of none. Variables of plays, looked up with `variable`, take
/// precedence over the environment and the file.
///
/// # Errors
/// If the configuration file cannot be read or parsed. The inner error: there is no such setting or plugin.
pub fn setting(
    name: &str,
    plugin: Option<(&str, &str)>,
    variable: &dyn Fn(&str) -> Option<Json>,
    inputs: &ConfigInputs<'_>,
) -> Result<Result<(Json, Shown), Unknown>, Problems> {
    let file = match find(inputs, &mut Problems::default()) {
        Some(path) => {
            let unreadable = |error| ConfigError::Unreadable { path: path.clone(), error };
            ConfigFile::parse(Source::read(&path).map_err(unreadable)?)?
        }
        None => ConfigFile::default(),
    };
    let found = match plugin {
        None => SETTINGS
            .lines()
            .find(|line| line.split('\t').next() == Some(name))
            .and_then(|line| shown(line, &file, inputs)),
        Some((kind, plugin)) => {
            let plugin = builtin_name(plugin);
            let mut own = PLUGINS.lines().filter(|line| line.starts_with(&format!("{kind}\t{plugin}\t"))).peekable();
            if own.peek().is_none() {
                return Ok(Err(Unknown::Plugin));
            }
            own.find(|line| line.split('\t').nth(2) == Some(name))
                .and_then(|line| of_plugin(line, &file, inputs))
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

/// Ansible's settings that are set but have no effect here, each with its origin.
pub(super) fn ignored(file: &ConfigFile, inputs: &ConfigInputs<'_>) -> impl Iterator<Item = (&'static str, String)> {
    let default = |setting: &Shown| setting.origin == "default" || setting.value == setting.default;
    let followed = |setting: &Shown| {
        FOLLOWED.iter().any(|(_, keys, env)| {
            keys.iter().any(|key| setting.keys.contains(key)) || env.iter().any(|name| setting.variables.contains(name))
        })
    };
    // Settings that rplay reads itself are reported elsewhere.
    let ignored = move |setting: &Shown| {
        setting.effect == Effect::NotSupported
            && !deprecated::is_deprecated(setting.name)
            && !default(setting)
            && !followed(setting)
    };
    settings(file, inputs)
        .filter(ignored)
        .map(|setting| {
            let name = setting.keys.first().and_then(|key| key.split_once('.')).map_or(setting.name, |(_, key)| key);
            (name, setting.origin.strip_prefix("env: ").map(str::to_owned).unwrap_or(setting.origin))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_setting_has_its_value_and_where_it_comes_from() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ansible.cfg"), "[defaults]\nforks = 7\nroles_path = a:b\n").unwrap();
        let env = |name: &str| (name == "ANSIBLE_HOST_KEY_CHECKING").then(|| "no".to_owned());
        let inputs = ConfigInputs { env: &env, directory: directory.path() };
        let overview = Overview::read(&inputs).unwrap();
        assert!(overview.settings.len() > 200);
        let find = |name: &str| overview.settings.iter().find(|setting| setting.name == name).unwrap();
        let forks = find("DEFAULT_FORKS");
        assert_eq!((forks.value.as_str(), forks.effect), ("7", Effect::Works));
        assert!(Path::new(&forks.origin).ends_with("ansible.cfg"));
        let checking = find("HOST_KEY_CHECKING");
        assert_eq!((checking.value.as_str(), checking.origin.as_str()), ("False", "env: ANSIBLE_HOST_KEY_CHECKING"));
        let roles = format!("['{0}/a', '{0}/b']", directory.path().display());
        assert_eq!(find("DEFAULT_ROLES_PATH").value, roles);
        assert_eq!(find("DEFAULT_FORKS").typed(), Json::from(7));
        assert_eq!(find("DEFAULT_LOG_PATH").typed(), Json::Null);
        assert!(find("INVENTORY_IGNORE_EXTS").typed().as_array().is_some_and(|items| items.len() > 5));
        let ssh = overview.plugins.iter().find(|of| of.plugin == "ssh").unwrap();
        let checking = ssh.settings.iter().find(|setting| setting.name == "host_key_checking").unwrap();
        assert_eq!((checking.typed(), checking.origin.as_str()), (Json::from(false), "env: ANSIBLE_HOST_KEY_CHECKING"));
        assert_eq!(find("COLOR_OK").origin, "default");
        assert_eq!(find("ANSIBLE_NOCOWS").effect, Effect::NotNeeded);
        assert_eq!(find("SSH_AGENT").effect, Effect::Works);
    }

    #[test]
    fn variables_go_before_the_environment_and_the_last_name_counts() {
        let env = |name: &str| match name {
            "ANSIBLE_BECOME_FLAGS" => Some("-a".to_owned()),
            "ANSIBLE_SUDO_FLAGS" => Some("-s".to_owned()),
            "ANSIBLE_TIMEOUT" => Some(String::new()),
            _ => None,
        };
        let inputs = ConfigInputs { env: &env, directory: Path::new("/") };
        let none = |_: &str| None;
        let ask = |name: &str, plugin, vars: &dyn Fn(&str) -> Option<Json>| {
            let (value, shown) = setting(name, plugin, vars, &inputs).unwrap().unwrap();
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
        assert!(matches!(setting("nope", None, &none, &inputs).unwrap(), Err(Unknown::Setting)));
        let nowhere = setting("x", Some(("lookup", "a.b.c")), &none, &inputs);
        assert!(matches!(nowhere.unwrap(), Err(Unknown::Plugin)));
    }
}
