//! Stopping what a call has started.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// Shared by all calls of a batch: tells them to stop, and kills the processes they wait for.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    groups: Mutex<HashSet<i32>>,
}

impl Cancel {
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Kills every process group that is being waited for; those that come later die at once.
    pub fn cancel(&self) {
        let groups = self.groups();
        self.0.cancelled.store(true, Ordering::SeqCst);
        for group in groups.iter() {
            kill(*group);
        }
    }

    /// To be called right after starting a process with `process_group(0)`, with its id. The group is
    /// killed when the batch is cancelled, as long as the returned guard lives: drop it once the process
    /// has been waited for, since its number may then belong to somebody else.
    pub fn running(&self, pid: u32) -> Running<'_> {
        let group = i32::try_from(pid).unwrap_or(0);
        let mut groups = self.groups();
        groups.insert(group);
        if self.is_cancelled() {
            kill(group);
        }
        Running { cancel: self, group }
    }

    fn groups(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process group that a call waits for.
pub struct Running<'a> {
    cancel: &'a Cancel,
    group: i32,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.cancel.groups().remove(&self.group);
    }
}

fn kill(group: i32) {
    // 0 would be our own group.
    if group > 0 {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::{CommandExt, ExitStatusExt},
        process::Command,
    };

    use super::*;

    #[test]
    fn a_cancelled_process_dies_whether_it_was_there_before_or_comes_later() {
        let cancel = Cancel::default();
        let mut before = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let guard = cancel.running(before.id());
        cancel.cancel();
        assert_eq!(before.wait().unwrap().signal(), Some(9));
        drop(guard);
        let mut later = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let _guard = cancel.running(later.id());
        assert_eq!(later.wait().unwrap().signal(), Some(9));
    }
}
