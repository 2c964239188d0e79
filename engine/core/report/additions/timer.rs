//! How long the whole run took (`ansible.posix.timer`).

use std::time::Instant;

use super::{Addition, heading};
use crate::event::Event;

pub struct Timer {
    begun: Instant,
}

impl Timer {
    #[allow(clippy::new_without_default, reason = "it begins to count")]
    pub fn new() -> Self {
        Timer { begun: Instant::now() }
    }
}

impl Addition for Timer {
    fn read(&mut self, event: &Event) -> Result<Option<String>, String> {
        Ok(matches!(event, Event::RunEnded(_)).then(|| {
            let seconds = self.begun.elapsed().as_secs();
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
            let heading = heading("PLAYBOOK RECAP");
            let seconds = seconds % 60;
            format!("{heading}\nPlaybook run took {days} days, {hours} hours, {minutes} minutes, {seconds} seconds")
        }))
    }
}
