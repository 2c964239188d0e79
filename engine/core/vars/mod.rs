//! Variables: unrendered values, and the layers they come from.

mod convert;
mod lazy;
mod lines;
mod plugins;
#[cfg(test)]
pub(crate) mod sample;
mod scope;

pub use convert::{from_wire, from_wire_map, mapping, to_wire, to_wire_map};
mod extra;
pub use extra::{ExtraVarsError, extra_vars};
pub use lazy::{Lazy, Template, Vaulted, holds_template, is_omit, omit};
pub use lines::Lines;
pub use minijinja::Value;
pub use plugins::{PluginCall, PluginError, PluginKind, Plugins};
pub use scope::{Layer, Lenience, Magic, Outside, Scope};
