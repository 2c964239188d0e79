//! How to handle a key that occurs twice in a mapping: the setting `duplicate_dict_key`.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// How to treat a duplicate key. Unless it is an error, the last value counts. Set once at the start, for all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateKeys {
    Ignore,
    Warn,
    Error,
}

static WHAT: AtomicU8 = AtomicU8::new(DuplicateKeys::Warn as u8);

impl DuplicateKeys {
    /// Sets it for the process.
    pub fn set(self) {
        WHAT.store(self as u8, Relaxed);
    }

    pub(super) fn now() -> Self {
        [DuplicateKeys::Ignore, DuplicateKeys::Warn, DuplicateKeys::Error]
            .into_iter()
            .find(|what| *what as u8 == WHAT.load(Relaxed))
            .unwrap_or(DuplicateKeys::Warn)
    }
}
