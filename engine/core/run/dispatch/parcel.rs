//! Sends the calls of a task, as many as can be in one job.

use std::{sync::Arc, time::Instant};

use rplay_modules::wire::Stage;

use crate::run::dispatch::executor::Driver;
use crate::run::dispatch::in_flight::Flight;
use crate::run::dispatch::pipeline as advance;
use crate::run::dispatch::timer::{Due, Timer};
use crate::run::lookahead::rules as certain;
use crate::run::task::prepare::{Prepared, Ready};
use crate::{
    actions::After,
    event::Event,
    link::{Job, Listener},
};

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

impl Driver<'_> {
    /// The units of a loop that are left, in one job, as far as one host does them. Only if several may run at
    /// a time there is a job for each target and user.
    pub(crate) fn send_all(&mut self, at: usize) {
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
                    let lost = work.lost.iter().find(|(target, _)| *target == prepared.target);
                    if let Some((_, answer)) = lost {
                        done.push((unit, answer.clone(), prepared.delegated));
                        continue;
                    }
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
    pub(crate) fn send_one(&mut self, at: usize, unit: usize) -> bool {
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
                if let Some(answer) = self.works[at].lost_way(&prepared) {
                    self.judge(at, unit, answer, prepared.delegated);
                    return self.works[at].open == 0;
                }
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
        let (blobs, downloads) = (self.run.blobs.clone(), self.run.blobs.clone());
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
            stage.required = certain::is_required(&self.task.task);
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
            sinks: Arc::new(move |number| downloads.downloads.sink(number)),
            events,
        });
    }
}
