//! Additions to the inventory during a run (`add_host`, `group_by`), kept to reapply them after a refresh.

use crate::{
    inventory::{Inventory, InventoryError},
    vars::Layer,
};

/// One addition.
#[derive(Clone)]
pub(crate) enum Addition {
    Host { name: String, groups: Vec<String>, vars: Layer },
    Group { name: String, parents: Vec<String>, host: String },
}

impl Addition {
    /// The groups that it names.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &String> {
        match self {
            Addition::Host { groups, .. } => groups.iter().chain(None),
            Addition::Group { name, parents, .. } => parents.iter().chain(Some(name)),
        }
    }

    /// Applies it; returns whether anything is new.
    pub(crate) fn add_to(&self, inventory: &mut Inventory) -> Result<bool, InventoryError> {
        fn words(list: &[String]) -> Vec<&str> {
            list.iter().map(String::as_str).collect()
        }
        match self {
            Addition::Host { name, groups, vars } => Ok(inventory.add_host(name, &words(groups), vars.clone())),
            Addition::Group { name, parents, host } => inventory.add_group(name, &words(parents), &[host]),
        }
    }
}
