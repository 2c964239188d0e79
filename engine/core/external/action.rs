//! Action plugins in Python: the user's, and those of roles, collections and ansible-core.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::{ActionPlugin, Around, Finder, library::directories_in};
use crate::{
    collections::Qualified,
    python::{Core, CoreError},
};

impl Finder {
    /// The user's action plugin with a short name: next to the playbook, in the role, or in the configured directories.
    /// It takes precedence over all modules of its name.
    pub fn own_action(&self, name: &str, around: Around<'_>) -> Option<&'static ActionPlugin> {
        let near = around.playbook.into_iter().chain(around.role).map(|directory| directory.join("action_plugins"));
        let found = near.into_iter().find_map(|directory| self.library.find(&directory, name));
        let configured = || self.settings.action_plugins.iter().find_map(|dir| self.library.find_below(dir, name));
        self.action(found.or_else(configured)?, format!("ansible.legacy.{name}"))
    }

    /// The action plugin with a short name in any role that the play may have loaded before.
    pub fn action_of_other_roles(&self, name: &str, around: Around<'_>) -> Option<&'static ActionPlugin> {
        let beside = around.playbook.map(|directory| directory.join("roles"));
        let siblings = around.role.and_then(Path::parent).map(Path::to_owned);
        let directories = beside.into_iter().chain(siblings).chain(self.settings.roles.iter().cloned());
        let found = directories.into_iter().find_map(|directory| {
            directories_in(&directory).iter().find_map(|role| self.library.find(&role.join("action_plugins"), name))
        })?;
        self.action(found, format!("ansible.legacy.{name}"))
    }

    /// The action plugin that does the work for a fully qualified name; the collection's metadata may name another one.
    pub fn action_of_collection(&self, name: &str) -> Option<&'static ActionPlugin> {
        let qualified = Qualified::parse(name)?;
        let found = self.collections.find(&qualified.collection)?;
        let module = found.runtime.route("modules", &qualified.resource());
        if let Some(other) = module.and_then(|route| route.action_plugin.as_deref()) {
            return self.action_named(other, name);
        }
        let moved = module.and_then(|route| route.redirect.as_deref());
        let action = found.runtime.route("action", &qualified.resource()).and_then(|route| route.redirect.as_deref());
        match action {
            // Then `module_defaults` of the plugin apply, not those of the module.
            Some(plugin) if moved.is_some_and(|module| module != plugin) => self.action_named(plugin, plugin),
            // ansible-core follows the redirection when the plugin is loaded.
            _ => self.action_named(name, name).filter(|plugin| moved.is_none() || plugin.path.is_file()),
        }
    }

    /// The action plugin with a fully qualified name, for tasks that name `caller`; if its collection redirects it, its
    /// file need not exist.
    fn action_named(&self, name: &str, caller: &str) -> Option<&'static ActionPlugin> {
        let qualified = Qualified::parse(name)?;
        let found = self.collections.find(&qualified.collection)?;
        let path = found.path.join("plugins/action").join(qualified.path()).with_extension("py");
        let route = found.runtime.route("action", &qualified.resource());
        let is_there = path.is_file() || route.is_some_and(|route| route.redirect.is_some());
        if is_there { self.action_loaded_as(path, caller.to_owned(), name) } else { None }
    }

    /// The action plugin of ansible-core.
    pub(super) fn action_of_core(&self, core: &Core, name: &str) -> Option<&'static ActionPlugin> {
        let path = self.library.find(&core.package.join("plugins/action"), name)?;
        self.action(path, format!("ansible.builtin.{name}"))
    }

    /// The action plugin of ansible-core that runs a module over a connection plugin.
    ///
    /// # Errors
    /// If there is no ansible-core.
    pub fn action_over_plugin(&self, name: &str) -> Result<&'static ActionPlugin, String> {
        let core = self.pythons.core().map_err(|error| error.to_string())?;
        let found = self.action_of_core(core, name).or_else(|| self.action_of_core(core, "normal"));
        found.ok_or_else(|| format!("{} has no action plugin `normal`", core.package.display()))
    }

    /// Sends a request that may be repeated to the plugin host.
    ///
    /// # Errors
    /// If there is no ansible-core, or no answer; with what to do about it.
    pub fn ask(&self, op: &str, with: Json) -> Result<Json, String> {
        if let Err(error) = self.pythons.core() {
            return Err(format!("it needs ansible-core on the controller: {error}; {}", CoreError::help()));
        }
        self.pythons.ask(op, with).map_err(|error| error.to_string())
    }

    /// Runs an action plugin; `serve` answers its questions.
    ///
    /// # Errors
    /// If there is no result; with what to do about it.
    pub fn run_action(
        &self,
        with: &Json,
        serve: impl FnMut(&str, Json) -> Result<Json, String>,
    ) -> Result<Json, (String, Option<String>)> {
        if let Err(error) = self.pythons.core() {
            let why = format!("it needs ansible-core on the controller: {error}");
            return Err((why, Some(CoreError::help().to_owned())));
        }
        self.pythons.carry_out("actions.run", with, serve).map_err(|error| (error.to_string(), None))
    }

    fn action(&self, path: PathBuf, full_name: String) -> Option<&'static ActionPlugin> {
        let loaded_as = full_name.clone();
        self.action_loaded_as(path, full_name, &loaded_as)
    }

    fn action_loaded_as(&self, path: PathBuf, full_name: String, loaded_as: &str) -> Option<&'static ActionPlugin> {
        if path.extension().is_none_or(|ending| ending != "py") {
            return None;
        }
        let mut known = self.actions.lock();
        let plugin = known.entry((path.clone(), full_name.clone())).or_insert_with(|| {
            let name = full_name.rsplit('.').next().unwrap_or_default().to_owned();
            Box::leak(Box::new(ActionPlugin { full_name, name, loaded_as: loaded_as.to_owned(), path }))
        });
        Some(*plugin)
    }
}
