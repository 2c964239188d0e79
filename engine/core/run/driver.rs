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
use rplay_modules::wire::{Failure, Stage};

use super::{
    Run,
    advance::{self, Advance},
    ahead, conditions,
    following::Following,
    host::HostState,
    judge::Judged,
    looped::{self, Round},
    play::Gone,
    steps::Hosts,
    task::TaskRun,
    timer::{Due, Timer},
    unit::{Prepared, Ready},
    watch::Watch,
    work::Work,
};
use crate::{
    actions::{After, Answer},
    event::{Event, Status},
    link::{Job, LinkEvent, Listener, Target},
    plan::Controller,
    vars::Value,
};

/// Jobs on their way, by key: whose they are, and which units.
struct Flight {
    work: usize,
    units: Vec<usize>,
    afters: Vec<After>,
    target: Arc<Target>,
    delegated: Option<Arc<HostState>>,
    /// They are a job of their own, and not a part of a batch.
    alone: bool,
}

/// Units that go out in one job.
struct Parcel {
    /// The first call, for what they have in common.
    prepared: Prepared,
    units: Vec<usize>,
    stages: Vec<Stage>,
    afters: Vec<After>,
}

impl Parcel {
    fn of(unit: usize, mut prepared: Prepared, parallel: u32) -> Self {
        let after = std::mem::take(&mut prepared.after);
        let (become_user, calls) = (prepared.become_user.clone(), vec![prepared.call.clone()]);
        let stages = vec![Stage { become_user, calls, parallel, required: false }];
        Parcel { prepared, units: vec![unit], stages, afters: vec![after] }
    }

    /// Behind those that are there; what another user does is a stage of its own.
    fn add(&mut self, unit: usize, prepared: Prepared, parallel: u32) {
        self.units.push(unit);
        self.afters.push(prepared.after);
        match self.stages.last_mut().filter(|stage| stage.become_user == prepared.become_user) {
            Some(stage) => stage.calls.push(prepared.call),
            None => {
                let (become_user, calls) = (prepared.become_user, vec![prepared.call]);
                self.stages.push(Stage { become_user, calls, parallel, required: false });
            }
        }
    }
}

/// Takes all hosts of a task from beginning to end.
pub(super) struct Driver<'r> {
    run: &'r Arc<Run>,
    pub(super) task: TaskRun,
    works: Vec<Work>,
    waiting: VecDeque<usize>,
    active: usize,
    limit: usize,
    flights: HashMap<u64, Flight>,
    timers: BinaryHeap<Timer>,
    sender: Sender<LinkEvent>,
    receiver: Receiver<LinkEvent>,
    failed: Hosts,
    done: HashSet<usize>,
    /// The batch in which a host has the task's calls and others.
    trains: HashMap<usize, Arc<Advance>>,
    /// Hosts that are done with the task and still busy with others, by the key under which their end is told.
    busy: HashSet<u64>,
}

impl<'r> Driver<'r> {
    pub(super) fn new(
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
        if let Some(field) = &task.task.settings.throttle
            && let Some(first) = hosts.first()
        {
            let scope = run.scope(&task.play, first, Some(&task.task), None, run.options.check);
            if let Ok(Some(limit)) = conditions::number(Some(field), &scope)
                && limit >= 1.0
            {
                self.limit = self.limit.min(limit as usize);
            }
        }
        works
    }

    pub(super) fn run(&mut self) -> Hosts {
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
    fn advance(&mut self, at: usize) {
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
    fn again(&mut self, at: usize, unit: usize) {
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

    /// The units of a loop that are left, in one job, as far as one host does them. Only if several may run at
    /// a time there is a job for each target and user.
    fn send_all(&mut self, at: usize) {
        let mut jobs: Vec<Parcel> = Vec::new();
        let mut done = Vec::new();
        let work = &mut self.works[at];
        let in_turn = work.parallel == 1;
        while let Some(ready) = work.ready.get_mut(work.next) {
            let unit = work.next;
            if let (true, Some(Ready::Call(call)), Some(job)) = (in_turn, &ready, jobs.first())
                && job.prepared.target != call.target
            {
                break;
            }
            work.next += 1;
            match ready.take() {
                Some(Ready::Call(prepared)) => {
                    let goes_along = |job: &&mut Parcel| {
                        in_turn
                            || job.prepared.target == prepared.target
                                && job.prepared.become_user == prepared.become_user
                    };
                    match jobs.iter_mut().find(goes_along) {
                        Some(job) => job.add(unit, *prepared, work.parallel),
                        None => jobs.push(Parcel::of(unit, *prepared, work.parallel)),
                    }
                }
                Some(Ready::Done(answer, delegated)) => done.push((unit, answer, delegated)),
                None => {}
            }
        }
        for job in jobs {
            self.dispatch(at, job);
        }
        for (unit, answer, delegated) in done {
            self.judge(at, unit, answer, delegated);
        }
    }

    /// One unit. True when it is done at once, so that the next may follow.
    fn send_one(&mut self, at: usize, unit: usize) -> bool {
        let (run, play, task) = (self.run, &self.task.play, &self.task.task);
        let work = &mut self.works[at];
        let host = work.host.clone();
        let ready = match work.ready.get_mut(unit).and_then(Option::take) {
            Some(ready) => ready,
            // A unit that may read what earlier ones registered is made ready when its turn comes.
            None => {
                let unit = work.units[unit].clone();
                let ready = run.prepare(play, task, &host, &unit);
                match host.take_want() && run.gather_wanted(play) {
                    true => run.prepare(play, task, &host, &unit),
                    false => ready,
                }
            }
        };
        match ready {
            Ready::Done(answer, delegated) => {
                self.judge(at, unit, answer, delegated);
                self.works[at].open == 0
            }
            Ready::Call(prepared) => {
                let mut prepared = *prepared;
                let after = std::mem::take(&mut prepared.after);
                if let After::Patience { timeout, delay, sleep } = after
                    && self.works[at].patience.is_none()
                {
                    let begin = Instant::now() + delay;
                    self.works[at].patience = Some((begin + timeout, sleep));
                    self.works[at].open += 1;
                    self.timers.push(Timer { due: begin, work: at, what: Due::Unit(unit) });
                    return false;
                }
                self.dispatch(at, Parcel::of(unit, Prepared { after, ..prepared }, 1));
                false
            }
        }
    }

    fn dispatch(&mut self, at: usize, parcel: Parcel) {
        let Parcel { prepared, units, mut stages, afters } = parcel;
        let key = self.run.key();
        let blobs = self.run.blobs.clone();
        self.works[at].open += 1;
        if let Some(limit) = prepared.limit {
            self.timers.push(Timer { due: Instant::now() + limit, work: at, what: Due::Limit { key, limit } });
        }
        let work = &mut self.works[at];
        let flight = Flight {
            work: at,
            units,
            afters,
            target: prepared.target.clone(),
            delegated: prepared.delegated,
            alone: work.advance.is_none() && work.train.is_empty(),
        };
        self.flights.insert(key, flight);
        if let Some((advance, calls)) = work.advance.take() {
            advance.read(calls, key, self.sender.clone());
            self.trains.insert(at, advance);
            return;
        }
        if let Some(stage) = stages.last_mut() {
            stage.required = ahead::is_required(&self.task.task);
        }
        let tasks = 1 + work.train.iter().filter(|sent| sent.work.calls().next().is_some()).count();
        let train = std::mem::take(&mut work.train);
        let (mut job, mut events): (u64, Arc<dyn Listener>) = (key, Arc::new(self.sender.clone()));
        if !train.is_empty() {
            let first = 0..stages.iter().map(|stage| stage.calls.len()).sum();
            let advance = advance::couple(self.run.key(), &prepared.target, &mut stages, train, &work.host);
            advance.read(first, key, self.sender.clone());
            self.trains.insert(at, advance.clone());
            (job, events) = (advance.key, advance);
        }
        if self.run.options.verbosity >= 3 {
            let calls: usize = stages.iter().map(|stage| stage.calls.len()).sum();
            let text = format!("<{}> sent together: tasks {tasks}, calls {calls}", work.host.name);
            self.run.send(Event::Message { text: text.into() });
        }
        self.run.links.dispatch(Job {
            key: job,
            target: prepared.target,
            stages,
            blobs: Arc::new(move |blob| blobs.open(&blob.sha256)),
            events,
        });
    }

    /// An answer is there: apply the task's own conditions, try again or keep it.
    fn judge(&mut self, at: usize, unit: usize, mut answer: Answer, delegated: Option<Arc<HostState>>) {
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
                result: Arc::new(judged.result.clone()),
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
                && judged.result.status != Status::Unreachable
            {
                self.run.send(Event::ItemDone { task: self.task.id, item: item.clone(), result: judged.shown() });
            }
        }
    }

    /// The way to the host broke off: what was not answered never will be.
    fn unreachable(&mut self, flight: Flight, failure: Failure) {
        if let (Some((deadline, sleep)), [unit]) = (self.works[flight.work].patience, flight.units.as_slice())
            && Instant::now() < deadline
        {
            self.run.links.reset(&flight.target);
            self.works[flight.work].open += 1;
            self.timers.push(Timer { due: Instant::now() + sleep, work: flight.work, what: Due::Unit(*unit) });
            return;
        }
        let mut answer = Answer::failed(failure.msg);
        answer.unreachable = true;
        answer.help = failure.help;
        let at = flight.work;
        let open: Vec<usize> = flight.units.into_iter().filter(|unit| self.works[at].judged[*unit].is_none()).collect();
        for unit in open {
            self.judge(at, unit, answer.clone(), flight.delegated.clone());
        }
        self.works[at].stopped = true;
        self.advance(at);
    }

    /// A job took longer than it may: it is stopped, and whatever it would still answer is not waited for.
    fn timed_out(&mut self, key: u64, limit: Duration) {
        let Some(flight) = self.flights.remove(&key) else { return };
        self.run.links.cancel(&flight.target, key);
        let at = flight.work;
        self.works[at].open -= 1;
        let seconds = limit.as_secs_f64();
        // Whole seconds, as `timeout` is given, stay a whole number.
        let period = if seconds.fract() == 0.0 { Value::from(seconds as u64) } else { Value::from(seconds) };
        let period = crate::vars::mapping([("period", period)]);
        let answer = Answer::failed(format!("Timed out after {seconds} second(s).")).with("timedout", period);
        let open: Vec<usize> = flight.units.into_iter().filter(|unit| self.works[at].judged[*unit].is_none()).collect();
        for unit in open {
            self.judge(at, unit, answer.clone(), flight.delegated.clone());
        }
        self.advance(at);
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
            true => looped::sum(&host, judged),
            false => judged.into_iter().next().unwrap_or_else(|| looped::sum(&host, Vec::new())),
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
