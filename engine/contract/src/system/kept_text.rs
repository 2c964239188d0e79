//! Caches the text of a file that is read often and rarely changes.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

/// A file modified less than this ago may change again without a new timestamp: the kernel's coarse clock ticks every
/// 10 ms at worst.
const SETTLED: Duration = Duration::from_millis(100);

/// Reads its file only if it has changed.
pub struct KeptText(Mutex<Option<(Stamp, Arc<str>)>>);

/// Metadata that changes whenever a file is modified.
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

    /// The content of the file at `path`, which must always be the same; empty if it cannot be read. Invalid UTF-8 is
    /// replaced.
    pub fn of(&self, path: &str) -> Arc<str> {
        let mut kept = self.0.lock();
        let stamp = fs::metadata(path).ok().and_then(|meta| Stamp::settled(&meta));
        if let (Some(stamp), Some((known, text))) = (&stamp, &*kept)
            && stamp == known
        {
            return text.clone();
        }
        let text = read(path);
        // Stored with the metadata from before reading, so a concurrent change is detected next time.
        *kept = stamp.map(|stamp| (stamp, text.clone()));
        text
    }
}

impl Stamp {
    /// `None` for a file that was just modified.
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
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
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
        // Of the same size, within the same clock tick.
        for number in 0..300 {
            fs::write(&file, format!("{number:03}")).unwrap();
            assert_eq!(&*kept.of(path), format!("{number:03}"));
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(&*kept.of(path), "");
    }
}
