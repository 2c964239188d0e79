//! Hosts and groups from existing inventory sources, and host patterns.
//!
//! A source is a file in INI or YAML (or JSON), a directory of such files, an executable, a comma-separated list of
//! names, the configuration of an inventory from Tencent Cloud, or anything that a plugin written in Python reads
//! ([`Plugins`], [`Inventory::load`]). Groups and hosts may have variables in `group_vars` and `host_vars` next to a
//! source or the playbook; [`Inventory::layers`] puts all of a host's variables in Ansible's order.

mod address;
mod definitions;
mod directory;
mod error;
mod graph;
mod host;
mod ini;
mod json;
mod key;
mod layers;
mod limit;
mod listing;
mod literal;
mod origin;
mod pattern;
mod places;
mod plugin_source;
mod plugins;
mod precedence;
mod rules;
mod script;
mod source_errors;
mod tencent;
mod vars_plugins;
mod vars_state;
mod words;
mod yaml;

pub use directory::{definition_in, vars_file};
pub use error::InventoryError;
pub use graph::Inventory;
pub use host::{Group, Host, HostSource};
pub use json::of as as_written;
pub(crate) use json::python;
pub use limit::Limit;
pub use listing::{Listing, TreeVars};
pub use pattern::{Matched, Pattern};
pub use plugins::{Plugins, PluginsError};
pub use rules::{GroupNames, GroupVars, SourceRules, VarsFiles};

#[cfg(test)]
mod tests;
