//! Background jobs: each has a file with its state, owned by the user who runs it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Outcome, Value, read_frame, write_frame};
use serde::{Deserialize, Serialize};

use crate::{Host, io_failure::io_failure, system::paths};

/// The environment variable of the call that contains the directory of the files.
pub const DIRECTORY: &str = "ANSIBLE_ASYNC_DIR";

/// The state of a job.
#[derive(Debug, Serialize, Deserialize)]
pub enum Progress {
    /// Requested; its process has not started yet.
    Ordered,
    /// Running in this process.
    Running(u32),
    Done(Box<Outcome>),
}

/// The state file of a job.
pub struct JobFile {
    path: PathBuf,
}

impl JobFile {
    /// The state file of the job with that ID, which may not exist.
    ///
    /// # Errors
    /// If the ID could lead out of the directory of jobs, or there is none.
    pub fn of(id: &str, host: &Host) -> Result<Self, Failure> {
        if id.is_empty() || id.starts_with('.') || id.contains(['/', '\0']) {
            return Err(Failure::new(format!("`{id}` is not a valid job ID")).arg("jid"));
        }
        let directory = host.variable(DIRECTORY).unwrap_or_else(|| "~/.ansible_async".to_owned());
        Ok(JobFile { path: PathBuf::from(paths::expand(&directory, host)).join(id) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the state file.
    ///
    /// # Errors
    /// If the file cannot be replaced.
    pub fn write(&self, progress: &Progress) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        if !directory.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut new = tempfile::Builder::new().prefix(".job").tempfile_in(directory)?;
        new.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
        write_frame(new.as_file_mut(), progress).map_err(io::Error::other)?;
        new.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The state of the job; `None` if there is no such job.
    ///
    /// # Errors
    /// If the file cannot be read or is no state of a job.
    pub fn read(&self) -> Result<Option<Progress>, Failure> {
        let mut file = match crate::system::regular::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_failure("read", &self.path, &error)),
        };
        match read_frame(&mut file) {
            Ok(Some(progress)) => Ok(Some(progress)),
            Ok(None) | Err(_) => {
                Err(Failure::new(format!("{} does not contain the outcome of a job", self.path.display())))
            }
        }
    }

    /// Removes the state file.
    ///
    /// # Errors
    /// If the file exists and cannot be removed.
    pub fn remove(&self) -> Result<(), Failure> {
        fs::remove_file(&self.path).map_err(|error| io_failure("remove", &self.path, &error))
    }

    /// The information about a job in results.
    pub fn describe(&self, finished: bool) -> Vec<(String, Value)> {
        let id = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        vec![
            ("ansible_job_id".to_owned(), id.into()),
            ("started".to_owned(), true.into()),
            ("finished".to_owned(), finished.into()),
            ("results_file".to_owned(), paths::text(&self.path).into()),
        ]
    }
}
