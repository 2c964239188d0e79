//! Jobs on their way to a host, and what becomes of those that do not come back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rplay_modules::wire::Failure;

use crate::run::dispatch::executor::Executor;
use crate::run::dispatch::timer::{Due, Timer};
use crate::run::state::host::HostState;
use crate::{
    actions::{After, Answer},
    link::Target,
    vars::Value,
};

/// A job on its way: whose it is, and which units.
pub(crate) struct InFlight {
    pub host_task: usize,
    pub iterations: Vec<usize>,
    pub afters: Vec<After>,
    pub target: Arc<Target>,
    pub delegated: Option<Arc<HostState>>,
    /// They are a job of their own, and not a part of a batch.
    pub alone: bool,
}

impl Executor<'_> {
    /// The way to the host broke off: what was not answered never will be.
    pub(crate) fn unreachable(&mut self, job: InFlight, failure: Failure) {
        if let (Some((deadline, sleep)), [iteration]) =
            (self.host_tasks[job.host_task].patience, job.iterations.as_slice())
            && Instant::now() < deadline
        {
            self.run.links.reset(&job.target);
            self.host_tasks[job.host_task].open += 1;
            self.timers.push(Timer {
                due: Instant::now() + sleep,
                host_task: job.host_task,
                what: Due::Iteration(*iteration),
            });
            return;
        }
        let mut answer = Answer::failed(failure.msg);
        answer.unreachable = true;
        answer.help = failure.help;
        let at = job.host_task;
        self.host_tasks[at].lost.push((job.target.clone(), answer.clone()));
        self.evaluate_open(job, &answer);
        self.advance(at);
    }

    /// A job took longer than it may: it is stopped, and whatever it would still answer is not waited for.
    pub(crate) fn timed_out(&mut self, key: u64, limit: Duration) {
        let Some(job) = self.in_flight.remove(&key) else { return };
        self.run.links.cancel(&job.target, key);
        let at = job.host_task;
        self.host_tasks[at].open -= 1;
        let seconds = limit.as_secs_f64();
        // Whole seconds, as `timeout` is given, stay a whole number.
        let period = if seconds.fract() == 0.0 { Value::from(seconds as u64) } else { Value::from(seconds) };
        let period = crate::vars::mapping([("period", period)]);
        let answer = Answer::failed(format!("Timed out after {seconds} second(s).")).with("timedout", period);
        self.evaluate_open(job, &answer);
        self.advance(at);
    }

    /// The same answer for all that has none yet.
    fn evaluate_open(&mut self, job: InFlight, answer: &Answer) {
        let judged = &self.host_tasks[job.host_task].judged;
        let open: Vec<usize> = job.iterations.into_iter().filter(|iteration| judged[*iteration].is_none()).collect();
        for iteration in open {
            self.evaluate(job.host_task, iteration, answer.clone(), job.delegated.clone());
        }
    }
}
