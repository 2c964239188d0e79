//! Steps over a set of hosts: who fails leaves the set, blocks rescue, always runs always.

use std::sync::{Arc, atomic::Ordering};

use crate::plan::{Block, RoleSteps, Step};
use crate::run::lookahead::continuation::Continuation;
use crate::run::state::host::{HostState, Shelter};
use crate::run::{PlayRun, Run, data};

/// Hosts in the order of the play.
pub(crate) type Hosts = Vec<Arc<HostState>>;

impl Run {
    /// Runs steps on hosts and returns those that failed on the way.
    /// `outer` is what comes after them.
    pub(crate) fn steps(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        steps: &[Step],
        hosts: &[Arc<HostState>],
        outer: Option<&Continuation<'_>>,
    ) -> Hosts {
        let mut failed = Hosts::new();
        for (at, step) in steps.iter().enumerate() {
            self.fail_struck(play, hosts, &mut failed);
            // Made anew at each step: `clear_host_errors` brings back hosts that could not be reached.
            let left: Hosts = hosts
                .iter()
                .filter(|host| play.exit_of(&host.name).is_none() && !contains(&failed, host))
                .cloned()
                .collect();
            // Handlers may be forced on hosts that failed.
            let flush = matches!(step, Step::Flush);
            if play.is_over() {
                break;
            }
            if left.is_empty() && !flush {
                continue;
            }
            let rest = steps.get(at + 1..).unwrap_or_default();
            let continuation = Continuation { steps: rest, hosts: left.len(), outer };
            let more = match step {
                Step::Task(task) => match &task.role {
                    Some(role) => {
                        let there: Hosts = left.iter().filter(|host| !host.has_left(&role.identity)).cloned().collect();
                        self.task(play, task, &there, Some(&continuation))
                    }
                    None => self.task(play, task, &left, Some(&continuation)),
                },
                Step::Block(block) => self.block(play, block, &left, &continuation),
                Step::Role(role) => self.role(play, role, &left, &continuation),
                Step::Flush => {
                    let all: Hosts =
                        hosts.iter().filter(|h| contains(&left, h) || contains(&failed, h)).cloned().collect();
                    self.flush(play, &all, &failed)
                }
            };
            join(&mut failed, more);
        }
        self.fail_struck(play, hosts, &mut failed);
        failed
    }

    /// Fails those of the hosts that were to fail because of others.
    fn fail_struck(&self, play: &PlayRun, hosts: &[Arc<HostState>], failed: &mut Hosts) {
        for host in hosts {
            if play.take_strike(&host.name) && play.exit_of(&host.name).is_none() && !contains(failed, host) {
                host.set_failed(true);
                failed.push(host.clone());
            }
        }
    }

    /// Runs one part of a block.
    fn part(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        steps: &[Step],
        hosts: &[Arc<HostState>],
        shelter: Shelter,
        outer: Option<&Continuation<'_>>,
    ) -> Hosts {
        hosts.iter().for_each(|host| host.enter(shelter));
        let failed = self.steps(play, steps, hosts, outer);
        hosts.iter().for_each(|host| host.leave_shelter());
        failed
    }

    fn block(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        block: &Block,
        hosts: &[Arc<HostState>],
        continuation: &Continuation<'_>,
    ) -> Hosts {
        let always = Continuation { steps: &block.always, hosts: hosts.len(), outer: Some(continuation) };
        // A host that fails comes back after its rescue, and the others wait for it.
        let waits = hosts.len() > 1 && !block.rescue.is_empty();
        let (rescue, follows) = (!block.rescue.is_empty(), !block.always.is_empty());
        let shelter = Shelter { rescue, always: follows };
        let mut failed = self.part(play, &block.body, hosts, shelter, (!waits).then_some(&always));
        failed.retain(|host| play.exit_of(&host.name).is_none());
        // Whom another host's `run_once` takes along fails twice, and so misses what would come next.
        let mut missing: Hosts = failed.iter().filter(|host| host.take_second_failure()).cloned().collect();
        if rescue && !failed.is_empty() {
            let mut fallen = std::mem::replace(&mut failed, missing.clone());
            let mut seen = fallen.clone();
            // Once more for those that a rescue took along which ends all (`any_errors_fatal`).
            while !fallen.is_empty() {
                fallen.retain(|host| !contains(&missing, host));
                fallen.iter().for_each(|host| host.set_failed(false));
                let shelter = Shelter { rescue: false, always: follows };
                let more = self.part(play, &block.rescue, &fallen, shelter, None);
                missing = more.iter().filter(|host| host.take_second_failure()).cloned().collect();
                join(&mut failed, more);
                let others: Hosts = hosts.iter().filter(|host| !contains(&seen, host)).cloned().collect();
                fallen = Hosts::new();
                self.fail_struck(play, &others, &mut fallen);
                join(&mut seen, fallen.clone());
            }
        }
        if follows && !play.is_over() {
            // Those that failed too: that is what `always` is for.
            let there: Hosts = hosts.iter().filter(|host| !contains(&missing, host)).cloned().collect();
            let next = failed.is_empty().then_some(continuation);
            let more = self.part(play, &block.always, &there, Shelter::default(), next);
            more.iter().for_each(|host| host.forget_second_failure());
            // `clear_host_errors` may have forgiven what failed before.
            failed.retain(|host| host.has_failed());
            join(&mut failed, more);
        }
        failed
    }

    fn role(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        steps: &RoleSteps,
        hosts: &[Arc<HostState>],
        continuation: &Continuation<'_>,
    ) -> Hosts {
        let role = &steps.role;
        let fresh: Hosts = hosts
            .iter()
            .filter(|host| role.allow_duplicates || !host.roles().contains(&role.identity))
            .cloned()
            .collect();
        fresh.iter().for_each(|host| host.enter_role(&role.identity));
        let failed = self.steps(play, &steps.steps, &fresh, Some(continuation));
        // A role that was skipped altogether may still be run.
        for host in fresh.iter().filter(|host| !contains(&failed, host) && host.has_run(&role.identity)) {
            host.roles().insert(role.identity.clone());
        }
        failed
    }

    /// Whether `--start-at-task` still waits for its task; the task of that name ends the wait.
    pub(crate) fn still_waiting(&self, name: &str) -> bool {
        if !self.waiting.load(Ordering::Acquire) {
            return false;
        }
        let Some(wanted) = &self.options.start_at else { return false };
        let short = name.rsplit(" : ").next().unwrap_or(name);
        if wanted == name
            || wanted == short
            || crate::run::task::handlers::glob(wanted, name)
            || crate::run::task::handlers::glob(wanted, short)
        {
            self.waiting.store(false, Ordering::Release);
            return false;
        }
        true
    }

    /// Lets rescue and always know what went wrong.
    pub(crate) fn note_failure(&self, host: &HostState, task: minijinja::Value, result: minijinja::Value) {
        host.set([("ansible_failed_task".into(), data(task)), ("ansible_failed_result".into(), data(result))]);
    }
}

/// Adds those that are not among them yet.
pub(crate) fn join(hosts: &mut Hosts, more: Hosts) {
    for host in more {
        if !contains(hosts, &host) {
            hosts.push(host);
        }
    }
}

pub(crate) fn contains(hosts: &[Arc<HostState>], host: &Arc<HostState>) -> bool {
    hosts.iter().any(|other| Arc::ptr_eq(other, host))
}
