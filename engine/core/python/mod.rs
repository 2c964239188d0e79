//! The Python that has ansible-core: where it is, and the process of ours that answers from it.
//!
//! ansible-core is used where the user has it installed, by [`host.py`](host) alone, in a process of its own. What of
//! it depends on its version stands in `versions.py`.

mod cache;
mod core;
mod host;
mod inventory;

/// The program that calls callback plugins, and what in it depends on the version of ansible-core.
pub const CALLBACKS: (&str, &str) = (include_str!("events.py"), include_str!("versions.py"));

pub use cache::{Cache, Stamp};
pub use core::{Core, CoreError, Pythons, Repeat};
pub use host::{HostError, PluginHost, Serve};
pub use inventory::InventoryPlugins;
