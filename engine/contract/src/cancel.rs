//! Cancellation of calls.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Shared by all calls of a batch. The agent kills the processes that a cancelled call waits for, so only a module that
/// loops or sleeps on its own needs to check it.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
