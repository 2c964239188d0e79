//! One task over a set of hosts: who takes part, what it is called, what a failure means for the others.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::run::conditions;
use crate::run::dispatch::executor::Executor;
use crate::run::lookahead::continuation::Continuation;
use crate::run::plays::play::HostExit;
use crate::run::state::host::HostState;
use crate::run::task::prepare::Iteration;
use crate::run::walk::walk::Hosts;
use crate::run::{PlayRun, Run, text_of};
use crate::{
    event::{Event, HostResult, Item, TaskId, TaskStarted},
    plan::{Controller, Task},
    template,
    vars::Value,
};

/// What holds for a task on all its hosts.
pub(crate) struct TaskRun {
    pub play: Arc<PlayRun>,
    pub task: Arc<Task>,
    pub id: TaskId,
    /// A host could not be reached, even if that is ignored.
    pub unreachable: AtomicBool,
}

impl TaskRun {
    pub fn new(run: &Run, play: &Arc<PlayRun>, task: &Arc<Task>) -> Self {
        TaskRun { play: play.clone(), task: task.clone(), id: run.task_id(), unreachable: AtomicBool::new(false) }
    }
}

impl Run {
    /// Runs a task on hosts and returns those it failed on.
    /// `following` are the steps after it, so far as they may go along.
    pub(crate) fn task(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        hosts: &[Arc<HostState>],
        continuation: Option<&Continuation<'_>>,
    ) -> Hosts {
        let Some(first) = hosts.first() else { return Hosts::new() };
        let scope = self.scope(play, first, Some(task), None, self.options.check);
        let name = self.task_name(task, &scope);
        if self.still_waiting(&name) {
            return Hosts::new();
        }
        match task.action.controller() {
            Some(Controller::Meta) => return self.meta(play, task, hosts, name),
            Some(Controller::IncludeTasks | Controller::IncludeRole) => return self.include(play, task, hosts, name),
            _ => {}
        }
        crate::panics::trap("task");
        let run = TaskRun::new(self, play, task);
        let once = self.is_once(play, task, first);
        // What concerns the run as a whole is done for one host.
        let single = matches!(task.action.controller(), Some(Controller::AddHost | Controller::Pause));
        let actors: Hosts = if once || single { vec![first.clone()] } else { hosts.to_vec() };
        // A pause asks while it is made ready: the task must have been announced by then. Everything else
        // is announced afterwards, because facts may have to be gathered first.
        if single {
            self.start(&run, name.clone());
        }
        let mut driver = Executor::new(self, run, &actors, continuation.filter(|_| actors.len() == hosts.len()));
        if !single {
            self.start(&driver.task, name);
        }
        let failed = driver.run();
        let run = driver.task;
        if once || single {
            self.share(task, first, hosts);
        }
        self.after_task(&run, failed, (once, once || single), hosts)
    }

    /// Whether the first host does the task for all (`run_once`).
    pub(crate) fn is_once(self: &Arc<Self>, play: &Arc<PlayRun>, task: &Arc<Task>, first: &Arc<HostState>) -> bool {
        let once = self.with_facts(play, first, |scope| conditions::flag(conditions::RUN_ONCE, &task.settings, scope));
        // A value that is neither true nor false fails the task itself, on every host.
        once.ok().flatten().unwrap_or(false)
    }

    /// The name as it is shown: rendered as far as it can be, with the role's name before it.
    pub(crate) fn task_name(&self, task: &Task, scope: &Arc<crate::vars::Scope>) -> String {
        let own = match &task.name {
            Some(name) => template::render(&name.value, scope).map_or_else(
                |_| {
                    name.value
                        .data()
                        .map_or_else(|| name.span.text().trim_matches(['"', '\'']).to_owned(), |v| text_of(&v))
                },
                |value| text_of(&value),
            ),
            None => task.written.to_string(),
        };
        match &task.role {
            Some(role) => format!("{} : {own}", role.name),
            None => own,
        }
    }

    pub(crate) fn start(&self, run: &TaskRun, name: String) {
        self.send(Event::TaskStarted(Arc::new(TaskStarted {
            id: run.id,
            name: name.into(),
            action: run.task.written.clone(),
            handler: run.task.handler,
            check_mode: self.options.check,
            place: run.task.span.clone(),
        })));
    }

    /// What one host found out for all (`run_once`).
    fn share(&self, task: &Task, first: &Arc<HostState>, hosts: &[Arc<HostState>]) {
        let layers = first.layers();
        let names: Vec<Arc<str>> = match (&task.register, task.action.controller()) {
            (Some(name), _) => vec![name.clone()],
            (None, Some(Controller::SetFact)) => task.args.named.keys().cloned().collect(),
            _ => return,
        };
        for host in hosts.iter().filter(|host| !Arc::ptr_eq(host, first)) {
            host.set(names.iter().filter_map(|name| Some((name.clone(), layers.set.get(name)?.clone()))));
        }
    }

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
    fn after_task(
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

/// What stands for an item and whatever else has no result of its own under `no_log`, in Ansible's words.
pub(crate) const CENSORED: &str = "(censored due to no_log)";

/// What is shown of a result under `no_log`: that it is hidden, and what counts its attempts.
pub(crate) fn censored(result: &HostResult) -> HostResult {
    let note = "the output has been hidden due to the fact that 'no_log: true' was specified for this result";
    let changed = result.data.get_attr("changed").is_ok_and(|changed| changed.is_true());
    let mut data = vec![("censored", Value::from(note)), ("changed", Value::from(changed))];
    for name in ["attempts", "retries"] {
        data.extend(result.data.get_attr(name).ok().filter(Value::is_number).map(|count| (name, count)));
    }
    HostResult {
        data: crate::vars::mapping(data),
        diff: Vec::new(),
        changes: Vec::new(),
        warnings: Vec::new(),
        verbose_always: false,
        place: None,
        help: None,
        ..result.clone()
    }
}

/// An item as it is shown.
pub(crate) fn item(iteration: &Iteration, label: Value) -> Option<Item> {
    iteration.item.as_ref().map(|_| Item { index: iteration.index, label })
}
