//! A play on one batch of hosts: its remaining hosts and its notifications.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexSet;
use parking_lot::{Mutex, RwLock};

use crate::{
    plan::{Play, Role, Step},
    run::state::handler_list::{HandlerList, RenderedNames},
    vars::{Layer, Value},
};

/// The host in whose name a play's keywords are rendered, before there is another.
pub(crate) const NO_HOST: &str = "localhost";

/// A play on one batch of hosts.
pub struct PlayRun {
    pub play: Arc<Play>,
    pub name: Arc<str>,
    /// All hosts of the play, including those that it lost.
    pub all: Vec<Arc<str>>,
    /// The hosts of the current batch.
    pub batch: Vec<Arc<str>>,
    pub prompted: Arc<Layer>,
    /// Layers from vars_files, by host, strongest first.
    pub(crate) files: RwLock<HashMap<Arc<str>, Vec<Arc<Layer>>>>,
    /// Roles of the play, including those made public by an include.
    pub(crate) roles: RwLock<Arc<[Arc<Role>]>>,
    /// Roles that were included so far, in order.
    pub(crate) included: Mutex<Vec<Arc<Role>>>,
    pub(crate) handlers: RwLock<Arc<HandlerList>>,
    /// Notifications by host: names and topics, which are resolved when the handlers run.
    pub notified: Mutex<HashMap<Arc<str>, IndexSet<Arc<str>>>>,
    /// Handlers still to run, by host, as indexes into the list.
    pub pending: Mutex<HashMap<Arc<str>, BTreeSet<usize>>>,
    /// By host, the rendered names of handlers.
    pub(crate) handler_names: Mutex<HashMap<Arc<str>, Arc<Mutex<RenderedNames>>>>,
    /// Whether handlers also run on failed hosts.
    pub force_handlers: bool,
    /// Hosts that left the play, and why.
    pub(crate) exit_of: Mutex<HashMap<Arc<str>, HostExit>>,
    /// Hosts that no longer belong to the play; `ansible_play_hosts` excludes them.
    pub(crate) removed: Mutex<HashSet<Arc<str>>>,
    /// The lists of hosts as variables, each with the number of hosts that were removed when it was made.
    pub(crate) shown: Mutex<HashMap<ShownHosts, (usize, Value)>>,
    /// Hosts of this batch that failed for good, as counted by `max_fail_percentage`.
    pub(crate) failed: Mutex<HashSet<Arc<str>>>,
    /// Hosts that failed before this batch.
    pub(crate) failed_before: Mutex<HashSet<Arc<str>>>,
    /// Hosts that are to fail because others did elsewhere in the play; they leave at their next step.
    pub(crate) struck: Mutex<HashSet<Arc<str>>>,
    /// Set by `end_play` or `end_batch`.
    pub(crate) over: AtomicBool,
    /// Whether more hosts failed than `max_fail_percentage` allows: the run ends after this batch.
    pub broken: AtomicBool,
    /// Whether the play has no further batches.
    pub end_play: AtomicBool,
    /// Whether each host runs at its own pace: strategy free or host_pinned.
    pub free: AtomicBool,
    /// Whether a person looks at every failure: strategy debug.
    pub debugs: AtomicBool,
    /// Whether the play forbids gathering facts.
    pub never_gather: AtomicBool,
    /// Whether hosts run at their own pace and one of them may end the play for all at any time.
    pub hosts_diverge: AtomicBool,
    /// Held while facts are gathered, so that hosts with strategy free do not gather them twice.
    pub gathering: Mutex<()>,
}

/// Why a host left the play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostExit {
    Failed,
    Unreachable,
    /// By `end_host` and the like: it takes part in later plays.
    Ended,
}

/// Which of the play's hosts a variable lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ShownHosts {
    /// `ansible_play_batch`
    Batch,
    /// `ansible_play_hosts`
    Present,
    /// `ansible_play_hosts_all`
    All,
}

impl PlayRun {
    /// A play without hosts and handlers.
    pub(crate) fn of(play: &Arc<Play>) -> Self {
        PlayRun {
            play: play.clone(),
            name: "".into(),
            all: Vec::new(),
            batch: Vec::new(),
            prompted: Arc::default(),
            // Keywords of the play are rendered before there is a host.
            files: RwLock::new(HashMap::from([(NO_HOST.into(), vec![play.static_files.clone()])])),
            roles: RwLock::new(play.roles.clone().into()),
            included: Mutex::default(),
            handlers: RwLock::default(),
            notified: Mutex::default(),
            pending: Mutex::default(),
            handler_names: Mutex::default(),
            force_handlers: false,
            exit_of: Mutex::default(),
            removed: Mutex::default(),
            shown: Mutex::default(),
            failed: Mutex::default(),
            failed_before: Mutex::default(),
            struck: Mutex::default(),
            over: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            end_play: AtomicBool::new(false),
            free: AtomicBool::new(false),
            debugs: AtomicBool::new(false),
            never_gather: AtomicBool::new(false),
            hosts_diverge: AtomicBool::new(false),
            gathering: Mutex::default(),
        }
    }

    pub fn roles(&self) -> Arc<[Arc<Role>]> {
        self.roles.read().clone()
    }

    /// The handlers defined so far.
    pub(crate) fn handlers(&self) -> Arc<HandlerList> {
        self.handlers.read().clone()
    }

    /// Adds the handlers of an included role or file.
    pub fn add_handlers(&self, steps: &[Step]) {
        if !steps.is_empty() {
            Arc::make_mut(&mut self.handlers.write()).extend(steps);
        }
    }

    /// Whether a host was notified of handlers that did not run yet.
    pub(crate) fn was_notified(&self, host: &str) -> bool {
        self.notified.lock().get(host).is_some_and(|names| !names.is_empty())
            || self.pending.lock().get(host).is_some_and(|places| !places.is_empty())
    }

    /// Removes a notification; returns whether the host had been notified of this handler.
    pub(crate) fn take_pending(&self, host: &str, handler: usize) -> bool {
        self.pending.lock().get_mut(host).is_some_and(|places| places.remove(&handler))
    }

    /// Makes a role's variables visible to later tasks.
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

    /// Removes a host from the play's hosts, as its variables list them.
    pub fn remove(&self, host: &Arc<str>) {
        self.removed.lock().insert(host.clone());
    }

    /// Those of `hosts` that still belong to the play.
    pub fn present(&self, hosts: &[Arc<str>]) -> Vec<Arc<str>> {
        let removed = self.removed.lock();
        hosts.iter().filter(|host| !removed.contains(*host)).cloned().collect()
    }

    /// A list of the play's hosts as a variable. All hosts share it until one is removed.
    pub(crate) fn shown(&self, which: ShownHosts) -> Value {
        let removed = self.removed.lock().len();
        let mut shown = self.shown.lock();
        if let Some((known, list)) = shown.get(&which)
            && *known == removed
        {
            return list.clone();
        }
        let hosts = match which {
            ShownHosts::Batch => self.present(&self.batch),
            ShownHosts::Present => self.present(&self.all),
            ShownHosts::All => self.all.clone(),
        };
        let list: Value = hosts.into_iter().map(Value::from).collect();
        shown.insert(which, (removed, list.clone()));
        list
    }

    /// Gives up a host: it is excluded from later plays.
    pub fn give_up(&self, host: &Arc<str>) {
        self.failed.lock().insert(host.clone());
    }

    /// The number of hosts of the batch that were given up.
    pub fn given_up(&self) -> usize {
        self.failed.lock().len()
    }

    /// Makes a host fail because another one did; it takes effect at its next step.
    pub fn strike(&self, host: &Arc<str>) {
        self.struck.lock().insert(host.clone());
    }

    /// Whether a host was made to fail since the last call.
    pub fn take_strike(&self, host: &str) -> bool {
        self.struck.lock().remove(host)
    }

    /// `clear_host_errors`: unreachable hosts take part again at once, failed hosts in the next play.
    pub fn clear_errors(&self) {
        let mut exit_of = self.exit_of.lock();
        exit_of.retain(|_, why| *why != HostExit::Unreachable);
        exit_of.values_mut().for_each(|why| *why = HostExit::Ended);
        drop(exit_of);
        self.failed.lock().clear();
        self.failed_before.lock().retain(|host| !self.batch.contains(host));
    }

    /// `end_host` and the like: earlier failures of these hosts no longer count.
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
