//! One task over a set of hosts: who takes part, what it is called, what a failure means for the others.

use std::sync::Arc;

use super::{
    PlayRun, Run, conditions, driver::Driver, following::Following, host::HostState, play::Gone, steps::Hosts, text_of,
    unit::Unit,
};
use crate::{
    event::{Event, HostResult, Item, Status, TaskId, TaskStarted},
    plan::{Controller, Task},
    template,
    vars::Value,
};

/// What holds for a task on all its hosts.
pub(super) struct TaskRun {
    pub play: Arc<PlayRun>,
    pub task: Arc<Task>,
    pub id: TaskId,
}

impl Run {
    /// Runs a task on hosts and returns those it failed on.
    /// `following` are the steps after it, so far as they may go along.
    pub(super) fn task(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        hosts: &[Arc<HostState>],
        following: Option<&Following<'_>>,
    ) -> Hosts {
        let Some(first) = hosts.first() else { return Hosts::new() };
        let scope = self.scope(play, first, Some(task), None, self.options.check);
        let name = self.task_name(task, &scope);
        if self.still_waiting(&name) {
            return Hosts::new();
        }
        match task.action.controller() {
            Some(Controller::Meta) => return self.meta(play, task, hosts),
            Some(Controller::IncludeTasks | Controller::IncludeRole) => return self.include(play, task, hosts, name),
            _ => {}
        }
        let run = TaskRun { play: play.clone(), task: task.clone(), id: self.task_id() };
        // A value that is neither true nor false fails the task itself, on every host.
        let once = self.with_facts(play, first, |scope| conditions::flag(conditions::RUN_ONCE, &task.settings, scope));
        let once = once.ok().flatten().unwrap_or(false);
        // What concerns the run as a whole is done for one host.
        let single = matches!(task.action.controller(), Some(Controller::AddHost | Controller::Pause));
        let actors: Hosts = if once || single { vec![first.clone()] } else { hosts.to_vec() };
        // A pause asks while it is made ready: the task must have been announced by then. Everything else
        // is announced afterwards, because facts may have to be gathered first.
        if single {
            self.start(&run, name.clone());
        }
        let mut driver = Driver::new(self, run, &actors, following.filter(|_| actors.len() == hosts.len()));
        if !single {
            self.start(&driver.task, name);
        }
        let failed = driver.run();
        let run = driver.task;
        if once || single {
            self.share(task, first, hosts);
        }
        self.after_task(&run, failed, once, hosts)
    }

    /// The name as it is shown: rendered as far as it can be, with the role's name before it.
    pub(super) fn task_name(&self, task: &Task, scope: &Arc<crate::vars::Scope>) -> String {
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

    pub(super) fn start(&self, run: &TaskRun, name: String) {
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

    /// Failures of one host that concern all.
    fn after_task(self: &Arc<Self>, run: &TaskRun, failed: Hosts, once: bool, hosts: &[Arc<HostState>]) -> Hosts {
        let lost = failed.len() + hosts.iter().filter(|h| run.play.gone(&h.name) == Some(Gone::Unreachable)).count();
        if lost == 0 {
            return failed;
        }
        let Some(first) = hosts.first() else { return failed };
        let scope = self.scope(&run.play, first, Some(&run.task), None, self.options.check);
        let fatal = conditions::flag(conditions::ANY_ERRORS_FATAL, &run.task.settings, &scope)
            .ok()
            .flatten()
            .unwrap_or(self.options.any_errors_fatal);
        if (once && !failed.is_empty()) || fatal {
            return hosts.iter().filter(|host| run.play.gone(&host.name).is_none()).cloned().collect();
        }
        if let Some(field) = &run.play.play.max_fail_percentage
            && let Ok(Some(limit)) = conditions::own_number("max_fail_percentage", Some(field), &scope)
        {
            let all = run.play.batch.len();
            let gone = run
                .play
                .batch
                .iter()
                .filter(|host| matches!(run.play.gone(host), Some(Gone::Failed | Gone::Unreachable)));
            let count = gone.count() + failed.iter().filter(|host| run.play.gone(&host.name).is_none()).count();
            if count as f64 / all.max(1) as f64 * 100.0 > limit {
                for host in &failed {
                    run.play.leave(&host.name, Gone::Failed);
                }
                run.play.fatal.store(true, std::sync::atomic::Ordering::Release);
                run.play.end();
            }
        }
        failed
    }
}

/// What is shown of a result under `no_log`.
pub(super) fn censored(result: &HostResult) -> HostResult {
    let note = "the output has been hidden due to the fact that 'no_log: true' was specified for this result";
    let changed = matches!(result.status, Status::Changed);
    let data = crate::vars::mapping([("censored", Value::from(note)), ("changed", Value::from(changed))]);
    HostResult {
        data,
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
pub(super) fn item(unit: &Unit, label: Value) -> Option<Item> {
    unit.item.as_ref().map(|_| Item { index: unit.index, label })
}
