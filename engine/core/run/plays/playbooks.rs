//! Runs all plays of all playbooks, in order.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use crate::{
    event::{Event, Recap},
    plan::Play,
    run::{plays::preflight::RunError, state::run::Run},
    source::absolute,
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
            let mut goes_on = true;
            for play in plays {
                match self.play(play) {
                    Ok(true) => {}
                    Ok(false) => {
                        goes_on = false;
                        break;
                    }
                    Err(problems) => {
                        result = Err(problems);
                        break 'all;
                    }
                }
            }
            self.write_retry_file(path);
            if !goes_on {
                break;
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

    /// Writes the names of all hosts lost so far to a file for `--limit`, if the settings say so.
    fn write_retry_file(&self, playbook: &Path) {
        let Some(files) = &self.options.retry_files else { return };
        let lost = self.losses.lock().names();
        if lost.is_empty() {
            return;
        }
        let playbook = PathBuf::from(absolute(playbook));
        let directory = files.directory.as_deref().or(playbook.parent()).unwrap_or(Path::new("/"));
        let path = directory.join(playbook.file_stem().unwrap_or_default()).display().to_string() + ".retry";
        let lines: String = lost.iter().map(|name| format!("{name}\n")).collect();
        let written: io::Result<()> = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, lines));
        match written {
            Ok(()) => self.send(Event::Message { text: format!("\tto retry, use: --limit @{path}").into() }),
            Err(error) => self.warn(format!("Could not create retry file '{path}'.\n\t{error}"), None),
        }
    }
}
