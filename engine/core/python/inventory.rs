//! Sources of inventories, read by plugins in the plugin host.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value as Json, json};

use super::{CoreError, Pythons};
use crate::{
    inventory::{Plugins, PluginsError},
    vault::Vault,
};

/// Reads sources with the plugins of the ansible-core that is installed, of collections, and of folders
/// `inventory_plugins`. Its host is one of its own, which starts with the first source that needs it.
pub struct InventoryPlugins {
    pythons: Pythons,
    /// Folders that may hold `inventory_plugins` and `collections`.
    folders: Vec<PathBuf>,
    /// Whether plugins may answer from their caches.
    cache: bool,
}

impl InventoryPlugins {
    /// `named` is the interpreter that the settings name. `folders`, those of the playbooks, may hold
    /// `inventory_plugins` and `collections`. Without `cache`, plugins are to read everything anew.
    pub fn new(named: Option<PathBuf>, folders: Vec<PathBuf>, cache: bool) -> Self {
        // The folder of `site.yml` is the one at hand.
        let absolute = |folder: PathBuf| match folder.as_os_str().is_empty() {
            true => std::env::current_dir().unwrap_or(folder),
            false => std::path::absolute(&folder).unwrap_or(folder),
        };
        let folders = folders.into_iter().map(absolute).collect();
        InventoryPlugins { pythons: Pythons::new(named), folders, cache }
    }
}

impl fmt::Debug for InventoryPlugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InventoryPlugins({:?})", self.folders)
    }
}

impl Plugins for InventoryPlugins {
    fn parse(&self, source: &str, mut known: Json, vault: &Vault) -> Result<Json, PluginsError> {
        if let Err(error) = self.pythons.core() {
            return Err(PluginsError::Unavailable { why: error.to_string(), help: CoreError::help() });
        }
        let secrets: Vec<Json> =
            vault.passwords().map(|(id, password)| json!([id, BASE64_STANDARD.encode(password)])).collect();
        known["source"] = Json::from(source);
        known["folders"] = self.folders.iter().map(|folder: &PathBuf| text(folder)).collect();
        known["secrets"] = Json::from(secrets);
        known["cache"] = Json::from(self.cache);
        self.pythons.ask("inventory.parse", known).map_err(|error| PluginsError::Failed(error.to_string()))
    }
}

fn text(path: &Path) -> Json {
    Json::from(path.to_string_lossy())
}
