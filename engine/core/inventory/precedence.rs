//! Ansible's order of a host's inventory variables.

use std::path::{Path, PathBuf};

use super::{
    Inventory,
    host::{ALL, Group, Host},
    layers::Stack,
};
use crate::source::Problems;

impl Inventory {
    /// The inventory variables of a host, including `group_vars` and `host_vars` next to the inventory and in
    /// `playbook_dir`, strongest first: places 3 to 10 of Ansible's order of precedence.
    ///
    /// # Errors
    /// If a variable file cannot be read or decrypted.
    pub fn layers(&self, host: &str, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let dir = playbook_dir.map(Path::to_owned);
        if let Some(stack) = self.layers.hosts.lock().get(&dir).and_then(|hosts| hosts.get(host)) {
            return Ok(stack.clone());
        }
        let Some(found) = self.host(host) else { return Ok(Stack::from([])) };
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.host(&found.name, &self.layers.vault)?);
        }
        stack.push(found.vars.clone());
        stack.extend(self.group_layers(found, playbook_dir)?.iter().cloned());
        stack.retain(|layer| !layer.is_empty());
        let stack: Stack = stack.into();
        self.layers.hosts.lock().entry(dir).or_default().insert(host.into(), stack.clone());
        Ok(stack)
    }

    /// The warnings about `group_vars` and `host_vars` since the last call.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.layers.warnings.lock())
    }

    /// The variables of a single group, strongest first.
    pub(super) fn layers_of_group(&self, group: &Group, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.group(&group.name, &self.layers.vault)?);
        }
        stack.push(group.vars.clone());
        Ok(stack.into())
    }

    /// The variables of one host alone, without those of its groups, the strongest first.
    pub(super) fn layers_of_host(&self, host: &Host, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.host(&host.name, &self.layers.vault)?);
        }
        stack.push(host.vars.clone());
        Ok(stack.into())
    }

    /// The playbook's folder, then those of the inventory, the strongest first.
    pub(super) fn var_folders<'p>(&'p self, playbook_dir: Option<&'p Path>) -> impl Iterator<Item = &'p Path> {
        playbook_dir.into_iter().chain(self.folders.iter().rev().map(PathBuf::as_path))
    }

    fn group_layers(&self, host: &Host, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let key = (host.groups.iter().copied().collect::<Vec<_>>(), playbook_dir.map(Path::to_owned));
        if let Some(stack) = self.layers.groups.lock().get(&key) {
            return Ok(stack.clone());
        }
        let groups = self.groups_in_order(host);
        let vault = &self.layers.vault;
        let mut stack = Vec::new();
        for folder in self.var_folders(playbook_dir) {
            let folder = self.layers.folder(folder)?;
            for group in &groups {
                stack.push(folder.group(&group.name, vault)?);
            }
        }
        for folder in self.var_folders(playbook_dir) {
            stack.push(self.layers.folder(folder)?.group(ALL, vault)?);
        }
        stack.extend(groups.iter().map(|group| group.vars.clone()));
        stack.extend(self.group(ALL).map(|all| all.vars.clone()));
        stack.retain(|layer| !layer.is_empty());
        let stack: Stack = stack.into();
        self.layers.groups.lock().insert(key, stack.clone());
        Ok(stack)
    }
}
