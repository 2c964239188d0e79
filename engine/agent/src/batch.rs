//! Carrying out stages of a batch under the agent's own identity.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rplay_modules::{BlobSource, Host, runner};
use rplay_wire::{Call, Outcome, Stage};

use crate::{
    background,
    part::{Come, Part},
    replies::Replies,
    running::Running,
};

/// More would only stand in each other's way.
const MOST_WORKERS: usize = 64;

/// Runs the stages one after the other, until one fails on which the others depend.
pub fn run(part: &Part, running: &Running, blobs: &Arc<dyn BlobSource>, replies: &Replies) -> Come {
    let mut come = Come { calls: 0, goes_on: true };
    let end = part.first + part.calls();
    for stage in &part.stages {
        let first = part.first + come.calls;
        let failed = run_stage(stage, running, blobs, &|index, outcome| {
            let index = first + index;
            match index + 1 == end {
                true => replies.last_outcome(part.batch, index as u32, outcome),
                false => replies.outcome(part.batch, index as u32, outcome),
            }
        });
        come.calls += stage.calls.len();
        if failed && stage.required {
            come.goes_on = false;
            break;
        }
    }
    come
}

/// Runs the calls in order, `stage.parallel` of them side by side, and tells each outcome when it is there.
/// Says whether any has failed.
fn run_stage(
    stage: &Stage,
    running: &Running,
    blobs: &Arc<dyn BlobSource>,
    tell: &(dyn Fn(usize, Outcome) + Sync),
) -> bool {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let work = || {
        while let Some((index, call)) = take(&next, &stage.calls) {
            let outcome = if running.is_cancelled() {
                Outcome { skipped: Some("cancelled".to_owned()), ..Outcome::default() }
            } else if let Some(job) = &call.background {
                running.at_work(|| background::begin(call, job))
            } else {
                let host = Host::new(call.environment.clone(), blobs.clone()).cancelled_by(running.cancel.clone());
                running.at_work(|| runner::run(call, &host))
            };
            if outcome.failure.is_some() {
                failed.store(true, Ordering::SeqCst);
            }
            tell(index, outcome);
        }
    };
    let workers = (stage.parallel as usize).min(stage.calls.len()).min(MOST_WORKERS);
    thread::scope(|scope| {
        for _ in 1..workers {
            // With fewer threads than wished for it only takes longer.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    failed.into_inner()
}

fn take<'a>(next: &AtomicUsize, calls: &'a [Call]) -> Option<(usize, &'a Call)> {
    let index = next.fetch_add(1, Ordering::SeqCst);
    Some((index, calls.get(index)?))
}
