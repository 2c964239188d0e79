//! A running batch, and how it is stopped.

use std::{collections::HashSet, sync::Arc, thread, time::Duration};

use nix::unistd::{Pid, gettid};
use parking_lot::{Mutex, MutexGuard};
use rplay_modules::Cancel;

use crate::descendants;

/// Shared by the threads of a batch and by whoever may stop it.
#[derive(Clone, Default)]
pub(crate) struct Running {
    pub cancel: Cancel,
    threads: Arc<Mutex<HashSet<Pid>>>,
}

impl Running {
    /// Runs `work` on this thread; processes that it starts are killed when the batch is stopped.
    pub(crate) fn at_work<R>(&self, work: impl FnOnce() -> R) -> R {
        let thread = gettid();
        self.threads().insert(thread);
        let done = work();
        self.threads().remove(&thread);
        done
    }

    /// A thread that [`Running::at_work`] counts will never finish.
    pub(crate) fn forget(&self, thread: Pid) {
        self.threads().remove(&thread);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Starts nothing more and kills running processes, repeatedly until all threads have ended: a module may start
    /// another process after its first one was killed.
    pub(crate) fn stop(&self) {
        self.cancel.cancel();
        let this = self.clone();
        let _ = thread::Builder::new().spawn(move || {
            loop {
                let threads = this.threads().clone();
                if threads.is_empty() {
                    return;
                }
                descendants::kill_of_threads(threads);
                thread::sleep(Duration::from_millis(20));
            }
        });
    }

    fn threads(&self) -> MutexGuard<'_, HashSet<Pid>> {
        self.threads.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::Command, time::Instant};

    use super::*;

    #[test]
    fn stopping_kills_what_the_threads_wait_for_and_nothing_else() {
        let running = Running::default();
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let work = {
            let running = running.clone();
            // The shell waits for its own child process.
            let wait = || Command::new("sh").args(["-c", "sleep 60; true"]).status().unwrap();
            thread::spawn(move || running.at_work(wait))
        };
        thread::sleep(Duration::from_millis(100));
        let begun = Instant::now();
        running.stop();
        assert_eq!(work.join().unwrap().signal(), Some(9));
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
