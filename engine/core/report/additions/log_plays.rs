//! A log file for each host with its results (`community.general.log_plays`).

use std::{collections::HashMap, fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf, sync::Arc};

use super::Addition;
use crate::{
    event::{Event, HostResult, Status, TaskId, TaskStarted},
    report::{layout::Layout, values},
    secrets::Secrets,
};

pub struct LogPlays {
    directory: PathBuf,
    secrets: Arc<Secrets>,
    playbook: String,
    tasks: HashMap<TaskId, Arc<TaskStarted>>,
}

impl LogPlays {
    pub fn new(directory: PathBuf, secrets: Arc<Secrets>) -> Self {
        LogPlays { directory, secrets, playbook: String::new(), tasks: HashMap::new() }
    }

    fn log(&self, task: TaskId, result: &HostResult) -> Result<(), String> {
        let Some(task) = self.tasks.get(&task) else { return Ok(()) };
        let category = match result.status {
            Status::Ok | Status::Changed => "OK",
            Status::Skipped => "SKIPPED",
            Status::Failed | Status::Ignored => "FAILED",
            Status::Unreachable | Status::UnreachableIgnored => "UNREACHABLE",
        };
        let mut data = values::whole(result);
        self.secrets.mask_data(&mut data);
        let now = jiff::ZonedDateTime::now().strftime("%b %d %Y %H:%M:%S").to_string();
        let name = self.secrets.mask(values::own_name(task));
        let entry = format!(
            "{now} - {} - {name} - {} - {category} - {}\n\n",
            self.playbook,
            task.action,
            Layout::LINE.write(&data)
        );
        let path = self.directory.join(result.host.replace('/', "_"));
        std::fs::create_dir_all(&self.directory)
            .and_then(|()| OpenOptions::new().append(true).create(true).mode(0o600).open(&path))
            .and_then(|mut file| file.write_all(entry.as_bytes()))
            .map_err(|error| format!("the log {} cannot be written: {error}", path.display()))
    }
}

impl Addition for LogPlays {
    fn read(&mut self, event: &Event) -> Result<Option<String>, String> {
        match event {
            Event::PlaybookStarted { name, .. } => {
                self.playbook = name.rsplit('/').next().unwrap_or(name).to_owned();
                Ok(None)
            }
            Event::PlayStarted(_) => {
                self.tasks.clear();
                Ok(None)
            }
            Event::TaskStarted(task) => {
                self.tasks.insert(task.id, task.clone());
                Ok(None)
            }
            Event::HostDone { task, result } | Event::IncludeDone { task, item: None, result } => {
                self.log(*task, result).map(|()| None)
            }
            _ => Ok(None),
        }
    }
}
