//! The errors of one inventory source.

use super::{Inventory, InventoryError, graph::Snapshot};
use crate::source::Problems;

/// The errors of one source. After the first error, the rest is only read to find more errors.
#[derive(Default)]
pub(super) struct InventoryErrors {
    problems: Problems,
    before: Option<Snapshot>,
}

impl InventoryErrors {
    pub(super) fn push(&mut self, inventory: &Inventory, error: InventoryError) {
        self.before.get_or_insert_with(|| inventory.snapshot());
        self.problems.push(error);
    }

    /// Ends reading the source; after an error, restores the hosts and groups from before it.
    pub(super) fn end(self, inventory: &mut Inventory) -> Result<(), Problems> {
        if let Some(before) = self.before {
            inventory.restore(before);
        }
        self.problems.unless_any(())
    }
}
