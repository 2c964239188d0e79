//! A task has failed on a host: what that means for the host and for the others.

use std::sync::{Arc, atomic::Ordering};

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
    /// A task failed on a host: counts it, and says who goes on without it.
    pub(crate) fn fail(&self, play: &PlayRun, host: &HostState) {
        host.set_failed(true);
        let shelter = host.shelter();
        match shelter.rescue {
            // Counted at once, as in Ansible: a rescue that fails is a failure of its own.
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

    /// Failures of one host that concern all. `once` is the keyword, `single` also says that one host acts for all.
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
        let scope = self.scope(play, first, Some(&run.task), None, self.options.check);
        let flag = |keyword| conditions::flag(keyword, &run.task.settings, &scope).ok().flatten();
        let fatal = !play.free.load(Ordering::Acquire)
            && !flag(conditions::IGNORE_ERRORS).unwrap_or(false)
            && (single || flag(conditions::ANY_ERRORS_FATAL).unwrap_or(self.options.any_errors_fatal));
        if fatal || once && !failed.is_empty() {
            // Ansible marks the others twice when a `run_once` fails: as its host's fellows, and as fatal.
            let twice = fatal && once && !failed.is_empty();
            self.fail_others(play, &mut failed, hosts, twice);
        }
        if let Some(field) = &play.play.max_fail_percentage
            && !play.free.load(Ordering::Acquire)
            && let Ok(Some(limit)) = conditions::own_number("max_fail_percentage", Some(field), &scope)
            && play.given_up() as f64 / play.batch.len().max(1) as f64 * 100.0 > limit
            && !play.broken.swap(true, Ordering::AcqRel)
        {
            self.fail_others(play, &mut failed, hosts, false);
            self.send(Event::NoHostsLeft);
        }
        failed
    }

    /// All hosts of the batch fail with those that failed: the ones at hand at once, others at their next step.
    fn fail_others(&self, play: &PlayRun, failed: &mut Hosts, hosts: &[Arc<HostState>], twice: bool) {
        for name in &play.batch {
            if failed.iter().any(|host| host.name == *name) {
                continue;
            }
            // Who has just become unreachable counts among both, as in Ansible.
            let here = hosts.iter().find(|host| host.name == *name);
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
