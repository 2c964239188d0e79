//! Actions of the controller: some finish here, others end in a call to an agent.

mod add_host;
mod assemble;
mod assert;
mod blobs;
mod copy;
mod debug;
mod download;
mod ends;
mod entry;
mod fail;
mod fetch;
mod gather_facts;
mod group_by;
mod include_vars;
mod local_file;
mod patch;
mod pause;
mod reboot;
pub mod registry;
mod script;
mod set_fact;
mod set_stats;
mod synchronize;
mod template;
mod unarchive;
mod uri;
mod validate_argument_spec;
mod variable_name;
mod wait_for_connection;

pub use blobs::{BlobData, Blobs};
pub use download::{Digests, Download, Downloads};
pub use ends::{Connect, Delegate, Ends, Runner};
pub use entry::{ActionEntry, Definition, Function, entry, relayed, skipped_by_module};
pub use fetch::download_of;

pub use crate::task_result::{Effect, Fields, TaskResult};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use indexmap::IndexMap;
use rplay_contract::wire::Map;

use crate::{
    files,
    source::{Problems, Source, Span},
    syntax::spec::ArgumentSpec,
    vars::{Arguments, Field, Layer, Scope, Value, to_wire},
};

/// The error is a result that ends the task.
pub(crate) type Result<T, E = Box<TaskResult>> = std::result::Result<T, E>;

/// Prompts the user on the terminal.
pub trait Prompt: Send + Sync {
    /// Shows `text` and reads a line, with hidden input unless `echo`. `None` if nobody can answer.
    fn ask(&self, text: &str, echo: bool) -> Option<String>;

    /// Whether a person is at the terminal. One that does not answer has left.
    fn is_attended(&self) -> bool {
        false
    }

    /// The same as `ask`, for `pause`, where a person may also interrupt.
    ///
    /// # Errors
    /// The task is to be aborted.
    fn pause(&self, text: &str, echo: bool) -> Result<Option<String>, String> {
        Ok(self.ask(text, echo))
    }

    /// Waits until the time is over or the user continues.
    ///
    /// # Errors
    /// If the run is to be aborted.
    fn wait(&self, text: &str, prompt: Option<&str>, duration: Duration) -> Result<(), String>;
}

/// Rendered arguments by name; omitted ones are missing.
pub type Rendered = IndexMap<Arc<str>, Value>;

/// A task as its action sees it: what is written there, and where.
#[derive(Clone, Copy)]
pub struct TaskView<'a> {
    pub span: &'a Span,
    pub name: Option<&'a Field>,
    /// The action's name as written.
    pub written: &'a str,
    pub args: &'a Arguments,
    /// The specification for the task that validates a role's arguments.
    pub spec: Option<&'a ArgumentSpec>,
}

/// The files of the project, as actions read them.
pub trait ProjectFiles {
    /// Reads a text file, decrypted if it is a vault.
    ///
    /// # Errors
    /// If it cannot be read or decrypted.
    fn source(&self, path: &Path) -> Result<Arc<Source>, Problems>;

    /// Reads a file of variables.
    ///
    /// # Errors
    /// If it cannot be read or decrypted, or is not one mapping.
    fn vars(&self, path: &Path) -> Result<Arc<Layer>, Problems>;

    /// The same, where the file becomes the value of one variable.
    ///
    /// # Errors
    /// Those of [`vars`](Self::vars).
    fn mapping(&self, path: &Path) -> Result<Arc<Layer>, Problems>;
}

/// The context of an action.
pub struct Context<'a> {
    pub task: TaskView<'a>,
    pub scope: &'a Arc<Scope>,
    pub host: &'a Arc<str>,
    pub project: &'a dyn ProjectFiles,
    pub blobs: &'a Blobs,
    pub prompt: &'a dyn Prompt,
    pub check: bool,
    pub diff: bool,
    /// Whether `no_log` is set.
    pub no_log: bool,
    /// The number of `-v`.
    pub verbosity: u8,
}

impl Context<'_> {
    /// The location of an argument, or of the task if it has no such argument.
    pub fn span(&self, argument: &str) -> Span {
        match self.task.args.named.get(argument) {
            Some(found) => found.span.clone(),
            None => self.task.args.free.as_ref().map_or(self.task.span, |free| &free.span).clone(),
        }
    }

    /// The name of the task, for prompts.
    pub fn task_name(&self) -> String {
        let name = self.task.name.and_then(|name| name.value.data());
        name.map_or_else(|| self.task.written.to_owned(), |name| text_of(&name))
    }

    /// The candidate paths of a controller file: in the `kind` directory (`files`, `templates`, `vars`) of the role, of
    /// the task file's directory and of the playbook, and next to each of these.
    pub fn candidates(&self, kind: &str, name: &str) -> Vec<PathBuf> {
        let name = files::named(name);
        if name.is_absolute() {
            return vec![name];
        }
        self.scope
            .directories
            .iter()
            .flat_map(|directory| [directory.join(kind).join(&name), directory.join(&name)])
            .collect()
    }

    /// That none of the candidates exists, in the words of ansible-core.
    pub fn not_found(&self, kind: &str, name: &str) -> String {
        const TOLD: &str = "on the Ansible Controller.\nIf you are using a module and expect the file to exist on the \
                            remote, see the remote_src option";
        if files::named(name).is_absolute() {
            return format!("Could not find or access '{name}' {TOLD}");
        }
        let mut looked = self.candidates(kind, name);
        // The playbook's directory is always searched last.
        let beside = self.scope.directories.len().min(1) * 2;
        looked.extend_from_within(looked.len().saturating_sub(beside)..);
        let looked: Vec<String> = looked.iter().map(|path| format!("\n\t{}", crate::source::absolute(path))).collect();
        format!("Could not find or access '{name}'\nSearched in:{} {TOLD}", looked.concat())
    }

    /// The first of the candidates that exists.
    pub fn path(&self, kind: &str, name: &str) -> Option<PathBuf> {
        self.candidates(kind, name).into_iter().find(|path| path.exists())
    }

    pub fn file(&self, kind: &str, name: &str) -> Option<PathBuf> {
        self.candidates(kind, name).into_iter().find(|path| path.is_file())
    }

    pub fn directory(&self, kind: &str, name: &str) -> Option<PathBuf> {
        self.candidates(kind, name).into_iter().find(|path| path.is_dir())
    }
}

/// The result of an action: either a result, or a call to an agent.
pub enum Act {
    Done(TaskResult),
    Call(Ask),
}

/// A call, as far as the action determines it.
pub struct Ask {
    pub module: &'static str,
    pub args: Map,
    /// What to do with the outcome.
    pub after: After,
}

/// What the controller does once the agent has answered.
#[derive(Debug, Default)]
pub enum After {
    #[default]
    Nothing,
    /// Move the received file to its destination (`fetch`).
    Keep(Arc<Download>),
    /// Retry while the host is unreachable, up to a timeout (`wait_for_connection`).
    Patience { timeout: Duration, delay: Duration, sleep: Duration },
    /// The host restarts within the timeout, and is first contacted after the delay (`reboot`).
    Restart { timeout: Duration, delay: Duration },
}

/// Finishes an agent's result on the controller.
pub fn finish(after: After, result: TaskResult) -> TaskResult {
    match after {
        After::Keep(download) => download.finish(result),
        After::Nothing | After::Patience { .. } | After::Restart { .. } => result,
    }
}

/// Arguments as sent to an agent.
pub fn wire_args(args: impl IntoIterator<Item = (Arc<str>, Value)>) -> Map {
    args.into_iter().map(|(name, value)| (name.to_string(), to_wire(&value))).collect()
}

/// A rendered value as text, for messages.
pub fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The entries of a mapping by name.
pub fn entries(value: &Value) -> IndexMap<Arc<str>, Value> {
    if value.kind() != minijinja::value::ValueKind::Map {
        return IndexMap::new();
    }
    let Ok(keys) = value.try_iter() else { return IndexMap::new() };
    keys.filter_map(|key| {
        let name: Arc<str> = key.as_str().map_or_else(|| key.to_string().into(), Arc::from);
        value.get_item(&key).ok().map(|entry| (name, entry))
    })
    .collect()
}

fn given<'a>(args: &'a Rendered, name: &str) -> Option<&'a Value> {
    args.get(name).filter(|value| !value.is_none() && !value.is_undefined())
}

fn required(args: &Rendered, name: &str) -> Result<Value> {
    let missing = || Box::new(TaskResult::failed(format!("missing required arguments: {name}")));
    given(args, name).cloned().ok_or_else(missing)
}

fn text_arg(args: &Rendered, name: &str) -> Option<String> {
    given(args, name).map(text_of)
}

fn parsed<T: rplay_contract::args::ArgType>(args: &Rendered, name: &str) -> Result<Option<T>> {
    let Some(value) = given(args, name) else { return Ok(None) };
    let value = to_wire(value);
    T::parse(&value).map(Some).map_err(|expected| {
        let error = rplay_contract::ArgError::of_value(name, name, &value, &expected);
        let mut result = match error.stands_alone() {
            true => TaskResult::failed(error.msg),
            false => TaskResult::failed(format!("argument `{name}` {expected}")),
        };
        result.blame = Some(name.into());
        Box::new(result)
    })
}

fn flag_arg(args: &Rendered, name: &str) -> Result<Option<bool>> {
    Ok(parsed::<rplay_contract::argtypes::Flag>(args, name)?.map(|flag| flag.0))
}

fn int_arg(args: &Rendered, name: &str) -> Result<Option<i64>> {
    parsed(args, name)
}

/// A duration in seconds; a negative one is none.
fn seconds_arg(args: &Rendered, name: &str, default: f64) -> Result<Duration> {
    let seconds = parsed::<f64>(args, name)?.unwrap_or(default).max(0.0);
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A list of strings, or one comma-separated string.
fn list_arg(args: &Rendered, name: &str) -> Option<Vec<String>> {
    parsed::<Vec<String>>(args, name).ok().flatten()
}

/// Registers a secret argument, including the content of lists and mappings.
pub fn conceal(secret: &Value, scope: &Scope) {
    use minijinja::value::ValueKind;
    match secret.kind() {
        ValueKind::String => scope.magic.conceal(secret.as_str().unwrap_or_default()),
        ValueKind::Number => scope.magic.conceal(&secret.to_string()),
        ValueKind::Map => entries(secret).values().for_each(|part| conceal(part, scope)),
        ValueKind::Seq | ValueKind::Iterable => {
            secret.try_iter().into_iter().flatten().for_each(|part| conceal(&part, scope));
        }
        _ => {}
    }
}
