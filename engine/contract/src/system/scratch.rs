//! Temporary files and folders, and who puts them away when their maker cannot.
//!
//! Dropping one removes it. An agent whose controller has gone ends in the middle of a call, so what is left then
//! goes with [`end`]. One that was killed does nothing any more: the next agent sweeps what is older than a day, in
//! every folder that it makes temporary files in itself, in the folders for temporary files ([`sweep_shared`]), and
//! in those that the killed one noted in its journal.

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
// The door to temporary files of other names and places.
use tempfile::TempDir;
pub use tempfile::{Builder, NamedTempFile, TempPath};

use crate::system::regular;

/// How the names begin: beside a destination, and in a folder for temporary files.
const BESIDE: &str = ".rplay-";
const SHARED: &str = "rplay-";
const JOURNAL: &str = "rplay-journal-";

/// Where a journal lies: a folder that every Linux has, of this machine alone, and that outlives a restart.
const JOURNALS: &str = "/var/tmp";

/// What is older is of nobody any more.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// More entries of a folder are not looked through.
const MOST_ENTRIES: usize = 10_000;

/// Entries after which [`State::made`] is cleared of what is gone.
const MANY: usize = 256;

/// A folder that only this user can enter, locked so that nobody sweeps it, however long it is needed.
#[derive(Debug)]
pub struct Folder {
    place: TempDir,
    _lock: Option<File>,
}

impl Folder {
    pub fn path(&self) -> &Path {
        self.place.path()
    }
}

#[derive(Default)]
struct State {
    /// What has been made; some of it is gone.
    made: Vec<PathBuf>,
    /// The length at which it is looked through.
    many: usize,
    /// The folders in which temporary files were made.
    folders: HashSet<PathBuf>,
    /// `None`: this process keeps none.
    journal: Option<Journal>,
}

#[derive(Default)]
struct Journal {
    /// `None` until there is something to note, or if it cannot be written.
    file: Option<(PathBuf, File)>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// A temporary file beside what it is to become.
pub fn file_in(folder: &Path) -> io::Result<NamedTempFile> {
    with(|state| state.enter(folder));
    // Made by hand, since tempfile's own way puts the path into the error.
    let make = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let file = tempfile::Builder::new().prefix(BESIDE).make_in(folder, make)?;
    with(|state| state.add(file.path()));
    Ok(file)
}

/// A temporary folder, mode 0700, beside what is to come out of it.
pub fn folder_in(folder: &Path) -> io::Result<TempDir> {
    with(|state| state.enter(folder));
    let place = private(BESIDE).tempdir_in(folder)?;
    with(|state| state.add(place.path()));
    Ok(place)
}

/// A temporary file in the folder for these.
pub fn file(suffix: &str) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(SHARED).suffix(suffix).tempfile()?;
    with(|state| state.add(file.path()));
    Ok(file)
}

/// A temporary folder, mode 0700, in the folder for these.
pub fn folder() -> io::Result<Folder> {
    let place = private(SHARED).tempdir()?;
    with(|state| state.add(place.path()));
    // Without a lock it is safe for a day.
    let lock = open_folder(place.path()).ok().filter(|folder| folder.try_lock().is_ok());
    Ok(Folder { place, _lock: lock })
}

/// Opens a folder itself, to lock it; nothing else, and no link to one.
fn open_folder(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC).open(path)
}

fn private(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).permissions(fs::Permissions::from_mode(0o700));
    builder
}

/// Notes from now on in which folders temporary files are made, for those who come after this process if it is
/// killed.
pub fn keep_journal() {
    with(|state| state.journal = Some(Journal::default()));
}

/// Removes all that this process has made and not put away. For its end: whoever still works finds it gone.
pub fn end() {
    with(|state| {
        state.made.drain(..).for_each(|path| drop(remove(&path)));
        if let Some((path, _)) = state.journal.take().and_then(|journal| journal.file) {
            let _ = fs::remove_file(path);
        }
    });
}

/// Removes what agents of this user that are no more have left behind: in the folders for temporary files, and in
/// those that their journals name.
pub fn sweep_shared() {
    let mut shared: Vec<PathBuf> = vec![env::temp_dir()];
    shared.extend(["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from));
    shared.dedup();
    for folder in shared {
        sweep(&folder);
    }
    let journals = entries(Path::new(JOURNALS), |name| name.starts_with(JOURNAL.as_bytes()));
    journals.for_each(|(path, _)| sweep_journal(&path));
}

/// Removes what is older than a day in the folders of a journal whose process has ended; the journal goes when
/// nothing is left there.
fn sweep_journal(path: &Path) {
    let Ok(mut file) = regular::open(path) else { return };
    // Its process holds the lock as long as it lives.
    if file.try_lock().is_err() {
        return;
    }
    let mut noted = Vec::new();
    if file.read_to_end(&mut noted).is_err() {
        return;
    }
    let folders = noted.split(|byte| *byte == 0).filter(|folder| !folder.is_empty());
    let left: usize = folders.map(|folder| sweep(Path::new(OsStr::from_bytes(folder)))).sum();
    if left == 0 {
        let _ = fs::remove_file(path);
    }
}

/// Removes this user's old temporary files and folders, and says how many young ones are there.
fn sweep(folder: &Path) -> usize {
    let mut young = 0;
    for (path, found) in entries(folder, is_ours) {
        match found.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok()) {
            Some(age) if age > OLD => {
                // One that is locked is in use.
                let locked = found.is_dir() && open_folder(&path).is_ok_and(|folder| folder.try_lock().is_err());
                if !locked {
                    let _ = remove(&path);
                }
            }
            _ => young += 1,
        }
    }
    young
}

/// The entries of this user whose name is taken.
fn entries(folder: &Path, takes: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = (PathBuf, Metadata)> {
    let own = geteuid().as_raw();
    let listed = fs::read_dir(folder).into_iter().flatten().take(MOST_ENTRIES).flatten();
    listed.filter_map(move |entry| {
        if !takes(entry.file_name().as_bytes()) {
            return None;
        }
        let found = entry.metadata().ok()?;
        (found.uid() == own && (found.is_file() || found.is_dir())).then(|| (entry.path(), found))
    })
}

/// Whether a name is one that is made here: `.rplay-` or `rplay-`, then six letters and digits, then perhaps a
/// suffix. Six small letters are a word that a person may have chosen, six digits a user's number.
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
    /// Before the first temporary file in a folder: notes it, and sweeps it.
    fn enter(&mut self, folder: &Path) {
        if self.folders.contains(folder) {
            return;
        }
        self.folders.insert(folder.to_owned());
        sweep(folder);
        if let Some(journal) = &mut self.journal {
            journal.note(folder);
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
    fn note(&mut self, folder: &Path) {
        let Ok(folder) = std::path::absolute(folder) else { return };
        if self.file.is_none() {
            self.file = Journal::create().ok();
        }
        if let Some((_, file)) = &mut self.file {
            let mut line = folder.into_os_string().into_vec();
            line.push(0);
            // Without it what is left stays until somebody works in that folder again.
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
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".rplay-a1b2c3", ".rplay-backup", ".rplay-Young1", "rplay-100000", "other", "rplay-Abc123.deb"] {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at("rplay-Folder")).unwrap();
        fs::write(at("rplay-Folder/inside"), "").unwrap();
        for name in [".rplay-a1b2c3", ".rplay-backup", "rplay-100000", "other", "rplay-Abc123.deb", "rplay-Folder"] {
            make_old(&at(name));
        }
        let new = file_in(folder.path()).unwrap();
        drop(new);
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".rplay-Young1", ".rplay-backup", "other", "rplay-100000"]);
    }

    #[test]
    fn a_folder_that_is_in_use_is_not_swept() {
        let used = folder().unwrap();
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
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".rplay-Left01");
        fs::write(&left, "").unwrap();
        let mut journal = Journal::default();
        journal.note(folder.path());
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
        let folder = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        for number in 0..2_000 {
            file_in(folder.path()).unwrap().persist(folder.path().join(number.to_string())).unwrap();
        }
        println!("2,000 files: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
        assert!(with(|state| state.made.len()) < 1_900);
    }
}
