//! The resolved play: what runs in which order, with everything that is known before the run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Action, Statement, action::module};
use crate::{
    actions::TaskView,
    source::Span,
    syntax::{Kind, Node, Word, spec::ArgumentSpec},
    vars::{Layer, Lazy, Value, overlaid},
};

pub use crate::vars::{Argument, Arguments, Field};

/// The field for a node.
pub fn field(node: &Node) -> Field {
    Field { value: Lazy::from_node(node), span: node.span.clone() }
}

/// The items of a node that is a list or a single item.
pub fn fields(node: &Node) -> Vec<Field> {
    match &node.kind {
        Kind::Null => Vec::new(),
        Kind::Seq(items) => items.iter().map(field).collect(),
        _ => vec![field(node)],
    }
}

/// A boolean expression (of `when`, `changed_when`, `until` ...), or a constant.
#[derive(Clone, Debug)]
pub struct Condition {
    pub value: Lazy,
    pub span: Span,
}

impl Condition {
    pub fn from_node(node: &Node) -> Self {
        Condition { value: Lazy::from_node(node), span: node.span.clone() }
    }

    /// From a rendered value; text is an expression.
    pub fn from_value(value: Value, span: Span) -> Self {
        Condition { value: Lazy::Data(value), span }
    }

    /// All conditions of a node; in a list, all must hold. Null means no condition, but as an item of a list it is an
    /// empty condition, which fails, as in ansible-core.
    pub fn all_of(node: Option<&Node>) -> Vec<Condition> {
        Condition::written(node.filter(|node| !matches!(node.kind, Kind::Null)))
    }

    /// The same for `when`, which ignores null in a list, too.
    pub fn of_when(node: Option<&Node>) -> Vec<Condition> {
        match node.map(|node| &node.kind) {
            Some(Kind::Seq(items)) => {
                let given = items.iter().filter(|item| !matches!(item.kind, Kind::Null));
                given.map(Condition::from_node).collect()
            }
            _ => Condition::all_of(node),
        }
    }

    /// The same for `changed_when` and `failed_when`, for which null is an empty condition.
    pub fn written(node: Option<&Node>) -> Vec<Condition> {
        match node.map(|node| &node.kind) {
            Some(Kind::Seq(items)) => items.iter().map(Condition::from_node).collect(),
            _ => node.map(Condition::from_node).into_iter().collect(),
        }
    }
}

/// A resolved play.
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
    /// What is known of `vars_files` before the run: imports see it, and the play's own keywords.
    pub static_files: Arc<Layer>,
    /// Each entry is a file, or a list of files of which the first existing one is used.
    pub vars_files: Vec<Vec<Field>>,
    pub vars_prompt: Vec<VarsPrompt>,
    pub settings: Arc<Settings>,
    /// pre_tasks, roles, tasks and post_tasks, with flushes of handlers in between.
    pub steps: Vec<Step>,
    pub handlers: Vec<Step>,
    /// The roles under `roles:` and their dependencies: all tasks see their defaults and vars.
    pub roles: Vec<Arc<Role>>,
    /// The directory of the playbook.
    pub directory: PathBuf,
}

/// The play's settings about facts.
#[derive(Debug, Default)]
pub struct Gather {
    /// `None`: not set, so facts are gathered when first read.
    pub wanted: Option<Field>,
    pub subset: Option<Field>,
    pub timeout: Option<Field>,
    pub fact_path: Option<Field>,
    /// Whether the tags selected on the command line leave it out: it has those of the play, else `always`.
    pub passed_over: bool,
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
    pub salt: Option<Field>,
    pub salt_size: Option<Field>,
    /// The answer is data, even if it looks like a template.
    pub unsafe_: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Step {
    Task(Arc<Task>),
    Block(Arc<Block>),
    /// A role's tasks; skipped on a host that already ran the same role with the same parameters.
    Role(Arc<RoleSteps>),
    /// Runs the handlers notified so far.
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

/// A role as used by one play.
#[derive(Debug)]
pub struct Role {
    /// Fully qualified if it belongs to a collection.
    pub name: Arc<str>,
    /// `NAMESPACE.NAME` of its collection.
    pub collection: Option<Arc<str>>,
    /// Collections to search for its modules and roles.
    pub collections: Arc<[Arc<str>]>,
    pub path: PathBuf,
    /// Name and parameters: uses with the same identity run only once on a host.
    pub identity: String,
    pub allow_duplicates: bool,
    /// Whether the play sees its variables; `None`: determined by the setting `private_role_vars`.
    pub public: Option<bool>,
    pub params: Arc<Layer>,
    pub vars: Arc<Layer>,
    pub defaults: Arc<Layer>,
    /// The roles that name or include this one, the innermost first.
    pub parents: Vec<Arc<Role>>,
    /// Whether it runs because another role names it under `dependencies`.
    pub dependency: bool,
    /// Its dependencies, in the order they run.
    pub dependencies: Vec<Arc<Role>>,
}

/// A task or handler.
#[derive(Clone, Debug)]
pub struct Task {
    pub span: Span,
    pub name: Option<Field>,
    pub action: Action,
    /// The action's name as written.
    pub written: Arc<str>,
    pub args: Arguments,
    /// The specification for the task that validates a role's arguments.
    pub spec: Option<Arc<ArgumentSpec>>,
    /// Arguments whose values are masked.
    pub secrets: Vec<&'static str>,
    pub settings: Arc<Settings>,
    pub looped: Option<Loop>,
    pub control: LoopControl,
    pub register: Option<Word>,
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
    /// Directories to search for lookups, templates and files.
    pub directories: Arc<[PathBuf]>,
    pub handler: bool,
    /// The rendered tags.
    pub tags: Arc<[String]>,
    /// The keywords around the task, without its own: an include passes these to its tasks.
    pub around: Arc<Settings>,
    /// Arguments that the module does not have: the task fails if it runs.
    pub unknown: Vec<Arc<str>>,
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

/// The effective keywords of a task: its own and those of the enclosing blocks, roles and play.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Outermost first, the order of evaluation.
    pub when: Vec<Condition>,
    pub tags: Vec<Field>,
    /// Innermost first.
    pub vars: Vec<Arc<Layer>>,
    /// Names among these variables that are reserved; outermost first.
    pub reserved: Vec<Word>,
    /// Variables that an include passed to its tasks; stronger than set facts. Innermost first.
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
    pub debugger: Option<Field>,
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
    /// Collections to search for short names of modules and roles, in order.
    pub collections: Arc<[Arc<str>]>,
    /// The collection that contains the playbook, if any.
    pub home: Option<Arc<str>>,
    /// Handlers that enclosing blocks notify when the task changes something.
    pub notify: Vec<Field>,
    /// The outer settings, kept only if one of these may turn out to be `omit`.
    pub outer: Option<Arc<Settings>>,
}

impl Play {
    /// Whether one of its tasks has a module that only a full agent has, as far as they are known before the run.
    pub fn needs_full_agent(&self) -> bool {
        needs_full(&self.steps) || needs_full(&self.handlers)
    }

    /// The variables of the play that its imports see.
    pub fn static_vars(&self) -> Arc<Layer> {
        overlaid(&self.vars, &self.static_files)
    }
}

fn needs_full(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Task(task) => module(task.action.name()).is_some_and(|entry| entry.needs_full),
        Step::Block(block) => [&block.body, &block.rescue, &block.always].into_iter().any(|steps| needs_full(steps)),
        Step::Role(role) => needs_full(&role.steps),
        Step::Flush => false,
    })
}

impl Role {
    /// The roles that include this one, if any do. As in Ansible, what depends on a role is not its parent.
    pub fn including(&self) -> Option<&[Arc<Role>]> {
        let end = self.parents.iter().position(|parent| parent.dependency).map_or(self.parents.len(), |last| last + 1);
        Some(&self.parents[..end]).filter(|parents| !self.dependency && !parents.is_empty())
    }

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
            public: self.public,
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
    pub fn includes_role(&self) -> bool {
        self.action.statement() == Some(Statement::IncludeRole)
    }

    /// Whether it may be done more than once.
    pub fn tries(&self) -> bool {
        !self.until.is_empty() || self.retries.is_some()
    }

    /// Whether what it registers contains the arguments of modules (`invocation`): ansible-core removes them from
    /// results, but not from those of a loop's items.
    pub fn keeps_invocation(&self) -> bool {
        self.looped.is_some() && self.register.is_some()
    }

    /// The role that precedes the task's name where it is shown. As in Ansible, a role that is included from a role
    /// stands for itself.
    pub fn role_shown(&self) -> Option<&Arc<Role>> {
        self.role.as_ref().filter(|_| !self.includes_role())
    }

    /// A task that is not in a file but created by the engine. `around` are the enclosing settings, `settings` also
    /// include its own.
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
            directories: Arc::from([]),
            handler: false,
            tags: Arc::default(),
            around,
            unknown: Vec::new(),
        }
    }

    /// The part of it that an action of the controller may see.
    pub fn view(&self) -> TaskView<'_> {
        TaskView {
            span: &self.span,
            name: self.name.as_ref(),
            written: &self.written,
            args: &self.args,
            spec: self.spec.as_deref(),
        }
    }

    /// Whether its author expects that it may fail.
    pub fn may_fail(&self) -> bool {
        let ignores = |field: &Field| field.value.data().is_none_or(|value| value.is_true());
        !self.failed_when.is_empty() || self.settings.ignore_errors.as_ref().is_some_and(ignores)
    }

    /// The directory of the file that contains the task.
    pub fn file_directory(&self) -> Option<&Path> {
        self.span.source.path.as_deref().and_then(Path::parent)
    }
}
