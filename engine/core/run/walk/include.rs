//! `include_tasks` and `include_role`: resolved for each host during the run.

mod apply;

use std::{
    cell::Cell,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay_contract::{
    Args,
    wire::{Map, Value as Wire},
};

use crate::{
    actions::{TaskResult, wire_args},
    event::{Event, HostResult, Item, Status},
    limits,
    plan::{self, Found, Place, PlanError, RoleCall, RoleFiles, Settings, Step, Task, statement as args},
    run::{
        conditions,
        facts::{Facts, with_facts},
        shorthand::data,
        state::{
            host::{HostState, Hosts, Members},
            play::PlayRun,
            run::Run,
        },
        task::{
            evaluated::{CENSORED, censored, sum},
            iteration::{Attempt, Iteration, iterations, skipped},
            register::add_loop_fields,
            task_run::{TaskRun, is_once},
        },
    },
    source::{Problems, Span},
    template,
    vars::{Layer, Value, from_wire, mapping},
};
use apply::apply_to;

/// What one host includes for one item.
#[derive(Clone, PartialEq)]
struct Wish {
    /// The file, or the name of the role.
    name: String,
    at_index: usize,
    item: Option<Value>,
    /// The item as it is shown.
    label: Option<Value>,
    /// Its result is not shown (`no_log`).
    hidden: bool,
    args: Map,
}

thread_local! {
    /// Depth of nested includes.
    static LEVELS: limits::Counter = const { Cell::new(0) };
}

/// What a host includes for each item, or the result of an item that it skips; the error is the host's result (skipped
/// or failed).
type Wishes = Result<Vec<(Iteration, Result<Wish, TaskResult>)>, Box<TaskResult>>;

/// Hosts with the same include.
struct Group {
    wish: Wish,
    top: Option<Arc<Layer>>,
    hosts: Hosts,
}

/// The result of an include: steps with their hosts, and the hosts on which it failed.
pub(crate) struct Included {
    pub parts: Vec<(Vec<Step>, Hosts)>,
    pub failed: Hosts,
}

/// Runs included steps one level deeper; `None` beyond the configured depth.
pub(crate) fn deeper<T>(run: impl FnOnce() -> T) -> Option<T> {
    limits::deeper(&LEVELS, run)
}

impl Run {
    /// Resolves the include for each host.
    pub(crate) fn resolve_include(
        self: &Arc<Self>,
        facts: &dyn Facts,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        hosts: &[Arc<HostState>],
        name: String,
    ) -> Included {
        let run = TaskRun::new(self, play, task);
        let once = hosts.first().is_some_and(|first| is_once(self, facts, play, task, first));
        if self.is_aborted() {
            return Included { parts: Vec::new(), failed: Hosts::new() };
        }
        let hosts = if once { &hosts[..1] } else { hosts };
        let mut failed = Hosts::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut of_name: HashMap<(String, usize), Vec<usize>> = HashMap::new();
        let wishes: Vec<_> = hosts.iter().map(|host| with_facts(facts, host, || self.wishes(&run, host))).collect();
        self.start(&run, name);
        let role = task.includes_role();
        for (host, wishes) in hosts.iter().zip(wishes) {
            self.send(Event::HostStarted { task: run.id, host: host.name.clone() });
            match wishes {
                Ok(wishes) => {
                    let mut skipped = Vec::new();
                    let mut registered = Vec::new();
                    let mut includes = false;
                    let (mut looped, mut hidden) = (true, false);
                    for (iteration, wish) in wishes {
                        let attempt = Attempt { iteration: &iteration, number: 1, looped: true, delegated: None };
                        let wish = match wish {
                            Ok(wish) => wish,
                            Err(result) => {
                                let evaluated = self.evaluate(&run, host, &attempt, result);
                                if let Some(item) = &evaluated.item {
                                    let result = evaluated.shown();
                                    self.send(Event::ItemDone { task: run.id, item: item.clone(), result });
                                }
                                registered.push(evaluated.registered.clone());
                                skipped.push(evaluated);
                                continue;
                            }
                        };
                        includes = true;
                        looped = iteration.item.is_some();
                        hidden = wish.hidden;
                        let result = registered_of(&wish, role, &attempt);
                        if let (true, Some(label)) = (looped, wish.label.clone()) {
                            let item = Item { index: wish.at_index, label };
                            self.include_done(&run, host, Some(item), result.clone(), hidden);
                        }
                        registered.push(result);
                        let same = of_name.entry((wish.name.clone(), wish.at_index)).or_default();
                        match same.iter().copied().find(|at| groups[*at].wish == wish) {
                            Some(at) => groups[at].hosts.push(host.clone()),
                            None => {
                                same.push(groups.len());
                                groups.push(Group { wish, top: iteration.top, hosts: vec![host.clone()] });
                            }
                        }
                    }
                    if !includes {
                        self.commit(&run, host, sum(host, skipped), Default::default());
                        continue;
                    }
                    let (shown, result) = match looped {
                        true => all_of(registered),
                        false => {
                            let result = registered.pop().unwrap_or_default();
                            (result.clone(), result)
                        }
                    };
                    self.include_done(&run, host, None, shown, hidden);
                    self.register(task, host, data(result));
                }
                Err(result) => {
                    let iteration = Iteration::default();
                    let attempt = Attempt { iteration: &iteration, number: 1, looped: false, delegated: None };
                    let evaluated = self.evaluate(&run, host, &attempt, *result);
                    if self.commit(&run, host, evaluated, Default::default()) {
                        failed.push(host.clone());
                    }
                }
            }
        }
        if once && let Some(first) = hosts.first() {
            self.share_with_batch(play, task, first);
        }
        groups.sort_by_key(|group| group.wish.at_index);
        let mut parts: Vec<(Vec<Step>, Hosts)> = Vec::new();
        for mut group in groups {
            let gone = Members::of(&failed);
            group.hosts.retain(|host| !gone.contains(host));
            match self.included(&run, &group) {
                Some(steps) => parts.push((steps, group.hosts)),
                None => failed.extend(group.hosts),
            }
        }
        Included { parts, failed }
    }

    /// Reports what the host includes.
    fn include_done(&self, run: &TaskRun, host: &Arc<HostState>, item: Option<Item>, data: Value, hidden: bool) {
        let looped = item.is_none() && data.get_attr("results").is_ok_and(|results| !results.is_undefined());
        let result =
            HostResult { data, looped, ..HostResult::of(host.name.clone(), Status::Ok, TaskResult::default()) };
        let result = if hidden { censored(&result) } else { result };
        self.send(Event::IncludeDone { task: run.id, item, result });
    }

    fn wishes(self: &Arc<Self>, run: &TaskRun, host: &Arc<HostState>) -> Wishes {
        let found = iterations(self, &run.play, &run.task, host, None)?;
        let mut wishes = Vec::new();
        for iteration in found.iterations {
            let scope = self.begun_scope(&run.play, host, &run.task, iteration.top.clone(), None);
            match conditions::first_false(&run.task.settings.when, &scope) {
                Ok(None) => {}
                Ok(Some(condition)) if iteration.item.is_some() => {
                    wishes.push((iteration, Err(skipped(condition))));
                    continue;
                }
                Ok(Some(condition)) => return Err(Box::new(skipped(condition))),
                Err((error, _)) => return Err(Box::new(TaskResult::of_error(&error))),
            }
            let args =
                wire_args(self.arguments(&run.task, &scope).map_err(|error| Box::new(TaskResult::of_error(&error)))?);
            let key = match run.task.includes_role() {
                true => ["name", "role"],
                false => ["file", "_raw_params"],
            };
            let name = key.iter().find_map(|key| args.get(*key)).map(|value| match value {
                Wire::Str(text) => text.trim().to_owned(),
                other => serde_json::Value::from(other).to_string(),
            });
            let Some(name) = name else {
                return Err(Box::new(TaskResult::failed(format!("{} names no file or role", run.task.written))));
            };
            let hidden = self.hides(&run.task, &scope);
            let label = match (&iteration.item, &run.task.control.label) {
                // As in Ansible, also without a loop.
                _ if hidden => Some(CENSORED.into()),
                (None, _) => None,
                (Some(item), None) => Some(item.clone()),
                (Some(item), Some(label)) => {
                    Some(template::render(&label.value, &scope).unwrap_or_else(|_| item.clone()))
                }
            };
            let wish = Wish { name, at_index: iteration.index, item: iteration.item.clone(), label, hidden, args };
            wishes.push((iteration, Ok(wish)));
        }
        Ok(wishes)
    }

    /// The steps that some hosts include; `None` on an error, which is reported for each host.
    fn included(self: &Arc<Self>, run: &TaskRun, group: &Group) -> Option<Vec<Step>> {
        let hosts = &group.hosts;
        if hosts.is_empty() {
            return None;
        }
        let role = run.task.includes_role();
        let place = self.place(run, group);
        let mut found = Found::default();
        let mut file = group.wish.name.clone();
        let steps = match role {
            // Rejected here, where it can be reported; a task may rescue it.
            _ if LEVELS.with(Cell::get) >= limits::depth() => {
                found.problems.push(PlanError::TooDeep {
                    most: limits::depth(),
                    at: place_of(&run.task),
                    help: Some("raise the setting `recursion_limit` to allow more levels".to_owned()),
                });
                Vec::new()
            }
            true => self.role_steps(run, group, &place, &mut found),
            false => {
                let path = plan::task_file(&place, &group.wish.name);
                file = crate::source::absolute(&path);
                self.resolver.task_file(&path, Some(&place_of(&run.task)), &place, &mut found)
            }
        };
        for problem in std::mem::take(&mut found.foreseen).0 {
            self.resolver.project.warn_of(&*problem);
        }
        if !found.problems.is_empty() {
            // What an included file says wrongly is no failure of a host.
            let Some(reason) = reason(&found.problems, &file) else {
                self.abort(&run.play, std::mem::take(&mut found.problems));
                return None;
            };
            for host in hosts {
                let mut result = TaskResult::of_problems(&found.problems, &run.task.span);
                result.place = Some(place_of(&run.task));
                let iteration = Iteration::default();
                let attempt = Attempt { iteration: &iteration, number: 1, looped: false, delegated: None };
                let mut evaluated = self.evaluate(run, host, &attempt, result);
                let include = (!role).then(|| ("include", Value::from(group.wish.name.clone())));
                let fields = include.into_iter().chain([("reason", Value::from(reason.clone()))]);
                evaluated.report.data = mapping(fields.chain([("changed", Value::from(false))]));
                evaluated.ignore_errors = false;
                self.commit(run, host, evaluated, Default::default());
                // Ansible gives up such a host, even if a block rescues the failure.
                if host.shelter().rescue {
                    self.count(&host.name, |counts| {
                        counts.rescued = counts.rescued.saturating_sub(1);
                        counts.failed += 1;
                    });
                }
                run.play.remove(&host.name);
                run.play.give_up(&host.name);
            }
            return None;
        }
        self.send(Event::Included {
            task: run.id,
            hosts: hosts.iter().map(|host| host.name.clone()).collect(),
            file: file.into(),
            item: group.wish.label.clone().map(|label| Item { index: group.wish.at_index, label }),
        });
        for host in hosts {
            self.count(&host.name, |counts| counts.ok += 1);
        }
        run.play.add_handlers(&found.handlers);
        Some(steps)
    }

    /// The context of included tasks: that of the include, the keywords of `apply`, its variables, and its loop item.
    fn place(self: &Arc<Self>, run: &TaskRun, group: &Group) -> Place {
        // The include's own keywords (its conditions, its tags) apply only to itself; its variables are passed on.
        let mut settings: Settings = (*run.task.around).clone();
        let own = run.task.settings.vars.len().saturating_sub(settings.vars.len());
        settings.params.splice(0..0, run.task.settings.vars.iter().take(own).cloned());
        if let Some(top) = &group.top {
            settings.params.insert(0, top.clone());
        }
        if let Some(Wire::Map(apply)) = group.wish.args.get("apply") {
            let written = run.task.args.named.get("apply").map(|argument| &argument.value);
            apply_to(&mut settings, apply, written, &place_of(&run.task));
        }
        let directory = run.task.file_directory().map_or_else(|| run.play.play.directory.clone(), Path::to_owned);
        Place {
            settings: Arc::new(settings),
            role: run.task.role.clone(),
            playbook: run.play.play.directory.clone(),
            directory,
            handler: run.task.handler,
            in_block: false,
            may_fail: group.hosts.iter().any(|host| host.shelter().rescue),
            play_vars: run.play.play.static_vars(),
            trail: Vec::<PathBuf>::new(),
        }
    }

    fn role_steps(self: &Arc<Self>, run: &TaskRun, group: &Group, place: &Place, found: &mut Found) -> Vec<Step> {
        let wanted = match args::IncludeRole::from_map(&group.wish.args) {
            Ok(wanted) => wanted,
            Err(_) => return Vec::new(),
        };
        let files = RoleFiles {
            tasks: wanted.tasks_from,
            vars: wanted.vars_from,
            defaults: wanted.defaults_from,
            handlers: wanted.handlers_from,
            validate: wanted.rolespec_validate.0,
        };
        let at = place_of(&run.task);
        let call = RoleCall {
            name: &group.wish.name,
            at: &at,
            params: Arc::default(),
            files,
            own: plan::included(run.task.settings.vars.first()),
            allow_duplicates: Some(wanted.allow_duplicates.0),
            public: wanted.public.as_ref().map(|public| public.0),
            dependency: false,
        };
        let parents = plan::line_of(run.task.role.as_ref());
        // The include's own keyword says which collections may have the role.
        let settings = place.settings.searching(&run.task.settings.collections);
        let place = Place { settings, ..place.clone() };
        let Some((role, step)) = self.resolver.role(&call, &place, &parents, found) else { return Vec::new() };
        run.play.included.lock().push(role.clone());
        // As in ansible-core, the setting makes a role public only if it was set.
        let is_public = wanted.public.map_or(self.options.private_role_vars == Some(false), |public| public.0);
        if is_public {
            run.play.publish(role);
        }
        vec![step]
    }
}

/// Why hosts fail with what they include, in ansible-core's words; `None` if it is an error that ends the run.
fn reason(problems: &Problems, file: &str) -> Option<String> {
    let first = problems.0.first()?;
    match problems.first_as() {
        Some(PlanError::Missing { .. }) => Some(format!(
            "Could not find or access '{file}' on the Ansible Controller: Unable to retrieve file contents.\nCould not \
             find or access '{file}' on the Ansible Controller.\nIf you are using a module and expect the file to exist \
             on the remote, see the remote_src option: [Errno 2] No such file or directory: '{file}'"
        )),
        Some(PlanError::RoleNotFound { searched, .. }) => Some(format!("{first} in {searched}")),
        Some(PlanError::TooDeep { .. } | PlanError::Endless { .. }) => Some(first.to_string()),
        Some(_) => None,
        None if first.to_string().starts_with("A malformed block was encountered while loading a file of tasks") => {
            Some("included task files must contain a list of tasks".to_owned())
        }
        None => None,
    }
}

/// The result of an include: what it named, and its other arguments.
fn result_of(wish: &Wish, role: bool) -> Value {
    mapping(fields_of(wish, role).into_iter().chain([("changed", Value::from(false))]))
}

fn fields_of(wish: &Wish, role: bool) -> Vec<(&'static str, Value)> {
    let rest = wish.args.iter().filter(|(name, _)| role || !matches!(name.as_str(), "file" | "_raw_params"));
    let rest = mapping(rest.map(|(name, value)| (name.as_str(), from_wire(value.clone()))));
    let file = (!role).then(|| ("include", Value::from(wish.name.clone())));
    file.into_iter().chain([("include_args", rest)]).collect()
}

/// What is registered of an include: its result, for one item with the loop's variables.
fn registered_of(wish: &Wish, role: bool, attempt: &Attempt<'_>) -> Value {
    match &attempt.iteration.item {
        None => result_of(wish, role),
        Some(_) => {
            let mut fields = fields_of(wish, role).into_iter().map(|(name, value)| (name.into(), value)).collect();
            add_loop_fields(&mut fields, attempt);
            mapping(fields)
        }
    }
}

/// What is shown and what is registered of an include with a loop.
fn all_of(results: Vec<Value>) -> (Value, Value) {
    let of = |skipped: Option<bool>| {
        let skipped = skipped.map(|skipped| ("skipped", Value::from(skipped)));
        let rest = [("msg", Value::from("All items completed")), ("changed", Value::from(false))];
        mapping([("results", Value::from(results.clone()))].into_iter().chain(skipped).chain(rest))
    };
    (of(None), of(Some(false)))
}

fn place_of(task: &Task) -> Span {
    task.args
        .free
        .as_ref()
        .map(|field| field.span.clone())
        .or_else(|| ["file", "name"].iter().find_map(|name| task.args.named.get(*name)).map(|arg| arg.span.clone()))
        .unwrap_or_else(|| task.span.clone())
}
