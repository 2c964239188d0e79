pub(crate) mod magic;
pub(crate) mod precedence;
