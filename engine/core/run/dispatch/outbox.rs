//! Pending jobs and timers of a task, and the channel on which the links report.

use std::{
    collections::{BinaryHeap, HashMap, HashSet},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use rplay_contract::wire::{Become, Failure, Outcome, Stage};

use crate::{
    actions::After,
    event::Event,
    link::{Job, LinkEvent, Listener, Target},
    plan::Task,
    run::{
        dispatch::{
            batch::PipelinedBatch,
            host_task::HostTask,
            parcel::Parcel,
            pipeline::{SentAhead, append_stages},
        },
        lookahead::rules,
        state::{host::HostState, run::Run},
        task::plugin::PluginRun,
    },
};

/// Sends the jobs of one task and waits for their events.
pub(crate) struct Outbox<'r> {
    run: &'r Run,
    jobs: HashMap<u64, InFlight>,
    timers: BinaryHeap<Timer>,
    /// For each host, the batch that holds the task's calls and those of others.
    batches: HashMap<usize, Arc<PipelinedBatch>>,
    /// Hosts that finished the task but not the rest of their batch, by the key that reports its end.
    busy: HashSet<u64>,
    sender: Sender<LinkEvent>,
    receiver: Receiver<LinkEvent>,
}

/// A pending job: its host, and its iterations.
pub(crate) struct InFlight {
    pub host_task: usize,
    pub iterations: Vec<usize>,
    afters: Vec<After>,
    pub target: Arc<Target>,
    pub delegated: Option<Arc<HostState>>,
    /// Whether this is a separate job and not part of a batch.
    pub alone: bool,
    plugin: Option<Arc<PluginRun>>,
}

/// What happened.
pub(crate) enum Signal {
    /// A call was answered.
    Answered { host_task: usize, iteration: usize, outcome: Outcome, after: After, delegated: Option<Arc<HostState>> },
    /// All calls of a job were answered.
    Done(InFlight),
    /// A job ended before all its calls were started.
    Stopped(InFlight),
    /// The connection to the host was lost.
    Lost(InFlight, Failure),
    /// A job exceeded its time limit and was cancelled.
    TimedOut(InFlight, Duration),
    /// The time for a retry, or for an item after a pause, has come.
    Due { host_task: usize, iteration: usize },
    /// A host that had finished the task finished the rest of its batch.
    Idle,
}

/// An action at a later time.
#[derive(PartialEq, Eq)]
struct Timer {
    due: Instant,
    host_task: usize,
    what: Due,
}

#[derive(PartialEq, Eq)]
enum Due {
    /// A retry, or an item after a pause.
    Iteration(usize),
    /// The time limit of a job.
    Limit { key: u64, limit: Duration },
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The heap returns the greatest element, so the earliest must compare as greatest.
        other.due.cmp(&self.due).then(other.host_task.cmp(&self.host_task))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<'r> Outbox<'r> {
    pub(crate) fn new(run: &'r Run) -> Self {
        let (sender, receiver) = mpsc::channel();
        Outbox {
            run,
            jobs: HashMap::new(),
            timers: BinaryHeap::new(),
            batches: HashMap::new(),
            busy: HashSet::new(),
            sender,
            receiver,
        }
    }

    /// Schedules a signal for an iteration.
    pub(crate) fn wake(&mut self, host_task: usize, iteration: usize, due: Instant) {
        self.timers.push(Timer { due, host_task, what: Due::Iteration(iteration) });
    }

    /// Waits for the next signal; `None` if the event concerned no current job.
    pub(crate) fn next(&mut self) -> Option<Signal> {
        let event = match self.timers.peek() {
            None => self.receiver.recv().ok()?,
            Some(timer) => match self.receiver.recv_timeout(timer.due.saturating_duration_since(Instant::now())) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => return self.timer(),
                Err(RecvTimeoutError::Disconnected) => return None,
            },
        };
        match event {
            LinkEvent::Outcome { key, index, outcome } => {
                let job = self.jobs.get_mut(&key)?;
                let iteration = *job.iterations.get(index as usize)?;
                let after = std::mem::take(job.afters.get_mut(index as usize)?);
                let (host_task, delegated) = (job.host_task, job.delegated.clone());
                Some(Signal::Answered { host_task, iteration, outcome, after, delegated })
            }
            LinkEvent::Done { key } if self.busy.remove(&key) => Some(Signal::Idle),
            LinkEvent::Done { key } => self.jobs.remove(&key).map(Signal::Done),
            LinkEvent::Stopped { key } => self.jobs.remove(&key).map(Signal::Stopped),
            LinkEvent::Unreachable { key, failure } => self.jobs.remove(&key).map(|job| Signal::Lost(job, failure)),
        }
    }

    fn timer(&mut self) -> Option<Signal> {
        let Timer { host_task, what, .. } = self.timers.pop()?;
        match what {
            Due::Iteration(iteration) => Some(Signal::Due { host_task, iteration }),
            Due::Limit { key, limit } => {
                let job = self.jobs.remove(&key)?;
                match &job.plugin {
                    Some(plugin) => plugin.cancel(),
                    None => self.run.links.cancel(&job.target, key),
                }
                Some(Signal::TimedOut(job, limit))
            }
        }
    }

    /// Sends the calls of a job, together with those of pipelined tasks. For calls that were sent with an earlier task,
    /// it only listens.
    pub(crate) fn send(&mut self, at: usize, task: &Task, host_task: &mut HostTask, parcel: Parcel, sent: &SentAhead) {
        let Parcel { prepared, iterations, mut stages, afters } = parcel;
        let key = self.run.key();
        if let Some(limit) = prepared.limit {
            let what = Due::Limit { key, limit };
            self.timers.push(Timer { due: Instant::now() + limit, host_task: at, what });
        }
        let in_flight = InFlight {
            host_task: at,
            iterations,
            afters,
            target: prepared.target.clone(),
            delegated: prepared.delegated,
            alone: host_task.batch.is_none() && host_task.pipeline.is_empty(),
            plugin: prepared.plugin.clone(),
        };
        self.jobs.insert(key, in_flight);
        if let Some(plugin) = prepared.plugin {
            return plugin.start(key, self.sender.clone());
        }
        if let Some((batch, calls)) = host_task.batch.take() {
            batch.read(calls, key, self.sender.clone());
            self.batches.insert(at, batch);
            return;
        }
        if let Some(stage) = stages.last_mut() {
            stage.required = rules::is_required(task);
        }
        let pipeline = std::mem::take(&mut host_task.pipeline);
        let tasks = 1 + pipeline.iter().filter(|next| next.host_task.calls().next().is_some()).count();
        let (mut job, mut events): (u64, Arc<dyn Listener>) = (key, Arc::new(self.sender.clone()));
        if !pipeline.is_empty() {
            let first = 0..stages.iter().map(|stage| stage.calls.len()).sum();
            let key_of_all = self.run.key();
            let batch = append_stages(key_of_all, &prepared.target, &mut stages, pipeline, &host_task.host, sent);
            batch.read(first, key, self.sender.clone());
            self.batches.insert(at, batch.clone());
            (job, events) = (batch.key, batch);
        }
        if self.run.options.details >= 3 {
            self.tell_of(&host_task.host, &stages);
        }
        if self.run.options.verbosity >= 3 {
            let calls: usize = stages.iter().map(|stage| stage.calls.len()).sum();
            let text = format!("<{}> sent together: tasks {tasks}, calls {calls}", host_task.host.name);
            self.run.send(Event::Verbose { text: text.into() });
        }
        let (blobs, downloads) = (self.run.blobs.clone(), self.run.blobs.clone());
        self.run.links.dispatch(Job {
            key: job,
            target: prepared.target,
            stages,
            blobs: Arc::new(move |blob| blobs.open(&blob.sha256)),
            sinks: Arc::new(move |number| downloads.downloads.sink(number)),
            events,
        });
    }

    /// Tells what a host is to do, and as whom.
    fn tell_of(&self, host: &HostState, stages: &[Stage]) {
        for stage in stages {
            let agent = stage.become_user.as_ref().map_or_else(|| "rplay agent".to_owned(), Become::told);
            for call in &stage.calls {
                let text = format!("<{}> EXEC {agent} ({})", host.name, call.module);
                self.run.send(Event::Detail { level: 3, text: text.into() });
            }
        }
    }

    /// Whether the batch of a host holds the task's calls and others.
    pub(crate) fn has_batch(&self, host_task: usize) -> bool {
        self.batches.contains_key(&host_task)
    }

    /// Whether a host that finished the task still works on its batch; then [`Signal::Idle`] follows.
    pub(crate) fn stays_busy(&mut self, host_task: usize) -> bool {
        let Some(batch) = self.batches.get(&host_task) else { return false };
        let key = self.run.key();
        let busy = batch.notify_when_done(key, &self.sender);
        if busy {
            self.busy.insert(key);
        }
        busy
    }

    /// Number of hosts that finished the task and are still working.
    pub(crate) fn busy(&self) -> usize {
        self.busy.len()
    }
}
