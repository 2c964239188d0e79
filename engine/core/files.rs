//! All reading of files on the controller, limited in size and time.
//!
//! Regular files are read up to [`limits::file_size`]. FIFOs, such as those of `<(command)`, are read within the time
//! limit of programs. Devices are rejected, except `/dev/null`, which is an empty file.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, IsTerminal, Read},
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::Instant,
};

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::statfs::{FsType, statfs},
};

use rplay_contract::system::expand;

use crate::limits;

/// The path of a controller file that a task names, as Ansible expands it: `~` and environment variables are expanded
/// only if the name begins with `/` or `~`; a relative name is used as it is.
pub fn named(name: &str) -> PathBuf {
    if name.starts_with(['/', '~']) { filled_in(name) } else { PathBuf::from(name) }
}

/// Expands `~` and environment variables in a path, even in a relative one: for included or imported files, roles named
/// by their path, and password files.
pub fn filled_in(name: &str) -> PathBuf {
    PathBuf::from(expand::path(name, &expand::own_environment))
}

/// Reads a whole file.
///
/// # Errors
/// If it cannot be opened or read, is a directory or a device, is larger than [`limits::file_size`], or does not end
/// within [`limits::program_time`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Without O_NONBLOCK, opening a FIFO without a writer blocks forever.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let about = file.metadata()?;
    let kind = about.file_type();
    if kind.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if kind.is_block_device() || (kind.is_char_device() && !is_null(&about) && !file.is_terminal()) {
        return Err(io::Error::other("it is a device, not a file"));
    }
    if kind.is_file() {
        return regular(file, about.len());
    }
    waiting(file)
}

/// Reads a whole file as text.
///
/// # Errors
/// Those of [`read`], and if it is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("not UTF-8 at byte {at}"))
    })
}

/// Rejects FIFOs with a name, sockets and devices. Content for hosts comes from regular files or anonymous pipes
/// (`/dev/stdin`, `<(command)`). A named FIFO is a mistake, and may never have a writer.
///
/// # Errors
/// If it is one of these, or cannot be inspected.
pub fn refuse_special(path: &Path) -> io::Result<()> {
    /// Anonymous pipes have their own file system; this is the kernel's PIPEFS_MAGIC.
    const PIPES: FsType = FsType(0x5049_5045);
    let about = path.metadata()?;
    let kind = about.file_type();
    let what = if kind.is_fifo() && statfs(path).is_ok_and(|system| system.filesystem_type() != PIPES) {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() || (kind.is_char_device() && !is_null(&about)) {
        "a device"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a file")))
}

/// Whether a regular file begins with these bytes. Other files are not read, since reading a FIFO consumes its content.
pub fn begins_with(path: &Path, bytes: &[u8]) -> bool {
    let mut head = vec![0; bytes.len()];
    path.metadata().is_ok_and(|about| about.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head == bytes
}

fn is_null(about: &Metadata) -> bool {
    (libc::major(about.rdev()), libc::minor(about.rdev())) == (1, 3)
}

pub(crate) fn too_large() -> io::Error {
    let message = format!(
        "it is larger than {} bytes; raise the setting `max_file_size` in the section [rplay]",
        limits::file_size()
    );
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

/// Files in /proc are longer than their reported size; others may grow while they are read.
fn regular(file: File, len: u64) -> io::Result<Vec<u8>> {
    let most = limits::file_size();
    if len > most {
        return Err(too_large());
    }
    let mut content = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most { Err(too_large()) } else { Ok(content) }
}

fn waiting(mut file: File) -> io::Result<Vec<u8>> {
    let begun = Instant::now();
    let mut content = Vec::new();
    let mut part = [0; 1 << 16];
    loop {
        let left = limits::program_time().saturating_sub(begun.elapsed());
        if left.is_zero() {
            let message = format!(
                "it did not end within {} seconds; raise the setting `program_timeout` in the section [rplay]",
                limits::program_time().as_secs()
            );
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        match file.read(&mut part) {
            Ok(0) => return Ok(content),
            Ok(count) => content.extend(part.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => continue,
            Err(error) => return Err(error),
        }
        if content.len() as u64 > limits::file_size() {
            return Err(too_large());
        }
    }
}

/// The directories of a recursive walk, so that links to one of them are not followed.
#[derive(Default)]
pub struct Descent(Vec<(u64, u64)>);

impl Descent {
    /// Runs `walk` for a directory, unless it is already being walked or cannot be inspected.
    pub fn within<T>(&mut self, directory: &Path, walk: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let about = directory.metadata().ok()?;
        let own = (about.dev(), about.ino());
        if self.0.contains(&own) {
            return None;
        }
        self.0.push(own);
        let done = walk(self);
        self.0.pop();
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::PathBuf, thread};

    use super::*;

    fn fifo(directory: &tempfile::TempDir) -> PathBuf {
        let path = directory.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        path
    }

    #[test]
    fn files_of_any_kind_are_read_or_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "content").unwrap();
        assert_eq!(read(&file).unwrap(), b"content");
        assert_eq!(read(Path::new("/dev/null")).unwrap(), b"");
        assert!(!read(Path::new("/proc/self/status")).unwrap().is_empty());
        assert_eq!(read(directory.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().to_string(), "it is a device, not a file");
        assert!(begins_with(&file, b"cont") && !begins_with(&file, b"content and more"));
        assert!(!begins_with(Path::new("/dev/zero"), &[0]));
    }

    #[test]
    fn a_sparse_file_of_any_size_costs_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_fifo_is_read_to_its_end_even_if_its_writer_comes_late() {
        let directory = tempfile::tempdir().unwrap();
        let path = fifo(&directory);
        let writer = path.clone();
        let writer = thread::spawn(move || {
            let mut writer = OpenOptions::new().write(true).open(writer).unwrap();
            writer.write_all(b"one ").unwrap();
            thread::yield_now();
            writer.write_all(&[b'x'; 100_000]).unwrap();
        });
        assert_eq!(read(&path).unwrap().len(), 100_004);
        writer.join().unwrap();
    }

    #[test]
    fn what_is_copied_comes_from_files_and_pipes() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |path: &Path| refuse_special(path).map_err(|error| error.to_string());
        assert_eq!(refused(&fifo(&directory)).unwrap_err(), "it is a FIFO, not a file");
        assert_eq!(refused(Path::new("/dev/zero")).unwrap_err(), "it is a device, not a file");
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(refused(&socket).unwrap_err(), "it is a socket, not a file");
        let (reader, _writer) = io::pipe().unwrap();
        let pipe = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        for fine in [directory.path(), Path::new("/dev/null"), Path::new("/proc/self/status"), Path::new(&pipe)] {
            assert_eq!(refused(fine), Ok(()));
        }
    }

    #[test]
    fn a_walk_does_not_follow_links_that_lead_back() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("..", directory.path().join("a/b/up")).unwrap();
        fn count(descent: &mut Descent, directory: &Path) -> usize {
            let entries = |directory: &Path| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
            let below = |descent: &mut Descent| {
                entries(directory).filter(|path| path.is_dir()).map(|path| 1 + count(descent, &path)).sum()
            };
            descent.within(directory, below).unwrap_or(0)
        }
        assert_eq!(count(&mut Descent::default(), directory.path()), 3);
    }
}
