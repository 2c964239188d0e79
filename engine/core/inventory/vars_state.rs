//! What is known of the vars plugins of an inventory.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Plugins;

/// The vars plugins of an inventory.
#[derive(Debug, Default)]
pub(super) struct VarsPlugins {
    /// What runs them, if anything can.
    pub plugins: Option<Arc<dyn Plugins>>,
    /// Whether plugins are asked in plays; `None` if they do not know the hosts and groups yet.
    pub later: Mutex<Option<bool>>,
    /// What plugins warned of.
    pub warnings: Mutex<Vec<String>>,
}

impl VarsPlugins {
    /// Must be called when hosts, groups or their variables change, or more plugins may be there.
    pub(super) fn forget(&self) {
        *self.later.lock() = None;
    }
}
