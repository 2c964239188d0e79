//! The handlers that a flush still has to run, in order of definition.

use std::collections::{BTreeMap, BTreeSet};

/// By handler, the hosts that were notified of it; both are indexes.
#[derive(Default)]
pub(crate) struct DueHandlers(BTreeMap<usize, BTreeSet<usize>>);

impl DueHandlers {
    pub(crate) fn add(&mut self, host: usize, handlers: impl IntoIterator<Item = usize>) {
        for handler in handlers {
            self.0.entry(handler).or_default().insert(host);
        }
    }

    /// The first handler from this index on, with its hosts in order. Earlier ones wait for the next flush.
    pub(crate) fn next(&mut self, from: usize) -> Option<(usize, BTreeSet<usize>)> {
        self.0 = self.0.split_off(&from);
        self.0.pop_first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_come_in_order_and_earlier_ones_not_again() {
        let mut due = DueHandlers::default();
        due.add(1, [5, 2]);
        due.add(0, [5]);
        assert_eq!(due.next(0), Some((2, BTreeSet::from([1]))));
        due.add(1, [2, 3]);
        assert_eq!(due.next(3), Some((3, BTreeSet::from([1]))));
        assert_eq!(due.next(4), Some((5, BTreeSet::from([0, 1]))));
        assert_eq!(due.next(6), None);
    }
}
