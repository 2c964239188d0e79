//! Modules that rplay does not implement: those of collections and ansible-core, and users' own.
//!
//! [`Finder`] returns an [`ExternalModule`]; `plan` defines the search order. [`Finder::payload`] returns the files
//! that a host needs for it. Names and metadata are read here, without Python; ansible-core is only needed to bundle a
//! Python module with the module_utils that it imports.

mod action;
mod becoming;
mod finder;
mod library;
mod payload;
mod plugin_places;
mod plugins;
mod rejected;
mod style;

pub use finder::{Around, Finder, Missing, OfCore, Reason, Settings};
pub use payload::{Payload, PayloadError};
pub use plugins::answer_of_scope;
pub use rejected::Rejected;

use std::path::PathBuf;

use rplay_contract::external::Style;

/// A module as found for a task. It is kept for the lifetime of the process, so that it can be passed around like a
/// built-in one.
#[derive(Debug)]
pub struct ExternalModule {
    /// `community.general.archive`, `ansible.builtin.expect`, or `ansible.legacy.mine` for one in a `library/`.
    pub full_name: String,
    /// The last part of its name.
    pub name: String,
    pub path: PathBuf,
    /// How it is run; `None` for a Windows module, which cannot run.
    pub style: Option<Style>,
    /// The program in its shebang line, without `#!`.
    pub shebang: Option<String>,
    /// Nothing says what could run it.
    pub lacks_interpreter: bool,
    /// The user's module_utils directories, nearest first.
    pub utils: Vec<PathBuf>,
    /// Directories named `ansible_collections` that are searched for its imports.
    pub roots: Vec<PathBuf>,
}

impl ExternalModule {
    /// Its collection; `None` for one in a `library/`.
    pub fn collection(&self) -> Option<&str> {
        match self.full_name.strip_suffix(&self.name)?.strip_suffix('.')? {
            "ansible.legacy" => None,
            // Names of collections have two parts; further ones are directories.
            name => name.match_indices('.').nth(1).map_or(Some(name), |(at, _)| name.get(..at)),
        }
    }

    /// Its name as a Python module.
    pub fn package(&self) -> String {
        match self.collection() {
            Some(collection) if collection != "ansible.builtin" => {
                let rest = self.full_name.get(collection.len() + 1..).unwrap_or(&self.name);
                format!("ansible_collections.{collection}.plugins.modules.{rest}")
            }
            Some(_) => format!("ansible.modules.{}", self.name),
            // The name tells who deprecates something.
            None => format!("ansible.legacy.{}", self.name),
        }
    }
}

/// An action plugin as found for a task. It is kept for the lifetime of the process, as modules are.
#[derive(Debug)]
pub struct ActionPlugin {
    /// `ansible.posix.synchronize`, or `ansible.legacy.mine` for one in an `action_plugins/`.
    pub full_name: String,
    /// The last part of its name.
    pub name: String,
    /// The name by which ansible-core loads it: a different one if a module's metadata refer to it.
    pub loaded_as: String,
    pub path: PathBuf,
}

impl ActionPlugin {
    /// Its collection; `None` for one in an `action_plugins/`.
    pub fn collection(&self) -> Option<&str> {
        let name = self.full_name.as_str();
        let end = name.match_indices('.').nth(1).map(|(at, _)| at)?;
        name.get(..end).filter(|collection| *collection != "ansible.legacy")
    }
}
