//! The events of a run. The engine sends events, and reports show them; there is no other output.

mod deliveries;

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    source::Span,
    vars::{Layer, Value},
};
use indexmap::IndexMap;
use serde::Serialize;

pub use crate::task_result::TaskResult;
pub use deliveries::{Deliveries, Delivery, OnTheWay};

/// An event.
#[derive(Clone, Debug)]
pub enum Event {
    PlaybookStarted {
        name: Arc<str>,
        plays: usize,
    },
    PlayStarted(PlayStarted),
    /// The play's pattern, or its intersection with `--limit`, matches no hosts.
    NoHosts {
        pattern: Arc<str>,
    },
    TaskStarted(Arc<TaskStarted>),
    /// Handlers are flushed implicitly; plugins may want to know.
    Flushed {
        place: Span,
    },
    /// A host starts the task.
    HostStarted {
        task: TaskId,
        host: Arc<str>,
    },
    /// A host finished one item of a loop.
    ItemDone {
        task: TaskId,
        item: Item,
        result: HostResult,
    },
    /// A host finished the task. After a loop, this is the combined result of the items.
    HostDone {
        task: TaskId,
        result: HostResult,
    },
    /// An attempt did not satisfy `until`; the next one follows after `delay`.
    Retrying {
        task: TaskId,
        host: Arc<str>,
        item: Option<Item>,
        retries_left: u32,
        delay: Duration,
        result: Arc<HostResult>,
    },
    /// What an include resolves to on a host, for an item of its loop (`item`) or for all; the included tasks follow.
    IncludeDone {
        task: TaskId,
        item: Option<Item>,
        result: HostResult,
    },
    /// Tasks were included for some hosts.
    Included {
        task: TaskId,
        hosts: Vec<Arc<str>>,
        file: Arc<str>,
        item: Option<Item>,
    },
    /// A handler was notified on a host.
    Notified {
        handler: Arc<str>,
        host: Arc<str>,
    },
    /// A notified handler was looked up, before the handlers of a host run.
    HandlerFound {
        handler: Arc<str>,
        host: Arc<str>,
    },
    /// No hosts are left to continue with.
    NoHostsLeft,
    Warning {
        message: Arc<str>,
        place: Option<Span>,
    },
    /// A message to the user, shown as it is (the prompt of `pause`).
    Message {
        text: Arc<str>,
    },
    /// A line that the verbosity (`-v`) asks for. With `verbose_to_stderr` it goes to standard error.
    Verbose {
        text: Arc<str>,
    },
    /// A line that is shown if the verbosity (`-v`) is at least `level`, and logged if `log_verbosity` is at least
    /// `level`.
    Detail {
        level: u8,
        text: Arc<str>,
    },
    RunEnded(Arc<Recap>),
    /// A playbook other than the last one has ended; with the recap so far.
    PlaybookEnded(Arc<Recap>),
}

/// Numbers the tasks of a run in order of their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

#[derive(Clone, Debug)]
pub struct PlayStarted {
    pub name: Arc<str>,
    pub hosts: Vec<Arc<str>>,
    /// The patterns that selected the hosts, as given.
    pub patterns: Vec<String>,
    pub check_mode: bool,
    pub place: Span,
    /// The play's own variables, as written.
    pub vars: Arc<Layer>,
}

#[derive(Clone, Debug)]
pub struct TaskStarted {
    pub id: TaskId,
    /// The displayed name: `role : name`, or the name of the action.
    pub name: Arc<str>,
    pub action: Arc<str>,
    pub handler: bool,
    pub check_mode: bool,
    pub place: Span,
    pub about: TaskAbout,
}

/// Static information about a task, as written.
#[derive(Clone, Debug, Default)]
pub struct TaskAbout {
    /// Whether it has a name of its own, rather than its action's.
    pub named: bool,
    /// Its arguments; empty if `no_log` applies or may apply.
    pub args: Layer,
    /// Its own `vars`; empty, like `around`, if `no_log` applies or may apply.
    pub vars: Vec<Arc<Layer>>,
    /// The `vars` of the blocks and includes around it, the innermost first.
    pub around: Vec<Arc<Layer>>,
    pub tags: Arc<[String]>,
    /// The role that contains it: name and directory.
    pub role: Option<(Arc<str>, PathBuf)>,
    pub looped: bool,
    /// Whether `no_log` certainly applies.
    pub no_log: bool,
}

/// An item of a loop, as shown.
#[derive(Clone, Debug)]
pub struct Item {
    pub index: usize,
    pub label: Value,
}

/// The host that ran a task for another one.
#[derive(Clone, Debug)]
pub struct Delegate {
    pub name: Arc<str>,
    /// Its `ansible_host`, unless that is its name.
    pub address: Option<Arc<str>>,
}

impl Delegate {
    /// As shown: the name, and the address if that is another one.
    pub fn shown(&self) -> String {
        match &self.address {
            Some(address) => format!("{}({address})", self.name),
            None => self.name.to_string(),
        }
    }
}

/// The result of a task, or of one item of it, in an event: with its host and status.
#[derive(Clone, Debug)]
pub struct HostResult {
    pub host: Arc<str>,
    /// The host that ran the task instead (`delegate_to`).
    pub delegated_to: Option<Delegate>,
    pub status: Status,
    /// The value that `register` stores. Under `no_log`, only the note that the output was hidden.
    pub data: Value,
    /// The result itself: differences, changes, warnings, the place of a failure. Under `no_log`, an empty one.
    pub task_result: Arc<TaskResult>,
    /// Whether differences are to be shown: `--diff`, or `diff: true` at the task.
    pub shows_diff: bool,
    /// Whether it is the result of a polled job (`async` with `poll`).
    pub polled: bool,
    /// Not shown even with `-v`, like facts.
    pub silent: bool,
    /// Whether this is the combined result of items that were already shown.
    pub looped: bool,
    pub elapsed: Duration,
}

impl HostResult {
    /// A result that no other host ran, with empty data.
    pub fn of(host: Arc<str>, status: Status, result: TaskResult) -> Self {
        HostResult {
            host,
            delegated_to: None,
            status,
            data: Value::from_iter(std::iter::empty::<(Value, Value)>()),
            task_result: Arc::new(result),
            shows_diff: false,
            polled: false,
            silent: false,
            looped: false,
            elapsed: Duration::ZERO,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Changed,
    Skipped,
    Failed,
    /// Failed, but `ignore_errors` was set.
    Ignored,
    Unreachable,
    /// Unreachable, but `ignore_unreachable` was set.
    UnreachableIgnored,
}

/// The result of the run for each host.
#[derive(Clone, Debug, Default)]
pub struct Recap {
    pub hosts: IndexMap<Arc<str>, Counts>,
    /// From `set_stats`.
    pub custom: Vec<(Option<Arc<str>>, Value)>,
    pub elapsed: Duration,
    /// Whether a host was given up because a task failed.
    pub failed: bool,
    /// Whether a host was given up because it was unreachable.
    pub unreachable: bool,
    /// Whether the run was aborted, so that this is only the state so far.
    pub interrupted: bool,
    /// Whether an error ended the run before its last play.
    pub aborted: bool,
}

/// How many tasks had which outcome on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub ok: u32,
    pub changed: u32,
    pub unreachable: u32,
    pub failed: u32,
    pub skipped: u32,
    pub rescued: u32,
    pub ignored: u32,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { ok, changed, unreachable, failed, skipped, rescued, ignored } = self;
        write!(
            f,
            "ok={ok} changed={changed} unreachable={unreachable} failed={failed} skipped={skipped} rescued={rescued} \
             ignored={ignored}"
        )
    }
}

impl Recap {
    /// Ansible's exit code: 4 if a host was unreachable, else 2 if one failed. Rescued failures, and those cleared by
    /// `clear_host_errors`, do not count.
    pub fn exit_code(&self) -> u8 {
        match () {
            () if self.unreachable => 4,
            () if self.failed => 2,
            () => 0,
        }
    }
}

/// Receives events; cheap to call, from any thread.
pub trait Sink: Send + Sync {
    fn send(&self, event: Event);
}
