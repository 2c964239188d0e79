//! A playbook as written: nothing resolved, inlined or rendered.

use std::{path::PathBuf, sync::Arc};

use super::Node;
use crate::source::{Source, Span, Spanned};

/// A name and its place.
pub type Word = Spanned<Arc<str>>;

/// A file of plays.
#[derive(Clone, Debug)]
pub struct Playbook {
    pub source: Arc<Source>,
    pub entries: Vec<PlaybookEntry>,
}

#[derive(Clone, Debug)]
pub enum PlaybookEntry {
    Play(Box<Play>),
    Import(Box<ImportPlaybook>),
}

#[derive(Clone, Debug)]
pub struct ImportPlaybook {
    pub span: Span,
    /// The file as written; it may be a template.
    pub file: Node,
    pub keywords: Keywords,
}

/// One play.
#[derive(Clone, Debug)]
pub struct Play {
    /// The whole play; Ansible's place is its first line.
    pub span: Span,
    pub hosts: Node,
    pub keywords: Keywords,
    pub gather_facts: Option<Node>,
    pub gather_subset: Option<Node>,
    pub gather_timeout: Option<Node>,
    pub fact_path: Option<Node>,
    pub serial: Option<Node>,
    pub strategy: Option<Node>,
    pub order: Option<Node>,
    pub max_fail_percentage: Option<Node>,
    pub force_handlers: Option<Node>,
    pub vars_files: Option<Node>,
    pub vars_prompt: Option<Node>,
    pub roles: Vec<RoleUse>,
    pub pre_tasks: Vec<Entry>,
    pub tasks: Vec<Entry>,
    pub post_tasks: Vec<Entry>,
    pub handlers: Vec<Entry>,
}

/// An entry of `roles:` or of a role's dependencies.
#[derive(Clone, Debug)]
pub struct RoleUse {
    pub span: Span,
    pub name: Word,
    pub keywords: Keywords,
    /// Keys that are not keywords are parameters of the role.
    pub params: Vec<(Word, Node)>,
}

#[derive(Clone, Debug)]
pub enum Entry {
    Task(Box<Task>),
    Block(Box<Block>),
}

#[derive(Clone, Debug)]
pub struct Block {
    pub span: Span,
    pub keywords: Keywords,
    pub notify: Option<Node>,
    pub body: Vec<Entry>,
    pub rescue: Vec<Entry>,
    pub always: Vec<Entry>,
}

/// A task or a handler.
#[derive(Clone, Debug)]
pub struct Task {
    pub span: Span,
    pub action: Action,
    pub keywords: Keywords,
    pub looped: Option<Loop>,
    pub loop_control: LoopControl,
    pub register: Option<Node>,
    pub changed_when: Option<Node>,
    pub failed_when: Option<Node>,
    pub until: Option<Node>,
    pub retries: Option<Node>,
    pub delay: Option<Node>,
    pub notify: Option<Node>,
    /// Handlers only.
    pub listen: Option<Node>,
    pub asynchronous: Option<Node>,
    pub poll: Option<Node>,
}

/// The module or action and its arguments.
#[derive(Clone, Debug)]
pub struct Action {
    /// As written: short or fully qualified.
    pub name: Word,
    /// Named arguments, from a mapping, from `key=value` text and from `args:`.
    pub args: Vec<(Word, Node)>,
    /// Free-form text (`command: echo hi`) without the `key=value` pairs that were extracted.
    pub free: Option<Node>,
    /// Arguments given as one template that yields a mapping (`args: "{{ options }}"`).
    pub whole: Option<Node>,
}

/// `loop:` or `with_LOOKUP:`.
#[derive(Clone, Debug)]
pub struct Loop {
    /// `None` for `loop:`, else the lookup's name.
    pub lookup: Option<Word>,
    pub items: Node,
}

#[derive(Clone, Debug, Default)]
pub struct LoopControl {
    pub loop_var: Option<Node>,
    pub index_var: Option<Node>,
    pub label: Option<Node>,
    pub pause: Option<Node>,
    pub extended: Option<Node>,
    pub extended_allitems: Option<Node>,
    pub break_when: Option<Node>,
    /// An extension: the number of concurrent items on a host.
    pub parallel: Option<Node>,
}

/// The keywords shared by plays, roles, blocks and tasks; the tasks inside inherit them.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    pub name: Option<Node>,
    pub when: Option<Node>,
    pub tags: Option<Node>,
    pub vars: Option<Node>,
    pub any_errors_fatal: Option<Node>,
    pub become_: Option<Node>,
    pub become_exe: Option<Node>,
    pub become_flags: Option<Node>,
    pub become_method: Option<Node>,
    pub become_user: Option<Node>,
    pub check_mode: Option<Node>,
    pub collections: Option<Node>,
    pub connection: Option<Node>,
    pub debugger: Option<Node>,
    pub delegate_facts: Option<Node>,
    pub delegate_to: Option<Node>,
    pub diff: Option<Node>,
    pub environment: Option<Node>,
    pub ignore_errors: Option<Node>,
    pub ignore_unreachable: Option<Node>,
    pub module_defaults: Option<Node>,
    pub no_log: Option<Node>,
    pub port: Option<Node>,
    pub remote_user: Option<Node>,
    pub run_once: Option<Node>,
    pub throttle: Option<Node>,
    pub timeout: Option<Node>,
}

/// A role's `meta/main.yml`, as far as it is needed for a run.
#[derive(Clone, Debug, Default)]
pub struct RoleMeta {
    pub dependencies: Vec<RoleUse>,
    pub allow_duplicates: Option<Node>,
    /// Collections to search for modules and roles.
    pub collections: Option<Node>,
    /// `argument_specs:` here or in `meta/argument_specs.yml`.
    pub argument_specs: Option<Node>,
    /// The path of `meta/main.yml`.
    pub path: Option<PathBuf>,
}
