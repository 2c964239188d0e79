//! What becomes of a key that a mapping has twice: the setting `duplicate_dict_key`.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What a second value of one key is. In every case but an error the last value counts. Set once at the start, as it
/// holds for all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateKeys {
    Ignore,
    Warn,
    Error,
}

static WHAT: AtomicU8 = AtomicU8::new(DuplicateKeys::Warn as u8);

impl DuplicateKeys {
    /// Sets what the process does.
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
