//! Failures of file operations.

use std::{io, path::Path};

use nix::errno::Errno;
use rplay_wire::Failure;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

/// A failure that names the file: "cannot replace /etc/x: Permission denied".
pub fn io_failure(what: &str, path: &Path, error: &io::Error) -> Failure {
    let reason = reason(error);
    let lock = (error.raw_os_error() == Some(Errno::EPERM as i32)).then(|| locked(path)).flatten();
    match lock {
        Some(lock) => lock.failure(what, path),
        None => Failure::new(format!("cannot {what} {}: {reason}", path.display())),
    }
}

/// Why an operation failed, in the words of the C library: "No such file or directory".
pub fn reason(error: &io::Error) -> String {
    match code(error) {
        Some(code) => {
            let text = io::Error::from_raw_os_error(code).to_string();
            text.rsplit_once(" (os error ").map_or(text.clone(), |(words, _)| words.to_owned())
        }
        None => error.to_string(),
    }
}

/// The error as Python shows it: "[Errno 2] No such file or directory".
pub fn python_error(error: &io::Error) -> String {
    match code(error) {
        Some(code) => format!("[Errno {code}] {}", reason(error)),
        None => error.to_string(),
    }
}

/// The number of the error, also of one that another error with a path wraps, whose text alone has it.
fn code(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        let text = error.to_string();
        let (_, rest) = text.rsplit_once("(os error ")?;
        rest.split_once(')')?.0.parse().ok()
    })
}

/// A file attribute (chattr(1)) that prevents changes even by root.
pub struct Lock {
    name: &'static str,
    letter: char,
}

impl Lock {
    /// Whether new entries may still be added, if the file is a directory.
    pub fn takes_names(&self) -> bool {
        self.letter == 'a'
    }

    /// The failure of an operation on the locked file.
    pub fn failure(&self, what: &str, path: &Path) -> Failure {
        let Lock { name, letter } = self;
        let reason = Errno::EPERM.desc();
        Failure::new(format!("cannot {what} {}: {reason}, because it is {name} (attribute `{letter}`)", path.display()))
            .help(format!("remove the attribute first, with the module file and `attributes: -{letter}`"))
    }
}

/// Whether the path itself is immutable or append-only. `None` if this cannot be determined.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_as_python_does() {
        let missing = std::fs::File::open("/no/such/file").unwrap_err();
        assert_eq!(python_error(&missing), "[Errno 2] No such file or directory");
        let wrapped = tempfile::Builder::new().tempfile_in("/no/such").unwrap_err();
        assert_eq!(python_error(&wrapped), "[Errno 2] No such file or directory");
        assert_eq!(reason(&io::Error::from_raw_os_error(18)), "Invalid cross-device link");
        assert_eq!(python_error(&io::Error::other("odd")), "odd");
    }
}
