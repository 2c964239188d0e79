//! The resolved play: what is to be run, in which order, with everything that can be known beforehand.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;

use super::Action;
use crate::{
    source::{Span, Spanned},
    syntax::{Kind, Node, spec::ArgumentSpec},
    vars::{Layer, Lazy, Value},
};

/// A keyword's value and where it stands.
pub type Field = Spanned<Lazy>;

/// The field of a node.
pub fn field(node: &Node) -> Field {
    Field { value: Lazy::from_node(node), span: node.span.clone() }
}

/// The items of a node that may be a list or a single one.
pub fn fields(node: &Node) -> Vec<Field> {
    match &node.kind {
        Kind::Null => Vec::new(),
        Kind::Seq(items) => items.iter().map(field).collect(),
        _ => vec![field(node)],
    }
}

/// An expression that is true or false (of `when`, `changed_when`, `until` ...), or a constant that is.
#[derive(Clone, Debug)]
pub struct Condition {
    pub value: Lazy,
    pub span: Span,
}

impl Condition {
    pub fn from_node(node: &Node) -> Self {
        Condition { value: Lazy::from_node(node), span: node.span.clone() }
    }

    /// From a value that was rendered already; text is an expression.
    pub fn from_value(value: Value, span: Span) -> Self {
        Condition { value: Lazy::Data(value), span }
    }

    /// All conditions of a node; a list means that each must hold.
    pub fn all_of(node: Option<&Node>) -> Vec<Condition> {
        match node.map(|node| &node.kind) {
            None | Some(Kind::Null) => Vec::new(),
            Some(Kind::Seq(items)) => items.iter().map(Condition::from_node).collect(),
            Some(_) => node.map(Condition::from_node).into_iter().collect(),
        }
    }
}

/// One play, ready to be run.
#[derive(Debug)]
pub struct Play {
    pub span: Span,
    pub name: Option<Field>,
    pub hosts: Field,
    pub gather: Gather,
    pub serial: Vec<Field>,
    pub strategy: Option<Field>,
    pub order: Option<Field>,
    pub max_fail_percentage: Option<Field>,
    pub force_handlers: Option<Field>,
    pub vars: Arc<Layer>,
    /// Each entry is a file, or a list of files of which the first that exists is taken.
    pub vars_files: Vec<Vec<Field>>,
    pub vars_prompt: Vec<VarsPrompt>,
    pub settings: Arc<Settings>,
    /// pre_tasks, roles, tasks, post_tasks, with the flushing of handlers between them.
    pub steps: Vec<Step>,
    pub handlers: Vec<Step>,
    /// The roles under `roles:` with their dependencies: their defaults and vars are seen by all tasks.
    pub roles: Vec<Arc<Role>>,
    /// The folder of the playbook.
    pub folder: PathBuf,
}

/// What the play says about facts.
#[derive(Debug, Default)]
pub struct Gather {
    /// `None`: nothing was said, so they are gathered when something first reads them.
    pub wanted: Option<Field>,
    pub subset: Option<Field>,
    pub timeout: Option<Field>,
    pub fact_path: Option<Field>,
}

/// An entry of `vars_prompt`.
#[derive(Debug)]
pub struct VarsPrompt {
    pub name: Arc<str>,
    pub prompt: Option<Field>,
    pub default: Option<Field>,
    pub private: bool,
    pub confirm: bool,
    pub encrypt: Option<Arc<str>>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Step {
    Task(Arc<Task>),
    Block(Arc<Block>),
    /// A role's tasks; skipped for a host that has run the same role with the same parameters.
    Role(Arc<RoleSteps>),
    /// Runs the handlers that were notified so far.
    Flush,
}

#[derive(Debug)]
pub struct Block {
    pub span: Span,
    pub body: Vec<Step>,
    pub rescue: Vec<Step>,
    pub always: Vec<Step>,
}

#[derive(Debug)]
pub struct RoleSteps {
    pub role: Arc<Role>,
    pub steps: Vec<Step>,
}

/// A role as one play uses it.
#[derive(Debug)]
pub struct Role {
    /// With its collection, if it has one.
    pub name: Arc<str>,
    /// `NAMESPACE.NAME` of the collection it belongs to.
    pub collection: Option<Arc<str>>,
    /// Where its names of modules and roles are looked for.
    pub collections: Arc<[Arc<str>]>,
    pub path: PathBuf,
    /// Name and parameters: two uses with the same identity run once on a host.
    pub identity: String,
    pub allow_duplicates: bool,
    pub params: Arc<Layer>,
    pub vars: Arc<Layer>,
    pub defaults: Arc<Layer>,
    /// The roles that led to this one, by naming or by including it, the nearest first.
    pub parents: Vec<Arc<Role>>,
    /// It runs because another role names it under `dependencies`.
    pub dependency: bool,
    /// The roles this one depends on, in the order they run.
    pub dependencies: Vec<Arc<Role>>,
}

/// A task or handler.
#[derive(Clone, Debug)]
pub struct Task {
    pub span: Span,
    pub name: Option<Field>,
    pub action: Action,
    /// The action's name as it was written.
    pub written: Arc<str>,
    pub args: Arguments,
    /// What a role's arguments are checked against, in the task that does this at the role's beginning.
    pub spec: Option<Arc<ArgumentSpec>>,
    /// Arguments whose values no output may show.
    pub secrets: Vec<&'static str>,
    pub settings: Arc<Settings>,
    pub looped: Option<Loop>,
    pub control: LoopControl,
    pub register: Option<Arc<str>>,
    pub changed_when: Vec<Condition>,
    pub failed_when: Vec<Condition>,
    pub until: Vec<Condition>,
    pub retries: Option<Field>,
    pub delay: Option<Field>,
    pub notify: Vec<Field>,
    pub listen: Vec<Field>,
    pub asynchronous: Option<Field>,
    pub poll: Option<Field>,
    pub role: Option<Arc<Role>>,
    /// Where lookups, templates and files are looked for.
    pub folders: Arc<[PathBuf]>,
    pub handler: bool,
    /// The tags, rendered.
    pub tags: Arc<[String]>,
    /// The keywords of what is round the task, without its own: what an include hands to its tasks.
    pub around: Arc<Settings>,
    /// An argument that the module does not have: the task fails if it runs.
    pub unknown: Vec<Arc<str>>,
}

/// Arguments by name, each with the places of its name and of its value.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    pub named: IndexMap<Arc<str>, Argument>,
    pub free: Option<Field>,
    /// A template that yields further arguments.
    pub whole: Option<Field>,
}

#[derive(Clone, Debug)]
pub struct Argument {
    pub value: Lazy,
    pub name_span: Span,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Loop {
    pub lookup: Option<Arc<str>>,
    pub items: Field,
}

#[derive(Clone, Debug, Default)]
pub struct LoopControl {
    pub loop_var: Option<Field>,
    pub index_var: Option<Field>,
    pub label: Option<Field>,
    pub pause: Option<Field>,
    pub extended: Option<Field>,
    pub extended_allitems: Option<Field>,
    pub break_when: Vec<Condition>,
    pub parallel: Option<Field>,
}

/// Keywords as they hold for a task: its own and those of the blocks, roles and the play round it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Outermost first, as they are checked.
    pub when: Vec<Condition>,
    pub tags: Vec<Field>,
    /// Nearest first.
    pub vars: Vec<Arc<Layer>>,
    /// What an include handed to its tasks; stronger than facts that were set. Nearest first.
    pub params: Vec<Arc<Layer>>,
    /// Outermost first; later ones win.
    pub environment: Vec<Field>,
    /// Outermost first; later ones win.
    pub module_defaults: Vec<Field>,
    pub any_errors_fatal: Option<Field>,
    pub become_: Option<Field>,
    pub become_exe: Option<Field>,
    pub become_flags: Option<Field>,
    pub become_method: Option<Field>,
    pub become_user: Option<Field>,
    pub check_mode: Option<Field>,
    pub connection: Option<Field>,
    pub delegate_facts: Option<Field>,
    pub delegate_to: Option<Field>,
    pub diff: Option<Field>,
    pub ignore_errors: Option<Field>,
    pub ignore_unreachable: Option<Field>,
    pub no_log: Option<Field>,
    pub port: Option<Field>,
    pub remote_user: Option<Field>,
    pub run_once: Option<Field>,
    pub throttle: Option<Field>,
    pub timeout: Option<Field>,
    /// Collections in which short names of modules and roles are looked for, in order.
    pub collections: Arc<[Arc<str>]>,
    /// The collection of the playbook, when it lies in one.
    pub home: Option<Arc<str>>,
    /// What blocks round the task notify when it changes something.
    pub notify: Vec<Field>,
    /// The settings round these, kept only where one of these may turn out to be `omit`.
    pub outer: Option<Arc<Settings>>,
}

impl Role {
    /// The name without its collection.
    pub fn short_name(&self) -> &str {
        match &self.collection {
            Some(collection) => self.name.strip_prefix(&**collection).map_or(&*self.name, |rest| &rest[1..]),
            None => &self.name,
        }
    }

    /// The same role before its dependencies are known.
    pub(super) fn shallow(&self) -> Role {
        Role {
            name: self.name.clone(),
            collection: self.collection.clone(),
            collections: self.collections.clone(),
            path: self.path.clone(),
            identity: self.identity.clone(),
            allow_duplicates: self.allow_duplicates,
            params: self.params.clone(),
            vars: self.vars.clone(),
            defaults: self.defaults.clone(),
            parents: self.parents.clone(),
            dependency: self.dependency,
            dependencies: Vec::new(),
        }
    }
}

impl Task {
    /// A task that stands in no file: the engine puts it into a play. `around` are the settings it stands
    /// in, `settings` those with its own.
    pub fn implied(
        action: Action,
        written: &str,
        name: &str,
        span: Span,
        settings: Settings,
        around: Arc<Settings>,
    ) -> Self {
        Task {
            name: Some(Field { value: Lazy::Data(name.into()), span: span.clone() }),
            span,
            action,
            written: written.into(),
            args: Arguments::default(),
            spec: None,
            secrets: Vec::new(),
            settings: Arc::new(settings),
            looped: None,
            control: LoopControl::default(),
            register: None,
            changed_when: Vec::new(),
            failed_when: Vec::new(),
            until: Vec::new(),
            retries: None,
            delay: None,
            notify: Vec::new(),
            listen: Vec::new(),
            asynchronous: None,
            poll: None,
            role: None,
            folders: Arc::from([]),
            handler: false,
            tags: Arc::default(),
            around,
            unknown: Vec::new(),
        }
    }

    /// Whether its author reckons with a failure.
    pub fn may_fail(&self) -> bool {
        let ignores = |field: &Field| field.value.data().is_none_or(|value| value.is_true());
        !self.failed_when.is_empty() || self.settings.ignore_errors.as_ref().is_some_and(ignores)
    }

    /// The folder of the file in which the task stands.
    pub fn file_folder(&self) -> Option<&Path> {
        self.span.source.path.as_deref().and_then(Path::parent)
    }
}
