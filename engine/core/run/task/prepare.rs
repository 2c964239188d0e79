//! Prepares one task on one host for one item: from conditions and arguments to a call, or directly to an answer.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use minijinja::value::ValueKind;
use rplay_contract::{
    ArgError, Choice, Entry, external,
    wire::{Background, Become, Call, Map, Mode},
};

use crate::{
    actions::{self, Act, After, Rendered, TaskResult, text_of, wire_args},
    external::{Around, Reason},
    link::Target,
    plan::{Action, Statement, Task, module},
    run::{
        conditions,
        connection::{
            privilege::become_user,
            target::target,
            variables::{ConnectionError, max_output, word},
        },
        reads::ReadTracker,
        state::{host::HostState, play::PlayRun, run::Run},
        steering,
        task::{
            external::Caller,
            iteration::{Iteration, skipped},
            plugin::PluginRun,
        },
    },
    source::Spanned,
    template::{self, TemplateError},
    vars::{Layer, Lazy, Scope, is_omit, mapping},
};

/// A prepared iteration.
pub(crate) enum Ready {
    /// Answered without an agent; with the host it was delegated to.
    Done(TaskResult, Option<Arc<HostState>>),
    Call(Box<Prepared>),
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
    /// The plugin in Python that is run instead of the call.
    pub plugin: Option<Arc<PluginRun>>,
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
        match self.try_prepare(play, task, host, iteration, reads) {
            Ok(ready) => ready,
            Err(fault) => Ready::Done(fault.answer(), None),
        }
    }

    fn try_prepare(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        task: &Arc<Task>,
        host: &Arc<HostState>,
        iteration: &Iteration,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Result<Ready, ConnectionError> {
        let scope = self.tracked_scope(play, host, Some(task), iteration.top.clone(), self.options.check, reads);
        if let Some(skipped) = when(task, &scope) {
            return Ok(Ready::Done(skipped, None));
        }
        let delegated = match conditions::text(conditions::DELEGATE_TO, &task.settings, &scope)? {
            Some(name) if *name != *host.name => Some(self.host_or_ad_hoc(&name, play)),
            _ => None,
        };
        // Without its variables, its address is unknown.
        if let Some(why) = delegated.as_ref().and_then(|other| other.why_broken()) {
            return Ok(Ready::Done(TaskResult::failed(why.to_string()), delegated));
        }
        let check = conditions::flag(conditions::CHECK_MODE, &task.settings, &scope)?.unwrap_or(self.options.check);
        let scope = match check == self.options.check && delegated.is_none() {
            true => scope,
            false => {
                let top = self.with_delegated(play, iteration.top.clone(), delegated.as_ref(), reads);
                self.tracked_scope(play, host, Some(task), top, check, reads)
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
                Err(answer) => return Ok(Ready::Done(answer, delegated)),
            },
            _ => task,
        };
        if !task.unknown.is_empty() {
            return Ok(Ready::Done(unsupported(&task.action, &task.unknown), delegated));
        }
        let args = self.arguments(task, &scope)?;
        // What the task itself names was checked before the run; these come from elsewhere.
        if task.args.whole.is_some() || !task.settings.module_defaults.is_empty() {
            let unknown = crate::plan::unknown(&task.action, args.keys().filter(|name| !name.starts_with('_')));
            if !unknown.is_empty() {
                return Ok(Ready::Done(unsupported(&task.action, &unknown), delegated));
            }
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
                if seconds(task, &scope)?.is_some() {
                    let msg = format!("This action ({}) does not support async.", task.written);
                    return Ok(Ready::Done(TaskResult::failed(msg), delegated));
                }
                // Constant arguments were validated before the run; templates have values only now. (A role's argument
                // validation has no arguments here: it brings its specification along.)
                let fault = match task.spec {
                    None => ArgError::foremost(task.action.check(&wire_args(args.clone()), &[])),
                    Some(_) => None,
                };
                if let Some(fault) = fault {
                    return Ok(Ready::Done(refused(&task.action, fault), delegated));
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
                    Act::Done(answer) => return Ok(Ready::Done(answer, delegated)),
                    Act::Call(ask) => ask,
                }
            }
        };
        let mut call = Call {
            module: ask.module.to_owned(),
            args: ask.args,
            mode: Mode { check, diff, max_output: max_output(&scope)? },
            environment: self.environment(task, &scope)?,
            background: self.background(task, &scope)?,
        };
        if call.background.is_some() || module(&call.module).is_some_and(|entry| entry.asks_about_jobs) {
            call.environment.extend(self.jobs_folder(&scope)?);
        }
        // The connection of a delegated task is determined by the other host's variables; connection keywords apply to
        // the original host.
        let (target, variables) = match &delegated {
            Some(other) => {
                let theirs = self.host_scope(play, other, reads.cloned());
                (target(&other.name, None, &scope, &theirs, &self.options.connection)?, theirs)
            }
            None => {
                (target(&host.name, Some(&task.settings), &scope, &scope, &self.options.connection)?, scope.clone())
            }
        };
        let become_user = {
            let acting = delegated.as_ref().map_or(&host.name, |other| &other.name);
            become_user(&task.settings, &scope, &variables, &self.options.connection, acting)?
        };
        if let Action::External(module) = &task.action {
            let caller = Caller { module, target: &target, variables: &variables, no_log };
            match self.order(&caller, std::mem::take(&mut call.args)) {
                Ok(args) => call.args = args,
                Err(answer) => return Ok(Ready::Done(*answer, delegated)),
            }
        }
        let target = Arc::new(target);
        let plugin = match (&task.action, plugin_args) {
            (Action::Plugin(plugin), Some(args)) => {
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
            _ => None,
        };
        let waited_for = task.asynchronous.as_ref().filter(|_| call.background.is_none());
        let waited_for = conditions::own_number("async", waited_for, &scope)?.filter(|seconds| *seconds > 0.0);
        let own = match (&task.settings.timeout, self.options.task_timeout) {
            (None, usual) => usual.map(f64::from),
            _ => conditions::timeout(&task.settings, &scope)?,
        };
        let limits = [own, waited_for].into_iter().flatten();
        let limit = limits.filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok()).min();
        Ok(Ready::Call(Box::new(Prepared { call, target, become_user, after: ask.after, delegated, limit, plugin })))
    }

    /// The temporary variables, with `ansible_delegated_vars` if another host runs the task.
    pub(crate) fn with_delegated(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        top: Option<Arc<Layer>>,
        delegated: Option<&Arc<HostState>>,
        reads: Option<&Arc<ReadTracker>>,
    ) -> Option<Arc<Layer>> {
        let Some(other) = delegated else { return top };
        let known = self.host_scope(play, other, reads.cloned());
        let layers = known.layers.iter().cloned().chain([other.itself.clone()]).collect();
        let known = Scope::new(layers, known.magic.clone(), known.folders.clone());
        let vars = mapping([(other.name.clone(), template::scope_value(Arc::new(known), template::Level::now()))]);
        let mut layer = top.as_deref().cloned().unwrap_or_default();
        layer.insert("ansible_delegated_vars".into(), Lazy::Data(vars));
        Some(Arc::new(layer))
    }

    /// The arguments, weakest first: module_defaults, a template for all arguments, the task's own.
    ///
    /// # Errors
    /// One of them cannot be rendered, or the template for all is no mapping. The error names the module.
    pub(crate) fn arguments(&self, task: &Task, scope: &Arc<Scope>) -> Result<Rendered, TemplateError> {
        self.render_arguments(task, scope).map_err(|error| {
            let name = task.action.name();
            let collection = if name.contains('.') { "" } else { "ansible.builtin." };
            error.within(format!("Finalization of task args for '{collection}{name}' failed"))
        })
    }

    fn render_arguments(&self, task: &Task, scope: &Arc<Scope>) -> Result<Rendered, TemplateError> {
        let value_of = |name: &str, value: &Lazy| {
            let of_argument = |error: TemplateError| error.within(format!("Error while resolving value for '{name}'"));
            template::render(value, scope).map_err(of_argument)
        };
        let mut args = Rendered::new();
        for field in &task.settings.module_defaults {
            let defaults = template::render(&field.value, scope)?;
            for (name, values) in actions::entries(&defaults) {
                if self.resolver.project.has_defaults(&name, &task.action) {
                    args.extend(actions::entries(&values));
                }
            }
        }
        if let Some(whole) = &task.args.whole {
            let value = template::render(&whole.value, scope)?;
            if value.kind() != ValueKind::Map && !value.is_none() && !is_omit(&value) {
                let kind = template::type_name(&value);
                return Err(TemplateError::Failed {
                    message: format!("Task args must resolve to a 'dict' not '{kind}'."),
                    at: whole.span.clone(),
                    help: None,
                    via: vec![],
                });
            }
            args.extend(actions::entries(&value));
        }
        let controller = task.action.controller();
        let made_up = controller.is_some_and(|entry| entry.sets_arguments);
        // They stay expressions where they hold templates.
        let expressions = controller.and_then(|entry| entry.expressions);
        for (name, argument) in &task.args.named {
            if expressions == Some(&**name) {
                args.insert(name.clone(), argument.span.text().into());
                continue;
            }
            let name = match made_up && name.contains("{{") {
                true => {
                    let written = Lazy::from_text(&Spanned { value: name.clone(), span: argument.name_span.clone() });
                    let rendered = template::render(&written, scope)?;
                    if rendered.as_str().is_none() {
                        let (name, kind) = (text_of(&rendered), template::type_name(&rendered));
                        return Err(TemplateError::Failed {
                            message: format!("Invalid variable name '{name}' of type '{kind}'."),
                            at: argument.name_span.clone(),
                            help: Some("the name of a variable is a text".to_owned()),
                            via: vec![],
                        });
                    }
                    text_of(&rendered).into()
                }
                false => name.clone(),
            };
            let value = value_of(&name, &argument.value)?;
            args.insert(name, value);
        }
        if let Some(free) = &task.args.free {
            let name = task.action.traits().free_form.unwrap_or("_raw_params");
            args.insert(name.into(), value_of("_raw_params", &free.value)?);
        }
        args.retain(|_, value| !is_omit(value));
        for (name, value) in self.defaults_of_chosen(task, &args, scope)? {
            args.entry(name).or_insert(value);
        }
        for secret in task.secrets.iter().filter_map(|name| args.get(*name)) {
            actions::conceal(secret, scope);
        }
        Ok(args)
    }

    /// What `module_defaults` says of the module that a front of others (`service`, `package`) calls on this host.
    fn defaults_of_chosen(&self, task: &Task, args: &Rendered, scope: &Arc<Scope>) -> Result<Rendered, TemplateError> {
        let Action::Module(Entry { chooses: Some(choice), .. }) = task.action else { return Ok(Rendered::new()) };
        let Choice { fact, candidates } = choice;
        let known = |entry: &str| crate::plan::module(entry).map(Action::Module);
        let mut found: Vec<(&str, Rendered)> = Vec::new();
        for field in &task.settings.module_defaults {
            let defaults = template::render(&field.value, scope)?;
            for (name, values) in actions::entries(&defaults) {
                let meant = candidates.iter().find(|candidate| {
                    known(candidate).is_some_and(|action| self.resolver.project.has_defaults(&name, &action))
                });
                if let Some(meant) = meant {
                    found.push((meant, actions::entries(&values).into_iter().collect()));
                }
            }
        }
        let mut defaults = Rendered::new();
        if found.is_empty() {
            return Ok(defaults);
        }
        // The fact is read only where something depends on it, since it may have to be gathered.
        let asked = args.get("use").map(text_of).filter(|asked| asked != "auto");
        let chosen = match asked {
            Some(asked) => asked,
            None => {
                let fact = format!("{{{{ ansible_facts.{fact} }}}}");
                let written = Lazy::from_text(&Spanned { value: fact.as_str().into(), span: task.span.clone() });
                text_of(&template::render(&written, scope)?)
            }
        };
        let chosen = match chosen.as_str() {
            "dnf5" | "dnf4" | "yum" => "dnf",
            other => other,
        };
        let accepted = task.action.args();
        for (_, values) in found.into_iter().filter(|(module, _)| *module == chosen) {
            defaults.extend(
                values
                    .into_iter()
                    .filter(|(name, value)| !is_omit(value) && accepted.iter().any(|arg| arg.is_called(name))),
            );
        }
        Ok(defaults)
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

    /// The directory of job results on the host, if not the default.
    fn jobs_folder(&self, scope: &Arc<Scope>) -> Result<Option<(String, String)>, TemplateError> {
        let folder = word(steering::ASYNC_DIR, scope)?.or_else(|| self.options.async_dir.clone());
        Ok(folder.map(|folder| ("ANSIBLE_ASYNC_DIR".to_owned(), folder)))
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
            playbook: Some(&play.play.folder),
            role,
            collections: &task.settings.collections,
            modules_only: false,
        };
        let action = match self.resolver.project.action(name.trim(), around) {
            Ok(action) => action,
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
                    Ok(value) => values.extend(actions::entries(&value)),
                    Err(error) if lacks_facts(&error) => {}
                    Err(error) => return Err(error.within("Error processing keyword 'environment'")),
                },
            }
            for (name, value) in values {
                environment.retain(|(known, _)| *known != *name);
                if !is_omit(&value) {
                    environment.push((name.to_string(), text_of(&value)));
                }
            }
        }
        Ok(environment)
    }
}

/// The time limit of a task with `async`; `None` without it.
fn seconds(task: &Task, scope: &Arc<Scope>) -> Result<Option<f64>, TemplateError> {
    Ok(conditions::own_number("async", task.asynchronous.as_ref(), scope)?.filter(|seconds| *seconds > 0.0))
}

/// A new job ID in Ansible's format.
pub(crate) fn job_id() -> String {
    format!("j{}.{}", rand::random_range(0..1_000_000_000_000_u64), std::process::id())
}

/// The answer of a task with arguments that its module does not have, in the words of ansible-core.
fn unsupported(action: &Action, names: &[Arc<str>]) -> TaskResult {
    /// What modules of ansible-core are handed by others than the task.
    const HANDED: [(&str, &[&str]); 6] = [
        ("command", &["_raw_params", "_uses_shell"]),
        ("copy", &["_original_basename"]),
        ("file", &["_diff_peek", "_original_basename"]),
        ("script", &["_raw_params"]),
        ("shell", &["_raw_params", "_uses_shell", "expand_argument_vars"]),
        ("template", &["_original_basename"]),
    ];
    // A template is written by copy, which refuses what it does not know.
    let args = match action.name() {
        "template" => crate::plan::module("copy").map(|copy| (copy.args)()).unwrap_or_default(),
        _ => action.args(),
    };
    let is_handed_by_copy = |name: &str| {
        matches!(action.name(), "copy" | "template") && name == "decrypt"
            || action.name() == "script" && name == "decrypt"
    };
    let args: Vec<_> = args.into_iter().filter(|arg| !is_handed_by_copy(arg.name)).collect();
    let mut known: Vec<&str> = args.iter().map(|arg| arg.name).filter(|name| !name.starts_with('_')).collect();
    let near = names.first().and_then(|name| crate::source::nearest(name, known.iter().copied()));
    known.extend(HANDED.iter().filter(|(name, _)| *name == action.name()).flat_map(|(_, handed)| handed.iter()));
    known.sort_unstable();
    let mut aliases: Vec<&str> = args.iter().flat_map(|arg| arg.aliases).copied().collect();
    aliases.sort_unstable();
    let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
    let module = match action.name() {
        "command" | "shell" => "ansible.legacy.command",
        "copy" | "template" => "ansible.legacy.copy",
        "assemble" => "ansible.legacy.assemble",
        "unarchive" => "ansible.legacy.unarchive",
        name => name,
    };
    let mut msg = format!("Unsupported parameters for ({module}) module: {}", names.join(", "));
    // The shell expands variables anyway; ansible-core refuses this one before it looks at the others.
    match names.iter().find(|name| action.name() == "shell" && &***name == "expand_argument_vars") {
        Some(name) => msg = format!("Unsupported parameters for (shell) module: {name}"),
        None => msg.push_str(&format!(". Supported parameters include: {}{aliases}.", known.join(", "))),
    }
    let mut answer = TaskResult::failed(msg);
    answer.blame = names.first().cloned();
    answer.help = near.map(|near| format!("did you mean `{near}`?").into());
    answer
}

/// The answer for a task with invalid arguments.
fn refused(action: &Action, fault: ArgError) -> TaskResult {
    const LIKE_MODULES: [&str; 8] = ["assemble", "assert", "copy", "debug", "pause", "script", "template", "unarchive"];
    if fault.msg.starts_with("unknown argument") && LIKE_MODULES.contains(&action.name()) {
        let names: Vec<Arc<str>> = fault.arg.iter().map(|name| name.as_str().into()).collect();
        return match action.name() {
            "template" if fault.arg.as_deref() == Some("state") => {
                let mut answer = TaskResult::failed("'state' cannot be specified on a template");
                answer.blame = fault.arg.map(Arc::from);
                answer
            }
            _ => unsupported(action, &names),
        };
    }
    let msg = match &fault.arg {
        Some(name) if fault.msg.starts_with("unknown argument") => {
            // Ansible's wording, which playbooks match.
            format!("Invalid options for {}: {name}", action.name())
        }
        Some(name) if fault.msg.starts_with("missing required") => match action.name() {
            "copy" => format!("{name} is required"),
            "assemble" | "fetch" | "template" => "src and dest are required".to_owned(),
            "unarchive" => "src (or content) and dest are required".to_owned(),
            _ => fault.msg.clone(),
        },
        Some(_) if fault.stands_alone() => fault.msg.clone(),
        Some(name) => format!("argument `{name}` of `{}` {}", action.name(), fault.msg),
        None => format!("`{}`: {}", action.name(), fault.msg),
    };
    let mut answer = TaskResult::failed(msg);
    answer.blame = fault.arg.map(Arc::from);
    answer.help = fault.help.map(Arc::from);
    answer
}

/// The answer for a task that a condition skips.
fn when(task: &Task, scope: &Arc<Scope>) -> Option<TaskResult> {
    match conditions::first_false(&task.settings.when, scope) {
        Ok(None) => None,
        Ok(Some(condition)) => Some(skipped(condition)),
        Err((error, _)) => Some(TaskResult::of_error(&error)),
    }
}
