//! Sends the calls of a task, as many as can be in one job.

use std::{sync::Arc, time::Instant};

use rplay_modules::wire::Stage;

use crate::run::dispatch::executor::Executor;
use crate::run::dispatch::in_flight::InFlight;
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
    iterations: Vec<usize>,
    stages: Vec<Stage>,
    afters: Vec<After>,
}

impl Parcel {
    fn of(iteration: usize, mut prepared: Prepared, parallel: u32) -> Self {
        let after = std::mem::take(&mut prepared.after);
        let (become_user, calls) = (prepared.become_user.clone(), vec![prepared.call.clone()]);
        let stages = vec![Stage { become_user, calls, parallel, required: false }];
        Parcel { prepared, iterations: vec![iteration], stages, afters: vec![after] }
    }

    /// Behind those that are there; what another user does is a stage of its own.
    fn add(&mut self, iteration: usize, prepared: Prepared, parallel: u32) {
        self.iterations.push(iteration);
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

impl Executor<'_> {
    /// The units of a loop that are left, in one job, as far as one host does them. Only if several may run at
    /// a time there is a job for each target and user.
    pub(crate) fn send_all(&mut self, at: usize) {
        let mut jobs: Vec<Parcel> = Vec::new();
        let mut done = Vec::new();
        let host_task = &mut self.host_tasks[at];
        let in_turn = host_task.parallel == 1;
        while let Some(ready) = host_task.ready.get_mut(host_task.next) {
            let iteration = host_task.next;
            if let (true, Some(Ready::Call(call)), Some(job)) = (in_turn, &ready, jobs.first())
                && job.prepared.target != call.target
            {
                break;
            }
            host_task.next += 1;
            match ready.take() {
                Some(Ready::Call(prepared)) => {
                    let lost = host_task.lost.iter().find(|(target, _)| *target == prepared.target);
                    if let Some((_, answer)) = lost {
                        done.push((iteration, answer.clone(), prepared.delegated));
                        continue;
                    }
                    let goes_along = |job: &&mut Parcel| {
                        in_turn
                            || job.prepared.target == prepared.target
                                && job.prepared.become_user == prepared.become_user
                    };
                    match jobs.iter_mut().find(goes_along) {
                        Some(job) => job.add(iteration, *prepared, host_task.parallel),
                        None => jobs.push(Parcel::of(iteration, *prepared, host_task.parallel)),
                    }
                }
                Some(Ready::Done(answer, delegated)) => done.push((iteration, answer, delegated)),
                None => {}
            }
        }
        for job in jobs {
            self.dispatch(at, job);
        }
        for (iteration, answer, delegated) in done {
            self.evaluate(at, iteration, answer, delegated);
        }
    }

    /// One unit. True when it is done at once, so that the next may follow.
    pub(crate) fn send_one(&mut self, at: usize, iteration: usize) -> bool {
        let (run, play, task) = (self.run, &self.task.play, &self.task.task);
        let host_task = &mut self.host_tasks[at];
        let host = host_task.host.clone();
        let ready = match host_task.ready.get_mut(iteration).and_then(Option::take) {
            Some(ready) => ready,
            // A unit that may read what earlier ones registered is made ready when its turn comes.
            None => {
                let iteration = host_task.iterations[iteration].clone();
                let ready = run.prepare(play, task, &host, &iteration);
                match host.take_want() && run.gather_wanted(play) {
                    true => run.prepare(play, task, &host, &iteration),
                    false => ready,
                }
            }
        };
        match ready {
            Ready::Done(answer, delegated) => {
                self.evaluate(at, iteration, answer, delegated);
                self.host_tasks[at].open == 0
            }
            Ready::Call(prepared) => {
                let mut prepared = *prepared;
                if let Some(answer) = self.host_tasks[at].lost_connection(&prepared) {
                    self.evaluate(at, iteration, answer, prepared.delegated);
                    return self.host_tasks[at].open == 0;
                }
                let after = std::mem::take(&mut prepared.after);
                if let After::Patience { timeout, delay, sleep } = after
                    && self.host_tasks[at].patience.is_none()
                {
                    let begin = Instant::now() + delay;
                    self.host_tasks[at].patience = Some((begin + timeout, sleep));
                    self.host_tasks[at].open += 1;
                    self.timers.push(Timer { due: begin, host_task: at, what: Due::Iteration(iteration) });
                    return false;
                }
                self.dispatch(at, Parcel::of(iteration, Prepared { after, ..prepared }, 1));
                false
            }
        }
    }

    fn dispatch(&mut self, at: usize, parcel: Parcel) {
        let Parcel { prepared, iterations, mut stages, afters } = parcel;
        let key = self.run.key();
        let (blobs, downloads) = (self.run.blobs.clone(), self.run.blobs.clone());
        self.host_tasks[at].open += 1;
        if let Some(limit) = prepared.limit {
            self.timers.push(Timer { due: Instant::now() + limit, host_task: at, what: Due::Limit { key, limit } });
        }
        let host_task = &mut self.host_tasks[at];
        let job = InFlight {
            host_task: at,
            iterations,
            afters,
            target: prepared.target.clone(),
            delegated: prepared.delegated,
            alone: host_task.advance.is_none() && host_task.pipeline.is_empty(),
        };
        self.in_flight.insert(key, job);
        if let Some((advance, calls)) = host_task.advance.take() {
            advance.read(calls, key, self.sender.clone());
            self.batches.insert(at, advance);
            return;
        }
        if let Some(stage) = stages.last_mut() {
            stage.required = certain::is_required(&self.task.task);
        }
        let tasks = 1 + host_task.pipeline.iter().filter(|sent| sent.host_task.calls().next().is_some()).count();
        let pipeline = std::mem::take(&mut host_task.pipeline);
        let (mut job, mut events): (u64, Arc<dyn Listener>) = (key, Arc::new(self.sender.clone()));
        if !pipeline.is_empty() {
            let first = 0..stages.iter().map(|stage| stage.calls.len()).sum();
            let advance =
                advance::append_stages(self.run.key(), &prepared.target, &mut stages, pipeline, &host_task.host);
            advance.read(first, key, self.sender.clone());
            self.batches.insert(at, advance.clone());
            (job, events) = (advance.key, advance);
        }
        if self.run.options.verbosity >= 3 {
            let calls: usize = stages.iter().map(|stage| stage.calls.len()).sum();
            let text = format!("<{}> sent together: tasks {tasks}, calls {calls}", host_task.host.name);
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
