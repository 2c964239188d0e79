//! How a host is reached, and which user a task runs as.

pub(crate) mod privilege;
pub(crate) mod reached;
pub(crate) mod target;
pub(crate) mod variables;
