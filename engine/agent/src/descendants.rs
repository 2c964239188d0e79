//! The processes that this process started, and their descendants.

use std::{collections::HashMap, fs};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill as signal},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, getpid},
};

/// Kills all descendants once the controller is gone. Daemons are spared, because init has adopted them.
pub(crate) fn kill_all() {
    // Usually there are none, and scanning the processes of a large host is expensive.
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    if waitid(Id::All, look) == Err(Errno::ECHILD) {
        return;
    }
    let mut children = processes();
    let own = children.remove(&getpid().as_raw()).unwrap_or_default();
    kill(own, &mut children);
}

/// Kills what the given threads of this process have started. The kernel lists children per thread, so modules need not
/// register what they start. (Kernels without CONFIG_PROC_CHILDREN lack this list; there a cancelled call runs to its
/// end.)
pub(crate) fn kill_of_threads(threads: impl IntoIterator<Item = Pid>) {
    let mut found = Vec::new();
    for thread in threads {
        let listed = fs::read_to_string(format!("/proc/self/task/{thread}/children")).unwrap_or_default();
        found.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    if !found.is_empty() {
        kill(found, &mut processes());
    }
}

fn kill(mut found: Vec<i32>, children: &mut HashMap<i32, Vec<i32>>) {
    while let Some(pid) = found.pop() {
        let _ = signal(Pid::from_raw(pid), Signal::SIGKILL);
        found.extend(children.remove(&pid).unwrap_or_default());
    }
}

/// All processes, by parent.
fn processes() -> HashMap<i32, Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = pid.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

/// `PID (NAME) STATE PARENT ...`; the name may contain anything, including brackets and spaces.
fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_hide_the_parent() {
        assert_eq!(parent("12 (a) S 9) ) R 34 12 12 0"), Some(34));
        assert_eq!(parent("12 (sleep"), None);
    }
}
