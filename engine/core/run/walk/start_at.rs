//! `--start-at-task`: the hosts of a walk do nothing until they reach the task of that name.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use rplay_contract::system::glob::Pattern;

use crate::run::state::{host::HostState, play::PlayRun, run::Run};

/// Which hosts of one walk have reached the task to start at.
pub(crate) struct StartAt {
    /// Whether no earlier walk had reached the task.
    waits: bool,
    /// The hosts that have reached it.
    reached: Mutex<HashSet<Arc<str>>>,
    /// Whether the play's facts are still to be gathered, before the first task that runs.
    owes_facts: AtomicBool,
}

impl StartAt {
    pub(crate) fn of(run: &Run) -> Self {
        let waits = run.waiting.load(Ordering::Acquire);
        StartAt { waits, reached: Mutex::default(), owes_facts: AtomicBool::new(false) }
    }

    /// Whether these hosts pass over the task `name`, because they have not reached the one to start at. The first
    /// task that fits is reached by all hosts of the batch; under strategy free each host reaches it by itself.
    pub(crate) fn passes_over(
        &self,
        run: &Run,
        play: &PlayRun,
        (name, is_written): (&str, bool),
        hosts: &[Arc<HostState>],
    ) -> bool {
        let is_waiting = |host: &Arc<HostState>| !self.reached.lock().contains(&host.name);
        if !self.waits || !hosts.first().is_some_and(is_waiting) {
            return false;
        }
        let Some(wanted) = &run.options.start_at else { return false };
        // Only a name that the task has by itself counts without that of its role.
        let short = if is_written { name.rsplit(" : ").next().unwrap_or(name) } else { name };
        let pattern = Pattern::new(wanted);
        if wanted != name && wanted != short && !pattern.fits(name) && !pattern.fits(short) {
            return true;
        }
        run.waiting.store(false, Ordering::Release);
        let all = if play.free.load(Ordering::Acquire) { &[][..] } else { play.batch.as_slice() };
        self.reached.lock().extend(hosts.iter().map(|host| &host.name).chain(all).cloned());
        false
    }

    /// Puts off the gathering of facts: as in Ansible, a play that is skipped as a whole gathers none.
    pub(crate) fn put_off_facts(&self) {
        self.owes_facts.store(true, Ordering::Release);
    }

    /// Calls `gather` if facts were put off. Returns whether it did.
    pub(crate) fn make_up_for_facts(&self, gather: impl FnOnce()) -> bool {
        let owed = self.owes_facts.load(Ordering::Acquire);
        if owed {
            // Cleared only afterwards, so that other hosts wait for the gathering that is under way.
            gather();
            self.owes_facts.store(false, Ordering::Release);
        }
        owed
    }
}
