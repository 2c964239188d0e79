//! What could not be done to a file, as a failure.

use std::{io, path::Path};

use nix::errno::Errno;
use rplay_wire::Failure;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

/// A failure that names the file: "cannot replace /etc/x: Permission denied".
pub fn io_failure(what: &str, path: &Path, error: &io::Error) -> Failure {
    let reason = match error.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    };
    let lock = (error.raw_os_error() == Some(Errno::EPERM as i32)).then(|| locked(path)).flatten();
    match lock {
        Some(lock) => lock.failure(what, path),
        None => Failure::new(format!("cannot {what} {}: {reason}", path.display())),
    }
}

/// A file attribute, as chattr(1) sets it, that forbids even root to change something.
pub struct Lock {
    name: &'static str,
    letter: char,
}

impl Lock {
    /// Whether new names may still be added, where the file is a folder.
    pub fn takes_names(&self) -> bool {
        self.letter == 'a'
    }

    /// The failure to do something to the file that is locked so.
    pub fn failure(&self, what: &str, path: &Path) -> Failure {
        let Lock { name, letter } = self;
        let reason = Errno::EPERM.desc();
        Failure::new(format!("cannot {what} {}: {reason}, as it is {name} (attribute `{letter}`)", path.display()))
            .help(format!("take the attribute away first, by the module file with `attributes: -{letter}`"))
    }
}

/// Whether what stands at the path itself is immutable or append-only. `None` where nobody can tell.
pub fn locked(path: &Path) -> Option<Lock> {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).ok()?.stx_attributes;
    if found.contains(StatxAttributes::IMMUTABLE) {
        Some(Lock { name: "immutable", letter: 'i' })
    } else if found.contains(StatxAttributes::APPEND) {
        Some(Lock { name: "append-only", letter: 'a' })
    } else {
        None
    }
}
