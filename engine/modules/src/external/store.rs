//! Files of modules on a host, kept in the user's cache, so that a second run sends nothing.
//!
//! Each file is named by its SHA-256 and verified before its first use in a process; a damaged one is fetched again.
//! Files that were not used for a month are removed. If the cache is not writable, files live as long as the agent.

use std::{
    collections::HashMap,
    env, fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use parking_lot::{Mutex, MutexGuard};
use rplay_wire::{Failure, Value};

use crate::{
    Host,
    system::{digest::Algorithm, scratch},
};

/// The age at which unused files are removed.
const OLD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Interval for recording that a file is in use.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Default)]
struct Store {
    directory: Option<PathBuf>,
    /// Used if there is no cache.
    scratch: Option<scratch::Directory>,
    /// Verified files, by digest.
    known: HashMap<String, PathBuf>,
}

static STORE: Mutex<Option<Store>> = Mutex::new(None);

/// The file with that content.
///
/// # Errors
/// If the controller cannot send it, or it cannot be written anywhere.
pub(super) fn path_of(content: &Value, host: &Host) -> Result<PathBuf, Failure> {
    let bytes = match content {
        Value::Bytes(bytes) => Some(bytes.as_slice()),
        Value::Str(text) => Some(text.as_bytes()),
        _ => None,
    };
    let sha256 = match (content, bytes) {
        (Value::Blob(blob), _) => blob.sha256.clone(),
        (_, Some(bytes)) => Algorithm::Sha256.of_bytes(bytes),
        _ => return Err(Failure::new("the controller did not send the content of the module")),
    };
    // Not locked while fetching, since others may need existing files.
    let directory = {
        let mut store = store();
        let store = store.get_or_insert_default();
        if let Some(path) = store.known.get(&sha256).filter(|path| path.exists()) {
            return Ok(path.clone());
        }
        store.directory()?
    };
    let path = directory.join(&sha256);
    if !is_whole(&path, &sha256) {
        let failed =
            |error: io::Error| Failure::new(format!("cannot store the module in {}: {error}", directory.display()));
        let mut new = scratch::file_in(&directory).map_err(failed)?;
        match (content, bytes) {
            (_, Some(bytes)) => new.write_all(bytes).map_err(failed)?,
            (Value::Blob(blob), None) => {
                let come =
                    host.fetch(blob).map_err(|error| Failure::new(format!("cannot fetch the module: {error}")))?;
                io::copy(&mut crate::system::regular::open(come)?, &mut new).map_err(failed)?;
            }
            _ => {}
        }
        new.persist(&path).map_err(|error| failed(error.error))?;
    }
    store().get_or_insert_default().known.insert(sha256, path.clone());
    Ok(path)
}

fn store() -> MutexGuard<'static, Option<Store>> {
    STORE.lock()
}

impl Store {
    fn directory(&mut self) -> io::Result<PathBuf> {
        if let Some(directory) = self.directory.as_ref().filter(|directory| directory.is_dir()) {
            return Ok(directory.clone());
        }
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let directory = match cache.map(|cache| cache.join("rplay/external")).filter(|directory| is_ours(directory)) {
            Some(directory) => {
                sweep(&directory);
                directory
            }
            None => {
                let directory = scratch::directory()?;
                let path = directory.path().to_owned();
                self.scratch = Some(directory);
                path
            }
        };
        self.directory = Some(directory.clone());
        Ok(directory)
    }
}

/// Creates the directory if necessary. Nobody else may write to it, since its content is executed.
fn is_ours(directory: &Path) -> bool {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    let own = nix::unistd::geteuid().as_raw();
    made.is_ok()
        && directory
            .symlink_metadata()
            .is_ok_and(|found| found.is_dir() && found.uid() == own && found.mode() & 0o022 == 0)
        && nix::unistd::access(directory, nix::unistd::AccessFlags::W_OK).is_ok()
}

fn is_whole(path: &Path, sha256: &str) -> bool {
    let is_whole = Algorithm::Sha256.of_file(path).is_ok_and(|found| found == sha256);
    if is_whole && age(path).is_none_or(|age| age > NOTED_EVERY) {
        let _ = fs::File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
    }
    is_whole
}

fn age(path: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(path.symlink_metadata().ok()?.modified().ok()?).ok()
}

/// Removes old files, including those that Python derived from them, which have the same name.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let of = directory.join(name.split('.').next().unwrap_or_default());
        if age(&entry.path()).is_some_and(|own| own > OLD) && age(&of).is_none_or(|age| age > OLD) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::NoBlobs;

    #[test]
    fn old_files_go_with_what_was_made_of_them_and_used_ones_stay() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["aa", "aa.cpython-311", "bb", "bb.cpython-311"] {
            fs::write(at(name), "").unwrap();
            fs::File::options().append(true).open(at(name)).unwrap().set_modified(SystemTime::now() - OLD * 2).unwrap();
        }
        fs::File::options().append(true).open(at("bb")).unwrap().set_modified(SystemTime::now()).unwrap();
        sweep(directory.path());
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        crate::system::order::sort(&mut left);
        assert_eq!(left, ["bb", "bb.cpython-311"]);
    }

    #[test]
    fn a_damaged_file_is_written_anew() {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let content = Value::Bytes(b"a module of the store's test".to_vec());
        let path = path_of(&content, &host).unwrap();
        fs::write(&path, "cut").unwrap();
        // As another process would.
        store().get_or_insert_default().known.clear();
        assert_eq!(fs::read(path_of(&content, &host).unwrap()).unwrap(), b"a module of the store's test");
        fs::remove_file(path).unwrap();
    }
}
