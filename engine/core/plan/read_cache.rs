//! A cache of files that were read.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

use crate::source::Problems;

/// A cache of files that were read. One thread reads each entry while others wait for it; errors are not cached.
pub(super) struct ReadCache<K, T>(Mutex<HashMap<K, Arc<Mutex<Option<T>>>>>);

impl<K, T> Default for ReadCache<K, T> {
    fn default() -> Self {
        ReadCache(Mutex::default())
    }
}

impl<K: Eq + Hash, T: Clone> ReadCache<K, T> {
    pub(super) fn get_or_read(&self, key: K, read: impl FnOnce() -> Result<T, Problems>) -> Result<T, Problems> {
        let slot = self.0.lock().entry(key).or_default().clone();
        let mut slot = slot.lock();
        if let Some(there) = &*slot {
            return Ok(there.clone());
        }
        let new = read()?;
        *slot = Some(new.clone());
        Ok(new)
    }
}
