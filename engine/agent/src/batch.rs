//! Runs the stages of a batch as the agent's own user.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rplay_modules::{BlobSource, Cancel, ContentTarget, Host};
use rplay_wire::{Call, Outcome, Reply, Stage};

use crate::{
    background, contained,
    part::{Part, Progress},
    replies::Replies,
    running::Running,
};

/// Maximum number of concurrent calls: more would only slow each other down.
const MOST_WORKERS: usize = 64;

/// Runs the stages in order, until a stage fails that later ones depend on.
pub(crate) fn run(part: &Part, running: &Running, blobs: &Arc<dyn BlobSource>, replies: &Replies) -> Progress {
    let mut progress = Progress { calls: 0, goes_on: true };
    let end = part.first + part.calls();
    for stage in &part.stages {
        let first = part.first + progress.calls;
        let sending = Sending { replies, batch: part.batch, first };
        let ended = run_stage(stage, running, blobs, sending, &|index, outcome| {
            let index = first + index;
            match index + 1 == end {
                true => replies.last_outcome(part.batch, index as u32, outcome),
                false => replies.outcome(part.batch, index as u32, outcome),
            }
        });
        progress.calls += ended.calls;
        if ended.failed && stage.required || ended.held_up {
            progress.goes_on = false;
            break;
        }
    }
    progress
}

/// How a stage ended.
struct Ended {
    /// The number of calls that were answered.
    calls: usize,
    /// Whether one of them failed.
    failed: bool,
    /// Whether the controller must see one of the outcomes before anything more starts.
    held_up: bool,
}

/// Where the calls of a stage send file content.
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

/// Runs the calls in order, up to `stage.parallel` of them concurrently, and sends each outcome as soon as it is there.
/// After an outcome that holds up the batch, no further call starts, unless the calls are concurrent.
fn run_stage(
    stage: &Stage,
    running: &Running,
    blobs: &Arc<dyn BlobSource>,
    Sending { replies, batch, first }: Sending<'_>,
    tell: &(dyn Fn(usize, Outcome) + Sync),
) -> Ended {
    let next = AtomicUsize::new(0);
    let (failed, held_up) = (AtomicBool::new(false), AtomicBool::new(false));
    let workers = (stage.parallel as usize).min(stage.calls.len()).min(MOST_WORKERS);
    let work = || {
        while let Some((index, call)) = take(&next, &stage.calls) {
            let outcome = if running.is_cancelled() {
                Outcome { skipped: Some("cancelled".to_owned()), ..Outcome::default() }
            } else if let Some(job) = &call.background {
                let host = Host::new(call.environment.clone(), blobs.clone()).cancelled_by(running.cancel.clone());
                running.at_work(|| background::begin(call, job, &host))
            } else {
                let (replies, cancel) = (replies.clone(), running.cancel.clone());
                let outgoing = Outgoing { replies, batch, index: (first + index) as u32, cancel };
                let host = Host::new(call.environment.clone(), blobs.clone())
                    .cancelled_by(running.cancel.clone())
                    .sends_to(Arc::new(outgoing));
                contained::run(call, host, running)
            };
            if outcome.failure.is_some() {
                failed.store(true, Ordering::SeqCst);
            }
            let holds_up = outcome.holds_up;
            tell(index, outcome);
            if holds_up {
                held_up.store(true, Ordering::SeqCst);
                if workers <= 1 {
                    break;
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..workers {
            // If a thread cannot be started, the stage just takes longer.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let calls = next.into_inner().min(stage.calls.len());
    Ended { calls, failed: failed.into_inner(), held_up: held_up.into_inner() }
}

fn take<'a>(next: &AtomicUsize, calls: &'a [Call]) -> Option<(usize, &'a Call)> {
    let index = next.fetch_add(1, Ordering::SeqCst);
    Some((index, calls.get(index)?))
}
