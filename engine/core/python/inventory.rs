//! Inventory and vars plugins, run in a plugin host.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use parking_lot::{Mutex, RwLock};
use serde_json::{Value as Json, json};

use super::{CoreError, Pythons};
use crate::{
    inventory::{Plugins, PluginsError},
    syntax::builtin_name,
    vault::Vault,
};

/// Runs inventory and vars plugins of the installed ansible-core, of collections, and of directories
/// `inventory_plugins` and `vars_plugins`. It has its own plugin host, since that gets the vault's passwords; the first
/// plugin starts it.
pub struct InventoryPlugins {
    pythons: Pythons,
    /// Directories that may contain directories with plugins, and `collections`: those of the playbooks, then of roles.
    directories: RwLock<Vec<PathBuf>>,
    /// Whether plugins may use their caches.
    cache: bool,
    /// The number of `-v`: up to which level plugins' notes are kept.
    verbosity: u8,
    /// `-e` as it was given, for plugins that use extra variables.
    extra: Vec<String>,
    vars: VarsSettings,
    /// Whether there may be vars plugins; `None` if not searched yet.
    have_vars: Mutex<Option<bool>>,
}

/// The settings about vars plugins.
#[derive(Clone, Debug, Default)]
pub struct VarsSettings {
    /// Directories with plugins.
    pub directories: Vec<PathBuf>,
    /// The enabled plugins among those that must be named (VARIABLE_PLUGINS_ENABLED).
    pub enabled: Vec<String>,
}

impl InventoryPlugins {
    /// `named` is the interpreter that the settings name. `directories` are those of the playbooks, which may contain
    /// directories with plugins and `collections`. Without `cache`, plugins read everything again.
    pub fn new(named: Option<PathBuf>, directories: Vec<PathBuf>, cache: bool, vars: VarsSettings) -> Self {
        let directories = RwLock::new(directories.iter().map(|directory| full(directory)).collect());
        let pythons = Pythons::new(named);
        InventoryPlugins {
            pythons,
            directories,
            cache,
            verbosity: 0,
            extra: Vec::new(),
            vars,
            have_vars: Mutex::default(),
        }
    }

    /// With extra variables, as given with `-e`.
    pub fn with_extra(self, extra: Vec<String>) -> Self {
        InventoryPlugins { extra, ..self }
    }

    /// Keeps notes of plugins up to this verbosity.
    pub fn with_verbosity(self, verbosity: u8) -> Self {
        InventoryPlugins { verbosity, ..self }
    }

    /// Sends a request to the plugin host, together with the data that all requests need.
    fn request(&self, op: &str, mut with: Json, vault: &Vault) -> Result<Json, PluginsError> {
        if let Err(error) = self.pythons.core() {
            return Err(PluginsError::Unavailable { why: error.to_string(), help: CoreError::help() });
        }
        if op != "vars.get" {
            let secrets: Vec<Json> =
                vault.passwords().map(|(id, password)| json!([id, BASE64_STANDARD.encode(password)])).collect();
            with["directories"] = self.directories.read().iter().map(|directory: &PathBuf| text(directory)).collect();
            with["secrets"] = Json::from(secrets);
        }
        self.pythons.ask(op, with).map_err(|error| PluginsError::Failed(error.to_string()))
    }
}

impl fmt::Debug for InventoryPlugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InventoryPlugins({:?})", self.directories.read())
    }
}

impl Plugins for InventoryPlugins {
    fn parse(&self, source: &str, mut known: Json, vault: &Vault) -> Result<Json, PluginsError> {
        known["source"] = Json::from(source);
        known["cache"] = Json::from(self.cache);
        known["extra"] = Json::from(self.extra.clone());
        known["verbosity"] = Json::from(self.verbosity);
        self.request("inventory.parse", known, vault)
    }

    fn have_vars(&self) -> bool {
        *self.have_vars.lock().get_or_insert_with(|| self.look_for_vars())
    }

    fn add_directory(&self, directory: &Path) -> bool {
        let directory = full(directory);
        let mut directories = self.directories.write();
        let is_new = !directories.contains(&directory) && holds_python(&directory.join("vars_plugins"));
        if is_new {
            directories.push(directory);
            *self.have_vars.lock() = None;
        }
        is_new
    }

    fn ask(&self, op: &str, with: Json, vault: &Vault) -> Result<Json, PluginsError> {
        self.request(op, with, vault)
    }
}

impl InventoryPlugins {
    fn look_for_vars(&self) -> bool {
        let native = |name: &String| builtin_name(name) == "host_group_vars";
        !self.vars.enabled.iter().all(native)
            || self.vars.directories.iter().any(|directory| holds_python(directory))
            || self.directories.read().iter().any(|directory| holds_python(&directory.join("vars_plugins")))
    }
}

/// Whether a directory contains Python files, also in subdirectories as deep as ansible-core searches.
fn holds_python(directory: &Path) -> bool {
    fn down_to(levels: u8, directory: &Path) -> bool {
        let paths = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_python = |path: &Path| path.extension().is_some_and(|end| end == "py");
        paths.into_iter().any(|path| is_python(&path) || levels > 0 && path.is_dir() && down_to(levels - 1, &path))
    }
    down_to(2, directory)
}

/// The path of a playbook's directory; empty (as for `site.yml`) means the working directory.
fn full(directory: &Path) -> PathBuf {
    match directory.as_os_str().is_empty() {
        true => std::env::current_dir().unwrap_or_default(),
        false => std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned()),
    }
}

fn text(path: &Path) -> Json {
    Json::from(path.to_string_lossy())
}
