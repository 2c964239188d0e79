//! Carrying out one batch under the agent's own identity.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rplay_modules::{BlobSource, Host, runner};
use rplay_wire::{Batch, Call, Outcome};

use crate::{background, replies::Replies, running::Running};

/// More would only stand in each other's way.
const MOST_WORKERS: usize = 64;

/// Runs the calls in order, `batch.parallel` of them side by side, and sends each outcome when it is there.
pub fn run(batch: &Batch, running: &Running, blobs: &Arc<dyn BlobSource>, replies: &Replies) {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let work = || {
        while let Some((index, call)) = take(&next, &batch.calls) {
            let outcome = if running.is_cancelled() {
                skipped("cancelled")
            } else if batch.stop_on_failure && failed.load(Ordering::SeqCst) {
                skipped("an earlier call has failed")
            } else if let Some(job) = &call.background {
                running.at_work(|| background::begin(call, job))
            } else {
                let host = Host::new(call.environment.clone(), blobs.clone()).cancelled_by(running.cancel.clone());
                running.at_work(|| runner::run(call, &host))
            };
            if outcome.failure.is_some() {
                failed.store(true, Ordering::SeqCst);
            }
            replies.outcome(batch.id, index, outcome);
        }
    };
    let workers = (batch.parallel as usize).min(batch.calls.len()).min(MOST_WORKERS);
    thread::scope(|scope| {
        for _ in 1..workers {
            // With fewer threads than wished for it only takes longer.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
}

fn take<'a>(next: &AtomicUsize, calls: &'a [Call]) -> Option<(u32, &'a Call)> {
    let index = next.fetch_add(1, Ordering::SeqCst);
    Some((index as u32, calls.get(index)?))
}

fn skipped(why: &str) -> Outcome {
    Outcome { skipped: Some(why.to_owned()), ..Outcome::default() }
}
