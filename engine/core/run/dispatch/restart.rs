//! The steps of a `reboot`: reads the host's boot ID, restarts it, and asks again until it has another boot ID and is
//! ready.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rplay_contract::wire::Call;

use crate::{
    actions::{After, TaskResult, text_of},
    link::{Connection, Target},
};

/// The state of a restart.
pub(crate) struct Restart {
    step: Step,
    timeout: Duration,
    delay: Duration,
    /// The target of the host.
    pub target: Arc<Target>,
    begun: Instant,
}

enum Step {
    Look,
    Begin { before: String },
    Verify { before: String, deadline: Instant },
}

impl Restart {
    /// Pause between attempts to reach the host.
    const PAUSE: Duration = Duration::from_secs(1);

    /// The restart that a call requests, if any.
    pub(crate) fn of(after: &After, target: &Arc<Target>) -> Option<Restart> {
        let After::Restart { timeout, delay } = *after else { return None };
        Some(Restart { step: Step::Look, timeout, delay, target: target.clone(), begun: Instant::now() })
    }

    /// Why the host cannot be restarted: it is the controller.
    pub(crate) fn refusal(&self) -> Option<TaskResult> {
        matches!(self.target.connection, Connection::Local(_)).then(|| {
            let mut result = TaskResult::failed("Running reboot with local connection would reboot the control node.");
            result.set("elapsed", 0);
            result.set("rebooted", false);
            result
        })
    }

    /// Sets the arguments of the call for the current step.
    pub(crate) fn ask(&self, call: &mut Call) {
        let (step, before) = match &self.step {
            Step::Look => ("look", None),
            Step::Begin { .. } => ("begin", None),
            Step::Verify { before, .. } => ("verify", Some(before)),
        };
        call.args.insert("_step".to_owned(), step.into());
        if let Some(before) = before {
            call.args.insert("_before".to_owned(), before.as_str().into());
        }
    }

    /// Whether the host may be unreachable now.
    pub(crate) fn has_begun(&self) -> bool {
        !matches!(self.step, Step::Look)
    }

    /// When to ask the host next; `None` if `result` is now the result of the task.
    pub(crate) fn next(&mut self, result: &mut TaskResult) -> Option<Instant> {
        let now = Instant::now();
        match &self.step {
            Step::Look if !result.failed => {
                let before = result.data.get("boot").map(text_of).unwrap_or_default();
                self.step = Step::Begin { before };
                return Some(now);
            }
            // A host that goes down immediately may not send its answer.
            Step::Begin { before } if !result.failed || result.unreachable => {
                let deadline = now + self.delay + self.timeout;
                self.step = Step::Verify { before: before.clone(), deadline };
                return Some(now + self.delay + Self::PAUSE);
            }
            Step::Verify { deadline, .. } if result.failed && now < *deadline => return Some(now + Self::PAUSE),
            Step::Verify { .. } if result.failed => {
                let last = result.data.get("msg").map(text_of).unwrap_or_default();
                let last = last.strip_prefix("Task failed: ").unwrap_or(&last);
                // In the words of ansible-core; the help tells what was last.
                let what = match result.blame.as_deref() {
                    Some("test_command") => "post-reboot test command",
                    _ => "last boot time check",
                };
                result.help = Some(last.into());
                result.data.clear();
                result.set("msg", format!("Timed out waiting for {what} (timeout={})", self.timeout.as_secs()));
                result.set("rebooted", true);
                result.unreachable = false;
            }
            Step::Verify { .. } => {
                result.changed = true;
                result.data.clear();
                result.set("rebooted", true);
            }
            Step::Look if !result.unreachable => {
                result.set("reboot", false);
                return None;
            }
            // No such command: it was not even tried.
            Step::Begin { .. } if result.blame.as_deref() == Some("search_paths") => return None,
            Step::Look | Step::Begin { .. } => result.set("rebooted", false),
        }
        result.set("elapsed", self.begun.elapsed().as_secs());
        None
    }
}

#[cfg(test)]
mod tests {
    use rplay_contract::wire::Failure;

    use super::*;

    fn restart(timeout: u64) -> Restart {
        let target = Arc::new(Target { name: "h".into(), connection: Connection::Local("/".into()) });
        let after = After::Restart { timeout: Duration::from_secs(timeout), delay: Duration::ZERO };
        Restart::of(&after, &target).unwrap()
    }

    fn result(boot: &str) -> TaskResult {
        let mut result = TaskResult::default();
        result.set("boot", boot);
        result
    }

    #[test]
    fn a_host_that_is_lost_while_it_goes_down_is_looked_for_again() {
        let mut restart = restart(60);
        assert!(restart.next(&mut result("one")).is_some());
        let mut lost = TaskResult::unreachable(Failure::new("gone"));
        assert!(restart.next(&mut lost).is_some() && restart.has_begun());
        assert!(restart.next(&mut TaskResult::failed("boot time has not changed")).is_some());
        let mut last = result("unused");
        assert!(restart.next(&mut last).is_none());
        assert!(last.changed && last.data.contains_key("elapsed") && !last.data.contains_key("boot"));
    }

    #[test]
    fn what_fails_before_or_for_too_long_is_the_answer() {
        let mut unreachable = TaskResult::unreachable(Failure::new("gone"));
        assert!(restart(60).next(&mut unreachable).is_none() && unreachable.unreachable);
        let mut restart = restart(0);
        restart.next(&mut result("one"));
        restart.next(&mut TaskResult::default());
        let mut late = TaskResult::unreachable(Failure::new("gone"));
        assert!(restart.next(&mut late).is_none());
        assert!(late.failed && !late.unreachable);
        assert_eq!(text_of(&late.data["msg"]), "Timed out waiting for last boot time check (timeout=0)");
    }
}
