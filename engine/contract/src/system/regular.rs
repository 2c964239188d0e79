//! Access to files named by tasks. Opening a FIFO blocks until its other end is open, a device may be endless, and
//! opening one may have side effects: here all of them are rejected immediately.

use std::{
    fs::{self, File, FileType, Metadata},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::libc::{O_CLOEXEC, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};

/// Opens a regular file for reading; symbolic links are followed. As in Ansible, the null device is an empty file.
///
/// # Errors
/// If it cannot be opened, or is a FIFO, a socket, another device or a directory. It never blocks.
pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    // Before opening: opening a terminal, a tape or a watchdog already has side effects.
    check(&fs::metadata(path)?)?;
    let file = File::options().read(true).custom_flags(O_NONBLOCK | O_NOCTTY | O_CLOEXEC).open(path)?;
    // And again, since the file may have been replaced meanwhile.
    check(&file.metadata()?)?;
    Ok(file)
}

/// The content of a regular file; see [`open`].
///
/// # Errors
/// Those of [`open`], and of reading.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// The content of a regular file that is UTF-8; see [`open`].
///
/// # Errors
/// Those of [`read`]; of kind `InvalidData` if it is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    io::read_to_string(open(path)?)
}

/// Opens an existing regular file to overwrite it from its start, without truncating it. A symbolic link is rejected,
/// since anybody with write permission for the directory may have put it there.
///
/// # Errors
/// If it does not exist, is not a regular file, or is a symbolic link.
pub fn open_to_overwrite(path: &Path) -> io::Result<File> {
    refuse_special(path)?;
    let file = File::options().write(true).custom_flags(O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Refuses a path that is itself a FIFO, a socket or a device, which must neither be replaced by a file nor be passed
/// to programs. Links, directories and missing files pass.
///
/// # Errors
/// If it is one of these.
pub fn refuse_special(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) => special(meta.file_type()).map_or(Ok(()), |kind| Err(refusal(kind))),
        Err(_) => Ok(()),
    }
}

/// Like [`refuse_special`], for a link's target: for files that other programs open.
///
/// # Errors
/// If the target is one of these.
pub fn refuse_special_target(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) if !is_null(&meta) => special(meta.file_type()).map_or(Ok(()), |kind| Err(refusal(kind))),
        _ => Ok(()),
    }
}

/// The name of a file type that is neither a regular file nor a directory nor a link.
pub fn special(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_char_device() => Some("a character device"),
        () if kind.is_block_device() => Some("a block device"),
        () => None,
    }
}

/// The null device: it never has content, and never blocks.
fn is_null(meta: &Metadata) -> bool {
    meta.file_type().is_char_device() && meta.rdev() == nix::sys::stat::makedev(1, 3)
}

fn check(meta: &Metadata) -> io::Result<()> {
    match special(meta.file_type()) {
        _ if meta.is_dir() => Err(io::Error::from(nix::errno::Errno::EISDIR)),
        Some(kind) if !is_null(meta) => Err(refusal(kind)),
        _ => Ok(()),
    }
}

fn refusal(kind: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {kind}, not a regular file"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::symlink, net::UnixListener};

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        nix::unistd::mkfifo(&at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        fs::write(at("file"), "x").unwrap();
        symlink("fifo", at("to-fifo")).unwrap();
        symlink("file", at("to-file")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (name, said) in [
            ("fifo", "it is a FIFO, not a regular file"),
            ("to-fifo", "it is a FIFO, not a regular file"),
            ("socket", "it is a socket, not a regular file"),
            ("/dev/zero", "it is a character device, not a regular file"),
        ] {
            assert_eq!(read(at(name)).unwrap_err().to_string(), said, "{name}");
        }
        assert_eq!(open(directory.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(open(at("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(open(at("loop")).is_err());
        assert_eq!((read(at("to-file")).unwrap(), read("/dev/null").unwrap()), (b"x".to_vec(), Vec::new()));
        assert!(read_to_string("/proc/self/status").unwrap().contains("Pid:"), "its size is said to be 0");
    }

    #[test]
    fn neither_a_link_nor_a_special_file_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        nix::unistd::mkfifo(&at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
        fs::write(at("file"), "x").unwrap();
        symlink("file", at("link")).unwrap();
        assert!(open_to_overwrite(&at("fifo")).is_err() && open_to_overwrite(&at("link")).is_err());
        assert!(open_to_overwrite(&at("file")).is_ok());
        assert!(refuse_special(&at("fifo")).is_err() && refuse_special(Path::new("/dev/null")).is_err());
        assert!(refuse_special(&at("link")).is_ok() && refuse_special(&at("gone")).is_ok());
    }

    /// All code that reads files of the host goes through this module.
    #[test]
    fn no_module_opens_files_by_itself() {
        let mut direct = Vec::new();
        let mut directories = ["src", "../modules/src", "../tencent/src"]
            .map(|room| Path::new(env!("CARGO_MANIFEST_DIR")).join(room))
            .to_vec();
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                if path.ends_with("tests.rs") || path.ends_with("regular.rs") || path.ends_with("stand_in.rs") {
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\n").next().unwrap_or_default();
                for (number, line) in code.lines().enumerate() {
                    let opens = ["fs::read(", "fs::read_to_string(", "File::open(", "fs::copy("];
                    let is_fixed = line.trim_start().starts_with("//") || line.contains("/dev/urandom");
                    if opens.iter().any(|open| line.contains(open)) && !is_fixed {
                        direct.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                    }
                }
            }
        }
        assert!(direct.is_empty(), "open these by `regular`:\n{}", direct.join("\n"));
    }
}
