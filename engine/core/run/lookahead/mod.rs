//! Decides which tasks may be sent before their turn.

pub(crate) mod continuation;
pub(crate) mod interference;
pub(crate) mod look_ahead;
pub(crate) mod rules;
pub(crate) mod stop;
