//! This executable, and how to run it as another user.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::sys::statvfs::{FsFlags, statvfs};
use rplay_wire::hex;
use sha2::{Digest, Sha256};

/// Directories for a copy that every user can enter. $TMPDIR is not among them, since it may be private.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// A path from which the other user can start the executable. A copy is removed on drop.
pub(crate) struct Executable {
    path: PathBuf,
    copy_in: Option<PathBuf>,
}

impl Executable {
    /// The executable, where `user` can start it.
    ///
    /// The controller puts it into the login user's cache, a directory with mode 0700: root can start it there, other
    /// users cannot. For them it is copied to a new directory with an unguessable name, and removed as soon as it has
    /// started. All users can enter that directory, but only the login user can write to it, so nobody else
    /// can replace the file. (An open file cannot be passed on: sudo closes all but the standard streams, and
    /// /proc/PID/exe of another user is unreadable.)
    pub(crate) fn runnable_by(user: &str) -> io::Result<Self> {
        let own = fs::read_link("/proc/self/exe")?;
        if user == "root" {
            return Ok(Executable { path: own, copy_in: None });
        }
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for shared in SHARED.iter().map(Path::new).filter(|directory| runs_programs(directory)) {
            match copy_into(shared) {
                Ok(executable) => return Ok(executable),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        if let Some(directory) = &self.copy_in {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

fn runs_programs(directory: &Path) -> bool {
    statvfs(directory).is_ok_and(|found| !found.flags().contains(FsFlags::ST_NOEXEC))
}

fn copy_into(shared: &Path) -> io::Result<Executable> {
    let directory = nix::unistd::mkdtemp(&shared.join("rplay-XXXXXX"))?;
    let path = directory.join("agent");
    let executable = Executable { path: path.clone(), copy_in: Some(directory.clone()) };
    // Through /proc, because the file itself may have been replaced meanwhile.
    io::copy(&mut File::open("/proc/self/exe")?, &mut File::create_new(&path)?)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o711))?;
    Ok(executable)
}

/// Implements three commands by which the controller examines an executable; `None` for other words. `rplay agent probe
/// WORD` prints the word, which proves that the file can be started. `rplay agent whole WORD` prints the SHA-256 of the
/// file, and `rplay agent build -` its build.
pub(crate) fn main(words: &[String]) -> Option<io::Result<()>> {
    let [what, word] = words else { return None };
    match what.as_str() {
        "probe" => Some(writeln!(io::stdout(), "{word}")),
        "build" => Some(writeln!(io::stdout(), "{}", crate::BUILD)),
        "whole" => Some(digest().and_then(|sha256| writeln!(io::stdout(), "{sha256}"))),
        _ => None,
    }
}

/// The cache drops executables that were not used for a month, so recording use once a day is enough.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Fails if this executable is in a cache under its digest but has different content: modified, truncated or never
/// complete.
///
/// Hashing the file at each start would take longer than everything else. Therefore its modification time, which
/// records its last use, has nanoseconds derived from the digest. If somebody else has written to the file, its
/// nanoseconds differ, and only then is it hashed. File systems that store whole seconds cannot show this, so there the
/// file is trusted. `is_fresh` means that it has just been verified.
pub(crate) fn check(is_fresh: bool) -> Result<(), String> {
    let Some(wanted) = cached() else { return Ok(()) };
    let about = |error: io::Error| format!("cannot check its own executable: {error}");
    let file = File::open("/proc/self/exe").map_err(about)?;
    let found = file.metadata().map_err(about)?;
    if found.uid() != nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    let (noted, mark) = (found.mtime_nsec(), i64::from(mark(&wanted)));
    if !is_fresh && noted != mark && noted != 0 && digest().map_err(about)? != wanted {
        return Err("its own executable is damaged".to_owned());
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = now.saturating_sub(u64::try_from(found.mtime()).unwrap_or_default());
    if noted != mark || age > NOTED_EVERY.as_secs() {
        // If this fails, as on a read-only file system, the file is hashed at the next start, too.
        let _ = file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(now, mark as u32));
    }
    Ok(())
}

/// The digest in the executable's name, if it is in a cache.
fn cached() -> Option<String> {
    let own = fs::read_link("/proc/self/exe").ok()?;
    let name = own.file_name()?.to_str()?;
    hex::is_sha256(name).then(|| name.to_owned())
}

/// Nanoseconds derived from a digest; never 0.
fn mark(sha256: &str) -> u32 {
    let number = sha256.get(..8).and_then(|head| u32::from_str_radix(head, 16).ok()).unwrap_or_default();
    number % 999_999_999 + 1
}

/// The SHA-256 of this executable.
fn digest() -> io::Result<String> {
    let mut file = File::open("/proc/self/exe")?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; 1 << 18];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex::encode(digest.finalize())),
            count => digest.update(&piece[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_digest_is_a_number_of_nanoseconds_and_never_nought() {
        for digest in ["00000000", "ffffffff", "3b9ac9ff", "3b9ac9fe", "odd"] {
            assert!((1..1_000_000_000).contains(&mark(digest)), "{digest}");
        }
    }
}
