//! The interface to plugins written in Python: those that read sources, and vars plugins.

use std::{fmt, path::Path};

use serde_json::Value as Json;

use crate::vault::Vault;

/// Runs inventory and vars plugins written in Python.
pub trait Plugins: fmt::Debug + Send + Sync {
    /// Reads a source. `known` is what [`Inventory`](super::Inventory) has so far; the answer has `parsed`, `groups`,
    /// `hosts`, `warnings`.
    ///
    /// # Errors
    /// If no plugin can be run here, or it does not answer.
    fn parse(&self, source: &str, known: Json, vault: &Vault) -> Result<Json, PluginsError>;

    /// Whether there may be vars plugins in Python.
    fn have_vars(&self) -> bool;

    /// Adds a directory that may contain `vars_plugins`; returns whether it does.
    fn add_directory(&self, directory: &Path) -> bool;

    /// Sends a request to vars plugins.
    ///
    /// # Errors
    /// If no plugin can be run here, or one fails.
    fn ask(&self, op: &str, with: Json, vault: &Vault) -> Result<Json, PluginsError>;
}

/// Why plugins did not read a source.
#[derive(Debug)]
pub enum PluginsError {
    /// There is no ansible-core here; with what is missing and what to do about it.
    Unavailable { why: String, help: &'static str },
    /// The plugin, or the plugin host, failed.
    Failed(String),
}
