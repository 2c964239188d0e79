//! Content of files, in both directions.

use std::{
    fs,
    io::{self, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rplay::link::{BlobSource, ContentSink};
use rplay_wire::{Blob, Call, Outcome, Reply, Value, data, hex};
use sha2::{Digest, Sha256};

use super::*;

/// Content by its digest, and how often it was opened.
pub(super) struct Content {
    pub bytes: Vec<u8>,
    opened: Arc<AtomicUsize>,
}

impl Content {
    pub(super) fn new(size: usize) -> Self {
        let bytes = (0..size).map(|n| (n % 251) as u8).collect();
        Content { bytes, opened: Arc::default() }
    }

    fn blob(&self) -> Blob {
        let sha256 = hex::encode(Sha256::digest(&self.bytes));
        Blob { sha256, size: self.bytes.len() as u64 }
    }

    pub(super) fn source(&self) -> BlobSource {
        let (bytes, opened) = (self.bytes.clone(), self.opened.clone());
        Arc::new(move |_| {
            opened.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read + Send>)
        })
    }

    pub(super) fn copy_to(&self, dest: &Path) -> Call {
        let args = data! { "_content" => Value::Blob(self.blob()), "dest" => dest.to_str().unwrap() };
        Call { module: "copy".into(), args, ..ping("") }
    }
}

#[test]
fn content_is_sent_once_and_only_if_it_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let links = links();
    for size in [0, 5, 256 << 10, 3_000_001] {
        let content = Content::new(size);
        let calls = (0..6).map(|n| content.copy_to(&directory.path().join(format!("{size}-{n}")))).collect();
        let (mut first, heard) = job(1, &local(), calls);
        (first.blobs, first.stages[0].parallel) = (content.source(), 6);
        links.dispatch(first);
        for outcome in outcomes(&heard).unwrap() {
            assert_eq!(outcome.failure, None);
            assert!(outcome.changed);
        }
        assert_eq!(fs::read(directory.path().join(format!("{size}-5"))).unwrap(), content.bytes);
        assert_eq!(content.opened.load(Ordering::SeqCst), 1, "of {size} bytes");
        let (mut again, heard) = job(2, &local(), vec![content.copy_to(&directory.path().join(format!("{size}-0")))]);
        again.blobs = content.source();
        links.dispatch(again);
        assert!(!outcomes(&heard).unwrap()[0].changed);
        assert_eq!(content.opened.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn unavailable_or_changed_content_fails_its_call() {
    let directory = tempfile::tempdir().unwrap();
    let links = links();
    let content = Content::new(1000);
    let (mut gone, heard) = job(1, &local(), vec![content.copy_to(&directory.path().join("a")), ping("after")]);
    gone.blobs = Arc::new(|_| Err(io::Error::other("files/a has gone away")));
    links.dispatch(gone);
    let ended = outcomes(&heard).unwrap();
    assert!(ended[0].failure.as_ref().unwrap().msg.contains("files/a has gone away"));
    assert_eq!(ended[1].failure, None);
    let (mut other, heard) = job(1, &local(), vec![content.copy_to(&directory.path().join("a"))]);
    other.blobs = Content::new(1001).source();
    links.dispatch(other);
    assert!(outcomes(&heard).unwrap()[0].failure.as_ref().unwrap().msg.contains("damaged"));
    assert!(!directory.path().join("a").exists());
}

/// Records what arrives.
#[derive(Clone, Default)]
struct Kept(Arc<parking_lot::Mutex<Vec<(Vec<u8>, u64)>>>);

impl ContentSink for Kept {
    fn piece(&mut self, piece: &[u8], left: u64) {
        self.0.lock().push((piece.to_vec(), left));
    }
}

#[test]
fn a_host_sends_content_only_for_a_call_that_asks_for_it_and_until_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let content = |batch, index, piece: &str, left| Reply::Content { batch, index, piece: piece.into(), left };
    let answer = |index| Reply::Outcome { batch: 1, index, outcome: Outcome::default() };
    let replies = [
        // No such call, a call that fetches nothing.
        content(1, 9, "other call", 0),
        content(1, 1, "not asked for", 0),
        content(1, 0, "one", 3),
        content(1, 0, "two", 0),
        content(1, 0, "too much", 0),
        answer(0),
        content(1, 2, "begun", 7),
        answer(2),
        content(1, 2, "too late", 0),
        answer(1),
    ];
    let links = scripted(directory.path(), &replies);
    let fetch = |number: i64| Call { args: data! { "_sink" => number }, ..ping("") };
    let (mut asked, heard) = job(1, &local(), vec![fetch(7), ping(""), fetch(8)]);
    let (kept, opened) = (Kept::default(), Arc::new(parking_lot::Mutex::new(Vec::new())));
    let (sink, numbers) = (kept.clone(), opened.clone());
    asked.sinks = Arc::new(move |number| {
        numbers.lock().push(number);
        Some(Box::new(sink.clone()))
    });
    links.dispatch(asked);
    assert_eq!(outcomes(&heard).unwrap().len(), 3);
    let came: Vec<_> = kept.0.lock().iter().map(|(piece, _)| String::from_utf8_lossy(piece).into_owned()).collect();
    assert_eq!(came, ["one", "two", "begun"]);
    assert_eq!(*opened.lock(), [7, 8]);
}
