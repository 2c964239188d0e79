//! What a module is: its arguments, its plan, the host that it looks at, and how a plan is carried out.

pub mod args;
pub mod argtypes;
pub(crate) mod cancel;
pub mod entry;
pub mod execution;
pub(crate) mod host;
pub(crate) mod io_failure;
pub(crate) mod plan;
