//! Why look-ahead stops: for trace lines, so that a slow play tells what costs it round trips.

use std::fmt;

use crate::plan::Task;

/// Why a task, or what follows it, is not sent with the tasks before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `--no-batch`, or time limits for all tasks.
    Off,
    /// Hosts are at different steps.
    HostsDiverge,
    /// The first task has no call on some hosts, or its calls were sent before.
    NothingToSend,
    /// It is not known whether hosts of this play are the same machine.
    UnknownMachines,
    /// No step follows on which all these hosts go together.
    NoMoreSteps,
    HandlersDue,
    /// The role has run already, or a host has left it.
    RoleIsOver,
    /// The task's action, or one of its keywords, needs the controller at its turn.
    Kind,
    /// Hosts wait for each other at this task.
    HostsWait,
    /// The task reads files of the controller that earlier tasks may change.
    Files,
    /// The task reads facts that are not gathered yet.
    Facts,
    /// The task reads a result or variable of earlier ones.
    EarlierResult,
    /// The task runs elsewhere, with a time limit, or has more work on the controller.
    Elsewhere,
    /// Items of its loop depend on each other.
    Loop,
    /// The task fails, or changes more than variables, on the controller.
    Effects,
    /// Other hosts may notice.
    OtherHosts,
    /// Its result decides about repetitions.
    Repeats,
    /// `changed_when` or `failed_when` must be evaluated with its result.
    Conditions,
    /// `async` or a time limit.
    Timed,
    /// It may ignore an unreachable host.
    IgnoresUnreachable,
    /// Its result brings facts.
    BringsFacts,
    /// A failure on one host ends the play on all.
    Fatal,
    /// `no_log`, `ignore_errors` or a label reads values that are not known yet.
    Keywords,
    /// It is not certain that the handlers it notifies exist.
    UnknownHandler,
    /// The batch has as many tasks, calls or bytes as one may have.
    Full,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Off => "batches are off",
            Stop::HostsDiverge => "hosts are at different steps",
            Stop::NothingToSend => "nothing is to be sent to some hosts",
            Stop::UnknownMachines => "some hosts may be the same machine",
            Stop::NoMoreSteps => "no step follows that these hosts go through together",
            Stop::HandlersDue => "notified handlers run first",
            Stop::RoleIsOver => "the role has run before, or a host has left it",
            Stop::Kind => "its action or a keyword needs the controller at its turn",
            Stop::HostsWait => "hosts wait for each other at it",
            Stop::Files => "it reads files that earlier tasks may change",
            Stop::Facts => "it reads facts that are not gathered yet",
            Stop::EarlierResult => "it reads what earlier tasks set",
            Stop::Elsewhere => "it is delegated, limited in time, or goes on at the controller",
            Stop::Loop => "items of its loop depend on each other",
            Stop::Effects => "it fails, or has effects, at the controller",
            Stop::OtherHosts => "it may reach other hosts",
            Stop::Repeats => "its result decides whether it is repeated",
            Stop::Conditions => "its changed_when or failed_when reads its result",
            Stop::Timed => "it has async or a time limit",
            Stop::IgnoresUnreachable => "it ignores unreachable hosts",
            Stop::BringsFacts => "its result brings facts",
            Stop::Fatal => "its failure on one host would end the play on all",
            Stop::Keywords => "its no_log, ignore_errors or label reads what is not known yet",
            Stop::UnknownHandler => "a handler that it notifies may not exist",
            Stop::Full => "the batch is full",
        })
    }
}

/// A task's action and place: `copy at site.yml:7`. Its name may be a template with anything in it.
pub(crate) struct Place<'t>(pub &'t Task);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Task { written, span, .. } = self.0;
        write!(f, "{written} at {}:{}", span.source.name, span.line_column().0)
    }
}
