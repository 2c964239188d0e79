//! Directories that become visible when they are complete.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{
    GalaxyError, Result,
    manifest::{Listed, differences, sha256_of},
};

/// Name prefix of unfinished directories.
const UNFINISHED: &str = ".rplay-";

/// A directory next to the destination, in which something is completed before it becomes visible.
pub(super) struct Stage {
    directory: tempfile::TempDir,
}

impl Stage {
    pub(super) fn beside(target: &Path) -> Result<Self> {
        let parent = target.parent().unwrap_or(Path::new("."));
        let failed = |error: io::Error| GalaxyError::new(format!("cannot write {}: {error}", parent.display()));
        fs::create_dir_all(parent).map_err(failed)?;
        sweep(parent);
        let directory = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent).map_err(failed)?;
        fs::create_dir(directory.path().join("new")).map_err(failed)?;
        fs::set_permissions(directory.path().join("new"), Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(Stage { directory })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("new")
    }

    /// A directory to unpack something of which only a part is needed.
    pub(super) fn raw(&self) -> Result<PathBuf> {
        let raw = self.directory.path().join("raw");
        fs::create_dir(&raw).map_err(|error| GalaxyError::file(&raw, error))?;
        Ok(raw)
    }

    /// Selects a subdirectory as the content to install.
    pub(super) fn adopt(&self, directory: &Path) -> Result<()> {
        let new = self.path();
        fs::remove_dir(&new)
            .and_then(|()| fs::rename(directory, &new))
            .map_err(|error| GalaxyError::file(directory, error))?;
        fs::set_permissions(&new, Permissions::from_mode(0o755)).map_err(|error| GalaxyError::file(&new, error))
    }

    /// # Errors
    /// If a listed file is missing or does not match its checksum.
    pub(super) fn check_listed(directory: &Path, listed: &[Listed]) -> Result<()> {
        for entry in listed {
            let path = directory.join(&entry.name);
            match &entry.sha256 {
                None => fs::create_dir_all(&path).map_err(|error| GalaxyError::file(&path, error))?,
                Some(wanted) => {
                    let found = sha256_of(&path).map_err(|error| {
                        GalaxyError::new(format!("`{}` is listed in FILES.json but missing: {error}", entry.name))
                    })?;
                    if found != *wanted {
                        return Err(GalaxyError::new(format!(
                            "Checksum mismatch for '{}' inside the collection: expected {wanted} by FILES.json, found {found}",
                            entry.name
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes files that the manifest does not list, once all listed ones were verified.
    pub(super) fn keep_listed(&self, listed: &[Listed]) -> Result<()> {
        let directory = self.path();
        Stage::check_listed(&directory, listed)?;
        for name in differences(&directory, listed) {
            let path = directory.join(&name);
            let removed =
                if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(GalaxyError::file(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves it to its destination atomically, and then removes the previous content.
    pub(super) fn put(self, target: &Path) -> Result<()> {
        let new = self.path();
        let failed = |error: io::Error| GalaxyError::new(format!("cannot write {}: {error}", target.display()));
        if target.symlink_metadata().is_ok() {
            let old = self.directory.path().join("old");
            match renameat2(AT_FDCWD, &new, AT_FDCWD, target, RenameFlags::RENAME_EXCHANGE) {
                // The previous content is now in the stage and removed with it.
                Ok(()) => return Ok(()),
                // For file systems that cannot exchange directories.
                Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOSYS) => {
                    fs::rename(target, &old).map_err(failed)?;
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        fs::rename(&new, target).map_err(failed)
    }
}

/// Removes leftovers of installations that were killed more than a day ago.
fn sweep(parent: &Path) {
    let day = Duration::from_secs(24 * 3600);
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|about| about.modified())
            .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > day));
        if old && entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // Another process may remove it at the same time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
