//! An entry of the desired container: a field, or a part of one, by its name in playbooks.

use std::collections::BTreeMap;

use rplay_wire::hex;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::docker::difference::covers;

/// A desired entry.
pub(super) struct Entry {
    pub value: Json,
    pub live: bool,
    /// Whether it is an unordered list.
    pub is_set: bool,
}

impl Entry {
    pub(super) fn whole(value: Json) -> Self {
        Entry { value, live: false, is_set: false }
    }

    /// Whether the actual value satisfies it. A set may contain more unless the comparison is strict.
    pub(super) fn is_covered(&self, there: &Json, strict: bool) -> bool {
        match (&self.value, there) {
            (Json::Array(wanted), Json::Array(there)) if self.is_set && !strict => {
                wanted.iter().all(|wanted| there.iter().any(|there| covers(there, wanted)))
            }
            (wanted, there) => covers(there, wanted),
        }
    }
}

/// As it stands in the label of a container.
pub(super) fn short_hash(value: &Json) -> String {
    hex::encode(Sha256::digest(value.to_string().as_bytes())).chars().take(8).collect()
}

/// The hash of all entries.
pub(super) fn config_hash(entries: &BTreeMap<String, Entry>) -> String {
    let mut sum = Sha256::new();
    for (name, entry) in entries {
        // For a field that can be changed while the container runs, only its presence counts.
        let value = if entry.live { String::new() } else { entry.value.to_string() };
        sum.update(format!("{name}\0{value}\n"));
    }
    hex::encode(sum.finalize())
}
