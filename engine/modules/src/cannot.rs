//! What could not be done to a file, as a failure.

use std::{io, path::Path};

use rplay_wire::Failure;

/// A failure that names the file: "cannot replace /etc/x: Permission denied".
pub fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let reason = match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    };
    Failure::new(format!("cannot {what} {}: {reason}", path.display()))
}
