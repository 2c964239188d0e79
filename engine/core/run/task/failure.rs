//! The consequences of a failed task for its host and for others.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};

use crate::{
    event::Event,
    run::{
        conditions,
        state::{
            host::{HostState, Hosts},
            play::{HostExit, PlayRun},
            run::Run,
        },
        task::task_run::TaskRun,
    },
};

impl Run {
    /// Counts a failure of a task on a host, and decides whether the host leaves the play.
    pub(crate) fn fail(&self, play: &PlayRun, host: &HostState) {
        host.set_failed(true);
        let shelter = host.shelter();
        match shelter.rescue {
            // Counted immediately, as in Ansible: a rescue that fails is another failure.
            true => self.count(&host.name, |counts| counts.rescued += 1),
            false => {
                self.count(&host.name, |counts| counts.failed += 1);
                play.remove(&host.name);
            }
        }
        if !shelter.rescue && !shelter.always && !play.force_handlers {
            play.give_up(&host.name);
        }
    }

    /// Failures that affect all hosts. `once` is the keyword; `single` also covers actions where one host acts for all.
    pub(crate) fn after_task(
        self: &Arc<Self>,
        run: &TaskRun,
        mut failed: Hosts,
        (once, single): (bool, bool),
        hosts: &[Arc<HostState>],
    ) -> Hosts {
        let play = &run.play;
        if failed.is_empty() && !run.unreachable.load(Ordering::Acquire) {
            return failed;
        }
        let Some(first) = hosts.first() else { return failed };
        let scope = self.scope(play, first, Some(&run.task), None);
        let flag = |keyword| conditions::flag(keyword, &run.task.settings, &scope).ok().flatten();
        let fatal = !play.free.load(Ordering::Acquire)
            && !flag(conditions::IGNORE_ERRORS).unwrap_or(false)
            && (single || flag(conditions::ANY_ERRORS_FATAL).unwrap_or(self.options.any_errors_fatal));
        if fatal || once && !failed.is_empty() {
            // When a `run_once` fails, Ansible marks the others twice: once for each host, and once as fatal.
            let twice = fatal && once && !failed.is_empty();
            self.fail_others(play, &mut failed, hosts, twice);
        }
        if let Some(field) = &play.play.max_fail_percentage
            && !play.free.load(Ordering::Acquire)
            && let Ok(Some(limit)) = conditions::own_percent("max_fail_percentage", Some(field), &scope)
            && play.given_up() as f64 / play.batch.len().max(1) as f64 * 100.0 > limit
            && !play.broken.swap(true, Ordering::AcqRel)
        {
            self.fail_others(play, &mut failed, hosts, false);
            // Ansible says so for the percentage, and then since no host is left.
            self.send(Event::NoHostsLeft);
            self.send(Event::NoHostsLeft);
        }
        failed
    }

    /// Makes all hosts of the batch fail with those that failed: the current ones at once, others at their next step.
    fn fail_others(&self, play: &PlayRun, failed: &mut Hosts, hosts: &[Arc<HostState>], twice: bool) {
        let before: HashSet<Arc<str>> = failed.iter().map(|host| host.name.clone()).collect();
        let by_name: HashMap<&str, &Arc<HostState>> = hosts.iter().map(|host| (&*host.name, host)).collect();
        for name in play.batch.iter().filter(|name| !before.contains(*name)) {
            // As in Ansible, a host that has just become unreachable counts as both.
            let here = by_name.get(&**name).copied();
            let exit_of = play.exit_of(name);
            if exit_of == Some(HostExit::Failed) || exit_of == Some(HostExit::Unreachable) && here.is_none() {
                continue;
            }
            play.remove(name);
            play.give_up(name);
            match here {
                _ if exit_of.is_some() => {}
                None => play.strike(name),
                Some(host) => {
                    if twice {
                        host.fail_twice()
                    } else {
                        host.set_failed(true)
                    }
                    failed.push(host.clone());
                }
            }
        }
    }
}
