//! A task whose action is a plugin in Python: the plugin runs on the controller, and what it does on its host goes
//! through the agent. What comes from the host stays data.

mod context;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rplay_contract::{
    ArgError,
    external::{DEPRECATED, MODULE},
    module_result::{UNKNOWN_ERROR, UNKNOWN_MODULE_ERROR, outcome_of},
    system::jobs,
    wire::{Background, Become, Call, Failure, Map, Mode, Outcome, Stage, Value as Wire, data},
};
use serde_json::{Value as Json, json};

use crate::{
    actions::{self, Rendered, TaskResult, text_of},
    event::Event,
    external::{ActionPlugin, Around, Reason, answer_of_scope},
    link::{Job, LinkEvent, Listener, Target},
    plan::{Action, Task},
    run::{
        hidden_values::HiddenValues,
        state::{play::PlayRun, run::Run},
        task::{
            external::Caller,
            invocation, module_result,
            plugin_effects::{HIDES, NO_LOG, NOTIFY, OWN, RAISED, SHOWS},
            refusal::unsupported,
        },
    },
    template::Exchange,
    vars::{Scope, Value, to_wire_map},
};

/// How often a call checks whether the task's time is over.
const LOOK: Duration = Duration::from_millis(200);

/// A plugin that is about to run, with all that it may ask for.
pub(crate) struct PluginRun {
    pub run: Arc<Run>,
    pub play: Arc<PlayRun>,
    pub task: Arc<Task>,
    pub plugin: &'static ActionPlugin,
    pub args: Rendered,
    pub scope: Arc<Scope>,
    /// The variables of the host that runs it.
    pub variables: Arc<Scope>,
    pub target: Arc<Target>,
    pub become_user: Option<Become>,
    pub environment: Vec<(String, String)>,
    pub mode: Mode,
    pub no_log: bool,
    /// The number of seconds and the pause of `async` and `poll`.
    pub asynchronous: (f64, f64),
    pub background: Option<Background>,
    pub delegate_to: Option<Arc<str>>,
    /// The task's time is over: nothing more is done.
    pub is_over: AtomicBool,
}

/// How a plugin has a module called.
struct How {
    mode: Mode,
    in_background: bool,
    /// Arguments that the module does not have are left out.
    is_lenient: bool,
}

/// What a plugin said while it ran.
#[derive(Default)]
struct Said {
    warnings: Vec<String>,
    /// As results hold them.
    deprecations: Vec<Wire>,
}

/// Reports the end even if the thread panics.
struct Telling {
    key: u64,
    events: Sender<LinkEvent>,
    outcome: Option<Outcome>,
}

impl Telling {
    fn tell(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let lost = || Outcome::failed(Failure::new("the thread of the action plugin ended without a result"));
        let outcome = self.outcome.take().unwrap_or_else(lost);
        self.events.hear(LinkEvent::Outcome { key: self.key, index: 0, outcome });
        self.events.hear(LinkEvent::Done { key: self.key });
    }
}

impl PluginRun {
    /// Runs it on a thread of its own, and reports its outcome like that of a job with one call.
    pub(crate) fn start(self: Arc<Self>, key: u64, events: Sender<LinkEvent>) {
        let telling = Telling { key, events, outcome: None };
        // If the thread cannot start, its closure is dropped, and that reports the end.
        let work = move || telling.tell(self.outcome());
        let _ = thread::Builder::new().spawn(work);
    }

    /// Ends what it does on its host, and refuses all that it asks from now on.
    pub(crate) fn cancel(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    fn outcome(&self) -> Outcome {
        let mut exchange = Exchange::with_trust(&self.scope.magic);
        let mut said = Said::default();
        let failed = |why: String| {
            Outcome::failed(Failure::new(format!("The action plugin '{}' failed: {why}", self.plugin.full_name)))
        };
        let mut args = serde_json::Map::new();
        for (name, value) in &self.args {
            match exchange.encode(value) {
                Ok(value) => drop(args.insert(name.to_string(), value)),
                Err(why) => return failed(format!("argument `{name}`: {why}")),
            }
        }
        let with = json!({
            "name": self.plugin.loaded_as,
            "args": args,
            "task": self.keywords(),
            "connection": self.connection(),
            "directories": self.scope.directories.iter().map(|directory| crate::source::absolute(directory)).collect::<Vec<_>>(),
            "role": self.task.role.as_ref().map(|role| json!({
                "name": role.name.to_string(), "path": crate::source::absolute(&role.path),
            })),
            "verbosity": self.run.options.verbosity,
            "turn": self.scope.magic.turn(),
        });
        let finder = self.run.resolver.project.finder();
        let told = finder.run_action(&with, |op, with| self.serve(&mut exchange, &mut said, op, &with));
        let mut told = match told {
            Ok(told) => told,
            Err((why, help)) => {
                let mut outcome = failed(why);
                if let Some(failure) = &mut outcome.failure {
                    failure.help = help;
                }
                return outcome;
            }
        };
        let result = told.get_mut("result").map(Json::take).unwrap_or_default();
        let result = match exchange.decode(result) {
            Ok(result) => to_wire_map(&result),
            Err(why) => return failed(why),
        };
        let control: Vec<(String, Wire)> = [NO_LOG, NOTIFY, SHOWS, HIDES, RAISED, OWN]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), result.get(name)?.clone())))
            .collect();
        let unreachable = matches!(result.get("unreachable"), Some(Wire::Bool(true)));
        let mut outcome = outcome_of(result, self.run.options.invocations || self.task.keeps_invocation());
        outcome.data.retain(|name, _| !name.starts_with("_ansible_"));
        if let Some(failure) = outcome.failure.as_mut().filter(|failure| failure.msg == UNKNOWN_MODULE_ERROR) {
            failure.msg = UNKNOWN_ERROR.to_owned();
        }
        if unreachable {
            // What the plugin itself says is registered as it came.
            if control.iter().any(|(name, _)| name == RAISED) {
                outcome.data.shift_remove("unreachable");
            }
            let failure = outcome.failure.get_or_insert_with(|| {
                let msg = outcome.data.shift_remove("msg").unwrap_or_default();
                Failure::new(msg.as_str().unwrap_or("the host cannot be reached"))
            });
            failure.unreachable = true;
        }
        outcome.warnings.splice(0..0, said.warnings);
        let mut seen = HashSet::new();
        outcome.warnings.retain(|warning| seen.insert(warning.clone()));
        if !said.deprecations.is_empty() {
            let Wire::List(told) = outcome.data.entry("deprecations".to_owned()).or_insert(Wire::List(Vec::new()))
            else {
                return failed("`deprecations` is not a list".to_owned());
            };
            told.splice(0..0, said.deprecations);
        }
        if let Some(Wire::List(told)) = outcome.data.get_mut("deprecations") {
            let mut seen: Vec<Wire> = Vec::new();
            told.retain(|each| {
                !seen.contains(each) && {
                    seen.push(each.clone());
                    true
                }
            });
        }
        // A module that ansible-core runs over a connection plugin may ask for nothing.
        if matches!(self.task.action, Action::Plugin(_)) {
            outcome.data.extend(control);
        }
        outcome
    }

    /// Answers what the plugin asks.
    fn serve(&self, exchange: &mut Exchange, said: &mut Said, op: &str, with: &Json) -> Result<Json, String> {
        if self.is_over.load(Ordering::Acquire) {
            return Err("the time of the task is over".to_owned());
        }
        let text = |name: &str| with.get(name).and_then(Json::as_str).ok_or_else(|| format!("`{op}` without {name}"));
        match op {
            "tell" => {
                let line = text("text")?.trim();
                match text("kind")? {
                    "deprecated" => {
                        said.warnings.push(format!("{DEPRECATED}{line}"));
                        let about = with.get("about").filter(|about| about.is_object());
                        said.deprecations.extend(about.cloned().map(Wire::from));
                    }
                    "message" => self.run.send(Event::Message { text: line.into() }),
                    _ => said.warnings.push(line.to_owned()),
                }
                Ok(Json::Null)
            }
            "exec" => {
                let mut args = data! { "_raw_params" => text("command")? };
                if let Ok(input) = text("input") {
                    args.insert("_stdin".to_owned(), Wire::Bytes(decoded(input)?));
                }
                let becomes = with.get("become") == Some(&Json::Bool(true));
                let outcome = self.call(self.plain("raw", args), becomes)?;
                let said = |name: &str| outcome.data.get(name).and_then(Wire::as_str).unwrap_or_default().to_owned();
                match (outcome.data.get("rc"), outcome.failure.as_ref()) {
                    (Some(Wire::Int(rc)), _) => {
                        Ok(json!({ "rc": *rc as i64, "stdout": said("stdout"), "stderr": said("stderr") }))
                    }
                    (_, Some(failure)) if failure.unreachable => Ok(json!({ "unreachable": failure.msg })),
                    (_, Some(failure)) => Err(failure.msg.clone()),
                    _ => Ok(json!({ "rc": 0, "stdout": said("stdout"), "stderr": said("stderr") })),
                }
            }
            "put" => {
                let path = std::path::Path::new(text("source")?);
                let content = self.run.blobs.file(path);
                let content = content.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                let args = data! { "_content" => content, "dest" => text("dest")? };
                done(self.call(self.plain("copy", args), false)?)
            }
            "fetch" => {
                let (args, download) = actions::download_of(text("source")?, text("dest")?.into(), &self.run.blobs);
                let outcome = self.call(self.plain("fetch", args), false)?;
                if outcome.failure.is_some() {
                    return done(outcome);
                }
                let result = actions::finish(actions::After::Keep(download), TaskResult::from_outcome(outcome));
                match result.failed {
                    true => Err(result.data.get("msg").map(text_of).unwrap_or_default()),
                    false => Ok(json!({})),
                }
            }
            "reset" => {
                self.run.links.reset(&self.target);
                Ok(Json::Null)
            }
            "module" => {
                let args = exchange.decode(with.get("args").cloned().unwrap_or_default())?;
                let flag = |name: &str| with.get(name) == Some(&Json::Bool(true));
                let mode = Mode { check: flag("check"), diff: flag("diff"), ..self.mode };
                let how = How { mode, in_background: flag("background"), is_lenient: flag("lenient") };
                let result = self.module(text("name")?, to_wire_map(&args), how)?;
                exchange.encode(&result)
            }
            _ => answer_of_scope(&self.scope, &self.task.span, exchange, op, with)
                .unwrap_or_else(|| Err(format!("nobody answers `{op}` here"))),
        }
    }

    /// A call that also runs in check mode.
    fn plain(&self, module: &str, args: Map) -> Call {
        let mode = Mode { check: false, diff: false, ..self.mode };
        Call { module: module.to_owned(), args, mode, environment: Vec::new(), background: None }
    }

    /// The outcome of a call.
    fn call(&self, call: Call, becomes: bool) -> Result<Outcome, String> {
        let (sender, receiver) = mpsc::channel();
        let key = self.run.key();
        let become_user = self.become_user.clone().filter(|_| becomes);
        let (blobs, downloads) = (self.run.blobs.clone(), self.run.blobs.clone());
        self.run.links.dispatch(Job {
            key,
            target: self.target.clone(),
            stages: vec![Stage { become_user, calls: vec![call], parallel: 1, required: false }],
            blobs: Arc::new(move |blob| blobs.open(&blob.sha256)),
            sinks: Arc::new(move |number| downloads.downloads.sink(number)),
            events: Arc::new(sender),
        });
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(LinkEvent::Outcome { outcome, .. }) => return Ok(outcome),
                Ok(LinkEvent::Unreachable { failure, .. }) => {
                    return Ok(Outcome::failed(Failure { unreachable: true, ..failure }));
                }
                Err(RecvTimeoutError::Timeout) if !self.is_over.load(Ordering::Acquire) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.run.links.cancel(&self.target, key);
                    return Err("the time of the task is over".to_owned());
                }
                Ok(LinkEvent::Done { .. } | LinkEvent::Stopped { .. }) | Err(RecvTimeoutError::Disconnected) => {
                    return Err("the agent stopped before starting the call and gave no reason".to_owned());
                }
            }
        }
    }

    /// The result of a module as `_execute_module` gives it: a native one runs natively.
    fn module(&self, name: &str, mut args: Map, how: How) -> Result<Value, String> {
        let How { mode, in_background, is_lenient } = how;
        let role = self.task.role.as_ref().map(|role| role.path.as_path());
        let collections = &*self.task.settings.collections;
        let around = Around { playbook: Some(&self.play.play.directory), role, collections, modules_only: true };
        let action = self.run.resolver.project.action(name, around).map_err(|missing| match missing.reason {
            Reason::Refused => missing.msg,
            Reason::Unknown | Reason::Elsewhere => {
                format!("The module {name} was not found in configured module paths")
            }
        })?;
        let mut environment = self.environment.clone();
        let module = match &action {
            Action::Module(entry) => {
                // ansible-core's own `async_status` names the directory of jobs in an argument.
                if entry.asks_about_jobs
                    && let Some(directory) = args.shift_remove("_async_dir")
                    && let Some(directory) = directory.as_str()
                {
                    environment.push((jobs::DIRECTORY.to_owned(), directory.to_owned()));
                }
                args.retain(|_, value| *value != Wire::Null);
                let uses_shell = args.shift_remove("_uses_shell") == Some(Wire::Bool(true));
                let module = if uses_shell { "shell" } else { entry.name };
                let names: Vec<Arc<str>> = args.keys().map(|name| name.as_str().into()).collect();
                let mut unknown = crate::plan::unknown(&action, names.iter());
                if is_lenient {
                    args.retain(|name, _| unknown.iter().all(|unknown| **unknown != **name));
                    unknown.clear();
                }
                if !unknown.is_empty() {
                    let refused = unsupported(&action, action.name(), &unknown);
                    return Ok(module_result::value(&action, self.run.reading(), refused));
                }
                if let Some(error) = ArgError::foremost(action.check(&args, &[])) {
                    let about = error.arg.as_ref().filter(|_| !error.stands_alone());
                    return Ok(module_result::failed(&match about {
                        Some(arg) => format!("argument `{arg}` of `{module}` {}", error.msg),
                        None => error.msg,
                    }));
                }
                module
            }
            Action::External(module) => {
                let (target, variables) = (&self.target, &self.variables);
                let caller = Caller { module, target, variables, no_log: self.no_log, keeps_invocation: true };
                args = self.run.order(&caller, std::mem::take(&mut args)).map_err(|result| {
                    let msg = result.data.get("msg").map(text_of).unwrap_or_default();
                    msg.strip_prefix("Task failed: ").map(str::to_owned).unwrap_or(msg)
                })?;
                MODULE
            }
            Action::Controller(_) | Action::Statement(_) | Action::Plugin(_) => {
                return Err(format!("The module {name} was not found in configured module paths."));
            }
        };
        let background = self.background.clone().filter(|_| in_background);
        let secrets = crate::plan::secrets(&action);
        let hidden =
            HiddenValues::of(&secrets, &args, crate::plan::module(module).is_some_and(|entry| entry.hides_keys));
        let call = Call { module: module.to_owned(), args, mode, environment, background };
        let invocation = invocation::of(&call, hidden.as_ref());
        let mut outcome = self.call(call, true)?;
        if let Some(hidden) = hidden {
            hidden.mask(&mut outcome);
        }
        let unreachable = outcome.failure.as_ref().is_some_and(|failure| failure.unreachable);
        let mut result = TaskResult::from_outcome(outcome);
        if let Some(invocation) = invocation.filter(|_| !unreachable) {
            result.set("invocation", invocation);
        }
        Ok(module_result::value(&action, self.run.reading(), result))
    }
}

fn decoded(base64: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(base64).map_err(|error| error.to_string())
}

/// Whether a transfer succeeded, or why not.
fn done(outcome: Outcome) -> Result<Json, String> {
    match outcome.failure {
        None => Ok(json!({})),
        Some(failure) if failure.unreachable => Ok(json!({ "unreachable": failure.msg })),
        Some(failure) => Err(failure.msg),
    }
}
