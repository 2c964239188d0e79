//! Variables as a host sees them.

pub(crate) mod magic;
pub(crate) mod names;
pub(crate) mod precedence;
