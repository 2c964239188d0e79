//! Limits on how deep values may be nested and how many a message may hold. The sender cannot change them.
//!
//! serde decodes nested values by recursion, so a few kilobytes of opening brackets would overflow the stack, and
//! one byte on the wire can become a hundred in memory. The functions here stand in for serde's own readers and
//! writers of lists and mappings; each counts as it goes and stops before anything is allocated.

use std::{cell::Cell, fmt, marker::PhantomData};

use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
    ser::Error as _,
};

/// Levels of lists and mappings in a message, both ways. JSON readers commonly stop at 128.
pub const MAX_DEPTH: u32 = 256;

/// A limit that a message exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    Depth,
    Values,
}

thread_local! {
    /// Current depth on this thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Number of values that the message may still hold.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    /// postcard's errors carry no text; this is the limit that was exceeded.
    static PASSED: Cell<Option<Passed>> = const { Cell::new(None) };
}

/// Runs `work`, which encodes or decodes one message of at most `values` values, and returns the exceeded limit, if
/// any.
pub(crate) fn within<T>(values: usize, work: impl FnOnce() -> T) -> (T, Option<Passed>) {
    LEFT.set(values);
    PASSED.set(None);
    let done = work();
    LEFT.set(usize::MAX);
    (done, PASSED.take())
}

/// One level of nesting, for the guard's lifetime.
struct Level;

impl Level {
    fn enter() -> Option<Self> {
        let depth = DEPTH.get() + 1;
        if depth > MAX_DEPTH {
            PASSED.set(Some(Passed::Depth));
            return None;
        }
        DEPTH.set(depth);
        Some(Level)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Counts one value.
fn count<E: serde::de::Error>() -> Result<(), E> {
    match LEFT.get().checked_sub(1) {
        Some(left) => {
            LEFT.set(left);
            Ok(())
        }
        None => {
            PASSED.set(Some(Passed::Values));
            Err(E::custom("too many values"))
        }
    }
}

/// Initial capacity: a length on the wire is only a claim.
fn room(claimed: Option<usize>) -> usize {
    claimed.unwrap_or_default().min(256)
}

const TOO_DEEP: &str = "nested too deeply";

/// For `#[serde(with)]` on lists.
pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<S: Serializer, T: Serialize>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        let _level = Level::enter().ok_or_else(|| S::Error::custom(TOO_DEEP))?;
        items.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let _level = Level::enter().ok_or_else(|| D::Error::custom(TOO_DEEP))?;
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// For `#[serde(with)]` on mappings.
pub(crate) mod map {
    use super::*;

    pub(crate) fn serialize<S: Serializer, T: Serialize>(
        map: &IndexMap<String, T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let _level = Level::enter().ok_or_else(|| S::Error::custom(TOO_DEEP))?;
        map.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<IndexMap<String, T>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        let _level = Level::enter().ok_or_else(|| D::Error::custom(TOO_DEEP))?;
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Items<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::with_capacity(room(access.size_hint()));
        while let Some(item) = access.next_element()? {
            count()?;
            items.push(item);
        }
        Ok(items)
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = IndexMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = IndexMap::with_capacity(room(access.size_hint()));
        while let Some((key, value)) = access.next_entry()? {
            count()?;
            map.insert(key, value);
        }
        Ok(map)
    }
}
