//! Steps over a set of hosts: who fails leaves the set, blocks rescue, always runs always.

use std::sync::{Arc, atomic::Ordering};

use super::{PlayRun, Run, data, following::Following, host::HostState};
use crate::plan::{Block, RoleSteps, Step};

/// Hosts in the order of the play.
pub(super) type Hosts = Vec<Arc<HostState>>;

impl Run {
    /// Runs steps on hosts and returns those that failed on the way.
    /// `outer` is what comes after them.
    pub(super) fn steps(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        steps: &[Step],
        hosts: &[Arc<HostState>],
        outer: Option<&Following<'_>>,
    ) -> Hosts {
        let mut failed = Hosts::new();
        let mut left: Hosts = hosts.to_vec();
        for (at, step) in steps.iter().enumerate() {
            left.retain(|host| play.gone(&host.name).is_none() && !contains(&failed, host));
            // Handlers may be forced on hosts that failed.
            let flush = matches!(step, Step::Flush);
            if play.is_over() {
                break;
            }
            if left.is_empty() && !flush {
                continue;
            }
            let rest = steps.get(at + 1..).unwrap_or_default();
            let following = Following { steps: rest, hosts: left.len(), outer };
            let more = match step {
                Step::Task(task) => match &task.role {
                    Some(role) => {
                        let there: Hosts = left.iter().filter(|host| !host.has_left(&role.identity)).cloned().collect();
                        self.task(play, task, &there, Some(&following))
                    }
                    None => self.task(play, task, &left, Some(&following)),
                },
                Step::Block(block) => self.block(play, block, &left, &following),
                Step::Role(role) => self.role(play, role, &left, &following),
                Step::Flush => {
                    let all: Hosts =
                        hosts.iter().filter(|h| contains(&left, h) || contains(&failed, h)).cloned().collect();
                    self.flush(play, &all, &failed)
                }
            };
            join(&mut failed, more);
        }
        failed
    }

    fn block(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        block: &Block,
        hosts: &[Arc<HostState>],
        following: &Following<'_>,
    ) -> Hosts {
        let always = Following { steps: &block.always, hosts: hosts.len(), outer: Some(following) };
        // A host that fails comes back after its rescue, and the others wait for it.
        let waits = hosts.len() > 1 && !block.rescue.is_empty();
        let mut failed = self.steps(play, &block.body, hosts, (!waits).then_some(&always));
        failed.retain(|host| play.gone(&host.name).is_none());
        if !block.rescue.is_empty() && !failed.is_empty() {
            // Counted at once, as in Ansible: a rescue that fails is a failure of its own.
            failed.iter().for_each(|host| self.rescued(&host.name));
            failed = self.steps(play, &block.rescue, &failed, None);
        }
        if !block.always.is_empty() && !play.is_over() {
            // Those that failed too: that is what `always` is for.
            let there: Hosts = hosts.iter().filter(|host| play.gone(&host.name).is_none()).cloned().collect();
            let cleared: Vec<usize> = failed.iter().map(|host| host.cleared()).collect();
            let more = self.steps(play, &block.always, &there, failed.is_empty().then_some(following));
            let mut before = cleared.into_iter();
            failed.retain(|host| before.next() == Some(host.cleared()));
            join(&mut failed, more);
        }
        failed
    }

    /// What was counted as a failure was rescued.
    fn rescued(&self, host: &Arc<str>) {
        self.count(host, |counts| {
            counts.rescued += 1;
            counts.failed = counts.failed.saturating_sub(1);
        });
    }

    fn role(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        steps: &RoleSteps,
        hosts: &[Arc<HostState>],
        following: &Following<'_>,
    ) -> Hosts {
        let role = &steps.role;
        let fresh: Hosts = hosts
            .iter()
            .filter(|host| role.allow_duplicates || !host.roles().contains(&role.identity))
            .cloned()
            .collect();
        fresh.iter().for_each(|host| host.enter_role(&role.identity));
        let failed = self.steps(play, &steps.steps, &fresh, Some(following));
        // A role that was skipped altogether may still be run.
        for host in fresh.iter().filter(|host| !contains(&failed, host) && host.has_run(&role.identity)) {
            host.roles().insert(role.identity.clone());
        }
        failed
    }

    /// Whether `--start-at-task` still waits for its task; the task of that name ends the wait.
    pub(super) fn still_waiting(&self, name: &str) -> bool {
        if !self.waiting.load(Ordering::Acquire) {
            return false;
        }
        let Some(wanted) = &self.options.start_at else { return false };
        let short = name.rsplit(" : ").next().unwrap_or(name);
        if wanted == name
            || wanted == short
            || super::handlers::glob(wanted, name)
            || super::handlers::glob(wanted, short)
        {
            self.waiting.store(false, Ordering::Release);
            return false;
        }
        true
    }

    /// Lets rescue and always know what went wrong.
    pub(super) fn note_failure(&self, host: &HostState, task: minijinja::Value, result: minijinja::Value) {
        host.set([("ansible_failed_task".into(), data(task)), ("ansible_failed_result".into(), data(result))]);
    }
}

/// Adds those that are not among them yet.
pub(super) fn join(hosts: &mut Hosts, more: Hosts) {
    for host in more {
        if !contains(hosts, &host) {
            hosts.push(host);
        }
    }
}

pub(super) fn contains(hosts: &[Arc<HostState>], host: &Arc<HostState>) -> bool {
    hosts.iter().any(|other| Arc::ptr_eq(other, host))
}
