//! The way back to the controller, shared by all threads of an agent.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use rplay_wire::{Failure, FrameError, MARKER, Outcome, Reply, encode};

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

    fn write(&self, frame: &[u8]) -> Result<(), FrameError> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(frame)?;
        writer.flush()?;
        Ok(())
    }
}
