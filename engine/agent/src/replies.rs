//! The way back to the controller, shared by all threads of an agent.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use rplay_wire::{Batch, Failure, FrameError, MARKER, Outcome, Reply, encode};

/// Writes whole frames, one at a time.
#[derive(Clone)]
pub struct Replies(Arc<Mutex<dyn Write + Send>>);

impl Replies {
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Replies(Arc::new(Mutex::new(writer)))
    }

    /// The marker by which the controller finds the first frame.
    pub fn begin(&self) -> Result<(), FrameError> {
        self.write(MARKER)
    }

    pub fn send(&self, reply: &Reply) -> Result<(), FrameError> {
        self.write(&encode(reply)?)
    }

    /// Sends an outcome. One that does not fit into a frame becomes a failed one; that the controller has
    /// gone is not reported, since the reading side notices it as well.
    pub fn outcome(&self, batch: u64, index: u32, outcome: Outcome) {
        let sent = self.send(&Reply::Outcome { batch, index, outcome });
        if let Err(error @ (FrameError::TooLong(_) | FrameError::Garbled(_))) = sent {
            let outcome = Outcome::failed(Failure::new(format!("the result cannot be sent: {error}")));
            let _ = self.send(&Reply::Outcome { batch, index, outcome });
        }
    }

    /// Answers for a batch that cannot go on: what is not `answered` of the stage that it has come to gets this
    /// failure, the stages after that one are not begun.
    pub fn broken_off(&self, shape: &Shape, answered: &[bool], failure: &Failure) {
        let mut first = 0;
        for (at, calls) in shape.stages.iter().enumerate() {
            let open: Vec<usize> =
                (first..first + calls).filter(|index| !answered.get(*index).is_some_and(|done| *done)).collect();
            first += calls;
            if open.is_empty() {
                continue;
            }
            for index in open {
                self.outcome(shape.batch, index as u32, Outcome::failed(failure.clone()));
            }
            if shape.stages.iter().skip(at + 1).any(|calls| *calls > 0) {
                let _ = self.send(&Reply::Stopped { batch: shape.batch });
            }
            return;
        }
    }

    fn write(&self, frame: &[u8]) -> Result<(), FrameError> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(frame)?;
        writer.flush()?;
        Ok(())
    }
}

/// How many calls each stage of a batch has: all that must be known to answer for it.
pub struct Shape {
    batch: u64,
    stages: Vec<usize>,
}

impl Shape {
    pub fn of(batch: &Batch) -> Self {
        Shape { batch: batch.id, stages: batch.stages.iter().map(|stage| stage.calls.len()).collect() }
    }

    pub fn calls(&self) -> usize {
        self.stages.iter().sum()
    }
}
