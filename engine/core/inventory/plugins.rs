//! What runs the inventory's plugins that are written in Python: those that read sources, and vars plugins.

use std::{fmt, path::Path};

use serde_json::Value as Json;

use crate::vault::Vault;

/// Runs inventory and vars plugins written in Python.
pub trait Plugins: fmt::Debug + Send + Sync {
    /// Reads a source. `known` is what [`Inventory`](super::Inventory) has so far; the answer has `parsed`, `groups`,
    /// `hosts`, `warnings`.
    ///
    /// # Errors
    /// There is nothing that could run a plugin, or it does not answer.
    fn parse(&self, source: &str, known: Json, vault: &Vault) -> Result<Json, PluginsError>;

    /// Whether there may be vars plugins in Python.
    fn have_vars(&self) -> bool;

    /// Adds a directory that may hold `vars_plugins`, and says whether it does.
    fn add_directory(&self, directory: &Path) -> bool;

    /// Asks vars plugins for something.
    ///
    /// # Errors
    /// There is nothing that could run a plugin, or one fails.
    fn ask(&self, op: &str, with: Json, vault: &Vault) -> Result<Json, PluginsError>;
}

/// Why plugins did not read a source.
#[derive(Debug)]
pub enum PluginsError {
    /// There is no ansible-core here: what is missing, and what to do about it.
    Unavailable { why: String, help: &'static str },
    /// The plugin, or what runs it, failed.
    Failed(String),
}
