//! What is asked of a link, and what it tells.

use std::{
    io::{self, Read},
    sync::{Arc, mpsc::Sender},
};

use rplay_wire::{Blob, Failure, Outcome, Stage};

use super::Target;

/// Opens the content that a call mentions. Runs on a thread that may block.
pub type BlobSource = Arc<dyn Fn(&Blob) -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

/// Receives the content of one file that a host sends.
pub trait ContentSink: Send {
    /// Receives the next piece, after which `left` bytes follow. May block. Errors are kept until the call's outcome is
    /// there.
    fn piece(&mut self, piece: &[u8], left: u64);
}

/// Opens the destination for content that a call sends, by the number in its argument `_sink`. Each is opened once.
pub type ContentSinks = Arc<dyn Fn(i64) -> Option<Box<dyn ContentSink>> + Send + Sync>;

/// Receives the events of a job.
pub trait Listener: Send + Sync {
    fn hear(&self, event: LinkEvent);
}

impl Listener for Sender<LinkEvent> {
    fn hear(&self, event: LinkEvent) {
        // A receiver that is gone needs no event.
        let _ = self.send(event);
    }
}

/// Calls for one host that are sent together.
pub struct Job {
    /// The caller's name for it, unique per target; returned with every event.
    pub key: u64,
    pub target: Arc<Target>,
    /// Run in order. Calls are numbered across all stages.
    pub stages: Vec<Stage>,
    pub blobs: BlobSource,
    pub sinks: ContentSinks,
    pub events: Arc<dyn Listener>,
}

/// Progress of a job. Each call gets one outcome, then `Done` follows. `Stopped` or `Unreachable` may come at any time
/// and is then the last event of the job.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    Outcome {
        key: u64,
        index: u32,
        outcome: Outcome,
    },
    Done {
        key: u64,
    },
    /// Calls without an outcome were not started, because of the outcome of an earlier stage.
    Stopped {
        key: u64,
    },
    Unreachable {
        key: u64,
        failure: Failure,
    },
}
