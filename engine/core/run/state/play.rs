//! A play as one batch of hosts runs it: what is left of its hosts, what was notified.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexSet;
use parking_lot::{Mutex, RwLock};

use crate::{
    plan::{Play, Role, Step},
    run::state::handler_list::HandlerList,
    vars::Layer,
};

/// A play as one batch of hosts runs it.
pub struct PlayRun {
    pub play: Arc<Play>,
    pub name: Arc<str>,
    /// All hosts of the play, whatever became of them.
    pub all: Vec<Arc<str>>,
    /// Those of the present batch.
    pub batch: Vec<Arc<str>>,
    pub prompted: Arc<Layer>,
    /// Layers from vars_files, by host, the strongest first.
    pub(crate) files: RwLock<HashMap<Arc<str>, Vec<Arc<Layer>>>>,
    /// Roles of the play, and those that an include made public.
    pub(crate) roles: RwLock<Arc<[Arc<Role>]>>,
    pub(crate) handlers: RwLock<Arc<HandlerList>>,
    /// What was notified, by host: names and topics, which are looked up when the handlers are to run.
    pub notified: Mutex<HashMap<Arc<str>, IndexSet<Arc<str>>>>,
    /// Handlers that are still to run, by host and by their place in the list.
    pub pending: Mutex<HashMap<Arc<str>, IndexSet<usize>>>,
    /// Handlers run on failed hosts as well.
    pub force_handlers: bool,
    /// Hosts that take no further part, and why.
    pub(crate) exit_of: Mutex<HashMap<Arc<str>, HostExit>>,
    /// Hosts that are none of the play's any more: `ansible_play_hosts` is without them.
    pub(crate) removed: Mutex<HashSet<Arc<str>>>,
    /// Hosts of this batch that are given up, as far as `max_fail_percentage` counts them.
    pub(crate) failed: Mutex<HashSet<Arc<str>>>,
    /// Hosts that failed before this batch.
    pub(crate) failed_before: Mutex<HashSet<Arc<str>>>,
    /// Hosts that fail because others did, elsewhere in the play: they leave their steps at the next one.
    pub(crate) struck: Mutex<HashSet<Arc<str>>>,
    /// `end_play` or `end_batch`.
    pub(crate) over: AtomicBool,
    /// More hosts failed than `max_fail_percentage` allows: the run ends after this batch.
    pub broken: AtomicBool,
    /// No further batches of the play.
    pub end_play: AtomicBool,
    /// Hosts go their own ways: strategy free or host_pinned.
    pub free: AtomicBool,
    /// The play says that no facts are to be gathered.
    pub never_gather: AtomicBool,
    /// Hosts go their own ways, and one of them may end the play for all at any time.
    pub hosts_diverge: AtomicBool,
    /// Held while facts are gathered, so that hosts on their own ways do not do it twice.
    pub gathering: Mutex<()>,
}

/// Why a host takes no further part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostExit {
    Failed,
    Unreachable,
    /// `end_host` and the like: not for later plays.
    Ended,
}

impl PlayRun {
    /// A play without hosts.
    pub(crate) fn of(play: &Arc<Play>) -> Self {
        PlayRun {
            play: play.clone(),
            name: "".into(),
            all: Vec::new(),
            batch: Vec::new(),
            prompted: Arc::default(),
            files: RwLock::default(),
            roles: RwLock::new(play.roles.clone().into()),
            handlers: RwLock::new(Arc::new(HandlerList::of(&play.handlers))),
            notified: Mutex::default(),
            pending: Mutex::default(),
            force_handlers: false,
            exit_of: Mutex::default(),
            removed: Mutex::default(),
            failed: Mutex::default(),
            failed_before: Mutex::default(),
            struck: Mutex::default(),
            over: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            end_play: AtomicBool::new(false),
            free: AtomicBool::new(false),
            never_gather: AtomicBool::new(false),
            hosts_diverge: AtomicBool::new(false),
            gathering: Mutex::default(),
        }
    }

    pub fn roles(&self) -> Arc<[Arc<Role>]> {
        self.roles.read().clone()
    }

    /// The handlers there are by now.
    pub(crate) fn handlers(&self) -> Arc<HandlerList> {
        self.handlers.read().clone()
    }

    /// Adds the handlers of an included role or file.
    pub fn add_handlers(&self, steps: &[Step]) {
        if !steps.is_empty() {
            Arc::make_mut(&mut self.handlers.write()).extend(steps);
        }
    }

    /// Lets the tasks that follow see a role's variables.
    pub fn publish(&self, role: Arc<Role>) {
        let mut roles = self.roles.write();
        *roles = roles.iter().cloned().chain([role]).collect();
    }

    pub fn files_of(&self, host: &str) -> Vec<Arc<Layer>> {
        self.files.read().get(host).cloned().unwrap_or_default()
    }

    pub fn leave(&self, host: &Arc<str>, why: HostExit) {
        self.exit_of.lock().insert(host.clone(), why);
    }

    /// A host is none of the play's hosts any more, as its variables tell them.
    pub fn remove(&self, host: &Arc<str>) {
        self.removed.lock().insert(host.clone());
    }

    /// Those of these hosts that are still the play's.
    pub fn present(&self, hosts: &[Arc<str>]) -> Vec<Arc<str>> {
        let removed = self.removed.lock();
        hosts.iter().filter(|host| !removed.contains(*host)).cloned().collect()
    }

    /// A host is given up: later plays go on without it.
    pub fn give_up(&self, host: &Arc<str>) {
        self.failed.lock().insert(host.clone());
    }

    /// How many hosts of the batch were given up.
    pub fn given_up(&self) -> usize {
        self.failed.lock().len()
    }

    /// A host fails because another did; it hears of it at its next step.
    pub fn strike(&self, host: &Arc<str>) {
        self.struck.lock().insert(host.clone());
    }

    /// Whether a host was to fail since it was asked last.
    pub fn take_strike(&self, host: &str) -> bool {
        self.struck.lock().remove(host)
    }

    /// `clear_host_errors`: those that could not be reached take part again at once; those that failed do so in the
    /// next play.
    pub fn clear_errors(&self) {
        let mut exit_of = self.exit_of.lock();
        exit_of.retain(|_, why| *why != HostExit::Unreachable);
        exit_of.values_mut().for_each(|why| *why = HostExit::Ended);
        drop(exit_of);
        self.failed.lock().clear();
        self.failed_before.lock().retain(|host| !self.batch.contains(host));
    }

    /// `end_host` and the like: what went wrong on these hosts before counts no more.
    pub fn end_hosts<'h>(&self, hosts: impl Iterator<Item = &'h Arc<str>>) {
        for host in hosts {
            self.failed_before.lock().remove(host);
            self.remove(host);
            self.leave(host, HostExit::Ended);
        }
    }

    pub fn exit_of(&self, host: &str) -> Option<HostExit> {
        self.exit_of.lock().get(host).copied()
    }

    pub fn left_of(&self, hosts: &[Arc<str>]) -> Vec<Arc<str>> {
        let exit_of = self.exit_of.lock();
        hosts.iter().filter(|host| !exit_of.contains_key(*host)).cloned().collect()
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
