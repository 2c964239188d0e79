//! Carrying out stages of a batch under the agent's own identity.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rplay_modules::{BlobSource, Cancel, ContentTarget, Host, runner};
use rplay_wire::{Call, Outcome, Reply, Stage};

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
        let sending = Sending { replies, batch: part.batch, first };
        let failed = run_stage(stage, running, blobs, sending, &|index, outcome| {
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

/// Where the calls of a stage send content to.
struct Sending<'a> {
    replies: &'a Replies,
    batch: u64,
    /// The index of the stage's first call.
    first: usize,
}

/// The content that one call sends.
struct Outgoing {
    replies: Replies,
    batch: u64,
    index: u32,
    cancel: Cancel,
}

impl ContentTarget for Outgoing {
    fn send(&self, piece: Vec<u8>, left: u64) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let reply = Reply::Content { batch: self.batch, index: self.index, piece, left };
        self.replies.send(&reply).map_err(io::Error::other)
    }
}

/// Runs the calls in order, `stage.parallel` of them side by side, and tells each outcome when it is there.
/// Says whether any has failed.
fn run_stage(
    stage: &Stage,
    running: &Running,
    blobs: &Arc<dyn BlobSource>,
    Sending { replies, batch, first }: Sending<'_>,
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
                let (replies, cancel) = (replies.clone(), running.cancel.clone());
                let outgoing = Outgoing { replies, batch, index: (first + index) as u32, cancel };
                let host = Host::new(call.environment.clone(), blobs.clone())
                    .cancelled_by(running.cancel.clone())
                    .sends_to(Arc::new(outgoing));
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
