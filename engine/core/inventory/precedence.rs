//! Ansible's order of a host's inventory variables.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    GroupVars, Inventory, VarsFiles,
    host::{ALL, Group, Host},
    layers::Stack,
    vars_plugins::Owners,
};
use crate::{source::Problems, vars::Layer};

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
        for directory in self.var_directories(playbook_dir) {
            self.push_host(directory, &found.name, &mut stack)?;
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

    /// The warnings about reserved names in `group_vars` and `host_vars` since the last call.
    pub fn take_reserved(&self) -> Vec<String> {
        std::mem::take(&mut self.layers.reserved.lock())
    }

    /// The variables of a single group, strongest first.
    pub(super) fn layers_of_group(&self, group: &Group, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let mut stack = Vec::new();
        for directory in self.var_directories(playbook_dir) {
            self.push_groups(directory, &[group], &mut stack)?;
        }
        stack.push(group.vars.clone());
        Ok(stack.into())
    }

    /// The variables of one host alone, without those of its groups, strongest first.
    pub(super) fn layers_of_host(&self, host: &Host, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let mut stack = Vec::new();
        for directory in self.var_directories(playbook_dir) {
            self.push_host(directory, &host.name, &mut stack)?;
        }
        stack.push(host.vars.clone());
        Ok(stack.into())
    }

    /// The layers that files and plugins provide for these groups in a directory, strongest first.
    fn push_groups(&self, directory: &Path, groups: &[&Group], stack: &mut Vec<Arc<Layer>>) -> Result<(), Problems> {
        let plugins = self.vars_of_plugins(directory, Owners::Groups(groups))?;
        stack.push(plugins.above);
        if self.layers.files != VarsFiles::Never {
            let files = self.layers.directory(directory)?;
            for group in groups {
                stack.push(files.group(&group.name, &self.layers.vault, &self.layers.reserved)?);
            }
        }
        stack.push(plugins.below);
        Ok(())
    }

    /// The layers that files and plugins provide for a host in a directory, strongest first.
    fn push_host(&self, directory: &Path, name: &str, stack: &mut Vec<Arc<Layer>>) -> Result<(), Problems> {
        let plugins = self.vars_of_plugins(directory, Owners::Host(name))?;
        stack.push(plugins.above);
        if self.layers.files != VarsFiles::Never {
            let files = self.layers.directory(directory)?;
            stack.push(files.host(name, &self.layers.vault, &self.layers.reserved)?);
        }
        stack.push(plugins.below);
        Ok(())
    }

    /// The playbook's directory, then those of the inventory, strongest first.
    pub(super) fn var_directories<'p>(&'p self, playbook_dir: Option<&'p Path>) -> impl Iterator<Item = &'p Path> {
        let playbook_dir = playbook_dir.filter(|_| self.layers.files != VarsFiles::WithInventory);
        playbook_dir.into_iter().chain(self.directories.iter().rev().map(PathBuf::as_path))
    }

    /// The layers of these groups in the inventory's directories.
    fn push_inventory_files(&self, groups: &[&Group], stack: &mut Vec<Arc<Layer>>) -> Result<(), Problems> {
        self.directories.iter().rev().try_for_each(|directory| self.push_groups(directory, groups, stack))
    }

    /// The layers of these groups in a directory, if there is one.
    fn push_files(
        &self,
        directory: Option<&Path>,
        groups: &[&Group],
        stack: &mut Vec<Arc<Layer>>,
    ) -> Result<(), Problems> {
        directory.map_or(Ok(()), |directory| self.push_groups(directory, groups, stack))
    }

    fn group_layers(&self, host: &Host, playbook_dir: Option<&Path>) -> Result<Stack, Problems> {
        let key = (host.groups.iter().copied().collect::<Vec<_>>(), playbook_dir.map(Path::to_owned));
        if let Some(stack) = self.layers.groups.lock().get(&key) {
            return Ok(stack.clone());
        }
        let groups = self.groups_in_order(host);
        let all: Vec<&Group> = self.group(ALL).into_iter().collect();
        let mut stack = Vec::new();
        if self.layers.files == VarsFiles::WithInventory {
            // Files next to the inventory have the precedence of the sources.
            for group in groups.iter().chain(&all) {
                for directory in self.var_directories(playbook_dir) {
                    self.push_groups(directory, std::slice::from_ref(group), &mut stack)?;
                }
                stack.push(group.vars.clone());
            }
        } else {
            for part in self.layers.precedence.iter().rev() {
                match part {
                    GroupVars::GroupsPluginsPlay => self.push_files(playbook_dir, &groups, &mut stack)?,
                    GroupVars::GroupsPluginsInventory => self.push_inventory_files(&groups, &mut stack)?,
                    GroupVars::AllPluginsPlay => self.push_files(playbook_dir, &all, &mut stack)?,
                    GroupVars::AllPluginsInventory => self.push_inventory_files(&all, &mut stack)?,
                    GroupVars::GroupsInventory => stack.extend(groups.iter().map(|group| group.vars.clone())),
                    GroupVars::AllInventory => stack.extend(all.iter().map(|group| group.vars.clone())),
                    GroupVars::Unknown(_) => {}
                }
            }
        }
        stack.retain(|layer| !layer.is_empty());
        let stack: Stack = stack.into();
        self.layers.groups.lock().insert(key, stack.clone());
        Ok(stack)
    }
}
