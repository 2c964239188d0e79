//! Runs a task on all its hosts: prepares its iterations in parallel, sends calls in batches, and evaluates results as
//! they arrive.

mod sending;

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rayon::prelude::*;
use rplay_contract::wire::Failure;

use crate::{
    actions::{self, TaskResult},
    event::{Event, Status},
    panics,
    plan::Action,
    run::{
        dispatch::{
            host_task::HostTask,
            outbox::{InFlight, Outbox, Signal},
            pipeline::SentAhead,
            restart::Restart,
        },
        facts::Facts,
        lookahead::{continuation::Continuation, look_ahead::look_ahead},
        reads::ReadTracker,
        state::{
            host::{HostState, Hosts},
            play::HostExit,
            run::Run,
        },
        task::{
            evaluate, invocation, iteration::Attempt, plugin_effects::take_effects, prepare::job_id, task_run::TaskRun,
        },
        template_warnings::{collecting, with_warnings},
    },
};

/// Runs one task on all its hosts.
pub(crate) struct Executor<'r> {
    run: &'r Arc<Run>,
    facts: &'r dyn Facts,
    sent: &'r SentAhead,
    pub task: TaskRun,
    host_tasks: Vec<HostTask>,
    waiting: VecDeque<usize>,
    active: usize,
    limit: usize,
    outbox: Outbox<'r>,
    failed: Hosts,
    done: HashSet<usize>,
}

impl<'r> Executor<'r> {
    /// Prepares the task on its hosts, and later tasks that can be sent with it.
    pub(crate) fn new(
        run: &'r Arc<Run>,
        facts: &'r dyn Facts,
        sent: &'r SentAhead,
        task: TaskRun,
        hosts: &[Arc<HostState>],
        continuation: Option<&Continuation<'_>>,
    ) -> Self {
        let mut executor = Executor {
            run,
            facts,
            sent,
            task,
            host_tasks: Vec::new(),
            waiting: (0..hosts.len()).collect(),
            active: 0,
            limit: run.options.forks.max(1),
            outbox: Outbox::new(run),
            failed: Hosts::new(),
            done: HashSet::new(),
        };
        executor.host_tasks = executor.make_ready(hosts);
        if let Some(continuation) = continuation {
            look_ahead(run, &executor.task.play, &executor.task.task, &mut executor.host_tasks, continuation);
        }
        executor
    }

    /// Renders the task for all hosts in parallel, and again for those that turn out to need facts.
    fn make_ready(&mut self, hosts: &[Arc<HostState>]) -> Vec<HostTask> {
        let (run, task) = (self.run, &self.task);
        let make = |(host, sent): (&Arc<HostState>, Option<HostTask>)| {
            panics::trap("render");
            sent.unwrap_or_else(|| HostTask::of(run, &task.play, &task.task, host, ReadTracker::of_turn()))
        };
        let sent = self.sent.take(&task.task, hosts);
        let mut host_tasks: Vec<HostTask> = match hosts {
            [_] => hosts.iter().zip(sent).map(make).collect(),
            hosts => hosts.par_iter().zip(sent).map(make).collect(),
        };
        let wanting: Vec<usize> =
            hosts.iter().enumerate().filter(|(_, host)| host.take_want()).map(|(at, _)| at).collect();
        if !wanting.is_empty() && self.facts.gather() {
            for at in wanting {
                host_tasks[at] = make((&hosts[at], None));
                hosts[at].take_want();
            }
        }
        if let Some(limit) = run.throttle(task, hosts) {
            self.limit = self.limit.min(limit);
        }
        host_tasks
    }

    /// Runs the task to its end; returns the hosts on which it failed.
    pub(crate) fn run(&mut self) -> Hosts {
        loop {
            while self.active < self.limit
                && let Some(next) = self.waiting.pop_front()
            {
                // The host was lost while facts were gathered for this task.
                let exit = self.task.play.exit_of(&self.host_tasks[next].host.name);
                if exit.is_some_and(|why| why != HostExit::Failed) {
                    continue;
                }
                self.active += 1;
                self.begin(next);
            }
            if self.active == self.outbox.busy() && self.waiting.is_empty() {
                break;
            }
            if let Some(signal) = self.outbox.next() {
                self.handle(signal);
            }
        }
        std::mem::take(&mut self.failed)
    }

    fn begin(&mut self, at: usize) {
        self.host_tasks[at].begun = Instant::now();
        let host = self.host_tasks[at].host.name.clone();
        self.run.send(Event::HostStarted { task: self.task.id, host });
        self.advance(at);
    }

    fn handle(&mut self, signal: Signal) {
        match signal {
            Signal::Answered { host_task, iteration, mut outcome, after, delegated } => {
                let answered = &mut self.host_tasks[host_task];
                answered.spent += Duration::from_micros(outcome.micros);
                if let Some(hidden) = answered.hidden.get(&iteration) {
                    hidden.mask(&mut outcome);
                }
                let mut result = actions::finish(after, TaskResult::from_outcome(outcome));
                if matches!(self.task.task.action, Action::Plugin(_)) {
                    take_effects(&mut result);
                }
                self.evaluate(host_task, iteration, result, delegated);
            }
            Signal::Idle => self.active -= 1,
            Signal::Done(job) => {
                self.host_tasks[job.host_task].open -= 1;
                self.advance(job.host_task);
            }
            Signal::Stopped(job) => {
                let host_task = &mut self.host_tasks[job.host_task];
                host_task.open -= 1;
                let nothing = job.iterations.iter().all(|iteration| host_task.results[*iteration].is_none());
                match job.alone && nothing {
                    true => {
                        let why = "the agent stopped before starting any call and gave no reason";
                        self.unreachable(job, Failure::new(why));
                    }
                    false => self.send_again(job.host_task, &job.iterations),
                }
            }
            Signal::Lost(job, failure) => {
                self.host_tasks[job.host_task].open -= 1;
                self.unreachable(job, failure);
            }
            Signal::TimedOut(job, limit) => {
                self.host_tasks[job.host_task].open -= 1;
                self.timed_out(job, limit);
            }
            Signal::Due { host_task, iteration } => {
                self.host_tasks[host_task].open -= 1;
                self.again(host_task, iteration);
            }
        }
    }

    /// Sends what can be sent now; finishes the host when nothing is left.
    fn advance(&mut self, at: usize) {
        loop {
            let host_task = &mut self.host_tasks[at];
            if host_task.next >= host_task.iterations.len() || host_task.stopped {
                if host_task.open == 0 {
                    self.finish(at);
                }
                return;
            }
            if host_task.open > 0 {
                return;
            }
            if host_task.together {
                self.send_all(at);
                if self.host_tasks[at].open > 0 {
                    return;
                }
                continue;
            }
            let iteration = host_task.next;
            host_task.next += 1;
            if iteration > 0
                && let Some(pause) = host_task.pause
            {
                self.wake(at, iteration, Instant::now() + pause);
                return;
            }
            if !self.send_one(at, iteration) {
                return;
            }
        }
    }

    fn wake(&mut self, at: usize, iteration: usize, due: Instant) {
        self.host_tasks[at].open += 1;
        self.outbox.wake(at, iteration, due);
    }

    /// The time for a retry, or for an item after a pause, has come.
    fn again(&mut self, at: usize, iteration: usize) {
        if self.send_one(at, iteration) {
            self.advance(at);
        }
    }

    /// The connection to the host was lost: unanswered calls fail as unreachable.
    fn unreachable(&mut self, job: InFlight, failure: Failure) {
        let at = job.host_task;
        if let (Some((deadline, sleep)), [iteration]) = (self.host_tasks[at].patience, job.iterations.as_slice())
            && Instant::now() < deadline
        {
            self.run.links.reset(&job.target);
            return self.wake(at, *iteration, Instant::now() + sleep);
        }
        // Who has waited for a host in vain has failed; whether it can be reached is for the next task to find out.
        if self.host_tasks[at].patience.is_some() {
            self.run.links.reset(&job.target);
            let msg = format!("timed out waiting for ping module test: {}", failure.msg);
            self.evaluate_open(job, &TaskResult::failed(msg));
            return self.advance(at);
        }
        let result = TaskResult::unreachable(failure);
        if !self.host_tasks[at].restart.as_ref().is_some_and(Restart::has_begun) {
            self.host_tasks[at].lost.push((job.target.clone(), result.clone()));
        }
        self.evaluate_open(job, &result);
        self.advance(at);
    }

    /// A job exceeded its time limit; later results are ignored.
    fn timed_out(&mut self, job: InFlight, limit: Duration) {
        let at = job.host_task;
        let task = &self.task.task;
        // The time limit of a job that is waited for is its own.
        let result = match task.asynchronous.is_some() && task.settings.timeout.is_none() {
            true => {
                let id = job_id();
                let results_file = self.run.results_file(&id);
                TaskResult::job_timed_out(limit, id, results_file)
            }
            false => TaskResult::timed_out(limit),
        };
        self.evaluate_open(job, &result);
        self.advance(at);
    }

    /// Gives all open iterations this result.
    fn evaluate_open(&mut self, job: InFlight, result: &TaskResult) {
        for iteration in self.host_tasks[job.host_task].open_of(&job.iterations) {
            self.evaluate(job.host_task, iteration, result.clone(), job.delegated.clone());
        }
    }

    /// Evaluates a result: applies the task's conditions, then retries or keeps it.
    fn evaluate(&mut self, at: usize, iteration: usize, mut result: TaskResult, delegated: Option<Arc<HostState>>) {
        let (run, task) = (self.run, &self.task);
        let host_task = &mut self.host_tasks[at];
        if let Some(conclude) = task.task.action.controller().and_then(|entry| entry.conclude)
            && result.skipped.is_none()
            && !result.raised
        {
            conclude(&mut result, host_task.begun.elapsed());
        }
        if let Some(restart) = &mut host_task.restart {
            if let Some(due) = restart.next(&mut result) {
                if restart.has_begun() && result.failed {
                    run.links.reset(&restart.target);
                }
                return self.wake(at, iteration, due);
            }
            host_task.restart = None;
        }
        host_task.attempts[iteration] += 1;
        let number = host_task.attempts[iteration];
        let host = host_task.host.clone();
        let (looped, delegated) = (host_task.looped, delegated.as_ref());
        let attempt = Attempt { iteration: &host_task.iterations[iteration], number, looped, delegated };
        // A copy is needed only if conditions may read facts that are not gathered yet.
        let facts_may_come = !host.gathered() && !task.play.never_gather.load(Ordering::Acquire);
        let spare = (facts_may_come && evaluate::may_read(&task.task)).then(|| result.clone());
        let mut warnings = std::mem::take(&mut result.template_warnings);
        warnings.extend(host_task.template_warnings.remove(&iteration).unwrap_or_default());
        let (mut evaluated, more) = collecting(|| run.evaluate(task, &host, &attempt, result));
        if host.take_want()
            && let Some(result) = spare
            && self.facts.gather()
        {
            evaluated = run.evaluate(task, &host, &attempt, result);
        }
        warnings.extend(more);
        if !warnings.is_empty() {
            evaluated.registered = with_warnings(&evaluated.registered, &warnings);
            evaluated.report.data = with_warnings(&evaluated.report.data, &warnings);
        }
        let is_kept = task.task.keeps_invocation();
        if let Some(Some(invocation)) = host_task.invocations.get(iteration)
            && evaluated.report.status != Status::Unreachable
        {
            if is_kept {
                evaluated.registered = invocation::added(&evaluated.registered, invocation);
            }
            if run.options.invocations {
                evaluated.report.data = invocation::added(&evaluated.report.data, invocation);
            }
        }
        // Playbooks see it only in items, and where a person asks for it.
        if run.options.invocations && run.options.verbosity < 3 && !is_kept {
            evaluated.registered = invocation::removed(&evaluated.registered);
        }
        if is_kept && !run.options.invocations {
            evaluated.report.data = invocation::removed(&evaluated.report.data);
        }
        if let Some(retry) = evaluated.retry.take() {
            host_task.iterations[iteration].retry();
            run.send(Event::Retrying {
                task: task.id,
                host: host.name.clone(),
                item: evaluated.item.clone(),
                retries_left: retry.left,
                delay: retry.delay,
                result: Arc::new(evaluated.shown()),
            });
            return self.wake(at, iteration, Instant::now() + retry.delay);
        }
        // As in ansible-core, a task that failed has no effects.
        if !matches!(evaluated.report.status, Status::Unreachable | Status::Failed) {
            host_task.remember();
            if run.apply_effects(task, &host, delegated, &mut evaluated) {
                self.sent.forget(&run.links, &host);
            }
        }
        host_task.stopped |= evaluated.stop;
        if let (Some(name), true, false) = (&task.task.register, host_task.looped, host_task.together) {
            // Later items may read it.
            host.set([(name.value.clone(), evaluated.variable())]);
        }
        host_task.results[iteration] = Some(evaluated);
        self.show(at);
    }

    /// Reports finished items in order.
    fn show(&mut self, at: usize) {
        let host_task = &mut self.host_tasks[at];
        while let Some(Some(evaluated)) = host_task.results.get(host_task.shown) {
            host_task.shown += 1;
            if host_task.looped
                && let Some(item) = &evaluated.item
            {
                self.run.send(Event::ItemDone { task: self.task.id, item: item.clone(), result: evaluated.shown() });
            }
        }
    }

    fn finish(&mut self, at: usize) {
        if !self.done.insert(at) {
            return;
        }
        // Other hosts may wait for its slot.
        if self.waiting.is_empty() || !self.outbox.stays_busy(at) {
            self.active -= 1;
        }
        let host_task = &mut self.host_tasks[at];
        let host = host_task.host.clone();
        let elapsed = host_task.elapsed(self.outbox.has_batch(at));
        let whole = host_task.take_result();
        if matches!(whole.report.status, Status::Unreachable | Status::Failed) {
            host_task.restore();
        }
        let failed = self.run.commit(&self.task, &host, whole, elapsed);
        if failed || self.task.play.exit_of(&host.name).is_some() {
            self.sent.forget(&self.run.links, &host);
        }
        if failed {
            self.failed.push(host);
        }
    }
}
