//! Variables: values not yet rendered, the layers they come from, and the one precedence order.

mod extra;
mod lazy;
mod scope;

pub use extra::{ExtraFault, extra_vars};
pub use lazy::{Lazy, Template, Vaulted, is_omit, omit};
pub use minijinja::Value;
pub use scope::{Layer, Magic, Scope};
