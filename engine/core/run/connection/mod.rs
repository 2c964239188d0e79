//! How a host is reached, and as whom a task runs there.

pub(crate) mod privilege;
pub(crate) mod target;
pub(crate) mod variables;
