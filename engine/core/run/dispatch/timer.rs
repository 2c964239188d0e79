//! What a task is to do later: another attempt, the next item after a pause, the end of its time.

use std::time::{Duration, Instant};

/// Something to be done later.
#[derive(PartialEq, Eq)]
pub(crate) struct Timer {
    pub due: Instant,
    pub host_task: usize,
    pub what: Due,
}

#[derive(PartialEq, Eq)]
pub(crate) enum Due {
    /// A retry, or an item after a pause.
    Iteration(usize),
    /// A job has had its time.
    Limit { key: u64, limit: Duration },
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The heap gives the greatest first: the earliest is to be the greatest.
        other.due.cmp(&self.due).then(other.host_task.cmp(&self.host_task))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
