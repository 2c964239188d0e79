//! Sets of integers in the order in which CPython's `set` keeps them, which is the order of lists made from them. It
//! depends on the values, the order of insertion and the size of the table alone; that of texts changes from run to run.

use minijinja::{Value, value::ValueKind};

/// The size of a new table; each size is a power of two.
const SMALLEST: usize = 8;
/// How many places after the first are tried before the search jumps.
const NEIGHBOURS: usize = 9;
/// From this number of members on, tables grow more slowly.
const LARGE: usize = 50_000;

#[derive(Clone, Debug)]
enum Slot {
    Free,
    /// A member was here.
    Removed,
    Member(i64, Value),
}

/// A hash table with open addressing.
#[derive(Clone, Debug)]
pub(crate) struct IntegerSet {
    slots: Vec<Slot>,
    /// The members, and the slots that held one.
    filled: usize,
    members: usize,
}

/// What Python distinguishes members by; `None` for values that are not integers of 64 bits.
fn integer(value: &Value) -> Option<i64> {
    match value.kind() {
        ValueKind::Bool => Some(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => {
            i64::try_from(value.clone()).ok().filter(|i| i.unsigned_abs() < 1 << 60)
        }
        _ => None,
    }
}

/// Python's hash of an integer.
fn hash(key: i64) -> usize {
    (if key == -1 { -2 } else { key }) as usize
}

impl IntegerSet {
    fn with_size(size: usize) -> Self {
        IntegerSet { slots: vec![Slot::Free; size], filled: 0, members: 0 }
    }

    /// The set of these values; `None` unless all are integers.
    pub(crate) fn of(values: &[Value]) -> Option<Self> {
        let mut set = Self::with_size(SMALLEST);
        for value in values {
            set.add(integer(value)?, value);
        }
        Some(set)
    }

    /// Its members, in order.
    pub(crate) fn list(&self) -> Value {
        Value::from(self.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>())
    }

    fn iter(&self) -> impl Iterator<Item = (i64, &Value)> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Member(key, value) => Some((*key, value)),
            _ => None,
        })
    }

    /// The slot of a key, or the free one where it belongs.
    fn find(&self, key: i64) -> usize {
        let mask = self.slots.len() - 1;
        let mut jump = hash(key);
        let mut at = jump & mask;
        loop {
            let last = if at + NEIGHBOURS <= mask { at + NEIGHBOURS } else { at };
            for (slot, content) in self.slots.iter().enumerate().take(last + 1).skip(at) {
                match content {
                    Slot::Free => return slot,
                    Slot::Member(own, _) if *own == key => return slot,
                    _ => {}
                }
            }
            jump >>= 5;
            at = at.wrapping_mul(5).wrapping_add(1).wrapping_add(jump) & mask;
        }
    }

    fn contains(&self, key: i64) -> bool {
        matches!(self.slots[self.find(key)], Slot::Member(..))
    }

    fn insert(&mut self, key: i64, value: &Value) -> bool {
        let at = self.find(key);
        let is_new = matches!(self.slots[at], Slot::Free);
        if is_new {
            self.slots[at] = Slot::Member(key, value.clone());
            self.filled += 1;
            self.members += 1;
        }
        is_new
    }

    fn add(&mut self, key: i64, value: &Value) {
        if self.insert(key, value) && self.filled * 5 >= (self.slots.len() - 1) * 3 {
            self.grow();
        }
    }

    fn remove(&mut self, key: i64) -> bool {
        let at = self.find(key);
        let is_member = matches!(self.slots[at], Slot::Member(..));
        if is_member {
            self.slots[at] = Slot::Removed;
            self.members -= 1;
        }
        is_member
    }

    fn grow(&mut self) {
        self.resize(if self.members > LARGE { self.members * 2 } else { self.members * 4 });
    }

    /// A table for more than `least` members.
    fn resize(&mut self, least: usize) {
        let mut size = SMALLEST;
        while size <= least {
            size *= 2;
        }
        let old = std::mem::replace(self, Self::with_size(size));
        for (key, value) in old.iter() {
            self.insert(key, value);
        }
    }

    fn add_all(&mut self, other: &IntegerSet) {
        if other.members == 0 {
            return;
        }
        if (self.filled + other.members) * 5 >= (self.slots.len() - 1) * 3 {
            self.resize((self.members + other.members) * 2);
        }
        if self.filled == 0 && self.slots.len() == other.slots.len() && other.filled == other.members {
            *self = other.clone();
            return;
        }
        for (key, value) in other.iter() {
            self.add(key, value);
        }
    }

    fn copied(&self) -> Self {
        let mut copy = Self::with_size(SMALLEST);
        copy.add_all(self);
        copy
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut both = self.copied();
        both.add_all(other);
        both
    }

    /// The members of the smaller set that the other one has, too.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let (large, small) = if other.members > self.members { (other, self) } else { (self, other) };
        let mut shared = Self::with_size(SMALLEST);
        for (key, value) in small.iter().filter(|(key, _)| large.contains(*key)) {
            shared.add(key, value);
        }
        shared
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        if self.members >> 2 > other.members {
            let mut rest = self.copied();
            for (key, _) in other.iter() {
                rest.remove(key);
            }
            if rest.filled - rest.members > (rest.slots.len() - 1) / 5 {
                rest.grow();
            }
            return rest;
        }
        let mut rest = Self::with_size(SMALLEST);
        for (key, value) in self.iter().filter(|(key, _)| !other.contains(*key)) {
            rest.add(key, value);
        }
        rest
    }

    pub(crate) fn symmetric_difference(&self, other: &Self) -> Self {
        let mut either = other.copied();
        for (key, value) in self.iter() {
            if !either.remove(key) {
                either.add(key, value);
            }
        }
        either
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order is CPython's, found by running it.
    #[test]
    fn members_are_in_the_order_of_their_places() {
        let set = |members: &[i64]| IntegerSet::of(&members.iter().copied().map(Value::from).collect::<Vec<_>>());
        let shown = |set: &IntegerSet| set.list().to_string();
        let (few, more) = (set(&[9, 1, 8, -1]).unwrap(), set(&[8, 16, 1]).unwrap());
        assert_eq!(shown(&few), "[8, 9, 1, -1]");
        assert_eq!(shown(&few.union(&more)), "[16, 1, 8, 9, -1]");
        assert_eq!(shown(&few.difference(&more)), "[9, -1]");
        // Python's hash of a larger one is not its value.
        assert!(set(&[i64::MIN]).is_none() && set(&[1 << 60]).is_none());
    }
}
