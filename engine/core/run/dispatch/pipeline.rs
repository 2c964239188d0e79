//! Tasks whose calls are sent with those of an earlier task.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use rplay_contract::wire::{Call, Stage};

use crate::{
    link::{Links, Target},
    plan::Task,
    run::{
        dispatch::{
            batch::PipelinedBatch,
            host_task::{HostTask, PipelinedTask},
        },
        lookahead::rules,
        state::host::HostState,
    },
};

/// Tasks whose calls were sent in advance, by host, in order.
#[derive(Default)]
pub(crate) struct SentAhead(Mutex<HashMap<Arc<str>, VecDeque<PipelinedTask>>>);

impl SentAhead {
    /// The prepared host tasks, if the task was sent in advance.
    pub(crate) fn take(&self, task: &Arc<Task>, hosts: &[Arc<HostState>]) -> Vec<Option<HostTask>> {
        let mut by_host = self.0.lock();
        if by_host.is_empty() {
            return hosts.iter().map(|_| None).collect();
        }
        let take = |host: &Arc<HostState>| {
            let queue = by_host.get_mut(&host.name)?;
            if !Arc::ptr_eq(&queue.front()?.task, task) {
                // Gathering facts may come in between at any time.
                debug_assert!(task.action.traits().gathers, "look-ahead expected another task than {task:?}");
                return None;
            }
            let share = queue.pop_front().map(|next| next.host_task);
            if queue.is_empty() {
                by_host.remove(&host.name);
            }
            share
        };
        hosts.iter().map(take).collect()
    }

    fn add(&self, host: &HostState, tasks: impl Iterator<Item = PipelinedTask>) {
        self.0.lock().entry(host.name.clone()).or_default().extend(tasks);
    }

    /// Discards what was sent in advance, because its turn will not come, or in another form.
    pub(crate) fn forget(&self, links: &Links, host: &HostState) {
        let Some(tasks) = self.0.lock().remove(&host.name) else { return };
        if let Some((batch, _)) = tasks.iter().find_map(|sent| sent.host_task.batch.as_ref())
            && !batch.is_over()
        {
            links.cancel(&batch.target, batch.key);
        }
    }
}

/// Appends the calls of later tasks to the stages of a batch, and records them as sent.
pub(crate) fn append_stages(
    key: u64,
    target: &Arc<Target>,
    stages: &mut Vec<Stage>,
    pipeline: Vec<PipelinedTask>,
    host: &HostState,
    sent: &SentAhead,
) -> Arc<PipelinedBatch> {
    let mut first: usize = stages.iter().map(|stage| stage.calls.len()).sum();
    let mut ranges = Vec::with_capacity(pipeline.len());
    for PipelinedTask { task, host_task } in &pipeline {
        let calls: Vec<Call> = host_task.calls().map(|prepared| prepared.call.clone()).collect();
        ranges.push(first..first + calls.len());
        first += calls.len();
        if let Some(one) = host_task.calls().next() {
            let become_user = one.become_user.clone();
            let required = rules::is_required(task);
            stages.push(Stage { become_user, calls, parallel: host_task.parallel, required });
        }
    }
    let batch = Arc::new(PipelinedBatch::new(key, target.clone(), first));
    let with_batch = pipeline.into_iter().zip(ranges).map(|(mut task, calls)| {
        task.host_task.batch = Some((batch.clone(), calls));
        task
    });
    sent.add(host, with_batch);
    batch
}
