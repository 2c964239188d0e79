//! The state of an inventory's vars plugins.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Plugins;

/// The vars plugins of an inventory.
#[derive(Debug, Default)]
pub(super) struct VarsPlugins {
    /// Runs them; `None` if they cannot run here.
    pub plugins: Option<Arc<dyn Plugins>>,
    /// Whether plugins run in plays; `None` if they do not know the hosts and groups yet.
    pub later: Mutex<Option<bool>>,
    /// Warnings of plugins.
    pub warnings: Mutex<Vec<String>>,
}

impl VarsPlugins {
    /// Must be called when hosts, groups or their variables change, or there may be more plugins.
    pub(super) fn forget(&self) {
        *self.later.lock() = None;
    }
}
