//! The machine that a module looks at and changes.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use rplay_wire::{Blob, Mode};

use crate::Cancel;

/// Bytes of output that are kept unless a task says otherwise: both streams of a process together.
pub const MAX_OUTPUT: usize = 32 << 20;

/// Where content comes from that stayed with the controller.
pub trait BlobSource: Send + Sync {
    /// Puts the content into a file that is readable by the present user alone, and returns its path.
    /// Blocks until the controller has sent it.
    fn fetch(&self, blob: &Blob) -> io::Result<PathBuf>;
}

/// Where a call sends the content of a file to (`fetch`).
pub trait ContentTarget: Send + Sync {
    /// Sends the next piece, of which `left` bytes follow. Blocks while the controller is behind.
    fn send(&self, piece: Vec<u8>, left: u64) -> io::Result<()>;
}

/// For calls that carry all they need.
pub struct NoBlobs;

impl BlobSource for NoBlobs {
    fn fetch(&self, blob: &Blob) -> io::Result<PathBuf> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("nobody has the content sha256:{}", blob.sha256)))
    }
}

/// The host as one call sees it.
#[derive(Clone)]
pub struct Host {
    /// Added to the environment of each process that is started.
    pub environment: Vec<(String, String)>,
    /// Whether this is check mode. Only to soften observations, never to decide about changing: what an
    /// earlier task would have made (a repository, a unit, a folder) is not there in check mode, and a
    /// module that misses it then plans a change with a warning instead of failing. The runner sets it.
    pub check: bool,
    /// Whether the differences are shown. What takes long to find out for them is found out only then.
    pub diff: bool,
    blobs: Arc<dyn BlobSource>,
    content: Option<Arc<dyn ContentTarget>>,
    cancel: Cancel,
    max_output: usize,
    /// What making changes gave to warn about, for the present call.
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Host {
    pub fn new(environment: Vec<(String, String)>, blobs: Arc<dyn BlobSource>) -> Self {
        let (cancel, warnings) = (Cancel::default(), Arc::default());
        Host { environment, check: false, diff: false, blobs, content: None, cancel, max_output: MAX_OUTPUT, warnings }
    }

    /// The same host for a call in that mode.
    pub fn in_mode(&self, mode: Mode) -> Self {
        let max_output = usize::try_from(mode.max_output).ok().filter(|most| *most > 0).unwrap_or(self.max_output);
        Host { check: mode.check, diff: mode.diff, max_output, warnings: Arc::default(), ..self.clone() }
    }

    /// The same host for a call that may send the content of a file.
    pub fn sends_to(mut self, content: Arc<dyn ContentTarget>) -> Self {
        self.content = Some(content);
        self
    }

    /// Where the call sends the content of a file to; `None` for a job that goes on by itself.
    pub fn content(&self) -> Option<&dyn ContentTarget> {
        self.content.as_deref()
    }

    /// Bytes: so much of what a process prints, or of other text of unknown length, is kept.
    pub fn max_output(&self) -> usize {
        self.max_output
    }

    /// Adds a warning to the outcome of the call: what a change could not do, and did not have to. What is
    /// known before goes into the plan.
    pub fn warn(&self, warning: impl Into<String>) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning.into());
    }

    /// The warnings of the call, once.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same host for a call that `cancel` stops.
    pub fn cancelled_by(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Whether the call is still wanted.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// A process to start, with the call's environment. Its standard input is closed unless set.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.stdin(std::process::Stdio::null());
        command
    }

    /// A variable of the environment as the call's processes see it.
    pub fn variable(&self, name: &str) -> Option<String> {
        let set: HashMap<_, _> = self.environment.iter().map(|(k, v)| (k.as_str(), v)).collect();
        set.get(name).map(|v| v.to_string()).or_else(|| std::env::var(name).ok())
    }

    /// The file with the content of `blob`; fetched from the controller at most once.
    pub fn fetch(&self, blob: &Blob) -> io::Result<PathBuf> {
        self.blobs.fetch(blob)
    }
}
