//! The Python that has ansible-core: finds it, and runs a helper process in it.
//!
//! ansible-core is used where the user has installed it, only by [`host.py`](host), in a separate process. The parts
//! that depend on its version are in `versions.py`.

mod cache;
mod core;
mod host;
mod inventory;

/// The program that calls callback plugins, and its part that depends on the version of ansible-core.
pub const CALLBACKS: (&str, &str) = (include_str!("events.py"), include_str!("versions.py"));

pub use cache::{Cache, Stamp};
pub use core::{Core, CoreError, Pythons, Repeat};
pub use host::{HostError, PluginHost, Serve};
pub use inventory::{InventoryPlugins, VarsSettings};
