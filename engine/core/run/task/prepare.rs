//! Prepares one task on one host for one item: from conditions and arguments to a call, or directly to a result.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use minijinja::value::ValueKind;
use rplay_contract::{
    ArgError, external,
    system::jobs,
    wire::{Background, Become, Call, Map, Mode},
};

use crate::{
    actions::{self, Act, ActionEntry, After, Delegate, Ends, TaskResult, text_of, wire_args},
    external::{Around, Reason},
    link::{Connection, Target},
    plan::{Action, Statement, Task, module},
    run::{
        conditions,
        connection::{
            privilege::become_user,
            target::{controller, target},
            variables::{ConnectionError, max_output, word},
        },
        hidden_values::HiddenValues,
        reads::ReadTracker,
        state::{host::HostState, play::PlayRun, run::Run},
        steering,
        task::{
            external::Caller,
            invocation,
            iteration::{Iteration, skipped},
            plugin::PluginRun,
            refusal::{refused, unsupported},
        },
        template_warnings,
    },
    source::Spanned,
    task_result::TemplateWarning,
    template::{self, TemplateError},
    vars::{Layer, Lazy, Scope, Value, is_omit, mapping},
};

/// The warning about arguments that are one template, in ansible-core's words.
const UNSAFE_ARGS: &str = "Using a template for task args is unsafe in some situations (see \
                           https://docs.ansible.com/ansible/devel/reference_appendices/faq.html#argsplat-unsafe).";

/// A prepared iteration.
pub(crate) enum Ready {
    /// Answered without an agent; with the host it was delegated to.
    Done(TaskResult, Option<Arc<HostState>>),
    Call(Box<Prepared>),
}

impl Ready {
    /// What the module is called with; `None` if no module of our own is called.
    pub(crate) fn invocation(&self) -> Option<Value> {
        let Ready::Call(prepared) = self else { return None };
        invocation::of(&prepared.call, prepared.hidden.as_ref())
    }
}

/// A prepared call.
pub(crate) struct Prepared {
    pub call: Call,
    pub target: Arc<Target>,
    pub become_user: Option<Become>,
    pub after: After,
    pub delegated: Option<Arc<HostState>>,
    /// Time limit: `timeout`, or that of a polled `async` task.
    pub limit: Option<Duration>,
    /// What templates warned about.
    pub template_warnings: Vec<TemplateWarning>,
    /// The plugin in Python that is run instead of the call.
    pub plugin: Option<Arc<PluginRun>>,
    /// What its result must not tell.
    pub hidden: Option<HiddenValues>,
}

impl Run {
    /// Prepares an iteration. Has no side effects except reading files, so it may be repeated once facts were gathered.
    pub(crate) fn prepare(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        host: &Arc<HostState>,
        iteration: &Iteration,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Ready {
        let mut delegated = None;
        let (ready, template_warnings) =
            template_warnings::collecting(|| self.try_prepare(play, task, host, iteration, reads, &mut delegated));
        match ready {
            Ok(Ready::Done(result, delegated)) => Ready::Done(TaskResult { template_warnings, ..result }, delegated),
            Ok(Ready::Call(prepared)) => Ready::Call(Box::new(Prepared { template_warnings, ..*prepared })),
            Err(error) => Ready::Done(TaskResult { raised: true, template_warnings, ..error.result() }, delegated),
        }
    }

    /// `known` is set to the host that the task is delegated to as soon as it is known.
    fn try_prepare(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        host: &Arc<HostState>,
        iteration: &Iteration,
        reads: Option<&Arc<ReadTracker>>,
        known: &mut Option<Arc<HostState>>,
    ) -> Result<Ready, ConnectionError> {
        let scope = self.begun_scope(play, host, task, iteration.top.clone(), reads);
        if let Some(skipped) = when(task, &scope) {
            return Ok(Ready::Done(skipped, None));
        }
        let delegate = conditions::delegate(&task.settings, &scope)?;
        let delegated = match &delegate {
            Some(name) if **name != *host.name => Some(self.host_or_ad_hoc(name, play)),
            _ => None,
        };
        known.clone_from(&delegated);
        // Without its variables, its address is unknown.
        if let Some(why) = delegated.as_ref().and_then(|other| other.why_broken()) {
            return Ok(Ready::Done(TaskResult::failed(why.to_string()), delegated));
        }
        let check = conditions::flag(conditions::CHECK_MODE, &task.settings, &scope)?.unwrap_or(self.options.check);
        // A task that is delegated to its own host has these variables, too.
        let scope = match delegated.as_ref().or(delegate.is_some().then_some(host)) {
            None => scope,
            other => {
                let top = self.with_delegated(play, host, task, iteration.top.clone(), other, reads);
                self.begun_scope(play, host, task, top, reads)
            }
        };
        let no_log = conditions::flag(conditions::NO_LOG, &task.settings, &scope)?.unwrap_or(self.options.no_log);
        let diff = conditions::flag(conditions::DIFF, &task.settings, &scope)?.unwrap_or(self.options.diff);
        conditions::check(task, &scope)?;
        let resolved;
        let task = match task.action.statement() {
            Some(Statement::Late) => match self.late(play, task, &scope)? {
                Ok(found) => {
                    resolved = Arc::new(found);
                    &resolved
                }
                Err(result) => return Ok(Ready::Done(result, delegated)),
            },
            _ => task,
        };
        if !task.unknown.is_empty() {
            // As in ansible-core, a module tells what it misses before what it does not know.
            if let (Action::Module(_), Ok(args)) = (&task.action, self.arguments(task, &scope)) {
                let mut args = wire_args(args);
                args.retain(|name, _| task.unknown.iter().all(|unknown| **unknown != **name));
                let error = ArgError::foremost(task.action.check(&args, &[]));
                if let Some(error) = error.filter(|error| error.msg.starts_with("missing required")) {
                    return Ok(Ready::Done(refused(&task.action, error), delegated));
                }
            }
            let result = unsupported(&task.action, &task.written, &task.unknown);
            return Ok(Ready::Done(given_up(&task.action, result), delegated));
        }
        // As in Ansible, also for actions that have no use for it.
        let mut environment = self.environment(task, &scope)?;
        if !environment.is_empty() && task.action.name() == "raw" {
            scope.magic.warn("raw module does not support the environment keyword", None);
            environment.clear();
        }
        if let Some(whole) = &task.args.whole
            && self.options.inject_facts
        {
            scope.magic.warn(UNSAFE_ARGS, Some(&whole.span));
        }
        let args = iteration.arguments(|| self.arguments(task, &scope))?;
        // What the task itself names was checked before the run; these come from elsewhere.
        if task.args.whole.is_some() || !task.settings.module_defaults.is_empty() {
            let unknown = crate::plan::unknown(&task.action, args.keys().filter(|name| !name.starts_with('_')));
            if !unknown.is_empty() {
                let result = unsupported(&task.action, &task.written, &unknown);
                return Ok(Ready::Done(given_up(&task.action, result), delegated));
            }
        }
        if !task.action.may_be_async() && seconds(task, &scope)?.is_some() {
            let msg = format!("This action ({}) does not support async.", task.written);
            return Ok(Ready::Done(TaskResult { raised: true, ..TaskResult::failed(msg) }, delegated));
        }
        let mut plugin_args = None;
        let ask = match &task.action {
            Action::Plugin(plugin) => {
                // A plugin reads facts when nobody can gather them any more.
                scope.find("ansible_facts");
                plugin_args = Some(args);
                actions::Ask { module: &plugin.name, args: Map::new(), after: After::Nothing }
            }
            Action::Module(entry) => actions::Ask { module: entry.name, args: wire_args(args), after: After::Nothing },
            Action::External(_) => {
                actions::Ask { module: external::MODULE, args: wire_args(args), after: After::Nothing }
            }
            Action::Controller(_) | Action::Statement(_) => {
                // Constant arguments were validated before the run; templates have values only now. (A role's argument
                // validation has no arguments here: it brings its specification along.)
                let error = match task.spec {
                    None => ArgError::foremost(task.action.check(&wire_args(args.clone()), &[])),
                    Some(_) => None,
                };
                if let Some(error) = error {
                    return Ok(Ready::Done(given_up(&task.action, refused(&task.action, error)), delegated));
                }
                let context = actions::Context {
                    task: task.view(),
                    scope: &scope,
                    host: &host.name,
                    project: &*self.resolver.project,
                    blobs: &self.blobs,
                    prompt: &*self.prompt,
                    check,
                    diff,
                    no_log,
                    verbosity: self.options.verbosity,
                };
                let entry = match &task.action {
                    Action::Controller(entry) => entry,
                    // The run and the resolver handle statements before anything is rendered.
                    action => {
                        let msg = format!("{:?} cannot be used here", action.statement().unwrap_or(Statement::Late));
                        return Ok(Ready::Done(TaskResult::failed(msg), delegated));
                    }
                };
                match entry.act(args, &context) {
                    Act::Done(result) => return Ok(Ready::Done(result, delegated)),
                    Act::Call(ask) => ask,
                }
            }
        };
        let mut call = Call {
            module: ask.module.to_owned(),
            args: ask.args,
            mode: Mode {
                check,
                own_check: check && !self.options.check,
                diff,
                max_output: max_output(&scope)?,
                max_diff: self.options.max_diff,
            },
            environment,
            background: self.background(task, &scope)?,
        };
        if call.background.is_some()
            && let Err(error) = self.blobs.inline(&mut call.args)
        {
            return Ok(Ready::Done(TaskResult::failed(format!("cannot read a file for the job: {error}")), delegated));
        }
        if call.background.is_some() || module(&call.module).is_some_and(|entry| entry.asks_about_jobs) {
            call.environment.extend(self.jobs_directory(&scope)?);
        }
        let hidden = self.hidden(task, &call);
        // The connection of a delegated task is determined by the variables that the other host has in this task;
        // connection keywords apply to the original host.
        let (mut target, variables) = match &delegated {
            Some(other) => {
                let theirs = self.tracked_scope(play, other, Some(task), None, reads);
                (target(&other.name, None, &scope, &theirs, &self.options.connection)?, theirs)
            }
            None => {
                (target(&host.name, Some(&task.settings), &scope, &scope, &self.options.connection)?, scope.clone())
            }
        };
        let mut become_user = {
            let acting = delegated.as_ref().map_or(&host.name, |other| &other.name);
            become_user(&task.settings, &scope, &variables, &self.options.connection, acting)?
        };
        if let Action::Controller(ActionEntry { connect: Some(connect), .. }) = &task.action
            && !matches!(target.connection, Connection::Plugin(_))
        {
            let own = match &delegated {
                Some(_) => {
                    Some(self::target(&host.name, Some(&task.settings), &scope, &scope, &self.options.connection)?)
                }
                None => None,
            };
            let delegate = match (&delegated, &delegate) {
                (Some(_), _) => Delegate::Other(&target),
                (None, Some(_)) => Delegate::Itself,
                (None, None) => Delegate::None,
            };
            let ends = Ends { host: own.as_ref().unwrap_or(&target), delegate, becomes: become_user.as_ref() };
            let runner = connect(&mut call.args, &ends);
            if runner.is_here {
                target = controller(&scope);
            }
            become_user = become_user.filter(|_| runner.becomes);
            if let Some(text) = runner.warning {
                template_warnings::warn(TemplateWarning { text, deprecated: false });
            }
        }
        let over = match &target.connection {
            Connection::Plugin(plugin) => Some(plugin.kind.clone()),
            _ => None,
        };
        let over_plugin = over.is_some();
        if let (Action::External(module), false) = (&task.action, over_plugin) {
            let keeps_invocation = task.keeps_invocation();
            let caller = Caller { module, target: &target, variables: &variables, no_log, keeps_invocation };
            match self.order(&caller, std::mem::take(&mut call.args)) {
                Ok(args) => call.args = args,
                Err(result) => return Ok(Ready::Done(*result, delegated)),
            }
        }
        let target = Arc::new(target);
        let plugin = match (&task.action, plugin_args) {
            (Action::Plugin(plugin), Some(args)) => Some((*plugin, args)),
            (action, _) if over_plugin => {
                // No agent is there: ansible-core itself runs the module.
                let core = |name: &str| self.resolver.project.finder().action_over_plugin(name);
                let found = match action {
                    Action::External(_) => core("normal"),
                    action => core(action.name()),
                };
                let found =
                    found.map_err(|why| ConnectionError::NoPlugin { kind: over.clone().unwrap_or_default(), why })?;
                Some((found, iteration.arguments(|| self.arguments(task, &scope))?))
            }
            _ => None,
        };
        let after = if over_plugin { After::Nothing } else { ask.after };
        let plugin = match plugin {
            Some((plugin, args)) => {
                let poll = conditions::own_number("poll", task.poll.as_ref(), &scope)?;
                Some(Arc::new(PluginRun {
                    run: self.clone(),
                    play: play.clone(),
                    task: task.clone(),
                    plugin,
                    args,
                    scope: scope.clone(),
                    variables: variables.clone(),
                    target: target.clone(),
                    become_user: become_user.clone(),
                    environment: call.environment.clone(),
                    mode: call.mode,
                    no_log,
                    asynchronous: (
                        seconds(task, &scope)?.unwrap_or_default(),
                        poll.unwrap_or(f64::from(self.options.poll_interval)),
                    ),
                    background: call.background.clone(),
                    delegate_to: delegated.as_ref().map(|other| other.name.clone()),
                    is_over: AtomicBool::new(false),
                }))
            }
            None => None,
        };
        let waited_for = task.asynchronous.as_ref().filter(|_| call.background.is_none());
        let waited_for = conditions::own_number("async", waited_for, &scope)?.filter(|seconds| *seconds > 0.0);
        let own = match (&task.settings.timeout, self.options.task_timeout) {
            (None, usual) => usual.map(f64::from),
            _ => conditions::timeout(&task.settings, &scope)?,
        };
        let limits = [own, waited_for].into_iter().flatten();
        let limit = limits.filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok()).min();
        Ok(Ready::Call(Box::new(Prepared {
            call,
            target,
            become_user,
            after,
            delegated,
            limit,
            template_warnings: Vec::new(),
            plugin,
            hidden,
        })))
    }

    /// The temporary variables, with `ansible_delegated_vars` if another host runs the task. As in ansible-core, these
    /// are the other host's variables under the name of the host that delegates, with a port and a user even if it has
    /// none.
    pub(crate) fn with_delegated(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &HostState,
        task: &Arc<Task>,
        top: Option<Arc<Layer>>,
        delegated: Option<&Arc<HostState>>,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Option<Arc<Layer>> {
        let Some(other) = delegated else { return top };
        let known = self.tracked_scope(play, other, Some(task), None, reads);
        let mut own = Layer::from_iter([("inventory_hostname".into(), Lazy::Data(host.name.clone().into()))]);
        let lacks = |names: [&str; 2]| names.iter().all(|name| known.find(name).is_none());
        if lacks(["ansible_port", "ansible_ssh_port"]) {
            own.insert("ansible_port".into(), Lazy::Data(Value::from(())));
        }
        if lacks(["ansible_user", "ansible_ssh_user"]) {
            let user = play.play.settings.remote_user.as_ref().map(|field| field.value.clone());
            own.insert("ansible_user".into(), user.unwrap_or_else(|| Lazy::Data(Value::from(()))));
        }
        let known = self.tracked_scope(play, other, Some(task), Some(Arc::new(own)), reads);
        let vars = mapping([(other.name.clone(), template::scope_value(known, template::Level::now()))]);
        let mut layer = top.as_deref().cloned().unwrap_or_default();
        layer.insert("ansible_delegated_vars".into(), Lazy::Data(vars));
        Some(Arc::new(layer))
    }

    /// `async` with `poll: 0`: a background job.
    fn background(&self, task: &Task, scope: &Arc<Scope>) -> Result<Option<Background>, TemplateError> {
        let Some(seconds) = seconds(task, scope)? else { return Ok(None) };
        let poll = conditions::own_number("poll", task.poll.as_ref(), scope)?;
        if poll.unwrap_or(f64::from(self.options.poll_interval)) > 0.0 {
            return Ok(None);
        }
        Ok(Some(Background { id: job_id(), seconds: seconds.ceil() as u64 }))
    }

    /// The secret arguments of a call, or of the job that it asks for.
    fn hidden(&self, task: &Task, call: &Call) -> Option<HiddenValues> {
        let entry = module(&call.module)?;
        if entry.asks_about_jobs {
            return self.hidden_of_jobs.lock().get(call.args.get("jid")?.as_str()?).cloned();
        }
        if task.secrets.is_empty() {
            return None;
        }
        let hidden = HiddenValues::of(&task.secrets, &call.args, entry.hides_keys)?;
        if let Some(job) = &call.background {
            self.hidden_of_jobs.lock().insert(job.id.clone(), hidden.clone());
        }
        Some(hidden)
    }

    /// Where the result of a job that is waited for would be, as ansible-core names it.
    pub(crate) fn results_file(&self, id: &str) -> String {
        let directory = self.options.async_dir.as_deref().unwrap_or("~/.ansible_async");
        format!("{}/{id}", directory.trim_end_matches('/'))
    }

    /// The directory of job results on the host, if not the default.
    fn jobs_directory(&self, scope: &Arc<Scope>) -> Result<Option<(String, String)>, TemplateError> {
        let directory = word(steering::ASYNC_DIR, scope)?.or_else(|| self.options.async_dir.clone());
        Ok(directory.map(|directory| (jobs::DIRECTORY.to_owned(), directory)))
    }

    /// The task with the action that its template names.
    fn late(
        &self,
        play: &PlayRun,
        task: &Arc<Task>,
        scope: &Arc<Scope>,
    ) -> Result<Result<Task, TaskResult>, TemplateError> {
        let written = Lazy::from_text(&Spanned { value: task.written.clone(), span: task.span.clone() });
        let name = text_of(&template::render(&written, scope)?);
        let role = task.role.as_ref().map(|role| role.path.as_path());
        let around = Around {
            playbook: Some(&play.play.directory),
            role,
            collections: &task.settings.collections,
            modules_only: false,
        };
        let action = match self.resolver.project.action(name.trim(), around) {
            Ok(action) => self.resolver.project.action_with(action, task.args.named.keys(), around),
            Err(missing) if missing.reason == Reason::Unknown => {
                return Ok(Err(TaskResult::failed(format!("Cannot resolve '{name}' to an action or module."))));
            }
            Err(missing) => return Ok(Err(TaskResult::failed(missing.msg).with_help(missing.help))),
        };
        let secrets = crate::plan::secrets(&action);
        let unknown = crate::plan::unknown(&action, task.args.named.keys());
        Ok(Ok(Task { action, secrets, unknown, written: name.trim().into(), ..Task::clone(task) }))
    }

    /// The environment of a task. What needs the fact `ansible_env` is left out as long as it is not gathered, as in
    /// Ansible: gathering it is a task with this environment, too.
    fn environment(&self, task: &Task, scope: &Arc<Scope>) -> Result<Vec<(String, String)>, TemplateError> {
        let lacks_facts = |error: &TemplateError| error.undefined() == Some("ansible_env");
        let mut environment: Vec<(String, String)> = Vec::new();
        for field in &task.settings.environment {
            let mut values = Vec::new();
            match &field.value {
                Lazy::Map(entries) => {
                    for (name, value) in entries.iter() {
                        match template::render(value, scope) {
                            Ok(value) => values.push((name.clone(), value)),
                            Err(error) if lacks_facts(&error) => {}
                            Err(error) => return Err(error.within("Error processing keyword 'environment'")),
                        }
                    }
                }
                whole => match template::render(whole, scope) {
                    Ok(value) => {
                        let names = value.try_iter().into_iter().flatten();
                        // In ansible-core, environments are merged as keyword arguments.
                        if value.kind() == ValueKind::Map && names.into_iter().any(|name| name.as_str().is_none()) {
                            return Err(TemplateError::Failed {
                                message: "keywords must be strings".to_owned(),
                                at: field.span.clone(),
                                help: Some("quote the names of environment variables".to_owned()),
                                via: vec![],
                            });
                        }
                        values.extend(actions::entries(&value));
                    }
                    Err(error) if lacks_facts(&error) => {}
                    Err(error) => return Err(error.within("Error processing keyword 'environment'")),
                },
            }
            for (name, value) in values.into_iter().filter(|(_, value)| !is_omit(value)) {
                environment.retain(|(known, _)| *known != *name);
                environment.push((name.to_string(), text_of(&value)));
            }
        }
        Ok(environment)
    }
}

/// The time limit of a task with `async`; `None` without it.
pub(crate) fn seconds(task: &Task, scope: &Arc<Scope>) -> Result<Option<f64>, TemplateError> {
    Ok(conditions::own_number("async", task.asynchronous.as_ref(), scope)?.filter(|seconds| *seconds > 0.0))
}

/// A new job ID in Ansible's format.
pub(crate) fn job_id() -> String {
    format!("j{}.{}", rand::random_range(0..1_000_000_000_000_u64), std::process::id())
}

/// The result for a task that a condition skips.
fn when(task: &Task, scope: &Arc<Scope>) -> Option<TaskResult> {
    match conditions::first_false(&task.settings.when, scope) {
        Ok(None) => None,
        Ok(Some(condition)) => Some(skipped(condition)),
        Err((error, _)) => Some(TaskResult::of_error(&error)),
    }
}

/// A result with which a task ends before its action acts.
fn given_up(action: &Action, result: TaskResult) -> TaskResult {
    match action.controller() {
        Some(entry) => entry.given_up(result),
        None => result,
    }
}
