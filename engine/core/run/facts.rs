//! Facts are gathered when something first reads one; who reads them here is below who gathers them.

use crate::run::state::host::HostState;

/// Gathers the facts of a play's hosts; the walk over its steps does.
pub(crate) trait Facts: Sync {
    /// Gathers for all hosts of the batch that have no facts yet. False when facts are not to be had: the play forbids
    /// them, or they are there already.
    fn gather(&self) -> bool;
}

/// Makes something for a host, and makes it again if it read facts that had to be gathered first.
pub(crate) fn with_facts<T>(facts: &dyn Facts, host: &HostState, make: impl Fn() -> T) -> T {
    let made = make();
    match host.take_want() && facts.gather() {
        true => make(),
        false => made,
    }
}
