//! Takes all hosts of a task from beginning to end: units made ready side by side, calls sent in batches,
//! answers judged as they come.

use std::{
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use rayon::prelude::*;
use rplay_modules::wire::Failure;

use crate::run::Run;
use crate::run::conditions;
use crate::run::dispatch::host_task::HostTask;
use crate::run::dispatch::in_flight::InFlight;
use crate::run::dispatch::pipeline::PipelinedBatch;
use crate::run::dispatch::timer::{Due, Timer};
use crate::run::lookahead::continuation::Continuation;
use crate::run::plays::play::HostExit;
use crate::run::reads::ReadTracker;
use crate::run::state::host::HostState;
use crate::run::task::evaluate::TaskResult;
use crate::run::task::iteration::{self, Attempt};
use crate::run::task::task_run::TaskRun;
use crate::run::walk::walk::Hosts;
use crate::{
    actions::Answer,
    event::{Event, Status},
    link::LinkEvent,
    panics,
    plan::Controller,
};

/// Takes all hosts of a task from beginning to end.
pub(crate) struct Executor<'r> {
    pub(crate) run: &'r Arc<Run>,
    pub(crate) task: TaskRun,
    pub(crate) host_tasks: Vec<HostTask>,
    waiting: VecDeque<usize>,
    active: usize,
    limit: usize,
    pub(crate) in_flight: HashMap<u64, InFlight>,
    pub(crate) timers: BinaryHeap<Timer>,
    pub(crate) sender: Sender<LinkEvent>,
    receiver: Receiver<LinkEvent>,
    failed: Hosts,
    done: HashSet<usize>,
    /// The batch in which a host has the task's calls and others.
    pub(crate) batches: HashMap<usize, Arc<PipelinedBatch>>,
    /// Hosts that are done with the task and still busy with others, by the key under which their end is told.
    busy: HashSet<u64>,
}

impl<'r> Executor<'r> {
    pub(crate) fn new(
        run: &'r Arc<Run>,
        task: TaskRun,
        hosts: &[Arc<HostState>],
        continuation: Option<&Continuation<'_>>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel();
        let mut driver = Executor {
            run,
            task,
            host_tasks: Vec::new(),
            waiting: (0..hosts.len()).collect(),
            active: 0,
            limit: run.options.forks.max(1),
            in_flight: HashMap::new(),
            timers: BinaryHeap::new(),
            sender,
            receiver,
            failed: Hosts::new(),
            done: HashSet::new(),
            batches: HashMap::new(),
            busy: HashSet::new(),
        };
        driver.host_tasks = driver.make_ready(hosts);
        if let Some(continuation) = continuation {
            run.look_ahead(&driver.task.play, &driver.task.task, &mut driver.host_tasks, continuation);
        }
        driver
    }

    /// Renders the task for all hosts side by side; once more for those that turned out to need facts.
    fn make_ready(&mut self, hosts: &[Arc<HostState>]) -> Vec<HostTask> {
        let (run, task) = (self.run, &self.task);
        let make = |host: &Arc<HostState>| {
            panics::trap("render");
            let sent = run.next_sent(&task.task, host);
            sent.unwrap_or_else(|| HostTask::of(run, &task.play, &task.task, host, ReadTracker::of_turn()))
        };
        let mut host_tasks: Vec<HostTask> = match hosts {
            [host] => vec![make(host)],
            hosts => hosts.par_iter().map(make).collect(),
        };
        let wanting: Vec<usize> =
            hosts.iter().enumerate().filter(|(_, host)| host.take_want()).map(|(at, _)| at).collect();
        if !wanting.is_empty() && run.gather_wanted(&task.play) {
            for at in wanting {
                host_tasks[at] = make(&hosts[at]);
                hosts[at].take_want();
            }
        }
        if task.task.settings.throttle.is_some()
            && let Some(first) = hosts.first()
        {
            let scope = run.scope(&task.play, first, Some(&task.task), None, run.options.check);
            // A value that is no number fails the task itself.
            if let Ok(Some(limit)) = conditions::number(conditions::THROTTLE, &task.task.settings, &scope)
                && limit >= 1.0
            {
                self.limit = self.limit.min(limit as usize);
            }
        }
        host_tasks
    }

    pub(crate) fn run(&mut self) -> Hosts {
        loop {
            while self.active < self.limit
                && let Some(next) = self.waiting.pop_front()
            {
                // Facts were gathered for this task, and the host did not live to see it.
                if self.task.play.exit_of(&self.host_tasks[next].host.name).is_some_and(|why| why != HostExit::Failed) {
                    continue;
                }
                self.active += 1;
                self.begin(next);
            }
            if self.active == self.busy.len() && self.waiting.is_empty() {
                break;
            }
            self.wait();
        }
        std::mem::take(&mut self.failed)
    }

    fn begin(&mut self, at: usize) {
        self.host_tasks[at].begun = Instant::now();
        let host = self.host_tasks[at].host.name.clone();
        self.run.send(Event::HostStarted { task: self.task.id, host });
        self.advance(at);
    }

    /// Waits for an answer or a timer and deals with it.
    fn wait(&mut self) {
        let event = match self.timers.peek() {
            Some(timer) => match self.receiver.recv_timeout(timer.due.saturating_duration_since(Instant::now())) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    match self.timers.pop() {
                        Some(Timer { host_task, what: Due::Iteration(iteration), .. }) => {
                            self.host_tasks[host_task].open -= 1;
                            self.again(host_task, iteration);
                        }
                        Some(Timer { what: Due::Limit { key, limit }, .. }) => self.timed_out(key, limit),
                        None => {}
                    }
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            },
            None => match self.receiver.recv() {
                Ok(event) => event,
                Err(_) => return,
            },
        };
        match event {
            LinkEvent::Outcome { key, index, outcome } => {
                let Some(job) = self.in_flight.get_mut(&key) else { return };
                let index = index as usize;
                let (Some(iteration), Some(after)) =
                    (job.iterations.get(index).copied(), job.afters.get_mut(index).map(std::mem::take))
                else {
                    return;
                };
                let (host_task, delegated) = (job.host_task, job.delegated.clone());
                self.host_tasks[host_task].spent += Duration::from_micros(outcome.micros);
                let answer = crate::actions::finish(after, Answer::from_outcome(outcome));
                self.evaluate(host_task, iteration, answer, delegated);
            }
            LinkEvent::Done { key } => {
                if self.busy.remove(&key) {
                    self.active -= 1;
                }
                if let Some(job) = self.in_flight.remove(&key) {
                    self.host_tasks[job.host_task].open -= 1;
                    self.advance(job.host_task);
                }
            }
            LinkEvent::Stopped { key } => {
                if let Some(job) = self.in_flight.remove(&key) {
                    self.host_tasks[job.host_task].open -= 1;
                    let nothing = job
                        .iterations
                        .iter()
                        .all(|iteration| self.host_tasks[job.host_task].judged[*iteration].is_none());
                    match job.alone && nothing {
                        true => self.unreachable(job, Failure::new("the agent began nothing and said no reason")),
                        false => self.send_again(job.host_task, &job.iterations),
                    }
                }
            }
            LinkEvent::Unreachable { key, failure } => {
                if let Some(job) = self.in_flight.remove(&key) {
                    self.host_tasks[job.host_task].open -= 1;
                    self.unreachable(job, failure);
                }
            }
        }
    }

    /// Sends what can be sent now; finishes the host when nothing is left.
    pub(crate) fn advance(&mut self, at: usize) {
        loop {
            let host_task = &mut self.host_tasks[at];
            if host_task.next >= host_task.iterations.len() || host_task.stopped {
                if host_task.open == 0 {
                    self.finish(at);
                }
                return;
            }
            if host_task.together {
                if host_task.open > 0 {
                    return;
                }
                self.send_all(at);
                if self.host_tasks[at].open > 0 {
                    return;
                }
                continue;
            }
            let iteration = host_task.next;
            if host_task.open > 0 {
                return;
            }
            host_task.next += 1;
            if iteration > 0
                && let Some(pause) = host_task.pause
            {
                host_task.open += 1;
                self.timers.push(Timer { due: Instant::now() + pause, host_task: at, what: Due::Iteration(iteration) });
                return;
            }
            if !self.send_one(at, iteration) {
                return;
            }
        }
    }

    /// It is time for a retry, or for an item after a pause.
    pub(crate) fn again(&mut self, at: usize, iteration: usize) {
        if self.send_one(at, iteration) {
            self.advance(at);
        }
    }

    /// Calls that went out with an earlier task's were not begun: they go out now, as they are to be by now.
    fn send_again(&mut self, at: usize, iterations: &[usize]) {
        let (run, play, task) = (self.run, &self.task.play, &self.task.task);
        let host_task = &mut self.host_tasks[at];
        let host = host_task.host.clone();
        run.forget_sent(&host);
        let open: Vec<usize> =
            iterations.iter().copied().filter(|iteration| host_task.judged[*iteration].is_none()).collect();
        if let (false, [iteration]) = (host_task.together, open.as_slice()) {
            return self.again(at, *iteration);
        }
        let mut prepare = || {
            for iteration in &open {
                host_task.ready[*iteration] = Some(run.prepare(play, task, &host, &host_task.iterations[*iteration]));
            }
        };
        prepare();
        if host.take_want() && run.gather_wanted(play) {
            prepare();
        }
        host_task.next = open.first().copied().unwrap_or(host_task.iterations.len());
        self.advance(at);
    }

    /// An answer is there: apply the task's own conditions, try again or keep it.
    pub(crate) fn evaluate(
        &mut self,
        at: usize,
        iteration: usize,
        mut answer: Answer,
        delegated: Option<Arc<HostState>>,
    ) {
        let host_task = &mut self.host_tasks[at];
        if self.task.task.action.controller() == Some(Controller::WaitForConnection) && answer.skipped.is_none() {
            answer.data.shift_remove("ping");
            answer.set("elapsed", host_task.begun.elapsed().as_secs());
        }
        host_task.attempts[iteration] += 1;
        let number = host_task.attempts[iteration];
        let host = host_task.host.clone();
        let attempt = Attempt {
            iteration: &host_task.iterations[iteration],
            number,
            looped: host_task.looped,
            delegated: delegated.as_ref(),
        };
        let mut judged = self.run.evaluate(&self.task, &host, &attempt, answer.clone());
        if host.take_want() && self.run.gather_wanted(&self.task.play) {
            judged = self.run.evaluate(&self.task, &host, &attempt, answer);
        }
        if let Some(retry) = judged.retry.take() {
            self.run.send(Event::Retrying {
                task: self.task.id,
                host: host.name.clone(),
                item: judged.item.clone(),
                retries_left: retry.left,
                delay: retry.delay,
                result: Arc::new(judged.shown()),
            });
            host_task.open += 1;
            self.timers.push(Timer {
                due: Instant::now() + retry.delay,
                host_task: at,
                what: Due::Iteration(iteration),
            });
            return;
        }
        if judged.result.status != Status::Unreachable {
            self.run.apply(&self.task, &host, delegated.as_ref(), &mut judged);
        }
        if judged.stop {
            host_task.stopped = true;
        }
        if let (Some(name), true, false) = (&self.task.task.register, host_task.looped, host_task.together) {
            // The items after this one may read it.
            host.set([(name.clone(), crate::run::data(judged.registered.clone()))]);
        }
        host_task.judged[iteration] = Some(judged);
        self.show(at);
    }

    /// Shows the items that are done, in their order.
    fn show(&mut self, at: usize) {
        let host_task = &mut self.host_tasks[at];
        while let Some(Some(judged)) = host_task.judged.get(host_task.shown) {
            host_task.shown += 1;
            if host_task.looped
                && let Some(item) = &judged.item
            {
                self.run.send(Event::ItemDone { task: self.task.id, item: item.clone(), result: judged.shown() });
            }
        }
    }

    fn finish(&mut self, at: usize) {
        if !self.done.insert(at) {
            return;
        }
        if !self.stays_busy(at) {
            self.active -= 1;
        }
        let host_task = &mut self.host_tasks[at];
        let judged: Vec<TaskResult> = host_task.judged.iter_mut().filter_map(Option::take).collect();
        // What was sent beforehand may have been done before its turn.
        let elapsed = match self.batches.contains_key(&at) {
            true => host_task.begun.elapsed().max(host_task.spent),
            false => host_task.begun.elapsed(),
        };
        let host = host_task.host.clone();
        let whole = match host_task.looped {
            true => iteration::sum(&host, judged),
            false => judged.into_iter().next().unwrap_or_else(|| iteration::sum(&host, Vec::new())),
        };
        let failed = self.run.commit(&self.task, &host, whole, elapsed);
        if failed || self.task.play.exit_of(&host.name).is_some() {
            self.run.forget_sent(&host);
        }
        if failed {
            self.failed.push(host);
        }
    }

    /// Whether a host that is done with the task works on what went out with it, while others wait for a place.
    fn stays_busy(&mut self, at: usize) -> bool {
        let Some(advance) = self.batches.get(&at).filter(|_| !self.waiting.is_empty()) else { return false };
        let key = self.run.key();
        let busy = !advance.notify_when_done(key, &self.sender);
        if busy {
            self.busy.insert(key);
        }
        busy
    }
}
