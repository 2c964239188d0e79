//! Hosts that failed or were unreachable, across all plays of a run.
//!
//! The rules are Ansible's: such hosts are excluded from later plays until `clear_host_errors`; the exit code is that
//! of the last play that ran; a play that loses all hosts of a batch ends the run.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use crate::run::state::play::HostExit;

/// Hosts that are excluded from later plays.
#[derive(Default)]
pub(crate) struct Losses {
    failed: HashSet<Arc<str>>,
    unreachable: HashSet<Arc<str>>,
    /// Unreachable in any batch so far. `clear_host_errors` brings them back for its own play only.
    ever_unreachable: HashSet<Arc<str>>,
    last: PlayResult,
}

/// The result of a play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PlayResult {
    #[default]
    Ok,
    Failed,
    Unreachable,
}

impl Losses {
    /// Starts a play.
    pub(crate) fn begin_play(&mut self) {
        self.unreachable.extend(self.ever_unreachable.iter().cloned());
    }

    /// Why a host is excluded from a play that starts.
    pub(crate) fn why(&self, host: &str) -> Option<HostExit> {
        match () {
            () if self.unreachable.contains(host) => Some(HostExit::Unreachable),
            () if self.failed.contains(host) => Some(HostExit::Failed),
            () => None,
        }
    }

    /// Starts a batch: returns the hosts that failed before.
    pub(crate) fn take_failed(&mut self) -> HashSet<Arc<str>> {
        std::mem::take(&mut self.failed)
    }

    pub(crate) fn add_unreachable(&mut self, host: Arc<str>) {
        self.unreachable.insert(host);
    }

    /// Ends a batch in which these hosts failed. `condemned` hosts failed with others, even if a rescue let them
    /// continue; `broken` means that too many hosts failed.
    pub(crate) fn end_batch(&mut self, failed: HashSet<Arc<str>>, condemned: HashSet<Arc<str>>, broken: bool) {
        self.last = match () {
            () if broken => PlayResult::Failed,
            () if !self.unreachable.is_empty() => PlayResult::Unreachable,
            () if !failed.is_empty() => PlayResult::Failed,
            () => PlayResult::Ok,
        };
        self.failed.extend(failed);
        self.failed.extend(condemned);
        self.ever_unreachable.extend(self.unreachable.iter().cloned());
    }

    /// `clear_host_errors`.
    pub(crate) fn clear_unreachable(&mut self, hosts: &[Arc<str>]) {
        hosts.iter().for_each(|host| {
            self.unreachable.remove(host);
        });
    }

    /// The number of lost hosts; as in Ansible, a host that both failed and was unreachable counts twice.
    pub(crate) fn count(&self) -> usize {
        self.failed.len() + self.unreachable.len()
    }

    /// The names of all lost hosts, sorted.
    pub(crate) fn names(&self) -> BTreeSet<Arc<str>> {
        self.failed.iter().chain(&self.unreachable).cloned().collect()
    }

    pub(crate) fn last(&self) -> PlayResult {
        self.last
    }
}
