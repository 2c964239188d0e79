//! Variables: unrendered values, and the layers they come from.

mod arguments;
mod big_integer;
mod convert;
mod definition;
mod extra;
mod lazy;
mod lines;
mod managed;
mod merging;
mod moment;
mod omit;
mod plugins;
#[cfg(test)]
pub(crate) mod sample;
mod scope;

pub use arguments::{Argument, Arguments, Field};
pub(crate) use big_integer::BigInteger;
pub use convert::{from_wire, from_wire_map, mapping, to_wire, to_wire_map};
pub use definition::Definition;
pub use extra::{ExtraVarsError, extra_definitions, extra_vars, extra_vars_and_names};
pub use lazy::{Lazy, Template, Vaulted, holds_template, is_trusted};
pub use lines::Lines;
pub(crate) use managed::of_template;
pub use managed::set_managed;
pub use merging::HashBehaviour;
pub use minijinja::Value;
pub(crate) use moment::{Day, Moment, as_json};
pub use omit::{is_omit, omit};
pub use plugins::{PluginError, PluginKind};
pub use scope::{BecomeCall, Layer, Lenience, Magic, Outside, PluginCall, Plugins, Scope, lay_over, overlaid};
