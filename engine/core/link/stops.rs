//! Ctrl-Z: agents are told before we stop, so that our silence is no lost link to them.

use std::{sync::Weak, thread, time::Duration};

use nix::sys::signal::{SigSet, Signal, raise};
use rplay_wire::Request;
use tokio::{runtime::Handle, time::timeout};

use super::links::Shared;

/// How long the agents' connections may take to pass it on; the terminal waits as long.
const LONGEST: Duration = Duration::from_secs(1);

/// What is handed to a connection's writer goes out within this.
const WRITTEN: Duration = Duration::from_millis(50);

fn stop() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTSTP);
    signals
}

/// Keeps the signal of Ctrl-Z waiting until [`follow`] takes it. To be called before other threads are started: they
/// would take it themselves.
pub fn hold() {
    // If it cannot be done, Ctrl-Z stops us at once.
    let _ = stop().thread_block();
}

/// Lets Ctrl-Z stop us at once again: for commands that have no agents to tell.
pub fn release() {
    let _ = stop().thread_unblock();
}

/// Takes the signal from now on, as long as the links are there: tells all agents, stops this process, and tells
/// them again when it goes on. Does nothing unless [`hold`] was called.
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
            // What Ctrl-Z does by itself, also that a process without a shell to continue it does not stop.
            if stop().thread_unblock().is_ok() {
                let _ = raise(Signal::SIGTSTP);
            }
            hold();
            tell(Request::Here);
        }
    });
}
