//! Gathers facts when something first reads one. The trait lets readers, on lower layers, call the gathering.

use crate::run::state::host::HostState;

/// Gathers the facts of a play's hosts; implemented by the walk over its steps.
pub(crate) trait Facts: Sync {
    /// Gathers for all hosts of the batch without facts. Returns false if there is nothing to gather: the play forbids
    /// it, or facts are already there.
    fn gather(&self) -> bool;
}

/// Runs `make` for a host, and again if it read facts that had to be gathered first.
pub(crate) fn with_facts<T>(facts: &dyn Facts, host: &HostState, make: impl Fn() -> T) -> T {
    let made = make();
    match host.take_want() && facts.gather() {
        true => make(),
        false => made,
    }
}
