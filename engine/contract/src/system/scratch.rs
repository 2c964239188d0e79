//! Temporary files and directories, and their removal when their owner cannot do it.
//!
//! Dropping one removes it. An agent whose controller is gone ends in the middle of calls; [`end`] then removes what is
//! left. After an agent was killed, the next one removes files that are older than a day: in every directory in which
//! it creates temporary files itself, in the shared temporary directories ([`sweep_shared`]), and in those listed in
//! the killed agent's journal.

use std::{
    collections::HashSet,
    env,
    ffi::OsStr,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::{
    libc::{O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW},
    unistd::geteuid,
};
use parking_lot::{Mutex, MutexGuard};
// Re-exported for temporary files with other names and places.
use tempfile::TempDir;
pub use tempfile::{Builder, NamedTempFile, TempPath};

use crate::system::regular;

/// Name prefixes: next to a destination, and in a temporary directory.
const BESIDE: &str = ".rplay-";
const SHARED: &str = "rplay-";
const JOURNAL: &str = "rplay-journal-";

/// The directory of journals: it exists on every Linux, is local, and survives a reboot.
const JOURNALS: &str = "/var/tmp";

/// The age at which files are considered abandoned.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum number of directory entries that are scanned.
const MOST_ENTRIES: usize = 10_000;

/// Number of entries after which removed files are dropped from [`State::made`].
const MANY: usize = 256;

/// A private directory, locked for as long as it is used, so that it is not swept.
#[derive(Debug)]
pub struct Directory {
    place: TempDir,
    _lock: Option<File>,
}

impl Directory {
    pub fn path(&self) -> &Path {
        self.place.path()
    }
}

#[derive(Default)]
struct State {
    /// What was created; some of it is already removed.
    made: Vec<PathBuf>,
    /// The length at which it is cleaned up.
    many: usize,
    /// The directories in which temporary files were created.
    directories: HashSet<PathBuf>,
    /// `None`: this process has no journal.
    journal: Option<Journal>,
}

#[derive(Default)]
struct Journal {
    /// `None` until there is something to record, or if it cannot be written.
    file: Option<(PathBuf, File)>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// A temporary file next to its later destination.
///
/// # Errors
/// If it cannot be created.
pub fn file_in(directory: &Path) -> io::Result<NamedTempFile> {
    with(|state| state.enter(directory));
    // Created manually, since tempfile's own error contains the path.
    let make = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let file = tempfile::Builder::new().prefix(BESIDE).make_in(directory, make)?;
    with(|state| state.add(file.path()));
    Ok(file)
}

/// A temporary directory, mode 0700, next to its later destination.
///
/// # Errors
/// If it cannot be created.
pub fn directory_in(directory: &Path) -> io::Result<TempDir> {
    with(|state| state.enter(directory));
    let place = private(BESIDE).tempdir_in(directory)?;
    with(|state| state.add(place.path()));
    Ok(place)
}

/// A temporary file in the temporary directory.
///
/// # Errors
/// If it cannot be created.
pub fn file(suffix: &str) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(SHARED).suffix(suffix).tempfile()?;
    with(|state| state.add(file.path()));
    Ok(file)
}

/// A temporary directory, mode 0700, in the temporary directory.
///
/// # Errors
/// If it cannot be created.
pub fn directory() -> io::Result<Directory> {
    let place = private(SHARED).tempdir()?;
    with(|state| state.add(place.path()));
    // Without a lock, it is safe for a day.
    let lock = open_directory(place.path()).ok().filter(|directory| directory.try_lock().is_ok());
    Ok(Directory { place, _lock: lock })
}

/// Opens a directory to lock it; fails for anything else, including links.
fn open_directory(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC).open(path)
}

fn private(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).permissions(fs::Permissions::from_mode(0o700));
    builder
}

/// From now on, records the directories with temporary files, for later agents in case this process is killed.
pub fn keep_journal() {
    with(|state| state.journal = Some(Journal::default()));
}

/// Removes everything that this process has created and not removed. Called at its end: whatever still runs loses its
/// files.
pub fn end() {
    with(|state| {
        state.made.drain(..).for_each(|path| drop(remove(&path)));
        if let Some((path, _)) = state.journal.take().and_then(|journal| journal.file) {
            let _ = fs::remove_file(path);
        }
    });
}

/// Removes leftovers of this user's ended agents: in the temporary directories, and in those listed in their journals.
pub fn sweep_shared() {
    let mut shared: Vec<PathBuf> = vec![env::temp_dir()];
    shared.extend(["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from));
    shared.dedup();
    for directory in shared {
        sweep(&directory);
    }
    let journals = entries(Path::new(JOURNALS), |name| name.starts_with(JOURNAL.as_bytes()));
    journals.for_each(|(path, _)| sweep_journal(&path));
}

/// Removes what is older than a day in the directories of an ended process's journal, and then the journal, once
/// nothing is left.
fn sweep_journal(path: &Path) {
    let Ok(mut file) = regular::open(path) else { return };
    // The process holds the lock as long as it lives.
    if file.try_lock().is_err() {
        return;
    }
    let mut noted = Vec::new();
    if file.read_to_end(&mut noted).is_err() {
        return;
    }
    let directories = noted.split(|byte| *byte == 0).filter(|directory| !directory.is_empty());
    let left: usize = directories.map(|directory| sweep(Path::new(OsStr::from_bytes(directory)))).sum();
    if left == 0 {
        let _ = fs::remove_file(path);
    }
}

/// Removes this user's old temporary files and directories, and returns the number of recent ones.
fn sweep(directory: &Path) -> usize {
    let mut young = 0;
    for (path, found) in entries(directory, is_ours) {
        match found.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok()) {
            Some(age) if age > OLD => {
                // A locked one is in use.
                let locked =
                    found.is_dir() && open_directory(&path).is_ok_and(|directory| directory.try_lock().is_err());
                if !locked {
                    let _ = remove(&path);
                }
            }
            _ => young += 1,
        }
    }
    young
}

/// This user's entries with matching names.
fn entries(directory: &Path, takes: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = (PathBuf, Metadata)> {
    let own = geteuid().as_raw();
    let listed = fs::read_dir(directory).into_iter().flatten().take(MOST_ENTRIES).flatten();
    listed.filter_map(move |entry| {
        if !takes(entry.file_name().as_bytes()) {
            return None;
        }
        let found = entry.metadata().ok()?;
        (found.uid() == own && (found.is_file() || found.is_dir())).then(|| (entry.path(), found))
    })
}

/// Whether a name was generated here: `.rplay-` or `rplay-`, then six letters and digits, then an optional suffix. Six
/// lower-case letters may be a word chosen by a person, six digits a user ID.
fn is_ours(name: &[u8]) -> bool {
    let rest = name.strip_prefix(BESIDE.as_bytes()).or_else(|| name.strip_prefix(SHARED.as_bytes()));
    let Some(rest) = rest.map(|rest| rest.strip_suffix(b".deb").unwrap_or(rest)) else { return false };
    rest.len() == 6
        && rest.iter().all(u8::is_ascii_alphanumeric)
        && !rest.iter().all(u8::is_ascii_lowercase)
        && !rest.iter().all(u8::is_ascii_digit)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    let mut state: MutexGuard<'_, Option<State>> = STATE.lock();
    work(state.get_or_insert_default())
}

impl State {
    /// Called before the first temporary file in a directory: records the directory, and sweeps it.
    fn enter(&mut self, directory: &Path) {
        if self.directories.contains(directory) {
            return;
        }
        self.directories.insert(directory.to_owned());
        sweep(directory);
        if let Some(journal) = &mut self.journal {
            journal.note(directory);
        }
    }

    fn add(&mut self, path: &Path) {
        if self.made.len() >= self.many.max(MANY) {
            self.made.retain(|path| path.symlink_metadata().is_ok());
            self.many = self.made.len() * 2;
        }
        self.made.push(path.to_owned());
    }
}

impl Journal {
    fn note(&mut self, directory: &Path) {
        let Ok(directory) = std::path::absolute(directory) else { return };
        if self.file.is_none() {
            self.file = Journal::create().ok();
        }
        if let Some((_, file)) = &mut self.file {
            let mut line = directory.into_os_string().into_vec();
            line.push(0);
            // Otherwise, leftovers stay until an agent works in that directory again.
            let _ = file.write_all(&line);
        }
    }

    fn create() -> io::Result<(PathBuf, File)> {
        let begun = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = Path::new(JOURNALS).join(format!("{JOURNAL}{}-{begun:x}", std::process::id()));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        file.try_lock()?;
        Ok((path, file))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn make_old(path: &Path) {
        File::open(path).unwrap().set_modified(SystemTime::now() - OLD * 2).unwrap();
    }

    #[test]
    fn what_is_old_and_ours_is_swept_where_a_temporary_file_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in [".rplay-a1b2c3", ".rplay-backup", ".rplay-Young1", "rplay-100000", "other", "rplay-Abc123.deb"] {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at("rplay-Direct")).unwrap();
        fs::write(at("rplay-Direct/inside"), "").unwrap();
        for name in [".rplay-a1b2c3", ".rplay-backup", "rplay-100000", "other", "rplay-Abc123.deb", "rplay-Direct"] {
            make_old(&at(name));
        }
        let new = file_in(directory.path()).unwrap();
        drop(new);
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        crate::system::order::sort(&mut left);
        assert_eq!(left, [".rplay-Young1", ".rplay-backup", "other", "rplay-100000"]);
    }

    #[test]
    fn a_directory_that_is_in_use_is_not_swept() {
        let used = directory().unwrap();
        make_old(used.path());
        sweep(used.path().parent().unwrap());
        assert!(used.path().exists());
        let path = used.path().to_owned();
        let _left = used.place.keep();
        assert!(path.exists());
        drop(used._lock);
        sweep(path.parent().unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_journal_is_followed_once_its_process_has_gone_and_kept_while_something_is_young() {
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join(".rplay-Left01");
        fs::write(&left, "").unwrap();
        let mut journal = Journal::default();
        journal.note(directory.path());
        let Some((path, file)) = journal.file else { return println!("skipped: no journal can be written here") };
        sweep_journal(&path);
        assert!(path.exists() && left.exists(), "its process lives");
        drop(file);
        sweep_journal(&path);
        assert!(path.exists() && left.exists(), "what is left is young");
        make_old(&left);
        sweep_journal(&path);
        assert!(!path.exists() && !left.exists());
    }

    #[test]
    fn many_files_are_made_quickly() {
        let directory = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        for number in 0..2_000 {
            file_in(directory.path()).unwrap().persist(directory.path().join(number.to_string())).unwrap();
        }
        println!("2,000 files: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
        assert!(with(|state| state.made.len()) < 1_900);
    }
}
