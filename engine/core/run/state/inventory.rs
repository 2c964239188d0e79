//! Changes of the inventory during a run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    inventory::Inventory,
    plan::Play,
    run::state::{addition::Addition, host::HostState, play::PlayRun, run::Run},
    source::Problems,
};

impl Run {
    /// Changes the inventory and rebuilds what was derived from it.
    pub(crate) fn change_inventory<T>(&self, change: impl FnOnce(&mut Inventory) -> T) -> T {
        let result = change(&mut self.inventory.write());
        *self.groups.lock() = None;
        result
    }

    /// Reads the inventory variables of all hosts seen so far again.
    pub(crate) fn refresh_layers(&self, playbook_dir: &Path) {
        let hosts: Vec<Arc<HostState>> = self.hosts.lock().values().cloned().collect();
        for host in hosts {
            match self.inventory_layers(&host.name, playbook_dir) {
                Ok(layers) => host.set_inventory(layers),
                Err(problems) => host.set_broken(&problems),
            }
        }
    }

    /// Vars plugins may have other answers in each play, and the play's roles may bring further plugins.
    pub(crate) fn ask_vars_plugins_again(&self, play: &Play) {
        let directories: Vec<PathBuf> = play.roles.iter().map(|role| role.path.clone()).collect();
        let mut inventory = self.inventory.write();
        inventory.ask_vars_plugins_again(&directories);
        let asks = inventory.asks_vars_plugins();
        drop(inventory);
        if asks {
            self.refresh_layers(&play.directory);
            for warning in self.inventory().take_warnings_of_plugins() {
                self.warn(warning, None);
            }
        }
    }

    /// Adds to the inventory, and records the addition for `refresh_inventory`. Returns whether anything is new.
    pub(crate) fn add_to_inventory(&self, play: &PlayRun, addition: Addition) -> bool {
        match self.change_inventory(|inventory| addition.add_to(inventory)) {
            Ok(new) => {
                if let Some(warning) = self.options.source_rules.warning_of_groups(addition.groups()) {
                    self.warn_once(warning, None);
                }
                self.additions.lock().push(addition);
                self.refresh_layers(&play.play.directory);
                new
            }
            Err(error) => {
                self.warn(error.to_string(), None);
                false
            }
        }
    }

    /// `refresh_inventory`: reads all sources again and reapplies the additions.
    pub(crate) fn reload_inventory(&self, play: &PlayRun) -> Result<(), Problems> {
        let mut fresh =
            Inventory::load(&self.options.inventory_sources, self.vault.clone(), &self.options.source_rules)?;
        for warning in std::mem::take(&mut fresh.warnings) {
            self.warn(warning, None);
        }
        for addition in self.additions.lock().iter() {
            addition.add_to(&mut fresh)?;
        }
        self.change_inventory(|inventory| *inventory = fresh);
        self.refresh_layers(&play.play.directory);
        Ok(())
    }
}
