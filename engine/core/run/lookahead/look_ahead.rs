//! Look-ahead: prepares tasks after the current one, so that their calls are sent together and a host can work through
//! them without waiting for the controller.
//!
//! It must not change any observable behaviour. A task is included only if its result is certain in case the earlier
//! tasks succeed, and if the agent itself can tell whether they did. If several hosts go through a play together, one
//! host may get ahead of another only in tasks that affect no other host. Look-ahead stops at the first task that
//! cannot be proven safe; that costs one round trip.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use rayon::prelude::*;
use rplay_contract::wire::Value as Wire;
use tracing::{debug, field};

use crate::{
    actions::{After, Effect, text_of},
    link::Target,
    plan::{Field, Task},
    run::{
        conditions,
        dispatch::host_task::{HostTask, PipelinedTask},
        lookahead::{
            continuation::{Continuation, NextSteps, Turn},
            interference::Interference,
            rules::{holds_others_up, is_constant, is_flush, keeps_facts, may_be_true, may_follow, never_fails},
            stop::{Place, Stop},
        },
        reads::ReadTracker,
        state::{play::PlayRun, run::Run},
    },
};

/// Maximum number of tasks that are sent together.
const MOST_TASKS: usize = 256;

/// Maximum number of calls prepared in advance, on all hosts together.
const MOST_CALLS: usize = 10_000;

/// Maximum bytes of arguments that are sent together to one host.
const MOST_BYTES: usize = 4 << 20;

/// The effects of the tasks so far on later ones.
struct LookAhead<'r> {
    run: &'r Arc<Run>,
    play: &'r Arc<PlayRun>,
    interference: Interference,
    /// Names of variables that they set.
    pending: Arc<HashSet<Arc<str>>>,
    /// Whether one of them may notify handlers.
    notifies: bool,
    /// By handler name, whether the handler exists.
    handlers: HashMap<String, bool>,
}

/// Prepares as many later tasks as can be sent with this one.
pub(crate) fn look_ahead(
    run: &Arc<Run>,
    play: &Arc<PlayRun>,
    task: &Arc<Task>,
    host_tasks: &mut [HostTask],
    continuation: &Continuation<'_>,
) {
    // If only some hosts have a batch already, the others wait for them when it ends.
    if host_tasks.iter().any(|host_task| host_task.batch.is_some()) {
        return;
    }
    let (at, stop) = extend(run, play, task, host_tasks, continuation);
    debug!(
        first = %Place(task),
        together = 1 + host_tasks.first().map_or(0, |host_task| host_task.pipeline.len()),
        hosts = host_tasks.len(),
        at = at.as_deref().map(|at| field::display(Place(at))),
        "look-ahead stopped: {stop}"
    );
}

/// Adds tasks to the pipelines of the first one, and traces at which task it stopped, and why.
fn extend(
    run: &Arc<Run>,
    play: &Arc<PlayRun>,
    task: &Arc<Task>,
    host_tasks: &mut [HostTask],
    continuation: &Continuation<'_>,
) -> (Option<Arc<Task>>, Stop) {
    let first = |stop| (Some(task.clone()), stop);
    if play.hosts_diverge.load(Ordering::Acquire) {
        return (None, Stop::HostsDiverge);
    }
    if !run.options.batch {
        return (None, Stop::Off);
    }
    if host_tasks.iter().any(|host_task| host_task.calls().next().is_none()) {
        return first(Stop::NothingToSend);
    }
    let Some(interference) = Interference::of(&targets_of(host_tasks)) else { return (None, Stop::UnknownMachines) };
    let mut ahead =
        LookAhead { run, play, interference, pending: Arc::default(), notifies: false, handlers: HashMap::new() };
    if let Err(stop) = ahead.takes(task, host_tasks).and_then(|()| ahead.leads(task, host_tasks)) {
        return first(stop);
    }
    let around = task.role.iter().flat_map(|role| std::iter::once(role).chain(&role.parents));
    let mut roles: HashSet<&str> = around.map(|role| role.identity.as_str()).collect();
    let mut calls: usize = host_tasks.iter().map(|host_task| host_task.calls().count()).sum();
    let mut bytes = 0;
    let mut walk = NextSteps::new(continuation, host_tasks.len());
    for _ in 0..MOST_TASKS {
        let task = loop {
            match walk.next() {
                None => return (None, Stop::NoMoreSteps),
                Some(Turn::Flush) if ahead.flushes(host_tasks) => return (None, Stop::HandlersDue),
                Some(Turn::Task(task)) if is_flush(task) && ahead.flushes(host_tasks) => {
                    return (Some(task.clone()), Stop::HandlersDue);
                }
                Some(Turn::Flush) => {}
                Some(Turn::Task(task)) if is_flush(task) => {}
                Some(Turn::Task(task)) => break task,
                Some(Turn::Role(step)) => {
                    let identity = step.role.identity.as_str();
                    let ran = |host_task: &HostTask| {
                        host_task.host.roles().contains(identity) || host_task.host.has_left(identity)
                    };
                    if !step.role.allow_duplicates && (roles.contains(identity) || host_tasks.iter().any(ran)) {
                        return (None, Stop::RoleIsOver);
                    }
                    roles.insert(identity);
                    walk.enter(step);
                }
            }
        };
        let next = match ahead.made(task, host_tasks) {
            Ok(next) => next,
            Err(stop) => return (Some(task.clone()), stop),
        };
        calls += next.iter().map(|host_task| host_task.calls().count()).sum::<usize>();
        bytes +=
            next.iter().map(|host_task| host_task.calls().map(|call| size(&call.call.args)).sum()).max().unwrap_or(0);
        if calls > MOST_CALLS || bytes > MOST_BYTES {
            return (Some(task.clone()), Stop::Full);
        }
        let leads = ahead.leads(task, &next);
        for (host_task, next) in host_tasks.iter_mut().zip(next) {
            host_task.pipeline.push(PipelinedTask { task: task.clone(), host_task: next });
        }
        if let Err(stop) = leads {
            return (Some(task.clone()), stop);
        }
    }
    (None, Stop::Full)
}

impl LookAhead<'_> {
    /// The task prepared on all hosts, if it can be included.
    fn made(&self, task: &Arc<Task>, host_tasks: &[HostTask]) -> Result<Vec<HostTask>, Stop> {
        if !may_follow(task) {
            return Err(Stop::Kind);
        }
        if self.interference.is_many() && holds_others_up(task) {
            return Err(Stop::HostsWait);
        }
        if task
            .role
            .as_ref()
            .is_some_and(|role| host_tasks.iter().any(|host_task| host_task.host.has_left(&role.identity)))
        {
            return Err(Stop::RoleIsOver);
        }
        let reads_files = task.action.controller().is_some_and(|entry| (entry.reads_our_files)(&task.args));
        if reads_files && self.interference.changes_our_files() {
            return Err(Stop::Files);
        }
        let make = |host_task: &HostTask| {
            let reads = ReadTracker::ahead(self.pending.clone(), self.interference.changes_our_files());
            HostTask::of(self.run, self.play, task, &host_task.host, reads)
        };
        let next: Vec<HostTask> = match host_tasks {
            [host_task] => vec![make(host_task)],
            host_tasks => host_tasks.par_iter().map(make).collect(),
        };
        if self.wants_facts(&next) {
            return Err(Stop::Facts);
        }
        if next.iter().any(|host_task| host_task.too_early) {
            return Err(Stop::EarlierResult);
        }
        for (host_task, first) in next.iter().zip(host_tasks) {
            if host_task.looped && !host_task.together {
                return Err(Stop::Loop);
            }
            if !goes_with(host_task, first) {
                return Err(Stop::Elsewhere);
            }
            let harmless = |effect: &Effect| matches!(effect, Effect::SetFacts { cacheable: false, .. });
            if host_task
                .results_here()
                .any(|result| result.failed || result.unreachable || !result.effects.iter().all(harmless))
            {
                return Err(Stop::Effects);
            }
        }
        self.takes(task, &next)?;
        Ok(next)
    }

    /// Whether facts were read that could still be gathered.
    fn wants_facts(&self, host_tasks: &[HostTask]) -> bool {
        let wanted = host_tasks.iter().filter(|host_task| host_task.host.take_want()).count() > 0;
        wanted && !self.play.never_gather.load(Ordering::Acquire)
    }

    /// Fails if another host could notice when the task is done on one host.
    fn takes(&self, task: &Task, host_tasks: &[HostTask]) -> Result<(), Stop> {
        if !self.interference.is_many() {
            return Ok(());
        }
        if holds_others_up(task) {
            return Err(Stop::HostsWait);
        }
        let acting = host_tasks.iter().filter(|host_task| host_task.calls().next().is_some()).count();
        if acting != 0 && acting != host_tasks.len() {
            return Err(Stop::NothingToSend);
        }
        let keeps_to_host = |host_task: &HostTask| {
            !host_task.saw_others
                && host_task.calls().all(|call| self.interference.keeps_to(&host_task.host.name, &call.call))
        };
        if host_tasks.iter().all(keeps_to_host) { Ok(()) } else { Err(Stop::OtherHosts) }
    }

    /// Fails unless tasks after this one can start without the controller having seen its result: the agent can tell
    /// whether it failed, and it changes only what is known to be pending.
    fn leads(&mut self, task: &Arc<Task>, host_tasks: &[HostTask]) -> Result<(), Stop> {
        let settings = &task.settings;
        let ends_alone = |host_task: &HostTask| {
            goes_with(host_task, host_task) && host_task.calls().all(|call| matches!(call.after, After::Nothing))
        };
        let unfit = [
            (task.tries() || !task.control.break_when.is_empty(), Stop::Repeats),
            (
                !task.changed_when.iter().all(is_constant) || !(task.failed_when.is_empty() || never_fails(task)),
                Stop::Conditions,
            ),
            (task.asynchronous.is_some() || settings.timeout.is_some(), Stop::Timed),
            (settings.delegate_to.is_some(), Stop::Elsewhere),
            (may_be_true(settings.ignore_unreachable.as_ref()), Stop::IgnoresUnreachable),
            (!keeps_facts(task), Stop::BringsFacts),
        ];
        if let Some((_, stop)) = unfit.into_iter().find(|(is_so, _)| *is_so) {
            return Err(stop);
        }
        if host_tasks.iter().any(|host_task| host_task.looped && !host_task.together || host_task.pause.is_some()) {
            return Err(Stop::Loop);
        }
        if !host_tasks.iter().all(ends_alone) {
            return Err(Stop::Elsewhere);
        }
        if self.interference.is_many() && self.binds_others(task) {
            return Err(Stop::Fatal);
        }
        let pending = Arc::make_mut(&mut self.pending);
        pending.extend(task.register.iter().map(|name| name.value.clone()));
        for result in host_tasks.iter().flat_map(HostTask::results_here) {
            for effect in &result.effects {
                if let Effect::SetFacts { vars, .. } = effect {
                    pending.extend(vars.keys().cloned());
                }
            }
        }
        if !self.is_judged_alone(task, host_tasks) {
            return Err(Stop::Keywords);
        }
        if self.handlers_are_there(task, host_tasks) { Ok(()) } else { Err(Stop::UnknownHandler) }
    }

    /// Whether a failure on one host affects all.
    fn binds_others(&self, task: &Task) -> bool {
        let fatal = match &task.settings.any_errors_fatal {
            Some(field) => may_be_true(Some(field)),
            None => self.run.options.any_errors_fatal,
        };
        fatal || self.play.play.max_fail_percentage.is_some()
    }

    /// Whether the keywords that are evaluated with its result only need values that are known now. Facts that they
    /// read would otherwise be gathered while the next tasks run.
    fn is_judged_alone(&self, task: &Arc<Task>, host_tasks: &[HostTask]) -> bool {
        let settings = &task.settings;
        let waits = |field: &Option<Field>| field.as_ref().is_some_and(|field| field.value.data().is_none());
        let keywords = [conditions::NO_LOG, conditions::IGNORE_ERRORS];
        if ![&settings.no_log, &settings.ignore_errors, &task.control.label].into_iter().any(waits) {
            return true;
        }
        let read = |host_task: &HostTask, reads: &Arc<ReadTracker>| {
            let top = host_task.iterations.first().and_then(|iteration| iteration.top.clone());
            let scope = self.run.tracked_scope(self.play, &host_task.host, Some(task), top, Some(reads));
            keywords.into_iter().for_each(|keyword| drop(conditions::flag(keyword, settings, &scope)));
            drop(conditions::own_text(task.control.label.as_ref(), &scope));
        };
        host_tasks.iter().all(|host_task| self.certainly(host_task, |reads| read(host_task, reads)).is_some())
    }

    /// The value that `read` yields for a host, unless it may change later.
    fn certainly<T>(&self, host_task: &HostTask, read: impl FnOnce(&Arc<ReadTracker>) -> T) -> Option<T> {
        let reads = Arc::new(ReadTracker::ahead(self.pending.clone(), self.interference.changes_our_files()));
        let found = read(&reads);
        let wants = self.wants_facts(std::slice::from_ref(host_task));
        (!reads.was_too_early() && !wants).then_some(found)
    }

    /// Whether the handlers that it notifies exist: notifying an unknown handler is a failure.
    fn handlers_are_there(&mut self, task: &Task, host_tasks: &[HostTask]) -> bool {
        for field in task.notify.iter().chain(&task.settings.notify) {
            self.notifies = true;
            let Some(value) = field.value.data() else { return false };
            let names: Vec<String> = match value.as_str() {
                Some(name) => vec![name.to_owned()],
                None => value.try_iter().into_iter().flatten().map(|name| text_of(&name)).collect(),
            };
            for name in names {
                let found = |host_task: &HostTask, reads: &Arc<ReadTracker>| {
                    self.run.handler_exists(self.play, &host_task.host, &name, Some(reads)).is_ok()
                };
                let known = match self.handlers.get(&name) {
                    Some(known) => *known,
                    None => host_tasks
                        .iter()
                        .all(|host_task| self.certainly(host_task, |reads| found(host_task, reads)) == Some(true)),
                };
                self.handlers.insert(name, known);
                if !known {
                    return false;
                }
            }
        }
        true
    }

    /// Whether handlers may have to run before the next step.
    fn flushes(&self, host_tasks: &[HostTask]) -> bool {
        self.notifies || host_tasks.iter().any(|host_task| self.play.was_notified(&host_task.host.name))
    }
}

/// Whether all calls of a task fit into one stage of the batch of the first task.
fn goes_with(host_task: &HostTask, first: &HostTask) -> bool {
    let (Some(head), Some(own)) = (first.calls().next(), host_task.calls().next()) else {
        return host_task.calls().next().is_none();
    };
    host_task.calls().all(|call| {
        call.target == head.target
            && call.become_user == own.become_user
            && call.limit.is_none()
            && call.delegated.is_none()
            && matches!(call.after, After::Nothing | After::Keep(_))
    })
}

/// The approximate number of bytes of these arguments in transit.
fn size(args: &rplay_contract::wire::Map) -> usize {
    args.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

fn size_of(value: &Wire) -> usize {
    match value {
        Wire::Str(text) => text.len(),
        Wire::Bytes(bytes) => bytes.len(),
        Wire::List(items) => items.iter().map(size_of).sum(),
        Wire::Map(map) => size(map),
        _ => 8,
    }
}

/// The hosts that have calls, with their targets.
fn targets_of(host_tasks: &[HostTask]) -> Vec<(&str, &Target)> {
    host_tasks
        .iter()
        .filter_map(|host_task| Some((&*host_task.host.name, &*host_task.calls().next()?.target)))
        .collect()
}
