//! Records what is read while a task is rendered before its turn.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::vars::Outside;

/// Variables that depend on other hosts or their results.
const OF_OTHERS: [&str; 6] =
    ["groups", "hostvars", "play_hosts", "ansible_play_batch", "ansible_play_hosts", "ansible_play_hosts_all"];

/// Records what the templates of one task read on one host.
pub(crate) struct ReadTracker {
    /// Names whose values are known only after the earlier tasks.
    pending: Arc<HashSet<Arc<str>>>,
    /// Whether the task is rendered before its turn.
    ahead: bool,
    /// Whether earlier tasks may change files of the controller.
    files_change: bool,
    /// The name that a looped task registers: an item may read the result of the previous one.
    own: Option<Arc<str>>,
    too_early: AtomicBool,
    others: AtomicBool,
    saw_own: AtomicBool,
}

impl ReadTracker {
    /// For a task at its turn: everything may be read.
    pub(crate) fn of_turn() -> Self {
        ReadTracker {
            pending: Arc::default(),
            ahead: false,
            files_change: false,
            own: None,
            too_early: AtomicBool::new(false),
            others: AtomicBool::new(false),
            saw_own: AtomicBool::new(false),
        }
    }

    pub(crate) fn ahead(pending: Arc<HashSet<Arc<str>>>, files_change: bool) -> Self {
        ReadTracker { pending, ahead: true, files_change, ..ReadTracker::of_turn() }
    }

    /// Also records reads of the name that a loop registers.
    pub(crate) fn with_own(self, own: Option<Arc<str>>) -> Self {
        ReadTracker { own, ..self }
    }

    pub(crate) fn name(&self, name: &str) {
        if self.own.as_deref() == Some(name) {
            self.saw_own.store(true, Ordering::Relaxed);
        }
        if self.pending.contains(name) {
            self.too_early.store(true, Ordering::Relaxed);
        }
        if OF_OTHERS.contains(&name) {
            self.others.store(true, Ordering::Relaxed);
        }
    }

    /// Records that all variable names were listed.
    pub(crate) fn names(&self) {
        if self.own.is_some() {
            self.saw_own.store(true, Ordering::Relaxed);
        }
        if !self.pending.is_empty() {
            self.too_early.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the outside may be read now.
    pub(crate) fn outside(&self, outside: Outside) -> bool {
        let may = !self.ahead || outside == Outside::Files && !self.files_change;
        if !may {
            self.too_early.store(true, Ordering::Relaxed);
        }
        may
    }

    /// Whether something was read that is not known yet.
    pub(crate) fn was_too_early(&self) -> bool {
        self.too_early.load(Ordering::Relaxed)
    }

    /// Whether an item may have read the result of the previous one.
    pub(crate) fn saw_own(&self) -> bool {
        self.saw_own.load(Ordering::Relaxed)
    }

    /// Whether variables of other hosts were read.
    pub(crate) fn saw_others(&self) -> bool {
        self.others.load(Ordering::Relaxed)
    }
}
