//! Ctrl-Z: tells the agents before the controller stops, so that they do not take its silence for a lost link.

use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use rplay_wire::Request;

fn stop() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTSTP);
    signals
}

/// Blocks SIGTSTP until [`follow`] takes it. Must be called before other threads start, since they would receive it.
pub fn hold() {
    // If this fails, Ctrl-Z stops the process at once.
    let _ = stop().thread_block();
}

/// Restores the default effect of Ctrl-Z, for commands without agents.
pub fn release() {
    let _ = stop().thread_unblock();
}

/// Handles SIGTSTP while the links exist: tells all agents with `tell`, stops this process, and tells them again when it
/// continues. Does nothing unless [`hold`] was called.
pub(super) fn follow(tell: impl Fn(Request) + Send + 'static) {
    if !SigSet::thread_get_mask().is_ok_and(|mask| mask.contains(Signal::SIGTSTP)) {
        return;
    }
    let _ = thread::Builder::new().name("stops".to_owned()).spawn(move || {
        while stop().wait().is_ok() {
            tell(Request::Away);
            // The default effect, including that a process without a job-control shell does not stop.
            if stop().thread_unblock().is_ok() {
                let _ = raise(Signal::SIGTSTP);
            }
            hold();
            tell(Request::Here);
        }
    });
}
