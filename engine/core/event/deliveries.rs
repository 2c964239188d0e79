//! The progress of agents that are being sent to hosts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes of agents that are being sent, counted for all hosts together.
#[derive(Debug, Default)]
pub struct Deliveries {
    hosts: AtomicU64,
    sent: AtomicU64,
    all: AtomicU64,
}

/// One agent being sent; when this is dropped, it no longer counts.
#[derive(Debug)]
pub struct Delivery<'a> {
    deliveries: &'a Deliveries,
    sent: u64,
    all: u64,
}

/// The agents being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnTheWay {
    pub hosts: u64,
    pub sent: u64,
    pub all: u64,
}

impl Deliveries {
    /// Begins sending this many bytes to another host.
    pub fn begin(&self, all: usize) -> Delivery<'_> {
        let all = all as u64;
        self.hosts.fetch_add(1, Relaxed);
        self.all.fetch_add(all, Relaxed);
        Delivery { deliveries: self, sent: 0, all }
    }

    /// The current progress; `None` if nothing is being sent.
    pub fn now(&self) -> Option<OnTheWay> {
        let [hosts, sent, all] = [&self.hosts, &self.sent, &self.all].map(|counter| counter.load(Relaxed));
        (hosts > 0).then_some(OnTheWay { hosts, sent: sent.min(all), all })
    }
}

impl Delivery<'_> {
    /// Counts this many more bytes as sent.
    pub fn add(&mut self, sent: usize) {
        self.sent += sent as u64;
        self.deliveries.sent.fetch_add(sent as u64, Relaxed);
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        self.deliveries.hosts.fetch_sub(1, Relaxed);
        self.deliveries.sent.fetch_sub(self.sent, Relaxed);
        self.deliveries.all.fetch_sub(self.all, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_no_longer_counts() {
        let deliveries = Deliveries::default();
        assert_eq!(deliveries.now(), None);
        let mut one = deliveries.begin(10);
        one.add(4);
        let two = deliveries.begin(30);
        assert_eq!(deliveries.now(), Some(OnTheWay { hosts: 2, sent: 4, all: 40 }));
        drop(one);
        assert_eq!(deliveries.now(), Some(OnTheWay { hosts: 1, sent: 0, all: 30 }));
        drop(two);
        assert_eq!(deliveries.now(), None);
    }
}
