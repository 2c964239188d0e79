//! A file for each host with its last result (`tree`).

use std::{path::PathBuf, sync::Arc};

use super::Addition;
use crate::{
    event::{Event, HostResult},
    report::{layout::Layout, values},
    secrets::Secrets,
};

pub struct Tree {
    directory: PathBuf,
    secrets: Arc<Secrets>,
}

impl Tree {
    pub fn new(directory: PathBuf, secrets: Arc<Secrets>) -> Self {
        Tree { directory, secrets }
    }

    fn keep(&self, result: &HostResult) -> Result<(), String> {
        let layout = if result.task_result.verbose_always { Layout::indented(4) } else { Layout::LINE };
        let text = layout.write(&values::with_changed(values::shown(&result.data, &self.secrets), result));
        // No host name can lead to a file elsewhere.
        let path = self.directory.join(result.host.replace('/', "_"));
        std::fs::create_dir_all(&self.directory)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("the result of {} cannot be written to {}: {error}", result.host, path.display()))
    }
}

impl Addition for Tree {
    fn read(&mut self, event: &Event) -> Result<Option<String>, String> {
        match event {
            Event::HostDone { result, .. } | Event::IncludeDone { item: None, result, .. } => {
                self.keep(result).map(|()| None)
            }
            _ => Ok(None),
        }
    }
}
