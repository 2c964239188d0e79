//! The variables that a host sees.

pub(crate) mod magic;
pub(crate) mod names;
pub(crate) mod precedence;
