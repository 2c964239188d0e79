//! The calls of a task that are sent as one job.

use std::sync::Arc;

use rplay_contract::wire::Stage;

use crate::{
    actions::{After, TaskResult},
    run::{
        dispatch::host_task::HostTask,
        state::host::HostState,
        task::prepare::{Prepared, Ready},
    },
};

/// Iterations that are sent as one job.
pub(crate) struct Parcel {
    /// The first call, for the properties they share.
    pub prepared: Prepared,
    pub iterations: Vec<usize>,
    pub stages: Vec<Stage>,
    pub afters: Vec<After>,
}

/// An iteration that needs no job: its result, and the host that it was delegated to.
pub(crate) type Answered = (usize, TaskResult, Option<Arc<HostState>>);

impl Parcel {
    pub(crate) fn of(iteration: usize, mut prepared: Prepared, parallel: u32) -> Self {
        let after = std::mem::take(&mut prepared.after);
        let (become_user, calls) = (prepared.become_user.clone(), vec![prepared.call.clone()]);
        let stages = vec![Stage { become_user, calls, parallel, required: false }];
        Parcel { prepared, iterations: vec![iteration], stages, afters: vec![after] }
    }

    /// Adds a call; one that runs as another user gets its own stage.
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

/// Packs the remaining iterations of a loop into one job, as far as one host runs them. If several may run
/// concurrently, there is one job for each target and user.
pub(crate) fn pack(host_task: &mut HostTask) -> (Vec<Parcel>, Vec<Answered>) {
    let mut jobs: Vec<Parcel> = Vec::new();
    let mut done = Vec::new();
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
            Some(Ready::Call(mut prepared)) => {
                host_task.keep(iteration, &mut prepared);
                if let Some(result) = host_task.lost_connection(&prepared) {
                    done.push((iteration, result, prepared.delegated));
                    continue;
                }
                let goes_along = |job: &&mut Parcel| {
                    in_turn
                        || job.prepared.target == prepared.target && job.prepared.become_user == prepared.become_user
                };
                match jobs.iter_mut().find(goes_along) {
                    Some(job) => job.add(iteration, *prepared, host_task.parallel),
                    None => jobs.push(Parcel::of(iteration, *prepared, host_task.parallel)),
                }
            }
            Some(Ready::Done(result, delegated)) => done.push((iteration, result, delegated)),
            None => {}
        }
    }
    (jobs, done)
}
