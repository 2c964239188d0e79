//! What a run adds to its inventory (`add_host`, `group_by`), kept so that it outlives a refresh.

use crate::run::{PlayRun, Run, lock};
use crate::{
    inventory::{Inventory, InventoryError},
    source::Problems,
    vars::Layer,
};

/// One addition.
#[derive(Clone)]
pub(crate) enum Addition {
    Host { name: String, groups: Vec<String>, vars: Layer },
    Group { name: String, parents: Vec<String>, host: String },
}

impl Addition {
    /// Adds it; says whether anything is new.
    pub fn apply(&self, inventory: &mut Inventory) -> Result<bool, InventoryError> {
        fn words(list: &[String]) -> Vec<&str> {
            list.iter().map(String::as_str).collect()
        }
        match self {
            Addition::Host { name, groups, vars } => Ok(inventory.add_host(name, &words(groups), vars.clone())),
            Addition::Group { name, parents, host } => inventory.add_group(name, &words(parents), &[host]),
        }
    }
}

impl Run {
    pub(crate) fn keep(&self, addition: Addition) {
        lock(&self.additions).push(addition);
    }

    /// `refresh_inventory`: reads all sources anew and adds what the run added.
    pub(crate) fn reload_inventory(&self, play: &PlayRun) -> Result<(), Problems> {
        let mut fresh =
            Inventory::load(&self.options.inventory_sources, self.vault.clone(), &self.options.source_rules)?;
        for warning in std::mem::take(&mut fresh.warnings) {
            self.warn(warning, None);
        }
        for addition in lock(&self.additions).iter() {
            addition.apply(&mut fresh)?;
        }
        self.change_inventory(|inventory| *inventory = fresh);
        self.refresh_layers(&play.play.folder);
        Ok(())
    }
}
