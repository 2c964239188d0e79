//! This executable, and how another user can run it.

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

/// Where a copy may lie: folders that every user can enter. Not $TMPDIR, which may be private to a user.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// The executable at a place from which the other user can start it; a copy goes away when this is dropped.
pub struct Executable {
    path: PathBuf,
    copy_in: Option<PathBuf>,
}

impl Executable {
    /// The controller puts the executable into the login user's cache, a folder of mode 0700: root can
    /// start it there, others cannot. They get a copy which is there only until they have started it, in a
    /// new folder with an unguessable name: it can be entered by all, but written by the login user alone,
    /// so nobody else can put something in its place. (Passing an open file is no way: sudo closes all but
    /// the standard streams, and /proc/PID/exe of another user cannot be followed.)
    pub fn runnable_by(user: &str) -> io::Result<Self> {
        let own = fs::read_link("/proc/self/exe")?;
        if user == "root" {
            return Ok(Executable { path: own, copy_in: None });
        }
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for shared in SHARED.iter().map(Path::new).filter(|folder| runs_programs(folder)) {
            match copy_into(shared) {
                Ok(executable) => return Ok(executable),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        if let Some(folder) = &self.copy_in {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn runs_programs(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| !found.flags().contains(FsFlags::ST_NOEXEC))
}

fn copy_into(shared: &Path) -> io::Result<Executable> {
    let folder = nix::unistd::mkdtemp(&shared.join("rplay-XXXXXX"))?;
    let path = folder.join("agent");
    let executable = Executable { path: path.clone(), copy_in: Some(folder.clone()) };
    // Through /proc, since the file itself may have been replaced meanwhile.
    io::copy(&mut File::open("/proc/self/exe")?, &mut File::create_new(&path)?)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    Ok(executable)
}

/// What `rplay agent probe WORD`, `rplay agent whole WORD` and `rplay agent build -` do, `None` for other words: say the
/// word, to show that this file can be started; say its SHA-256; or say which build it is.
pub fn main(words: &[String]) -> Option<io::Result<()>> {
    let [what, word] = words else { return None };
    match what.as_str() {
        "probe" => Some(writeln!(io::stdout(), "{word}")),
        "build" => Some(writeln!(io::stdout(), "{}", crate::BUILD)),
        "whole" => Some(digest().and_then(|sha256| writeln!(io::stdout(), "{sha256}"))),
        _ => None,
    }
}

/// What has not been used for a month is removed from the cache. That it is in use need not be noted more often.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Fails if this executable lies in a cache under its digest and holds something else: written to, cut short, or
/// never whole.
///
/// To read it all at each start would take longer than all else. So the file's modification time, which is set to
/// tell that it is in use, gets nanoseconds that are derived from the digest: any other who writes leaves other
/// ones, and only then it is read. A file system that keeps whole seconds tells nothing. `is_fresh` says that it
/// has just been checked.
pub fn check(is_fresh: bool) -> Result<(), String> {
    let Some(wanted) = cached() else { return Ok(()) };
    let about = |error: io::Error| format!("its own file cannot be looked at: {error}");
    let file = File::open("/proc/self/exe").map_err(about)?;
    let found = file.metadata().map_err(about)?;
    if found.uid() != nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    let (noted, mark) = (found.mtime_nsec(), i64::from(mark(&wanted)));
    if !is_fresh && noted != mark && noted != 0 && digest().map_err(about)? != wanted {
        return Err("its own file is damaged".to_owned());
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = now.saturating_sub(u64::try_from(found.mtime()).unwrap_or_default());
    if noted != mark || age > NOTED_EVERY.as_secs() {
        // On a read-only file system it is read at each start.
        let _ = file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(now, mark as u32));
    }
    Ok(())
}

/// The digest for which this executable is named, if it lies in a cache.
fn cached() -> Option<String> {
    let own = fs::read_link("/proc/self/exe").ok()?;
    let name = own.file_name()?.to_str()?;
    hex::is_sha256(name).then(|| name.to_owned())
}

/// Nanoseconds, never 0, that stand for a digest.
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
