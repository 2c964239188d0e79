//! The text of a file that is read again and again and seldom changes.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

/// A file that changed less than this ago may change again without a sign: the kernel's clock for files
/// ticks every 10 ms at worst.
const SETTLED: Duration = Duration::from_millis(100);

/// Reads its file only when it has changed.
pub struct KeptText(Mutex<Option<(Stamp, Arc<str>)>>);

/// What changes with every change of a file.
#[derive(PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Default for KeptText {
    fn default() -> Self {
        KeptText::new()
    }
}

impl KeptText {
    pub const fn new() -> Self {
        KeptText(Mutex::new(None))
    }

    /// What is in the file at `path`, which is always the same one; empty if it cannot be read. Bytes that are
    /// no UTF-8 are replaced.
    pub fn of(&self, path: &str) -> Arc<str> {
        let mut kept = self.0.lock();
        let stamp = fs::metadata(path).ok().and_then(|meta| Stamp::settled(&meta));
        if let (Some(stamp), Some((known, text))) = (&stamp, &*kept)
            && stamp == known
        {
            return text.clone();
        }
        let text = read(path);
        // Noted with the state before it was read: a change meanwhile shows the next time.
        *kept = stamp.map(|stamp| (stamp, text.clone()));
        text
    }
}

impl Stamp {
    /// `None` for a file that has just changed.
    fn settled(meta: &Metadata) -> Option<Self> {
        let changed = (meta.ctime(), meta.ctime_nsec());
        let since = Duration::new(changed.0.try_into().ok()?, changed.1.try_into().ok()?);
        let age = (SystemTime::UNIX_EPOCH + since).elapsed().ok()?;
        (age >= SETTLED).then(|| Stamp { device: meta.dev(), inode: meta.ino(), size: meta.size(), changed })
    }
}

fn read(path: impl AsRef<Path>) -> Arc<str> {
    String::from_utf8_lossy(&crate::system::regular::read(path).unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let path = file.to_str().unwrap();
        let kept = KeptText::new();
        assert_eq!(&*kept.of(path), "");
        for number in 0..300 {
            fs::write(&file, format!("{number:03}")).unwrap();
            assert_eq!(&*kept.of(path), format!("{number:03}"));
        }
        std::thread::sleep(2 * SETTLED);
        assert_eq!(&*kept.of(path), "299");
        assert!(kept.0.lock().is_some());
        // Of the same size, and within the same tick of the clock.
        for number in 0..300 {
            fs::write(&file, format!("{number:03}")).unwrap();
            assert_eq!(&*kept.of(path), format!("{number:03}"));
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(&*kept.of(path), "");
    }
}
