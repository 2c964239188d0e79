//! Plays: what they ask for at their start, and one after the other.

pub(crate) mod hosts;
pub(crate) mod keywords;
pub(crate) mod play;
pub(crate) mod playbooks;
pub(crate) mod preflight;
pub(crate) mod prompts;
pub(crate) mod serial;
pub(crate) mod strategy;
pub(crate) mod vars_files;
