//! A file received from a host (`fetch`): written to a temporary file next to its destination, verified, and then moved
//! there atomically.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
};

use md5::Md5;
use parking_lot::{Mutex, MutexGuard};
use rplay_wire::hex;
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;

use super::TaskResult;
use crate::{link::ContentSink, vars::Value};

/// The downloads that hosts may be asked for, by number.
#[derive(Default)]
pub struct Downloads {
    last: AtomicI64,
    expected: Mutex<HashMap<i64, Weak<Download>>>,
}

impl Downloads {
    /// A download to `path`. `known` are the digests of the existing file.
    pub(super) fn expect(&self, path: PathBuf, known: Option<Digests>, validates: bool) -> Arc<Download> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let download = Arc::new(Download { number, path, known, validates, arriving: Mutex::default() });
        let mut expected = self.expected();
        expected.retain(|_, download| download.strong_count() > 0);
        expected.insert(number, Arc::downgrade(&download));
        download
    }

    /// The destination of a download's content; can be taken once.
    pub fn sink(&self, number: i64) -> Option<Box<dyn ContentSink>> {
        let download = self.expected().remove(&number)?.upgrade()?;
        Some(Box::new(Sink(download)))
    }

    fn expected(&self) -> MutexGuard<'_, HashMap<i64, Weak<Download>>> {
        self.expected.lock()
    }
}

/// SHA-1 and MD5 of a file, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    sha1: String,
    md5: String,
}

impl Digests {
    /// The digests of a file's content.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Digests> {
        let mut file = File::open(path)?;
        let mut digesting = Digesting::default();
        let mut piece = vec![0; 1 << 16];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(digesting.end()),
                Ok(length) => digesting.update(piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub fn sha1(&self) -> &str {
        &self.sha1
    }
}

#[derive(Default)]
struct Digesting {
    sha1: Sha1,
    md5: Md5,
}

impl Digesting {
    fn update(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.md5.update(bytes);
    }

    fn end(self) -> Digests {
        Digests { sha1: hex::encode(self.sha1.finalize()), md5: hex::encode(self.md5.finalize()) }
    }
}

/// A file that is being received from a host.
pub struct Download {
    number: i64,
    path: PathBuf,
    known: Option<Digests>,
    validates: bool,
    arriving: Mutex<Arriving>,
}

#[derive(Default)]
enum Arriving {
    #[default]
    Nothing,
    /// Removed on drop.
    Begun {
        file: NamedTempFile,
        digesting: Digesting,
        left: u64,
    },
    Whole {
        file: NamedTempFile,
        digests: Digests,
    },
    Failed(String),
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "download {} to {}", self.number, self.path.display())
    }
}

impl Download {
    /// The number that the host is told.
    pub(super) fn number(&self) -> i64 {
        self.number
    }

    /// Takes the next piece.
    fn take(&self, piece: &[u8], left: u64) {
        let mut arriving = self.arriving();
        let failed = |error: io::Error| format!("cannot write {}: {error}", self.path.display());
        *arriving = match std::mem::take(&mut *arriving) {
            Arriving::Nothing => match self.begin() {
                Ok(file) => Arriving::Begun { file, digesting: Digesting::default(), left: left + piece.len() as u64 },
                Err(error) => Arriving::Failed(failed(error)),
            },
            Arriving::Whole { .. } => Arriving::Failed("the host sent more than it announced".to_owned()),
            other => other,
        };
        if let Arriving::Begun { file, digesting, left: expected } = &mut *arriving {
            if expected.checked_sub(piece.len() as u64) != Some(left) {
                *arriving = Arriving::Failed("the host sent more or less than it announced".to_owned());
                return;
            }
            *expected = left;
            if let Err(error) = file.write_all(piece) {
                *arriving = Arriving::Failed(failed(error));
                return;
            }
            digesting.update(piece);
        }
        if left == 0 {
            *arriving = match std::mem::take(&mut *arriving) {
                Arriving::Begun { file, digesting, .. } => Arriving::Whole { file, digests: digesting.end() },
                other => other,
            };
        }
    }

    /// A temporary file next to the destination, with the permissions of a new file or of the file that it replaces.
    fn begin(&self) -> io::Result<NamedTempFile> {
        let directory =
            self.path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mode = fs::Permissions::from_mode(0o666);
        let file = tempfile::Builder::new().prefix(".rplay-").permissions(mode).tempfile_in(directory)?;
        if let Ok(present) = fs::metadata(&self.path)
            && present.is_file()
        {
            file.as_file().set_permissions(present.permissions())?;
        }
        Ok(file)
    }

    /// The result of the task, once the agent has answered.
    pub(super) fn finish(&self, mut result: TaskResult) -> TaskResult {
        let arriving = std::mem::take(&mut *self.arriving());
        let remote = result.data.shift_remove("remote_checksum").filter(|checksum| !checksum.is_none());
        let content = result.data.shift_remove("content");
        let source = result.data.shift_remove("source");
        // A failed fetch, or a missing file that is allowed to be missing, has no checksum.
        let (false, Some(remote)) = (result.failed, remote) else { return result };
        let file = self.path.display().to_string();
        let (new, digests) = match (arriving, content) {
            (Arriving::Whole { file, digests }, _) => (file, digests),
            (Arriving::Failed(reason), _) => return result.and_failed(reason),
            (Arriving::Begun { .. }, _) => return result.and_failed("the host did not send the complete file"),
            // Short content is part of the result.
            (Arriving::Nothing, Some(content)) => {
                self.take(content.as_bytes().unwrap_or_default(), 0);
                match std::mem::take(&mut *self.arriving()) {
                    Arriving::Whole { file, digests } => (file, digests),
                    Arriving::Failed(reason) => return result.and_failed(reason),
                    _ => return result.and_failed("the host did not send the file"),
                }
            }
            (Arriving::Nothing, None) => {
                let Some(known) = self.known.as_ref().filter(|known| remote.as_str() == Some(known.sha1())) else {
                    return result.and_failed("the host did not send the file");
                };
                return self.unchanged(result, source, known);
            }
        };
        let is_valid = !self.validates || remote.as_str() == Some(&digests.sha1);
        // Another host or item may have brought the same content to the same place since this task was prepared.
        if is_valid && Digests::of_file(&self.path).is_ok_and(|there| there.sha1 == digests.sha1) {
            return self.unchanged(result, source, &digests);
        }
        result.set("dest", file);
        result.set("checksum", digests.sha1.as_str());
        result.set("md5sum", digests.md5.as_str());
        result.set("remote_checksum", remote);
        result.set("remote_md5sum", Value::from(()));
        if !is_valid {
            result.set("file", source.unwrap_or_default());
            return result.and_failed("checksum mismatch");
        }
        match new.persist(&self.path) {
            Ok(_) => result.changed = true,
            Err(error) => return result.and_failed(format!("cannot write {}: {}", self.path.display(), error.error)),
        }
        result
    }

    /// The result if the file exists already.
    fn unchanged(&self, mut result: TaskResult, source: Option<Value>, known: &Digests) -> TaskResult {
        result.set("file", source.unwrap_or_default());
        result.set("dest", self.path.display().to_string());
        result.set("checksum", known.sha1.as_str());
        result.set("md5sum", known.md5.as_str());
        result
    }

    fn arriving(&self) -> MutexGuard<'_, Arriving> {
        self.arriving.lock()
    }
}

/// Keeps the download alive while content may arrive.
struct Sink(Arc<Download>);

impl ContentSink for Sink {
    fn piece(&mut self, piece: &[u8], left: u64) {
        self.0.take(piece, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"; // of "hello"

    fn result(checksum: &str) -> TaskResult {
        TaskResult::default().with("remote_checksum", checksum).with("source", "/remote/f")
    }

    fn names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_arrives_in_pieces_and_takes_its_place_when_it_is_whole() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("deep/f");
        let downloads = Downloads::default();
        let download = downloads.expect(path.clone(), None, true);
        let mut sink = downloads.sink(download.number()).unwrap();
        assert!(downloads.sink(download.number()).is_none(), "nobody else may write there");
        sink.piece(b"hel", 2);
        assert!(!path.exists() && names(path.parent().unwrap()).len() == 1);
        sink.piece(b"lo", 0);
        let done = download.finish(result(SHA1));
        assert!(done.changed && !done.failed && done.data["checksum"].as_str() == Some(SHA1));
        assert_eq!(done.data["md5sum"].as_str(), Some("5d41402abc4b2a76b9719d911017c592"));
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        assert_eq!(names(path.parent().unwrap()), ["f"]);
        let again = downloads.expect(path.clone(), Digests::of_file(&path).ok(), true).finish(result(SHA1));
        assert!(!again.changed && !again.failed && again.data["file"].as_str() == Some("/remote/f"));
    }

    #[test]
    fn what_is_damaged_or_not_whole_or_too_much_leaves_the_old_file_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("f");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let downloads = Downloads::default();
        let cases: [(&[(&[u8], u64)], &str); 5] = [
            (&[(b"hellO", 0)], "checksum mismatch"),
            (&[(b"hel", 2)], "the host did not send the complete file"),
            (&[(b"hel", 2), (b"lo and more", 0)], "the host sent more or less than it announced"),
            (&[(b"hello", 0), (b"more", 0)], "the host sent more than it announced"),
            (&[], "the host did not send the file"),
        ];
        for (pieces, expected) in cases {
            let download = downloads.expect(path.clone(), None, true);
            let mut sink = downloads.sink(download.number()).unwrap();
            pieces.iter().for_each(|(piece, left)| sink.piece(piece, *left));
            let done = download.finish(result(SHA1));
            assert_eq!((done.failed, done.data["msg"].as_str()), (true, Some(expected)));
            assert_eq!((fs::read(&path).unwrap().as_slice(), names(base.path()).len()), (&b"old"[..], 1));
        }
        let download = downloads.expect(path.clone(), None, false);
        downloads.sink(download.number()).unwrap().piece(b"other", 0);
        assert!(!download.finish(result(SHA1)).failed, "nobody asked for the checksum to be compared");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        // The host became unreachable.
        let download = downloads.expect(path.clone(), None, true);
        let mut sink = downloads.sink(download.number()).unwrap();
        sink.piece(b"hel", 2);
        assert_eq!(names(base.path()).len(), 2);
        drop((sink, download));
        assert_eq!(names(base.path()), ["f"]);
    }
}
