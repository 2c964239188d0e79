//! Vars plugins written in Python. For a directory of the inventory or the playbook, they give groups and hosts
//! variables.
//!
//! `host_group_vars`, which reads `group_vars` and `host_vars`, is built in. Plugins run when the inventory has been
//! read (stage `inventory`), and again in each play (stage `task`).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value as Json, json};

use super::{Inventory, InventoryError, Plugins, PluginsError, host::Group, plugin_source::layer};
use crate::{
    source::{Problems, Source, Span, absolute},
    vars::Layer,
};

/// The variables that vars plugins give for a directory.
#[derive(Default)]
pub(super) struct PluginVars {
    /// Stronger than the files of the directory.
    pub above: Arc<Layer>,
    /// Weaker than the files of the directory.
    pub below: Arc<Layer>,
}

/// Whose variables are requested.
#[derive(Clone, Copy)]
pub(super) enum Owners<'o> {
    Groups(&'o [&'o Group]),
    Host(&'o str),
}

impl Inventory {
    /// Adds the variables of vars plugins that run once the inventory has been read.
    ///
    /// # Errors
    /// If a plugin fails, or cannot be run here.
    pub(super) fn add_vars_of_plugins(&mut self) -> Result<(), Problems> {
        let Some(plugins) = self.vars_plugins() else { return Ok(()) };
        let response = self.begin_vars_plugins(&*plugins)?;
        let source = Source::inline("vars plugins", "");
        let place = Span::new(&source, 0..0);
        let entries = |kind: &str| response[kind].as_object().cloned().unwrap_or_default();
        for (name, vars) in entries("groups") {
            let group = self.group_index(&name);
            for (name, value) in layer(&vars, &source) {
                self.set_group_var(group, &name, value, &place)?;
            }
        }
        for (name, vars) in entries("hosts") {
            let host = self.host_index(&name);
            self.set_host_vars(host, layer(&vars, &source));
        }
        let told = self.take_warnings_of_plugins();
        self.warnings.extend(told);
        Ok(())
    }

    /// The variables that vars plugins give these groups or this host for a directory.
    ///
    /// # Errors
    /// If a plugin fails, or cannot be run here.
    pub(super) fn vars_of_plugins(&self, directory: &Path, owners: Owners<'_>) -> Result<PluginVars, Problems> {
        let Some(plugins) = self.vars_plugins() else { return Ok(PluginVars::default()) };
        let known = *self.layers.vars_plugins.later.lock();
        let later = match known {
            Some(later) => later,
            None => self.begin_vars_plugins(&*plugins)?["later"] == true,
        };
        if !later {
            return Ok(PluginVars::default());
        }
        let mut with = json!({ "path": absolute(directory) });
        match owners {
            Owners::Groups(groups) => with["groups"] = groups.iter().map(|group| Json::from(&*group.name)).collect(),
            Owners::Host(name) => with["name"] = Json::from(name),
        }
        let response = self.ask_vars_plugins(&*plugins, "vars.get", with)?;
        let source = Source::inline("vars plugins", "");
        let part = |name: &str| Arc::new(layer(&response[name], &source));
        Ok(PluginVars { above: part("above"), below: part("below") })
    }

    /// The warnings of vars plugins since the last call.
    pub fn take_warnings_of_plugins(&self) -> Vec<String> {
        std::mem::take(&mut self.layers.vars_plugins.warnings.lock())
    }

    /// Whether vars plugins run in plays: their variables may change from play to play.
    pub fn asks_vars_plugins(&self) -> bool {
        self.vars_plugins().is_some() && *self.layers.vars_plugins.later.lock() != Some(false)
    }

    /// Forgets the variables of vars plugins. These directories, those of roles, may contain further plugins.
    pub fn ask_vars_plugins_again(&mut self, directories: &[PathBuf]) {
        let Some(plugins) = &self.layers.vars_plugins.plugins else { return };
        let mut more = false;
        for directory in directories {
            more |= plugins.add_directory(directory);
        }
        if more {
            self.layers.vars_plugins.forget();
        }
        if self.asks_vars_plugins() {
            self.layers.forget_variables();
        }
    }

    fn vars_plugins(&self) -> Option<Arc<dyn Plugins>> {
        self.layers.vars_plugins.plugins.clone().filter(|plugins| plugins.have_vars())
    }

    /// Tells plugins about all hosts and groups.
    fn begin_vars_plugins(&self, plugins: &dyn Plugins) -> Result<Json, Problems> {
        let mut with = self.known();
        with["sources"] = self.directories.iter().map(|directory| Json::from(absolute(directory))).collect();
        let response = self.ask_vars_plugins(plugins, "vars.begin", with)?;
        *self.layers.vars_plugins.later.lock() = Some(response["later"] == true);
        Ok(response)
    }

    fn ask_vars_plugins(&self, plugins: &dyn Plugins, op: &str, with: Json) -> Result<Json, Problems> {
        let response = plugins.ask(op, with, &self.layers.vault).map_err(|error| match error {
            PluginsError::Failed(message) => InventoryError::Plugin { message },
            PluginsError::Unavailable { why, help } => {
                let message = format!("the vars plugins of this project are written in Python: {why}");
                InventoryError::Unavailable { message, help }
            }
        })?;
        let told = response["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str);
        self.layers.vars_plugins.warnings.lock().extend(told.map(str::to_owned));
        Ok(response)
    }
}
