//! Settings from `ansible.cfg` and ANSIBLE_* variables.

mod deprecated;
mod error;
mod file;
mod inputs;
mod kinds;
mod overview;
mod servers;
mod setting;
mod settings;
mod shown;
mod tables;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rplay_contract::system::expand;

pub use error::ConfigError;
pub use file::HARMLESS;
pub use inputs::ConfigInputs;
pub use kinds::{Diagnostics, Directories, Gathering, Identities, Patterns, Secret, Sources};
pub use overview::{Overview, PLUGIN_TYPES, PluginSettings, Unknown, setting as one_setting};
pub use servers::ServerSection;
pub use setting::{Origin, Setting};
pub use settings::Config;
pub use shown::{Effect, Shown};

use crate::{
    inventory::{GroupVars, SourceRules, VarsFiles},
    limits::Limits,
    source::{Problems, Source, nearest},
    syntax::builtin_name,
};
use settings::{KNOWN, WITHOUT_EFFECT};

impl Config {
    /// Reads the settings of this process, with warnings.
    ///
    /// # Errors
    /// If settings are invalid, or the file cannot be read.
    pub fn load() -> Result<(Self, Problems), Problems> {
        let env = expand::own_environment;
        let directory =
            std::env::current_dir().map_err(|error| ConfigError::Unreadable { path: PathBuf::from("."), error })?;
        let (config, warnings) = Config::read(&ConfigInputs { env: &env, directory: &directory })?;
        config.limits().set();
        config.hash_behaviour.set();
        config.duplicate_dict_key.set();
        Ok((config, warnings))
    }

    /// The limits on resources that a project may use on the controller.
    pub fn limits(&self) -> Limits {
        Limits {
            depth: usize::try_from(*self.recursion_limit).unwrap_or(usize::MAX),
            file_size: u64::from(*self.max_file_size),
            program_time: Duration::from_secs(u64::from(*self.program_timeout)),
        }
    }

    /// The inventory sources: those given with `-i`, those of the settings, or Ansible's default location if it exists.
    pub fn inventory_sources(&self, given: &[String]) -> Vec<String> {
        let usual = "/etc/ansible/hosts";
        match (given, &*self.inventory.0) {
            ([], []) if Path::new(usual).exists() => vec![usual.to_owned()],
            ([], set) => set.to_vec(),
            (given, _) => given.to_vec(),
        }
    }

    /// Whether `group_vars` and `host_vars` are read, and when.
    fn vars_files(&self) -> VarsFiles {
        let native = |name: &String| builtin_name(name) == "host_group_vars";
        match self.vars_plugins_enabled.iter().any(native) {
            false => VarsFiles::Never,
            true if *self.run_vars_plugins == "start" => VarsFiles::WithInventory,
            true => VarsFiles::InPlays,
        }
    }

    /// How inventory sources are read.
    pub fn source_rules(&self) -> SourceRules {
        let usual = SourceRules::default();
        SourceRules {
            none_parsed_fails: *self.inventory_unparsed_failed,
            any_unparsed_fails: *self.inventory_any_unparsed_failed,
            warns_of_none: *self.inventory_unparsed_warning,
            ignored_extensions: self.inventory_ignore_extensions.value.clone().unwrap_or(usual.ignored_extensions),
            ignored_patterns: self.inventory_ignore_patterns.0.clone(),
            group_names: *self.force_valid_group_names,
            enabled: self.inventory_enabled.value.clone(),
            records_places: false,
            files: self.vars_files(),
            precedence: self.precedence.value.clone().map_or(usual.precedence, |names| GroupVars::named(&names)),
            yaml_extensions: self.yaml_valid_extensions.value.clone().unwrap_or(usual.yaml_extensions),
            tells_deprecated: *self.deprecation_warnings,
            plugins: None,
        }
    }

    /// Reads the settings from these inputs, with warnings.
    ///
    /// # Errors
    /// Same as [`Config::load`].
    pub fn read(inputs: &ConfigInputs<'_>) -> Result<(Self, Problems), Problems> {
        let mut warnings = Problems::default();
        let file = match file::find(inputs, &mut warnings) {
            Some(path) => {
                let source = Source::read(&path).map_err(|error| ConfigError::Unreadable { path, error })?;
                file::ConfigFile::parse(source)?
            }
            None => file::ConfigFile::default(),
        };
        let mut problems = Problems::default();
        let mut config = Config::from(&file, inputs, &mut problems);
        if (inputs.env)("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            config.nocolor = Setting { value: true, origin: Origin::Environment("NO_COLOR") };
        }
        config.galaxy_sections = servers::sections(&config.galaxy_server_list, &file, inputs, &mut problems);
        for entry in file.entries() {
            let name = format!("{}.{}", entry.section, entry.key);
            if KNOWN.contains(&&*name) || file::is_harmless(&entry.section, &entry.key) || tables::has_key(&name) {
                continue;
            }
            // Other sections are those of plugins, unless the name is a slip.
            let sections = || KNOWN.iter().chain(HARMLESS).filter_map(|known| Some(known.split_once('.')?.0));
            if sections().all(|section| section != entry.section) && nearest(&entry.section, sections()).is_none() {
                continue;
            }
            let in_section =
                |known: &'static str| Some(known.split_once('.')?).filter(|(name, _)| *name == entry.section);
            let keys = KNOWN.iter().chain(HARMLESS).filter_map(|known| in_section(known)).map(|(_, key)| key);
            let elsewhere =
                || KNOWN.iter().filter_map(|known| known.split_once('.')).find(|(_, key)| *key == entry.key);
            let help = match nearest(&entry.key, keys) {
                Some(meant) => Some(format!("did you mean `{meant}`?")),
                None => elsewhere().map(|(section, key)| format!("`{key}` belongs to the section [{section}]")),
            };
            warnings.push(ConfigError::Unknown {
                section: entry.section.clone(),
                key: entry.key.clone(),
                place: entry.place.clone(),
                help,
            });
        }
        if *config.deprecation_warnings {
            deprecated::warnings(&file, inputs).into_iter().for_each(|warning| warnings.push(warning));
        }
        for (name, origin) in overview::ignored(&file, inputs) {
            warnings.push(ConfigError::WithoutEffect { name, origin });
        }
        for (name, _, origin) in config.changed() {
            if WITHOUT_EFFECT.contains(&name) {
                warnings.push(ConfigError::WithoutEffect { name, origin: origin.to_string() });
            }
        }
        problems.unless_any((config, warnings))
    }
}

#[cfg(test)]
mod tests;
