//! Files that are read, written and replaced.

use std::{
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rplay::source::Problems;

use super::error::VaultCommandError;

pub(super) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) fn all(input: &mut dyn Read) -> Result<Vec<u8>, Problems> {
    let mut content = Vec::new();
    let failed = |error| VaultCommandError::File { path: PathBuf::from("standard input"), error };
    input.read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Problems> {
    Ok(rplay::files::read(path).map_err(|error| VaultCommandError::Unreadable { path: path.to_owned(), error })?)
}

/// Writes a file that only its owner, the user who runs this, can read and write; an existing one is replaced.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Problems> {
    if path.exists() {
        return put(path, content, false);
    }
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.write(true).create_new(true).open(path).and_then(|mut file| file.write_all(content));
    Ok(written.map_err(|error| VaultCommandError::File { path: path.to_owned(), error })?)
}

/// Replaces a file's content atomically, keeping its mode and, if possible, its owner. The file is never readable by
/// more users than before, not even for a moment.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Problems> {
    put(path, content, true)
}

fn put(path: &Path, content: &[u8], keeps: bool) -> Result<(), Problems> {
    let put = || -> io::Result<()> {
        let path = path.canonicalize()?;
        let about = path.metadata()?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = directory.join(format!(".{name}.{}.rplay", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.write(true).create_new(true).open(&new).and_then(|mut file| {
            file.write_all(content)?;
            if keeps {
                // Only root can change the owner; for other users it is already the same.
                let _ = std::os::unix::fs::fchown(&file, Some(about.uid()), Some(about.gid()));
                file.set_permissions(std::fs::Permissions::from_mode(about.mode() & 0o7777))?;
            }
            std::fs::rename(&new, &path)
        });
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written
    };
    Ok(put().map_err(|error| VaultCommandError::File { path: path.to_owned(), error })?)
}
