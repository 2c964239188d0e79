//! File content that modules fetch from the controller.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use rplay_modules::{BlobSource, system::scratch};
use rplay_wire::{Blob, Reply, hex};
use sha2::{Digest, Sha256};

use crate::replies::Replies;

/// All content fetched so far. Each digest is transferred once, however many calls need it. The files are in a private
/// directory that is removed with the agent.
pub(crate) struct Blobs {
    replies: Replies,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    directory: Option<scratch::Directory>,
    fetches: HashMap<String, Arc<Fetch>>,
    /// Set once the controller is gone.
    closed: bool,
}

struct Fetch {
    state: Mutex<State>,
    over: Condvar,
}

enum State {
    Arriving { path: PathBuf, file: File, digest: Sha256 },
    Ready(PathBuf),
    Failed(String),
}

impl Fetch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn end(&self, state: State) {
        *self.state() = state;
        self.over.notify_all();
    }

    fn wait(&self) -> io::Result<PathBuf> {
        let arriving = |state: &mut State| matches!(state, State::Arriving { .. });
        let mut state = self.state();
        self.over.wait_while(&mut state, arriving);
        match &*state {
            State::Ready(path) => Ok(path.clone()),
            State::Failed(reason) => Err(io::Error::other(reason.clone())),
            State::Arriving { .. } => Err(io::Error::other("the content did not arrive")),
        }
    }
}

impl Blobs {
    pub(crate) fn new(replies: Replies) -> Self {
        Blobs { replies, inner: Mutex::default() }
    }

    /// Path of the file with the content of this SHA-256. Blocks until the controller has sent all of it.
    pub(crate) fn fetch_digest(&self, sha256: &str) -> io::Result<PathBuf> {
        // The digest is used as a file name.
        if !hex::is_sha256(sha256) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a sha256 digest"));
        }
        let (fetch, first) = self.join(sha256)?;
        if first && let Err(error) = self.replies.send(&Reply::Want { sha256: sha256.to_owned() }) {
            self.fail(sha256, &error.to_string());
        }
        fetch.wait()
    }

    /// The transfer for a digest, and whether this call started it.
    fn join(&self, sha256: &str) -> io::Result<(Arc<Fetch>, bool)> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        if let Some(fetch) = inner.fetches.get(sha256) {
            // A module may have moved the file to its destination.
            let gone = matches!(&*fetch.state(), State::Ready(path) if !path.exists());
            if !gone {
                return Ok((fetch.clone(), false));
            }
        }
        let path = directory(&mut inner)?.join(sha256);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let state = State::Arriving { path, file, digest: Sha256::new() };
        let fetch = Arc::new(Fetch { state: Mutex::new(state), over: Condvar::new() });
        inner.fetches.insert(sha256.to_owned(), fetch.clone());
        Ok((fetch, true))
    }

    /// Adds a piece. Pieces of content that nobody asked for are dropped.
    pub(crate) fn piece(&self, sha256: &str, piece: &[u8], last: bool) {
        let Some(fetch) = self.inner().fetches.get(sha256).cloned() else { return };
        let mut state = fetch.state();
        let State::Arriving { path, file, digest } = &mut *state else { return };
        digest.update(piece);
        let ended = match file.write_all(piece) {
            Err(error) => Some(Err(format!("cannot write {}: {error}", path.display()))),
            Ok(()) if !last => None,
            Ok(()) if hex::encode(digest.finalize_reset()) == sha256 => Some(Ok(path.clone())),
            Ok(()) => Some(Err(format!("the content arrived damaged: its sha256 is not {sha256}"))),
        };
        drop(state);
        match ended {
            None => {}
            Some(Ok(path)) => fetch.end(State::Ready(path)),
            Some(Err(reason)) => self.fail(sha256, &reason),
        }
    }

    /// Fails a transfer; a later request asks the controller again.
    pub(crate) fn fail(&self, sha256: &str, reason: &str) {
        let fetch = self.inner().fetches.remove(sha256);
        if let Some(fetch) = fetch {
            fetch.end(State::Failed(reason.to_owned()));
        }
    }

    /// The controller is gone: fails all pending transfers and removes the files.
    pub(crate) fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        for (_, fetch) in inner.fetches.drain() {
            fetch.end(State::Failed("the controller disconnected".to_owned()));
        }
        inner.directory = None;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl BlobSource for Blobs {
    fn fetch(&self, blob: &Blob) -> io::Result<PathBuf> {
        self.fetch_digest(&blob.sha256)
    }
}

/// The directory, created on first use with mode 0700 and an unguessable name.
fn directory(inner: &mut Inner) -> io::Result<&Path> {
    if inner.directory.is_none() {
        inner.directory = Some(scratch::directory()?);
    }
    inner.directory.as_ref().map(scratch::Directory::path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, sync::mpsc, thread, time::Duration};

    use super::*;

    /// Tells of each frame that is written.
    struct Sent(mpsc::Sender<()>);

    impl Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn blobs() -> (Arc<Blobs>, mpsc::Receiver<()>) {
        let (sender, sent) = mpsc::channel();
        (Arc::new(Blobs::new(Replies::new(Sent(sender)))), sent)
    }

    fn digest(content: &[u8]) -> String {
        hex::encode(Sha256::digest(content))
    }

    #[test]
    fn two_who_wait_for_the_same_content_ask_once() {
        let (blobs, sent) = blobs();
        let sha256 = digest(b"hello");
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let (blobs, sha256) = (blobs.clone(), sha256.clone());
                thread::spawn(move || blobs.fetch_digest(&sha256).unwrap())
            })
            .collect();
        sent.recv().unwrap();
        blobs.piece(&sha256, b"hel", false);
        blobs.piece(&sha256, b"lo", true);
        for thread in waiting {
            let path = thread.join().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"hello");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert!(sent.recv_timeout(Duration::from_millis(50)).is_err());
        let directory = blobs.fetch_digest(&sha256).unwrap().parent().unwrap().to_owned();
        blobs.close();
        assert!(!directory.exists());
    }

    #[test]
    fn damaged_or_refused_content_is_an_error_and_can_be_asked_for_again() {
        let (blobs, sent) = blobs();
        let sha256 = digest(b"hello");
        type Answer = fn(&Blobs, &str);
        let answers: [(Answer, &str); 3] = [
            (|blobs, sha256| blobs.piece(sha256, b"other", true), "damaged"),
            (|blobs, sha256| blobs.fail(sha256, "the file has changed"), "the file has changed"),
            (|blobs, _| blobs.close(), "the controller disconnected"),
        ];
        for (answer, expected) in answers {
            let (asker, wanted) = (blobs.clone(), sha256.clone());
            let thread = thread::spawn(move || asker.fetch_digest(&wanted));
            sent.recv().unwrap();
            answer(&blobs, &sha256);
            assert!(thread.join().unwrap().unwrap_err().to_string().contains(expected));
        }
        assert!(blobs.fetch_digest(&sha256).is_err());
    }

    #[test]
    fn a_digest_that_is_a_path_is_refused() {
        let (blobs, _sent) = blobs();
        assert!(blobs.fetch_digest("../../etc/passwd").is_err());
    }
}
