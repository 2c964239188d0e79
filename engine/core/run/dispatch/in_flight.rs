//! Jobs on their way to a host, and what becomes of those that do not come back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rplay_modules::wire::Failure;

use crate::run::dispatch::executor::Driver;
use crate::run::dispatch::timer::{Due, Timer};
use crate::run::state::host::HostState;
use crate::{
    actions::{After, Answer},
    link::Target,
    vars::Value,
};

/// A job on its way: whose it is, and which units.
pub(crate) struct Flight {
    pub work: usize,
    pub units: Vec<usize>,
    pub afters: Vec<After>,
    pub target: Arc<Target>,
    pub delegated: Option<Arc<HostState>>,
    /// They are a job of their own, and not a part of a batch.
    pub alone: bool,
}

impl Driver<'_> {
    /// The way to the host broke off: what was not answered never will be.
    pub(crate) fn unreachable(&mut self, flight: Flight, failure: Failure) {
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
        self.works[at].lost.push((flight.target.clone(), answer.clone()));
        self.judge_open(flight, &answer);
        self.advance(at);
    }

    /// A job took longer than it may: it is stopped, and whatever it would still answer is not waited for.
    pub(crate) fn timed_out(&mut self, key: u64, limit: Duration) {
        let Some(flight) = self.flights.remove(&key) else { return };
        self.run.links.cancel(&flight.target, key);
        let at = flight.work;
        self.works[at].open -= 1;
        let seconds = limit.as_secs_f64();
        // Whole seconds, as `timeout` is given, stay a whole number.
        let period = if seconds.fract() == 0.0 { Value::from(seconds as u64) } else { Value::from(seconds) };
        let period = crate::vars::mapping([("period", period)]);
        let answer = Answer::failed(format!("Timed out after {seconds} second(s).")).with("timedout", period);
        self.judge_open(flight, &answer);
        self.advance(at);
    }

    /// The same answer for all that has none yet.
    fn judge_open(&mut self, flight: Flight, answer: &Answer) {
        let judged = &self.works[flight.work].judged;
        let open: Vec<usize> = flight.units.into_iter().filter(|unit| judged[*unit].is_none()).collect();
        for unit in open {
            self.judge(flight.work, unit, answer.clone(), flight.delegated.clone());
        }
    }
}
