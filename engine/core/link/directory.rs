//! The directory for control sockets: private, with a short path.

use std::{
    env, fs, io,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::unistd::getuid;
use rplay_wire::hex::is_hex;

/// A socket's path may have 107 bytes. ssh adds 17 while it binds one; our names have 16 and, while the socket is new,
/// 9 more.
const LONGEST: usize = 107 - 17 - 1 - 16 - 9;

/// The first suitable directory, created if necessary: in the session's runtime directory, the cache, or /tmp.
pub(super) fn control_directory() -> io::Result<PathBuf> {
    let uid = getuid();
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let candidates = [
        variable("XDG_RUNTIME_DIR").map(|directory| directory.join("rplay")),
        variable("XDG_CACHE_HOME").map(|directory| directory.join("rplay/ssh")),
        variable("HOME").map(|directory| directory.join(".cache/rplay/ssh")),
        Some(PathBuf::from(format!("/tmp/rplay-{uid}"))),
    ];
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for directory in candidates.into_iter().flatten().filter(|directory| directory.as_os_str().len() <= LONGEST) {
        match make_private(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Creates the directory with mode 0700. An existing one must be owned by and private to the current user, since
/// anybody can create one in /tmp.
pub(super) fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() || found.uid() != getuid().as_raw() || found.mode() & 0o077 != 0 {
        let text = format!("{} is not a private directory of the current user (mode 0700)", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

/// The age at which files of a killed run are considered abandoned.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Digests are noted again from time to time; older notes belong to executables that no longer exist.
const OLD_NOTE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Removes what ended runs left in the directory: sockets without a listener, logs, partial notes. Other files stay,
/// since it may also be the cache directory of a managed host.
pub(super) fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(kind) = name.to_str().and_then(Kind::of) else { continue };
        let modified = entry.metadata().and_then(|found| found.modified()).ok();
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok()).unwrap_or_default();
        let is_over = match kind {
            // A master may live for days; one that has just started does not listen yet.
            Kind::Socket => age > OLD && UnixStream::connect(entry.path()).is_err(),
            Kind::Half => age > OLD,
            Kind::Note => age > OLD_NOTE,
        };
        if is_over {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Kinds of files in the directory.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A master's socket, also under its temporary name, or an askpass socket.
    Socket,
    /// A temporary file: the log of a login, the public half of its key, or a note that is being written.
    Half,
    /// The digest of an executable.
    Note,
}

impl Kind {
    /// Derived from the name; `None` for files that are not rplay's.
    fn of(name: &str) -> Option<Self> {
        let is_new = |text: &str| text.split_once('.').is_some_and(|(name, new)| is_hex(name, 16) && is_hex(new, 8));
        if is_hex(name, 16) || is_new(name) || name.strip_prefix("ask").is_some_and(|rest| is_hex(rest, 8)) {
            return Some(Kind::Socket);
        }
        match name.rsplit_once('.')? {
            (control, "log" | "pub") if is_new(control) => Some(Kind::Half),
            (_, "digest") => Some(Kind::Note),
            (processor, new) if is_hex(new, 8) && !processor.contains('.') => Some(Kind::Half),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    };

    use super::*;

    #[test]
    fn a_directory_that_others_can_enter_or_a_link_is_refused() {
        let there = tempfile::tempdir().unwrap();
        let directory = there.path().join("a/b");
        make_private(&directory).unwrap();
        make_private(&directory).unwrap();
        symlink(&directory, there.path().join("link")).unwrap();
        assert!(make_private(&there.path().join("link")).is_err());
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private(&directory).is_err());
    }

    #[test]
    fn what_dead_runs_left_is_swept_and_nothing_else() {
        let there = tempfile::tempdir().unwrap();
        let at = |name: &str| there.path().join(name);
        let (control, new) = ("0123456789abcdef", "0123456789abcdef.01234567");
        let listening = UnixListener::bind(at("fedcba9876543210")).unwrap();
        for dead in [control, new, "ask01234567"] {
            drop(UnixListener::bind(at(dead)).unwrap());
        }
        let log = format!("{new}.log");
        let cached = "ab".repeat(32);
        for file in [&log, "x86_64.89abcdef", "x86_64.digest", &cached, ".new.12", "notes"] {
            fs::write(at(file), "").unwrap();
        }
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(there.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let all = names();
        sweep(there.path());
        assert_eq!(names(), all, "all of it is young");
        let age = |age: Duration| {
            for name in names() {
                let modified = (SystemTime::now() - age).duration_since(SystemTime::UNIX_EPOCH).unwrap();
                let at = nix::sys::time::TimeSpec::from_duration(modified);
                let follow = nix::sys::stat::UtimensatFlags::NoFollowSymlink;
                nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, &there.path().join(name), &at, &at, follow).unwrap();
            }
        };
        age(OLD * 2);
        sweep(there.path());
        let mut left = [".new.12", cached.as_str(), "fedcba9876543210", "notes", "x86_64.digest"];
        left.sort_unstable();
        assert_eq!(names(), left);
        drop(listening);
        age(OLD_NOTE * 2);
        sweep(there.path());
        assert_eq!(names(), [".new.12", &cached, "notes"]);
    }
}
