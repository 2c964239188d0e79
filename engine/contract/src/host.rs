//! The machine that a module inspects and changes.

use std::{collections::HashMap, io, path::PathBuf, process::Command, sync::Arc};

use parking_lot::Mutex;
use rplay_wire::{Blob, Mode};

use crate::Cancel;

/// Default limit in bytes of a process's output: both streams together.
pub const MAX_OUTPUT: usize = 32 << 20;

/// Default of [`Host::max_diff`], as in Ansible.
const MAX_DIFF: u64 = 104_448;

/// Provides content that stayed on the controller.
pub trait BlobSource: Send + Sync {
    /// Stores the content in a file that only the current user can read, and returns its path. Blocks until the
    /// controller has sent it.
    ///
    /// # Errors
    /// If the controller does not have it, the connection is lost, or it cannot be stored.
    fn fetch(&self, blob: &Blob) -> io::Result<PathBuf>;
}

/// Receives the content of a file that a call sends (`fetch`).
pub trait ContentTarget: Send + Sync {
    /// Sends the next piece, after which `left` bytes follow. Blocks while the controller is slower.
    ///
    /// # Errors
    /// If the connection to the controller is lost.
    fn send(&self, piece: Vec<u8>, left: u64) -> io::Result<()>;
}

/// For calls without blobs.
pub struct NoBlobs;

impl BlobSource for NoBlobs {
    fn fetch(&self, blob: &Blob) -> io::Result<PathBuf> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no source for the content sha256:{}", blob.sha256)))
    }
}

/// The host, as seen by one call.
#[derive(Clone)]
pub struct Host {
    /// Added to the environment of each process that is started.
    pub environment: Vec<(String, String)>,
    /// Whether this is check mode. Only used to relax observations, never to decide about changes: something that an
    /// earlier task would have created (a repository, a unit, a directory) does not exist in check mode, and a module
    /// that misses it plans a change with a warning instead of failing. Set by the runner.
    pub check: bool,
    /// Whether check mode is this call's alone, so that earlier tasks made their changes.
    own_check: bool,
    /// Whether the differences are shown. What takes long to find out for them is found out only then.
    pub diff: bool,
    blobs: Arc<dyn BlobSource>,
    content: Option<Arc<dyn ContentTarget>>,
    cancel: Cancel,
    max_output: usize,
    max_diff: u64,
    /// Warnings from making changes, for the current call.
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Host {
    pub fn new(environment: Vec<(String, String)>, blobs: Arc<dyn BlobSource>) -> Self {
        let (cancel, warnings) = (Cancel::default(), Arc::default());
        Host {
            environment,
            check: false,
            own_check: false,
            diff: false,
            blobs,
            content: None,
            cancel,
            max_output: MAX_OUTPUT,
            max_diff: MAX_DIFF,
            warnings,
        }
    }

    /// Whether the whole run is in check mode: earlier tasks made nothing, and what is missing may be theirs to make.
    pub fn rehearses(&self) -> bool {
        self.check && !self.own_check
    }

    /// The same host for a call in that mode.
    pub fn in_mode(&self, mode: Mode) -> Self {
        let max_output = usize::try_from(mode.max_output).ok().filter(|most| *most > 0).unwrap_or(self.max_output);
        Host {
            check: mode.check,
            own_check: mode.own_check,
            diff: mode.diff,
            max_output,
            max_diff: if mode.max_diff > 0 { mode.max_diff } else { self.max_diff },
            warnings: Arc::default(),
            ..self.clone()
        }
    }

    /// The same host for a call that may send the content of a file.
    pub fn sends_to(mut self, content: Arc<dyn ContentTarget>) -> Self {
        self.content = Some(content);
        self
    }

    /// Where the call sends the content of a file; `None` for a background job.
    pub fn content(&self) -> Option<&dyn ContentTarget> {
        self.content.as_deref()
    }

    /// Limit in bytes of a process's output, and of other text of unknown length.
    pub fn max_output(&self) -> usize {
        self.max_output
    }

    /// Limit in bytes of content in a difference.
    pub fn max_diff(&self) -> u64 {
        self.max_diff
    }

    /// Adds a warning to the call's outcome: something optional that a change could not do. Warnings that are known
    /// before belong to the plan.
    pub fn warn(&self, warning: impl Into<String>) {
        self.warnings.lock().push(warning.into());
    }

    /// Returns and clears the warnings of the call.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock())
    }

    /// The same host for a call that `cancel` stops.
    pub fn cancelled_by(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Whether the call was cancelled.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// A command with the call's environment. Its standard input is closed unless set.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.stdin(std::process::Stdio::null());
        command
    }

    /// An environment variable, as the call's processes see it.
    pub fn variable(&self, name: &str) -> Option<String> {
        let set: HashMap<_, _> = self.environment.iter().map(|(k, v)| (k.as_str(), v)).collect();
        set.get(name).map(|v| v.to_string()).or_else(|| std::env::var(name).ok())
    }

    /// The file with the content of `blob`; fetched from the controller at most once.
    ///
    /// # Errors
    /// Those of [`BlobSource::fetch`].
    pub fn fetch(&self, blob: &Blob) -> io::Result<PathBuf> {
        self.blobs.fetch(blob)
    }
}
