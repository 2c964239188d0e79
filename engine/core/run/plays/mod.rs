//! Plays: their start, and their order.

pub(crate) mod definitions;
pub(crate) mod hosts;
pub(crate) mod play;
pub(crate) mod playbooks;
pub(crate) mod preflight;
pub(crate) mod prompts;
pub(crate) mod serial;
pub(crate) mod strategy;
pub(crate) mod vars_files;
