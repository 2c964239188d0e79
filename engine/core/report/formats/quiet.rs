//! Nothing but warnings (`community.general.null`).

use super::Output;
use crate::{event::Event, report::Reader};

/// Shows nothing of a run.
pub struct Quiet(Output);

impl Quiet {
    pub fn new(output: Output) -> Self {
        Quiet(output)
    }
}

impl Reader for Quiet {
    fn read(&mut self, event: &Event) {
        match event {
            Event::Warning { message, place } => self.0.warning(message, place.as_ref()),
            Event::Message { text } | Event::Verbose { text } => self.0.message(text),
            _ => {}
        }
    }
}
