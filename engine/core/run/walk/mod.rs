//! Walks hosts through the steps of a play: failed hosts leave the set, blocks rescue, `always` always runs.
//!
//! All recursion of a run is in this file: steps contain blocks and roles, tasks include steps, meta tasks and steps
//! run handlers, and whatever is rendered may read facts, which a task gathers.

pub(crate) mod due_handlers;
pub(crate) mod gathering;
pub(crate) mod include;
pub(crate) mod meta;
pub(crate) mod start_at;
mod stepping;

use std::sync::{Arc, atomic::Ordering};

use crate::{
    event::Event,
    panics,
    plan::{Block, RoleSteps, Statement, Step, Task},
    run::{
        dispatch::{executor::Executor, pipeline::SentAhead},
        facts::Facts,
        lookahead::continuation::Continuation,
        state::{
            host::{HostState, Hosts, Members, Shelter, join},
            play::{HostExit, PlayRun},
            run::Run,
        },
        task::task_run::{Again, TaskRun, is_once},
    },
    source::Problems,
};
use due_handlers::DueHandlers;
use include::Included;
use meta::MetaResult;
use start_at::StartAt;

/// The walk of one batch of hosts through the steps of their play.
pub(crate) struct Walk {
    run: Arc<Run>,
    play: Arc<PlayRun>,
    sent: SentAhead,
    start_at: StartAt,
}

impl Facts for Walk {
    fn gather(&self) -> bool {
        if self.play.never_gather.load(Ordering::Acquire) {
            return false;
        }
        let _one_at_a_time = self.play.gathering.lock();
        let missing = gathering::missing(&self.run, &self.play);
        if missing.is_empty() {
            return false;
        }
        self.gather_for(&missing);
        true
    }
}

impl Walk {
    pub(super) fn new(run: Arc<Run>, play: Arc<PlayRun>) -> Self {
        let start_at = StartAt::of(&run);
        Walk { run, play, sent: SentAhead::default(), start_at }
    }

    /// Gathers facts if the play asks for it at its start. As in Ansible, facts of earlier plays are kept but are old:
    /// unless `gathering` is `smart`, each play gathers its own.
    ///
    /// # Errors
    /// If `gather_facts` cannot be rendered.
    pub(super) fn begin(&self, hosts: &[Arc<HostState>]) -> Result<(), Problems> {
        let at_once = gathering::at_start(&self.run, &self.play, hosts)?;
        if self.play.never_gather.load(Ordering::Acquire) {
            return Ok(());
        }
        if !self.run.options.keep_facts {
            hosts.iter().for_each(|host| host.set_gathered(false));
        }
        if at_once && self.start_at.passes_over(&self.run, &self.play, (gathering::NAME, true), hosts) {
            self.start_at.put_off_facts();
        } else if at_once {
            let missing: Hosts = hosts.iter().filter(|host| !host.gathered()).cloned().collect();
            self.gather_for(&missing);
        }
        Ok(())
    }

    /// Walks these hosts through the whole play.
    pub(super) fn through(&self, hosts: &[Arc<HostState>]) {
        let failed = self.steps(&self.play.play.steps, hosts, None);
        self.drop_failed(&failed);
    }

    fn gather_for(&self, hosts: &[Arc<HostState>]) {
        for host in hosts {
            // Set beforehand, so that facts read by the gathering itself do not trigger gathering.
            host.set_gathered(true);
        }
        let Some(task) = gathering::task_of(&self.play.play) else { return };
        for host in self.start_task(&Arc::new(task), hosts, None, gathering::NAME.to_owned()) {
            self.play.give_up(&host.name);
            self.play.remove(&host.name);
            self.play.leave(&host.name, HostExit::Failed);
        }
    }

    /// Runs steps on hosts and returns those that failed. `outer` are the steps that follow.
    fn steps(&self, steps: &[Step], hosts: &[Arc<HostState>], outer: Option<&Continuation<'_>>) -> Hosts {
        let (run, play) = (&self.run, &self.play);
        let mut failed = Hosts::new();
        for (at, step) in steps.iter().enumerate() {
            self.fail_struck(hosts, &mut failed);
            // Computed at each step, since `clear_host_errors` brings back unreachable hosts.
            let failed_before = Members::of(&failed);
            let left: Hosts = hosts
                .iter()
                .filter(|host| play.exit_of(&host.name).is_none() && !failed_before.contains(host))
                .cloned()
                .collect();
            // Handlers may be forced on failed hosts.
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
                        self.task(task, &there, Some(&continuation))
                    }
                    None => self.task(task, &left, Some(&continuation)),
                },
                Step::Block(block) => self.block(block, &left, &continuation),
                Step::Role(role) => self.role(role, &left, &continuation),
                Step::Flush => {
                    run.send(Event::Flushed { place: play.play.span.clone() });
                    let part = Members::of(left.iter().chain(&failed));
                    let all: Hosts = hosts.iter().filter(|host| part.contains(host)).cloned().collect();
                    self.flush(&all, &failed)
                }
            };
            join(&mut failed, more);
        }
        self.fail_struck(hosts, &mut failed);
        failed
    }

    /// Runs a task on hosts and returns those on which it failed. `continuation` are the later steps for look-ahead.
    fn task(&self, task: &Arc<Task>, hosts: &[Arc<HostState>], continuation: Option<&Continuation<'_>>) -> Hosts {
        let (run, play) = (&self.run, &self.play);
        let Some(first) = hosts.first() else { return Hosts::new() };
        let scope = run.scope(play, first, Some(task), None);
        let name = run.task_name(task, &scope);
        if self.start_at.passes_over(run, play, (&name, task.name.is_some()), hosts) {
            return Hosts::new();
        }
        if self.start_at.make_up_for_facts(|| _ = self.gather()) {
            let left: Hosts = hosts.iter().filter(|host| play.exit_of(&host.name).is_none()).cloned().collect();
            return self.start_task(task, &left, None, name);
        }
        self.start_task(task, hosts, continuation, name)
    }

    /// Runs a task, under its rendered name.
    fn start_task(
        &self,
        task: &Arc<Task>,
        hosts: &[Arc<HostState>],
        continuation: Option<&Continuation<'_>>,
        name: String,
    ) -> Hosts {
        let (run, play) = (&self.run, &self.play);
        let Some(first) = hosts.first() else { return Hosts::new() };
        run.warn_of_reserved(task.settings.reserved.iter().map(|name| (&*name.value, &name.span)));
        match task.action.statement() {
            Some(Statement::Meta) => {
                return match run.meta(self, play, task, hosts, &name) {
                    MetaResult::Done => Hosts::new(),
                    MetaResult::Failed(hosts) => hosts,
                    MetaResult::Flush(hosts) => self.flush(&hosts, &[]),
                };
            }
            _ if !stepping::wanted(run, &name) => return Hosts::new(),
            Some(Statement::IncludeTasks | Statement::IncludeRole) => {
                return self.included(run.resolve_include(self, play, task, hosts, name));
            }
            _ => {}
        }
        panics::trap("task");
        let started = TaskRun::new(run, play, task);
        let once = is_once(run, self, play, task, first);
        if run.is_aborted() {
            return Hosts::new();
        }
        let single = task.action.controller().is_some_and(|entry| entry.is_for_all);
        let actors: Hosts = if once || single { vec![first.clone()] } else { hosts.to_vec() };
        // A pause prompts while it is prepared, so the task must have been announced by then. All other tasks are
        // announced afterwards, because facts may have to be gathered first.
        if single {
            run.start(&started, name.clone());
        }
        // Who wants to see a result may change what follows.
        let alone = actors.len() != hosts.len() || task.settings.debugger.is_some() || run.debugs_failures(play);
        let continuation = continuation.filter(|_| !alone);
        let mut executor = Executor::new(run, self, &self.sent, started, &actors, continuation);
        if !single {
            run.start(&executor.task, name);
        }
        run.check_throttle(&executor.task, first);
        if run.is_aborted() {
            return Hosts::new();
        }
        let mut failed = executor.run();
        let started = executor.task;
        let mut again = std::mem::take(&mut *started.again.lock());
        while let Some(Again { host, task }) = again.pop() {
            let mut executor = Executor::new(run, self, &self.sent, started.once_more(&task), &[host], None);
            join(&mut failed, executor.run());
            again.append(&mut executor.task.again.lock());
        }
        if once {
            run.share_with_batch(play, task, first);
        }
        run.after_task(&started, failed, (once, once || single), hosts)
    }

    /// Runs included steps; returns the hosts that failed.
    fn included(&self, Included { mut failed, parts }: Included) -> Hosts {
        for (steps, hosts) in parts {
            let gone = Members::of(&failed);
            let is_there = |host: &Arc<HostState>| !gone.contains(host) && self.play.exit_of(&host.name).is_none();
            let there: Hosts = hosts.into_iter().filter(is_there).collect();
            if there.is_empty() {
                continue;
            }
            let more = include::deeper(|| self.steps(&steps, &there, None)).unwrap_or(there);
            more.iter().for_each(|host| host.forget_second_failure());
            join(&mut failed, more);
        }
        failed
    }

    /// Fails those hosts that were marked to fail because of others.
    fn fail_struck(&self, hosts: &[Arc<HostState>], failed: &mut Hosts) {
        let struck: Hosts = hosts
            .iter()
            .filter(|host| self.play.take_strike(&host.name) && self.play.exit_of(&host.name).is_none())
            .cloned()
            .collect();
        if struck.is_empty() {
            return;
        }
        let before = Members::of(failed.iter());
        for host in struck.into_iter().filter(|host| !before.contains(host)) {
            host.set_failed(true);
            failed.push(host);
        }
    }

    /// Runs one part of a block.
    fn part(
        &self,
        steps: &[Step],
        hosts: &[Arc<HostState>],
        shelter: Shelter,
        outer: Option<&Continuation<'_>>,
    ) -> Hosts {
        hosts.iter().for_each(|host| host.enter(shelter));
        let failed = self.steps(steps, hosts, outer);
        hosts.iter().for_each(|host| host.leave_shelter());
        failed
    }

    fn block(&self, block: &Block, hosts: &[Arc<HostState>], continuation: &Continuation<'_>) -> Hosts {
        let always = Continuation { steps: &block.always, hosts: hosts.len(), outer: Some(continuation) };
        // Failed hosts return after their rescue, and the others wait for them.
        let waits = hosts.len() > 1 && !block.rescue.is_empty();
        let (rescue, follows) = (!block.rescue.is_empty(), !block.always.is_empty());
        let shelter = Shelter { rescue, always: follows };
        let mut failed = self.part(&block.body, hosts, shelter, (!waits).then_some(&always));
        failed.retain(|host| self.play.exit_of(&host.name).is_none());
        // A host that fails with another host's `run_once` fails twice, and so misses the next part.
        let mut missing: Hosts = failed.iter().filter(|host| host.take_second_failure()).cloned().collect();
        if rescue && !failed.is_empty() {
            let mut fallen = std::mem::replace(&mut failed, missing.clone());
            let mut seen = fallen.clone();
            // Repeated for hosts that fail because of a rescue with `any_errors_fatal`.
            while !fallen.is_empty() {
                let skipping = Members::of(&missing);
                fallen.retain(|host| !skipping.contains(host));
                fallen.iter().for_each(|host| host.set_failed(false));
                let shelter = Shelter { rescue: false, always: follows };
                let more = self.part(&block.rescue, &fallen, shelter, None);
                missing = more.iter().filter(|host| host.take_second_failure()).cloned().collect();
                join(&mut failed, more);
                let before = Members::of(&seen);
                let others: Hosts = hosts.iter().filter(|host| !before.contains(host)).cloned().collect();
                fallen = Hosts::new();
                self.fail_struck(&others, &mut fallen);
                join(&mut seen, fallen.clone());
            }
        }
        if follows && !self.play.is_over() {
            // Including failed hosts, since `always` is for them.
            let missing = Members::of(&missing);
            let there: Hosts = hosts.iter().filter(|host| !missing.contains(host)).cloned().collect();
            let next = failed.is_empty().then_some(continuation);
            let more = self.part(&block.always, &there, Shelter::default(), next);
            more.iter().for_each(|host| host.forget_second_failure());
            // `clear_host_errors` may have cleared failures.
            failed.retain(|host| host.has_failed());
            join(&mut failed, more);
        }
        failed
    }

    fn role(&self, steps: &RoleSteps, hosts: &[Arc<HostState>], continuation: &Continuation<'_>) -> Hosts {
        let role = &steps.role;
        let fresh: Hosts = hosts
            .iter()
            .filter(|host| role.allow_duplicates || !host.roles().contains(&role.identity))
            .cloned()
            .collect();
        fresh.iter().for_each(|host| host.enter_role(&role.identity));
        let failed = self.steps(&steps.steps, &fresh, Some(continuation));
        // A role that was skipped entirely may run again.
        let lost = Members::of(&failed);
        for host in fresh.iter().filter(|host| !lost.contains(host) && host.has_run(&role.identity)) {
            host.roles().insert(role.identity.clone());
        }
        failed
    }

    /// Runs notified handlers. `failed` are hosts that failed before: handlers run there only if forced.
    fn flush(&self, hosts: &[Arc<HostState>], failed: &[Arc<HostState>]) -> Hosts {
        let (run, play) = (&self.run, &self.play);
        let forced = play.force_handlers;
        let failed = Members::of(failed);
        let takes_part = |host: &Arc<HostState>| match play.exit_of(&host.name) {
            _ if host.handlers_are_over() => false,
            None => forced || !failed.contains(host),
            Some(why) => forced && why == HostExit::Failed,
        };
        if run.options.debug {
            for host in hosts.iter().filter(|host| takes_part(host) && play.was_notified(&host.name)) {
                let text = format!("META: triggered running handlers for {}", host.name);
                run.send(Event::Verbose { text: text.into() });
            }
        }
        let mut lost = Hosts::new();
        // A handler may notify others. As in Ansible, handlers behind it run now, itself and earlier ones the next
        // time; so handlers that notify each other come to an end.
        let handlers = play.handlers();
        let mut due = DueHandlers::default();
        // Those that do not take part keep their notifications, until `clear_host_errors` brings them back.
        let mut aside: Vec<usize> = (0..hosts.len()).filter(|at| play.was_notified(&hosts[*at].name)).collect();
        let mut after = 0;
        loop {
            aside.retain(|at| {
                let takes_part = takes_part(&hosts[*at]);
                if takes_part {
                    run.look_up_notified(play, &hosts[*at]);
                    due.add(*at, play.pending.lock().get(&hosts[*at].name).into_iter().flatten().copied());
                }
                !takes_part
            });
            let Some((handler, at)) = due.next(after) else { break };
            let Some(task) = handlers.tasks().get(handler) else { break };
            if play.is_over() {
                break;
            }
            after = handler + 1;
            let wanting: Vec<usize> = at
                .into_iter()
                .filter(|at| takes_part(&hosts[*at]) && play.take_pending(&hosts[*at].name, handler))
                .collect();
            if wanting.is_empty() {
                continue;
            }
            let there: Hosts = wanting.iter().map(|at| hosts[*at].clone()).collect();
            let more = self.task(task, &there, None);
            more.iter().for_each(|host| host.end_handlers());
            join(&mut lost, more);
            for at in wanting {
                match takes_part(&hosts[at]) {
                    true => due.add(at, run.look_up_notified(play, &hosts[at])),
                    false => aside.push(at),
                }
            }
        }
        lost
    }

    /// Removes hosts that failed outside of any rescuing block, unless their failures were cleared since.
    fn drop_failed(&self, failed: &[Arc<HostState>]) {
        for host in failed.iter().filter(|host| host.has_failed()) {
            if self.play.exit_of(&host.name).is_none() {
                self.play.leave(&host.name, HostExit::Failed);
            }
        }
    }
}
