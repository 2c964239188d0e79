//! Adapts the number of concurrent connection attempts to what sshd accepts.
//!
//! sshd drops connections at random when too many have not logged in yet (MaxStartups, 10:30:100 by default), and its
//! limit cannot be queried. So the number is found the way TCP finds the capacity of a link: it grows slightly with
//! each successful connection, and is halved when one is dropped.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of slots that adapts to successes and drops.
pub(super) struct Pace {
    /// Maximum number of slots.
    most: f64,
    /// Hands out the slots, in order of request.
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    places: f64,
    /// Permits in existence, taken or not. Exceeds `places` until surplus ones are returned.
    made: usize,
    /// How often the number was halved.
    halved: u64,
}

/// A slot. Dropping it frees it for the next connection.
pub(super) struct Place {
    pace: Arc<Pace>,
    /// `None` only during drop.
    permit: Option<OwnedSemaphorePermit>,
    since: u64,
}

impl Pace {
    /// Starts with `first` slots and never exceeds `most`.
    pub(super) fn new(first: usize, most: usize) -> Arc<Self> {
        let state = State { places: first as f64, made: first, halved: 0 };
        Arc::new(Pace { most: most as f64, permits: Arc::new(Semaphore::new(first)), state: Mutex::new(state) })
    }

    /// Waits for a slot, in order of request.
    pub(super) async fn place(self: &Arc<Self>) -> Place {
        // The semaphore is never closed.
        let permit = self.permits.clone().acquire_owned().await.ok();
        Place { since: self.now(), pace: self.clone(), permit }
    }

    /// The argument of [`Pace::dropped`] for a connection that starts now without a slot.
    pub(super) fn now(&self) -> u64 {
        self.state().halved
    }

    /// Reports a successful connection.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        state.places = (state.places + 1.0 / state.places).min(self.most);
        if let Some(more) = (state.places as usize).checked_sub(state.made) {
            state.made += more;
            self.permits.add_permits(more);
        }
    }

    /// Reports that a connection that started at `since` was dropped. Connections dropped together count once.
    pub(super) fn dropped(&self, since: u64) {
        let mut state = self.state();
        if since == state.halved {
            state.halved += 1;
            state.places = (state.places / 2.0).max(1.0);
            let surplus = state.made.saturating_sub(state.places as usize);
            state.made -= self.permits.forget_permits(surplus);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Place {
    /// The time it was taken, for [`Pace::dropped`].
    pub(super) fn since(&self) -> u64 {
        self.since
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        if state.made > state.places as usize
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            state.made -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    fn places(pace: &Pace) -> usize {
        pace.state().places as usize
    }

    #[test]
    fn it_grows_by_one_each_round_and_is_halved_once_for_those_dropped_together() {
        let pace = Pace::new(4, 6);
        (0..5).for_each(|_| pace.succeeded());
        assert_eq!(places(&pace), 5);
        (0..50).for_each(|_| pace.succeeded());
        assert_eq!(places(&pace), 6);
        let since = pace.now();
        (0..50).for_each(|_| pace.dropped(since));
        assert_eq!(places(&pace), 3);
        (0..9).for_each(|_| pace.dropped(pace.now()));
        assert_eq!(places(&pace), 1, "one is always let through");
    }

    #[tokio::test]
    async fn nobody_goes_beyond_the_places_and_all_get_one() {
        let pace = Pace::new(3, 3);
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let all: Vec<_> = (0..40)
            .map(|_| {
                let (pace, inside, most) = (pace.clone(), inside.clone(), most.clone());
                tokio::spawn(async move {
                    let place = pace.place().await;
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(place);
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_holds_up_nobody() {
        let pace = Pace::new(1, 1);
        let place = pace.place().await;
        let gives_up = tokio::spawn({
            let pace = pace.clone();
            async move { drop(pace.place().await) }
        });
        tokio::task::yield_now().await;
        gives_up.abort();
        let _ = gives_up.await;
        let waits = tokio::spawn({
            let pace = pace.clone();
            async move { drop(pace.place().await) }
        });
        tokio::task::yield_now().await;
        drop(place);
        tokio::time::timeout(Duration::from_secs(10), waits).await.unwrap().unwrap();
    }
}
