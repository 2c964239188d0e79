//! Galaxy servers: `server_list` and a section for each.

use std::fmt;

use super::{error::ConfigError, file::ConfigFile, inputs::ConfigInputs, kinds::unquoted};
use crate::source::Problems;

/// The settings of one server.
#[derive(Clone, Default)]
pub struct ServerSection {
    pub name: String,
    entries: Vec<(&'static str, String)>,
}

/// Omits the values, which include tokens and passwords.
impl fmt::Debug for ServerSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerSection({})", self.name)
    }
}

const KEYS: [&str; 8] = ["url", "token", "username", "password", "auth_url", "client_id", "validate_certs", "timeout"];

impl ServerSection {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }
}

/// The sections of the listed servers; environment variables (`ANSIBLE_GALAXY_SERVER_NAME_URL`) take precedence.
pub(super) fn sections(
    names: &[String],
    file: &ConfigFile,
    inputs: &ConfigInputs<'_>,
    problems: &mut Problems,
) -> Vec<ServerSection> {
    let section = |name: &String| {
        let value = |key: &'static str| {
            let variable = format!("ANSIBLE_GALAXY_SERVER_{}_{}", name.to_uppercase(), key.to_uppercase());
            let written = (inputs.env)(&variable)
                .or_else(|| Some(unquoted(&file.get(&format!("galaxy_server.{name}.{key}"))?.value).to_owned()));
            written.filter(|value| !value.is_empty()).map(|value| (key, value))
        };
        ServerSection { name: name.clone(), entries: KEYS.into_iter().filter_map(value).collect() }
    };
    let sections: Vec<ServerSection> = names.iter().map(section).collect();
    for without in sections.iter().filter(|section| section.get("url").is_none()) {
        problems.push(ConfigError::ServerWithoutUrl { name: without.name.clone() });
    }
    sections
}
