//! Runs all plays of all playbooks, in order.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    event::{Event, Recap},
    plan::Play,
    run::{plays::preflight::RunError, state::run::Run},
};

impl Run {
    /// Runs resolved playbooks. The recap shows the result, failed hosts included.
    ///
    /// # Errors
    /// What ends the run at once: an unreadable file of variables, an unknown pattern. Where it can be known by then,
    /// no host has been touched.
    pub fn playbooks(self: &Arc<Self>, playbooks: &[(PathBuf, Vec<Arc<Play>>)]) -> Result<Recap, RunError> {
        let all: Vec<&Arc<Play>> = playbooks.iter().flat_map(|(_, plays)| plays).collect();
        self.flush_fact_cache();
        self.preflight(&all)?;
        let mut result = Ok(());
        'all: for (index, (path, plays)) in playbooks.iter().enumerate() {
            let name = path.display().to_string().into();
            self.send(Event::PlaybookStarted { name, plays: plays.len() });
            for play in plays {
                match self.play(play) {
                    Ok(true) => {}
                    Ok(false) => break 'all,
                    Err(problems) => {
                        result = Err(problems);
                        break 'all;
                    }
                }
            }
            // The recap of the last one is that of the run.
            if index + 1 < playbooks.len() {
                self.send(Event::PlaybookEnded(Arc::new(self.recap())));
            }
        }
        let recap = Recap { aborted: result.is_err(), ..self.recap() };
        self.send(Event::RunEnded(Arc::new(recap.clone())));
        if let (true, Some(name)) = (self.waiting.load(Ordering::Acquire), &self.options.start_at) {
            let message = format!(
                "[ERROR]: No matching task \"{name}\" found. Note: --start-at-task can only follow static includes."
            );
            self.warn(message, None);
        }
        result.map(|()| recap).map_err(RunError::from)
    }
}
