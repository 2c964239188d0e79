//! Ctrl-Z: tells the agents before the controller stops, so that they do not take its silence for a lost link.

use std::{sync::Weak, thread, time::Duration};

use nix::sys::signal::{SigSet, Signal, raise};
use rplay_wire::Request;
use tokio::{runtime::Handle, time::timeout};

use super::links::Shared;

/// How long passing it on to the agents may take; meanwhile the terminal waits.
const LONGEST: Duration = Duration::from_secs(1);

/// Frames that were queued are written within this time.
const WRITTEN: Duration = Duration::from_millis(50);

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

/// Handles SIGTSTP while the links exist: tells all agents, stops this process, and tells them again when it continues.
/// Does
/// nothing unless [`hold`] was called.
pub(super) fn follow(links: Weak<Shared>, runtime: Handle) {
    if !SigSet::thread_get_mask().is_ok_and(|mask| mask.contains(Signal::SIGTSTP)) {
        return;
    }
    let tell = move |request: Request| {
        if let Some(links) = links.upgrade() {
            let told = async {
                links.tell_all(&request).await;
                tokio::time::sleep(WRITTEN).await;
            };
            let _ = runtime.block_on(async { timeout(LONGEST, told).await });
        }
    };
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
