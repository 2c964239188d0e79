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
use crate::run::dispatch::host_task::Work;
use crate::run::dispatch::in_flight::Flight;
use crate::run::dispatch::pipeline::Advance;
use crate::run::dispatch::timer::{Due, Timer};
use crate::run::lookahead::continuation::Following;
use crate::run::plays::play::Gone;
use crate::run::reads::Watch;
use crate::run::state::host::HostState;
use crate::run::task::evaluate::Judged;
use crate::run::task::iteration::{self, Round};
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
pub(crate) struct Driver<'r> {
    pub(crate) run: &'r Arc<Run>,
    pub(crate) task: TaskRun,
    pub(crate) works: Vec<Work>,
    waiting: VecDeque<usize>,
    active: usize,
    limit: usize,
    pub(crate) flights: HashMap<u64, Flight>,
    pub(crate) timers: BinaryHeap<Timer>,
    pub(crate) sender: Sender<LinkEvent>,
    receiver: Receiver<LinkEvent>,
    failed: Hosts,
    done: HashSet<usize>,
    /// The batch in which a host has the task's calls and others.
    pub(crate) trains: HashMap<usize, Arc<Advance>>,
    /// Hosts that are done with the task and still busy with others, by the key under which their end is told.
    busy: HashSet<u64>,
}

impl<'r> Driver<'r> {
    pub(crate) fn new(
        run: &'r Arc<Run>,
        task: TaskRun,
        hosts: &[Arc<HostState>],
        following: Option<&Following<'_>>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel();
        let mut driver = Driver {
            run,
            task,
            works: Vec::new(),
            waiting: (0..hosts.len()).collect(),
            active: 0,
            limit: run.options.forks.max(1),
            flights: HashMap::new(),
            timers: BinaryHeap::new(),
            sender,
            receiver,
            failed: Hosts::new(),
            done: HashSet::new(),
            trains: HashMap::new(),
            busy: HashSet::new(),
        };
        driver.works = driver.make_ready(hosts);
        if let Some(following) = following {
            run.look_ahead(&driver.task.play, &driver.task.task, &mut driver.works, following);
        }
        driver
    }

    /// Renders the task for all hosts side by side; once more for those that turned out to need facts.
    fn make_ready(&mut self, hosts: &[Arc<HostState>]) -> Vec<Work> {
        let (run, task) = (self.run, &self.task);
        let make = |host: &Arc<HostState>| {
            panics::trap("render");
            let sent = run.next_sent(&task.task, host);
            sent.unwrap_or_else(|| Work::of(run, &task.play, &task.task, host, Watch::of_turn()))
        };
        let mut works: Vec<Work> = match hosts {
            [host] => vec![make(host)],
            hosts => hosts.par_iter().map(make).collect(),
        };
        let wanting: Vec<usize> =
            hosts.iter().enumerate().filter(|(_, host)| host.take_want()).map(|(at, _)| at).collect();
        if !wanting.is_empty() && run.gather_wanted(&task.play) {
            for at in wanting {
                works[at] = make(&hosts[at]);
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
        works
    }

    pub(crate) fn run(&mut self) -> Hosts {
        loop {
            while self.active < self.limit
                && let Some(next) = self.waiting.pop_front()
            {
                // Facts were gathered for this task, and the host did not live to see it.
                if self.task.play.gone(&self.works[next].host.name).is_some_and(|why| why != Gone::Failed) {
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
        self.works[at].begun = Instant::now();
        let host = self.works[at].host.name.clone();
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
                        Some(Timer { work, what: Due::Unit(unit), .. }) => {
                            self.works[work].open -= 1;
                            self.again(work, unit);
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
                let Some(flight) = self.flights.get_mut(&key) else { return };
                let index = index as usize;
                let (Some(unit), Some(after)) =
                    (flight.units.get(index).copied(), flight.afters.get_mut(index).map(std::mem::take))
                else {
                    return;
                };
                let (work, delegated) = (flight.work, flight.delegated.clone());
                self.works[work].spent += Duration::from_micros(outcome.micros);
                let answer = crate::actions::finish(after, Answer::from_outcome(outcome));
                self.judge(work, unit, answer, delegated);
            }
            LinkEvent::Done { key } => {
                if self.busy.remove(&key) {
                    self.active -= 1;
                }
                if let Some(flight) = self.flights.remove(&key) {
                    self.works[flight.work].open -= 1;
                    self.advance(flight.work);
                }
            }
            LinkEvent::Stopped { key } => {
                if let Some(flight) = self.flights.remove(&key) {
                    self.works[flight.work].open -= 1;
                    let nothing = flight.units.iter().all(|unit| self.works[flight.work].judged[*unit].is_none());
                    match flight.alone && nothing {
                        true => self.unreachable(flight, Failure::new("the agent began nothing and said no reason")),
                        false => self.begin_anew(flight.work, &flight.units),
                    }
                }
            }
            LinkEvent::Unreachable { key, failure } => {
                if let Some(flight) = self.flights.remove(&key) {
                    self.works[flight.work].open -= 1;
                    self.unreachable(flight, failure);
                }
            }
        }
    }

    /// Sends what can be sent now; finishes the host when nothing is left.
    pub(crate) fn advance(&mut self, at: usize) {
        loop {
            let work = &mut self.works[at];
            if work.next >= work.units.len() || work.stopped {
                if work.open == 0 {
                    self.finish(at);
                }
                return;
            }
            if work.together {
                if work.open > 0 {
                    return;
                }
                self.send_all(at);
                if self.works[at].open > 0 {
                    return;
                }
                continue;
            }
            let unit = work.next;
            if work.open > 0 {
                return;
            }
            work.next += 1;
            if unit > 0
                && let Some(pause) = work.pause
            {
                work.open += 1;
                self.timers.push(Timer { due: Instant::now() + pause, work: at, what: Due::Unit(unit) });
                return;
            }
            if !self.send_one(at, unit) {
                return;
            }
        }
    }

    /// It is time for a retry, or for an item after a pause.
    pub(crate) fn again(&mut self, at: usize, unit: usize) {
        if self.send_one(at, unit) {
            self.advance(at);
        }
    }

    /// Calls that went out with an earlier task's were not begun: they go out now, as they are to be by now.
    fn begin_anew(&mut self, at: usize, units: &[usize]) {
        let (run, play, task) = (self.run, &self.task.play, &self.task.task);
        let work = &mut self.works[at];
        let host = work.host.clone();
        run.forget_sent(&host);
        let open: Vec<usize> = units.iter().copied().filter(|unit| work.judged[*unit].is_none()).collect();
        if let (false, [unit]) = (work.together, open.as_slice()) {
            return self.again(at, *unit);
        }
        let mut prepare = || {
            for unit in &open {
                work.ready[*unit] = Some(run.prepare(play, task, &host, &work.units[*unit]));
            }
        };
        prepare();
        if host.take_want() && run.gather_wanted(play) {
            prepare();
        }
        work.next = open.first().copied().unwrap_or(work.units.len());
        self.advance(at);
    }

    /// An answer is there: apply the task's own conditions, try again or keep it.
    pub(crate) fn judge(&mut self, at: usize, unit: usize, mut answer: Answer, delegated: Option<Arc<HostState>>) {
        let work = &mut self.works[at];
        if self.task.task.action.controller() == Some(Controller::WaitForConnection) && answer.skipped.is_none() {
            answer.data.shift_remove("ping");
            answer.set("elapsed", work.begun.elapsed().as_secs());
        }
        work.attempts[unit] += 1;
        let attempt = work.attempts[unit];
        let host = work.host.clone();
        let round = Round { unit: &work.units[unit], attempt, looped: work.looped, delegated: delegated.as_ref() };
        let mut judged = self.run.judge(&self.task, &host, &round, answer.clone());
        if host.take_want() && self.run.gather_wanted(&self.task.play) {
            judged = self.run.judge(&self.task, &host, &round, answer);
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
            work.open += 1;
            self.timers.push(Timer { due: Instant::now() + retry.delay, work: at, what: Due::Unit(unit) });
            return;
        }
        if judged.result.status != Status::Unreachable {
            self.run.apply(&self.task, &host, delegated.as_ref(), &mut judged);
        }
        if judged.stop {
            work.stopped = true;
        }
        if let (Some(name), true, false) = (&self.task.task.register, work.looped, work.together) {
            // The items after this one may read it.
            host.set([(name.clone(), crate::run::data(judged.registered.clone()))]);
        }
        work.judged[unit] = Some(judged);
        self.show(at);
    }

    /// Shows the items that are done, in their order.
    fn show(&mut self, at: usize) {
        let work = &mut self.works[at];
        while let Some(Some(judged)) = work.judged.get(work.shown) {
            work.shown += 1;
            if work.looped
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
        let work = &mut self.works[at];
        let judged: Vec<Judged> = work.judged.iter_mut().filter_map(Option::take).collect();
        // What was sent beforehand may have been done before its turn.
        let elapsed = match self.trains.contains_key(&at) {
            true => work.begun.elapsed().max(work.spent),
            false => work.begun.elapsed(),
        };
        let host = work.host.clone();
        let whole = match work.looped {
            true => iteration::sum(&host, judged),
            false => judged.into_iter().next().unwrap_or_else(|| iteration::sum(&host, Vec::new())),
        };
        let failed = self.run.conclude(&self.task, &host, whole, elapsed);
        if failed || self.task.play.gone(&host.name).is_some() {
            self.run.forget_sent(&host);
        }
        if failed {
            self.failed.push(host);
        }
    }

    /// Whether a host that is done with the task works on what went out with it, while others wait for a place.
    fn stays_busy(&mut self, at: usize) -> bool {
        let Some(advance) = self.trains.get(&at).filter(|_| !self.waiting.is_empty()) else { return false };
        let key = self.run.key();
        let busy = !advance.is_over_or_tells(key, &self.sender);
        if busy {
            self.busy.insert(key);
        }
        busy
    }
}
