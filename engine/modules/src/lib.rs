//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module looks at the host and says what would have to change ([`Plan`]); [`runner`] alone decides
//! whether the changes are made. So check mode, diff and `changed` are written once, and no module can
//! forget the one or claim the other. To add a module: write its file, add its line to [`registry`].

pub mod args;
pub mod argtypes;
mod cancel;
mod host;
mod plan;
pub mod registry;
pub mod runner;

mod ping;

pub use args::{Arg, ArgFault, Args};
pub use cancel::Cancel;
pub use host::{BlobSource, Host, NoBlobs};
pub use plan::{Change, Module, Plan};
pub use registry::Entry;
pub use rplay_wire as wire;
