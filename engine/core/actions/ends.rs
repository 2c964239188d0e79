//! The ends of a transfer between two machines, for actions that say which machine runs them.

use rplay_contract::wire::{Become, Map};

use crate::link::Target;

/// Where a task is delegated to.
#[derive(Clone, Copy)]
pub enum Delegate<'a> {
    None,
    /// Its own host, named by `delegate_to`.
    Itself,
    Other(&'a Target),
}

/// Between which machines files go.
#[derive(Clone, Copy)]
pub struct Ends<'a> {
    /// The host of the task.
    pub host: &'a Target,
    pub delegate: Delegate<'a>,
    /// The user that the task asks for.
    pub becomes: Option<&'a Become>,
}

/// Who runs the module.
#[derive(Debug, PartialEq, Eq)]
pub struct Runner {
    /// The controller, not the host.
    pub is_here: bool,
    /// As the user that the task asks for.
    pub becomes: bool,
    pub warning: Option<String>,
}

/// Completes the arguments of a call once both ends are known.
pub type Connect = fn(&mut Map, &Ends<'_>) -> Runner;
