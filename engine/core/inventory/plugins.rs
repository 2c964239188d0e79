//! What reads inventory sources with plugins written in Python.

use std::fmt;

use serde_json::Value as Json;

use crate::vault::Vault;

/// What reads a source with plugins written in Python.
pub trait Plugins: fmt::Debug + Send + Sync {
    /// Reads a source. `known` is what [`Inventory`](super::Inventory) has so far; the answer has `parsed`, `groups`, `hosts`, `warnings`.
    ///
    /// # Errors
    /// There is nothing that could run a plugin, or it does not answer.
    fn parse(&self, source: &str, known: Json, vault: &Vault) -> Result<Json, PluginsError>;
}

/// Why plugins did not read a source.
#[derive(Debug)]
pub enum PluginsError {
    /// There is no ansible-core here: what is missing, and what to do about it.
    Unavailable { why: String, help: &'static str },
    /// The plugin, or what runs it, failed.
    Failed(String),
}
