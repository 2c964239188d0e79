//! Modules that rplay has not natively: of collections, of ansible-core, and users' own.
//!
//! What [`Finder`] finds is an [`ExternalModule`]; `plan` says in which order names are looked for. [`Finder::payload`] is what goes to
//! a host for it. Names and meta data are read here, without Python; only to bundle a Python module with the
//! module_utils that it imports needs ansible-core.

mod finder;
mod library;
mod payload;
mod plugins;
mod style;

pub use finder::{Around, Finder, Missing, OfCore, Reason, Settings};
pub use payload::{Payload, PayloadError};
pub use style::Style;

use std::path::PathBuf;

/// A module as a task that names it finds it. Each is kept for the life of the process, so that it can be passed on
/// like a native one.
#[derive(Debug)]
pub struct ExternalModule {
    /// `community.general.archive`, `ansible.builtin.expect`, or `ansible.legacy.mine` of a `library/`.
    pub full_name: String,
    /// The last word of its name.
    pub name: String,
    pub path: PathBuf,
    pub style: Style,
    /// The program that its first line names, without `#!`.
    pub shebang: Option<String>,
    /// Folders with module_utils of the user, the nearest first.
    pub utils: Vec<PathBuf>,
    /// Folders called `ansible_collections` that its imports are looked for in.
    pub roots: Vec<PathBuf>,
}

impl ExternalModule {
    /// The collection that it is of; `None` for one of a `library/`.
    pub fn collection(&self) -> Option<&str> {
        match self.full_name.strip_suffix(&self.name)?.strip_suffix('.')? {
            "ansible.legacy" => None,
            // Names of collections have two words; what follows are folders within.
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
            _ => format!("ansible.modules.{}", self.name),
        }
    }
}
