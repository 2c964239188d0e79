//! The folder for control sockets: private, and with a short name.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::getuid;

/// A socket's path may have 107 bytes; ssh adds 17 while it binds one, we name ours with 16 and, while it is
/// new, 9 more.
const LONGEST: usize = 107 - 17 - 1 - 16 - 9;

/// The first folder that will do, made if need be: in the session's runtime folder, the cache, or /tmp.
pub fn control_folder() -> io::Result<PathBuf> {
    let uid = getuid();
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let candidates = [
        variable("XDG_RUNTIME_DIR").map(|folder| folder.join("rplay")),
        variable("XDG_CACHE_HOME").map(|folder| folder.join("rplay/ssh")),
        variable("HOME").map(|folder| folder.join(".cache/rplay/ssh")),
        Some(PathBuf::from(format!("/tmp/rplay-{uid}"))),
    ];
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for folder in candidates.into_iter().flatten().filter(|folder| folder.as_os_str().len() <= LONGEST) {
        match make_private(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Makes the folder with mode 0700. One that is there must be ours and nobody else's: in /tmp anybody can
/// have made it.
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != getuid().as_raw() || found.mode() & 0o077 != 0 {
        let text = format!("{} is not a folder of ours alone (mode 0700)", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_that_others_can_enter_or_a_link_is_refused() {
        let there = tempfile::tempdir().unwrap();
        let folder = there.path().join("a/b");
        make_private(&folder).unwrap();
        make_private(&folder).unwrap();
        symlink(&folder, there.path().join("link")).unwrap();
        assert!(make_private(&there.path().join("link")).is_err());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private(&folder).is_err());
    }
}
