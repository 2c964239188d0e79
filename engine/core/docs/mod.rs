//! Documentation of plugins, modules and roles: YAML inside a Python file or next to it, and the fragments it includes.
//! It is read as text; no Python runs.
//!
//! [`Library`] finds and lists plugins; [`Documentation`] is the documentation of one of them.

mod documentation;
mod fragments;
mod json;
mod keywords;
mod library;
mod literals;
mod markup;
mod roles;
mod versions;

pub use documentation::{Documentation, DocumentationError};
pub use keywords::keywords;
pub use library::{Library, Listed, Located};
pub use markup::plain;
pub use roles::{RoleDocumentation, roles_in};

/// The types of plugins, by Ansible's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PluginType(&'static (&'static str, &'static str));

/// Names, and the directories below `plugins/` of a collection.
const TYPES: [(&str, &str); 15] = [
    ("become", "become"),
    ("cache", "cache"),
    ("callback", "callback"),
    ("cliconf", "cliconf"),
    ("connection", "connection"),
    ("filter", "filter"),
    ("httpapi", "httpapi"),
    ("inventory", "inventory"),
    ("lookup", "lookup"),
    ("module", "modules"),
    ("netconf", "netconf"),
    ("shell", "shell"),
    ("strategy", "strategy"),
    ("test", "test"),
    ("vars", "vars"),
];

impl PluginType {
    /// The type of that name.
    pub fn named(name: &str) -> Option<Self> {
        TYPES.iter().find(|(own, _)| *own == name).map(PluginType)
    }

    /// All types.
    pub fn all() -> impl Iterator<Item = PluginType> {
        TYPES.iter().map(PluginType)
    }

    /// Its name, such as `module`.
    pub fn name(self) -> &'static str {
        self.0.0
    }

    /// The directory for such plugins below `plugins` of a collection.
    pub fn directory(self) -> &'static str {
        self.0.1
    }

    /// Whether a plugin's name is that of a callable in a file, which may hold several.
    pub fn is_callable(self) -> bool {
        matches!(self.name(), "filter" | "test")
    }
}
