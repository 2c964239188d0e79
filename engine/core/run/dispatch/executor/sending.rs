//! Sends the iterations of a task on a host.

use std::time::Instant;

use super::Executor;
use crate::{
    actions::After,
    run::{
        dispatch::{
            parcel::{Parcel, pack},
            restart::Restart,
        },
        facts::with_facts,
        task::prepare::{Prepared, Ready},
    },
};

impl Executor<'_> {
    /// Calls that were sent with an earlier task were not started: prepares and sends them again.
    pub(super) fn send_again(&mut self, at: usize, iterations: &[usize]) {
        let (run, play, task) = (self.run, &self.task.play, &self.task.task);
        let host_task = &mut self.host_tasks[at];
        let host = host_task.host.clone();
        self.sent.forget(&run.links, &host);
        let open = host_task.open_of(iterations);
        if let (false, [iteration]) = (host_task.together, open.as_slice()) {
            return self.again(at, *iteration);
        }
        let prepare = |iteration: &usize| run.prepare(play, task, &host, &host_task.iterations[*iteration], None);
        let ready: Vec<Ready> = with_facts(self.facts, &host, || open.iter().map(prepare).collect());
        for (iteration, ready) in open.iter().zip(ready) {
            host_task.ready[*iteration] = Some(ready);
        }
        host_task.next = open.first().copied().unwrap_or(host_task.iterations.len());
        self.advance(at);
    }

    /// Sends the remaining iterations, in as few jobs as possible.
    pub(super) fn send_all(&mut self, at: usize) {
        let (jobs, done) = pack(&mut self.host_tasks[at]);
        for job in jobs {
            self.send(at, job);
        }
        for (iteration, result, delegated) in done {
            self.evaluate(at, iteration, result, delegated);
        }
    }

    /// Sends one iteration. Returns true if it finished at once, so that the next may follow.
    pub(super) fn send_one(&mut self, at: usize, iteration: usize) -> bool {
        let (run, play, task) = (self.run, &self.task.play, &self.task.task);
        let host_task = &mut self.host_tasks[at];
        let ready = match host_task.ready.get_mut(iteration).and_then(Option::take) {
            Some(ready) => ready,
            // An iteration that may read what earlier ones registered is only prepared now.
            None => {
                let (host, iteration) = (&host_task.host, &host_task.iterations[iteration]);
                with_facts(self.facts, host, || run.prepare(play, task, host, iteration, None))
            }
        };
        if let Some(slot) = host_task.invocations.get_mut(iteration) {
            *slot = ready.invocation();
        }
        let mut prepared = match ready {
            Ready::Done(result, delegated) => {
                self.evaluate(at, iteration, result, delegated);
                return self.host_tasks[at].open == 0;
            }
            Ready::Call(prepared) => *prepared,
        };
        host_task.keep(iteration, &mut prepared);
        if let Some(result) = host_task.lost_connection(&prepared) {
            self.evaluate(at, iteration, result, prepared.delegated);
            return self.host_tasks[at].open == 0;
        }
        let after = std::mem::take(&mut prepared.after);
        if let After::Patience { timeout, delay, sleep } = after
            && host_task.patience.is_none()
        {
            let begin = Instant::now() + delay;
            host_task.patience = Some((begin + timeout, sleep));
            self.wake(at, iteration, begin);
            return false;
        }
        if let Some(restart) = Restart::of(&after, &prepared.target) {
            if let Some(result) = restart.refusal() {
                self.evaluate(at, iteration, result, prepared.delegated);
                return self.host_tasks[at].open == 0;
            }
            self.host_tasks[at].restart.get_or_insert(restart).ask(&mut prepared.call);
        }
        self.send(at, Parcel::of(iteration, Prepared { after, ..prepared }, 1));
        false
    }

    fn send(&mut self, at: usize, parcel: Parcel) {
        let host_task = &mut self.host_tasks[at];
        host_task.open += 1;
        self.outbox.send(at, &self.task.task, host_task, parcel, self.sent);
    }
}
