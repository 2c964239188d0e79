//! Magic variables that are the same for every host and task of a run, so that imports see them, too.

use minijinja::value::Value;

use super::tags::TagSelection;
use crate::{
    collections::ANSIBLE_VERSION,
    vars::{mapping, omit},
};

/// What the command line and the settings say about a run as a whole.
#[derive(Clone, Debug, Default)]
pub struct RunMagic {
    pub tags: TagSelection,
    pub check: bool,
    pub diff: bool,
    /// If it was chosen.
    pub forks: Option<u32>,
    pub verbosity: u8,
    /// `--limit` as it was given.
    pub limit: Option<String>,
    pub config_file: Option<String>,
    pub inventory_sources: Vec<String>,
}

impl RunMagic {
    /// The value of a magic variable; `None` for any other name, and if it is not defined in this run.
    pub fn value(&self, name: &str) -> Option<Value> {
        Some(match name {
            "omit" => omit(),
            "ansible_inventory_sources" => self.inventory_sources.iter().cloned().map(Value::from).collect(),
            // rplay runs without Python; playbooks use this for the controller's interpreter.
            "ansible_playbook_python" => python().into(),
            // As in Ansible, that of the run, whatever the task says.
            "ansible_check_mode" => self.check.into(),
            "ansible_diff_mode" => self.diff.into(),
            // Plays calculate with Ansible's default, whatever rplay's own is.
            "ansible_forks" => self.forks.unwrap_or(5).into(),
            "ansible_verbosity" => self.verbosity.into(),
            "ansible_limit" => self.limit.clone()?.into(),
            "ansible_config_file" => self.config_file.clone().map_or(Value::from(()), Value::from),
            "ansible_run_tags" => match self.tags.only.as_slice() {
                [] => Value::from(vec!["all"]),
                tags => tags.to_vec().into(),
            },
            "ansible_skip_tags" => self.tags.skip.clone().into(),
            "ansible_version" => version(),
            _ => return None,
        })
    }
}

/// The controller's Python interpreter, if there is one.
fn python() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("python3")).find(|file| file.is_file());
    found.map_or_else(|| "/usr/bin/python3".to_owned(), |file| file.display().to_string())
}

/// The Ansible version that rplay is compatible with; playbooks compare it.
fn version() -> Value {
    let mut numbers = ANSIBLE_VERSION.split('.').map(|part| Value::from(part.parse::<u32>().unwrap_or_default()));
    let mut number = || numbers.next().unwrap_or_default();
    mapping([
        ("full", Value::from(ANSIBLE_VERSION)),
        ("major", number()),
        ("minor", number()),
        ("revision", number()),
        ("string", Value::from(ANSIBLE_VERSION)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `rplay --version` says is what playbooks compare.
    #[test]
    fn there_is_one_version_of_ansible() {
        let version = version();
        let part = |name: &str| version.get_attr(name).unwrap().to_string();
        assert_eq!(part("full"), ANSIBLE_VERSION);
        assert_eq!(["major", "minor", "revision"].map(part).join("."), ANSIBLE_VERSION);
    }
}
