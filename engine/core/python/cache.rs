//! A cache between runs: JSON notes, each with the files it depends on.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// A directory that only this user can write to.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

/// The state of a file that a note depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub path: PathBuf,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i128,
}

impl Stamp {
    /// The current state of a file; `None` if it is not a file.
    pub fn of(path: &Path) -> Option<Stamp> {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let modified = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
        Some(Stamp { path: path.to_owned(), size: found.len(), modified })
    }

    /// From `[path, size, nanoseconds]`.
    pub fn read(json: &Json) -> Option<Stamp> {
        let part = json.as_array()?;
        let path = PathBuf::from(part.first()?.as_str()?);
        Some(Stamp { path, size: part.get(1)?.as_u64()?, modified: i128::from(part.get(2)?.as_i64()?) })
    }

    pub fn to_json(&self) -> Json {
        Json::from(vec![
            Json::from(self.path.display().to_string()),
            Json::from(self.size),
            Json::from(i64::try_from(self.modified).unwrap_or_default()),
        ])
    }

    pub fn is_current(&self) -> bool {
        Stamp::of(&self.path).as_ref() == Some(self)
    }
}

impl Cache {
    /// The user's cache, created if necessary, or else a temporary directory.
    ///
    /// # Errors
    /// If neither can be created, or it belongs to another user.
    pub fn open() -> io::Result<Cache> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let own = nix::unistd::geteuid();
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        let shared = std::env::temp_dir().join(format!("rplay-cache-{own}"));
        for directory in caches.map(|cache| cache.join("rplay/external")).into_iter().chain([shared]) {
            match Cache::at(&directory) {
                Ok(cache) => return Ok(cache),
                Err(error) => last = io::Error::new(error.kind(), format!("{}: {error}", directory.display())),
            }
        }
        Err(last)
    }

    /// A directory as a cache. Nobody else may write to it, since it contains code.
    ///
    /// # Errors
    /// If it cannot be created or written, or others may write to it.
    pub fn at(directory: &Path) -> io::Result<Cache> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let found = fs::symlink_metadata(directory)?;
        if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "other users can write to it"));
        }
        nix::unistd::access(directory, nix::unistd::AccessFlags::W_OK)?;
        Ok(Cache(directory.to_owned()))
    }

    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The cache key for an entry that depends on these texts.
    pub fn key<'t>(parts: impl IntoIterator<Item = &'t str>) -> String {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        rplay_wire::hex::encode(digest.finalize())
    }

    /// A note; `None` if there is no readable one.
    pub fn note(&self, key: &str) -> Option<Json> {
        serde_json::from_slice(&crate::files::read(&self.0.join(format!("{key}.json"))).ok()?).ok()
    }

    /// Stores a note. Errors are ignored, since the next run only takes longer.
    pub fn keep(&self, key: &str, note: &Json) {
        let new = self.0.join(format!("{key}.json.{}", std::process::id()));
        let written =
            fs::write(&new, note.to_string()).and_then(|()| fs::rename(&new, self.0.join(format!("{key}.json"))));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
    }

    /// The file named by its SHA-256, if it is complete.
    pub fn file(&self, sha256: &str) -> Option<PathBuf> {
        let is_name = rplay_wire::hex::is_sha256(sha256);
        let path = self.0.join(sha256);
        (is_name && rplay_wire::hex::encode(Sha256::digest(crate::files::read(&path).ok()?)) == sha256).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn notes_and_whole_files_come_back_and_damaged_ones_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path()).unwrap();
        let key = Cache::key(["a", "b"]);
        assert_ne!(key, Cache::key(["ab", ""]));
        assert_eq!(cache.note(&key), None);
        cache.keep(&key, &Json::from(vec![1]));
        assert_eq!(cache.note(&key), Some(Json::from(vec![1])));
        let sha256 = rplay_wire::hex::encode(Sha256::digest(b"x"));
        fs::write(directory.path().join(&sha256), "x").unwrap();
        assert!(cache.file(&sha256).is_some() && cache.file("../x").is_none());
        fs::write(directory.path().join(&sha256), "cut").unwrap();
        assert!(cache.file(&sha256).is_none());
    }

    #[test]
    fn a_stamp_sees_that_a_file_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        assert!(Stamp::of(&path).is_none());
        fs::write(&path, "one").unwrap();
        let stamp = Stamp::read(&Stamp::of(&path).unwrap().to_json()).unwrap();
        assert!(stamp.is_current());
        fs::write(&path, "three").unwrap();
        assert!(!stamp.is_current());
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::at(directory.path()).is_err());
    }
}
