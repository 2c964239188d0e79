//! All settings of ansible-core, with what each is set to and whether rplay follows it.

use std::path::PathBuf;

use super::{ConfigError, FOLLOWED, Problems, Source, Surroundings, WITHOUT_EFFECT, file, find};

/// Name, keys, variables and default of every setting, as `ansible-config` of ansible-core 2.19 names them.
const SETTINGS: &str = include_str!("settings.tsv");

/// What a setting changes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Works,
    /// About Python, plugins and Ansible's own workings.
    NotNeeded,
    NotSupported,
}

impl Effect {
    /// For `rplay config list`.
    pub fn words(self) -> &'static str {
        match self {
            Effect::Works => "works",
            Effect::NotNeeded => "no effect: it is about Ansible's own implementation",
            Effect::NotSupported => "no effect: rplay does not support it yet",
        }
    }
}

/// A setting as it stands.
#[derive(Debug)]
pub struct Shown {
    pub name: &'static str,
    /// Section and key, with a dot between.
    pub keys: Vec<&'static str>,
    pub variables: Vec<&'static str>,
    pub value: String,
    pub default: &'static str,
    /// `default`, `env: NAME` or the file.
    pub origin: String,
    pub effect: Effect,
}

/// The configuration file and all settings.
#[derive(Debug)]
pub struct Overview {
    pub file: Option<PathBuf>,
    pub settings: Vec<Shown>,
}

impl Overview {
    /// Reads all settings that hold in these surroundings.
    ///
    /// # Errors
    /// The configuration file cannot be read or parsed.
    pub fn read(around: &Surroundings<'_>) -> Result<Self, Problems> {
        let path = find(around, &mut Problems::default());
        let file = match &path {
            Some(path) => {
                let unreadable = |error| ConfigError::Unreadable { path: path.clone(), error };
                file::ConfigFile::parse(Source::read(path).map_err(unreadable)?)?
            }
            None => file::ConfigFile::default(),
        };
        Ok(Overview { file: path, settings: settings(&file, around).collect() })
    }
}

/// All settings as they stand.
fn settings<'s>(file: &'s file::ConfigFile, around: &'s Surroundings<'_>) -> impl Iterator<Item = Shown> {
    SETTINGS.lines().filter_map(move |line| shown(line, file, around))
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
    // The reader of settings tells of those that it knows itself.
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

/// Whether ansible-core has a setting with this section and key.
pub(super) fn has_key(name: &str) -> bool {
    SETTINGS.lines().any(|line| line.split('\t').nth(1).is_some_and(|keys| keys.split(',').any(|key| key == name)))
}

fn shown(line: &'static str, file: &file::ConfigFile, around: &Surroundings<'_>) -> Option<Shown> {
    let mut columns = line.split('\t');
    let name = columns.next()?;
    let mut words = || Some(columns.next()?.split(',').filter(|word| !word.is_empty()).collect::<Vec<_>>());
    let (keys, variables) = (words()?, words()?);
    let default = columns.next()?;
    let environment = variables.iter().find_map(|name| Some(((around.env)(name)?, format!("env: {name}"))));
    let entry = || {
        let entry = keys.iter().rev().find_map(|key| file.get(key))?;
        let path = entry.place.source.path.as_ref()?;
        Some((entry.value.clone(), path.display().to_string()))
    };
    let (value, origin) = match environment.or_else(entry) {
        Some((text, origin)) => (like(&text, default), origin),
        None => (default.to_owned(), "default".to_owned()),
    };
    let effect = effect(&keys, &variables);
    Some(Shown { name, keys, variables, value, default, origin, effect })
}

/// A text in the form of the default: booleans and lists as Python writes them.
fn like(text: &str, default: &str) -> String {
    let text = text.trim();
    match default {
        "True" | "False" => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "y" | "t" => "True".to_owned(),
            "false" | "no" | "off" | "0" | "n" | "f" => "False".to_owned(),
            _ => text.to_owned(),
        },
        list if list.starts_with('[') => {
            let separator = if list.contains('/') { ':' } else { ',' };
            let items: Vec<String> = text.split(separator).map(|item| format!("'{}'", item.trim())).collect();
            format!("[{}]", items.join(", "))
        }
        _ => text.to_owned(),
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
        assert_eq!(find("DEFAULT_ROLES_PATH").value, "['a', 'b']");
        assert_eq!(find("COLOR_OK").origin, "default");
        assert_eq!(find("ANSIBLE_NOCOWS").effect, Effect::NotNeeded);
    }
}
