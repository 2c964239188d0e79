//! The variables that a host sees.

pub(crate) mod magic;
pub(crate) mod precedence;
