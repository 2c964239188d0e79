//! What a task can name: a module of the agent, or an action that needs the controller.

use rplay_modules::{
    Arg, ArgFault, Args, Entry,
    args::{self},
    registry,
    wire::Map,
};

use super::action_args as a;
use crate::source::nearest;

/// What a task does.
#[derive(Clone, Copy)]
pub enum Action {
    Module(&'static Entry),
    Controller(&'static ControllerEntry),
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The actions that run on the controller, or prepare there what an agent is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    AddHost,
    Assert,
    Copy,
    Debug,
    Fail,
    Fetch,
    GatherFacts,
    GroupBy,
    ImportPlaybook,
    ImportRole,
    ImportTasks,
    IncludeRole,
    IncludeTasks,
    IncludeVars,
    Meta,
    Pause,
    Script,
    SetFact,
    SetStats,
    Template,
    Unarchive,
    ValidateArgumentSpec,
    WaitForConnection,
}

/// A controller's action as tasks, checks and documentation find it.
pub struct ControllerEntry {
    pub kind: Controller,
    pub name: &'static str,
    pub free_form: Option<&'static str>,
    /// Takes arguments of any name (`set_fact`).
    pub open: bool,
    pub doc: &'static str,
    pub args: fn() -> Vec<Arg>,
    check: fn(&Map, &[String]) -> Vec<ArgFault>,
}

const fn entry<A: Args>(kind: Controller, name: &'static str, free_form: Option<&'static str>) -> ControllerEntry {
    ControllerEntry { kind, name, free_form, open: false, doc: A::DOC, args: A::args, check: check::<A> }
}

const fn open<A: Args>(kind: Controller, name: &'static str) -> ControllerEntry {
    ControllerEntry { open: true, ..entry::<A>(kind, name, None) }
}

fn check<A: Args>(map: &Map, later: &[String]) -> Vec<ArgFault> {
    args::check(&A::args(), |map| A::from_map(map).err().unwrap_or_default(), map, later)
}

/// Sorted by name.
pub static CONTROLLER: &[ControllerEntry] = &[
    open::<a::AddHost>(Controller::AddHost, "add_host"),
    entry::<a::Assert>(Controller::Assert, "assert", None),
    entry::<a::Copy>(Controller::Copy, "copy", None),
    entry::<a::Debug>(Controller::Debug, "debug", None),
    entry::<a::Fail>(Controller::Fail, "fail", None),
    entry::<a::Fetch>(Controller::Fetch, "fetch", None),
    open::<a::GatherFacts>(Controller::GatherFacts, "gather_facts"),
    entry::<a::GroupBy>(Controller::GroupBy, "group_by", None),
    entry::<a::ImportPlaybook>(Controller::ImportPlaybook, "import_playbook", Some("file")),
    entry::<a::IncludeRole>(Controller::ImportRole, "import_role", None),
    entry::<a::IncludeTasks>(Controller::ImportTasks, "import_tasks", Some("file")),
    entry::<a::IncludeRole>(Controller::IncludeRole, "include_role", None),
    entry::<a::IncludeTasks>(Controller::IncludeTasks, "include_tasks", Some("file")),
    entry::<a::IncludeVars>(Controller::IncludeVars, "include_vars", Some("file")),
    entry::<a::Meta>(Controller::Meta, "meta", Some("free_form")),
    entry::<a::Pause>(Controller::Pause, "pause", None),
    entry::<a::Script>(Controller::Script, "script", Some("_raw_params")),
    open::<a::SetFact>(Controller::SetFact, "set_fact"),
    entry::<a::SetStats>(Controller::SetStats, "set_stats", None),
    entry::<a::Template>(Controller::Template, "template", None),
    entry::<a::Unarchive>(Controller::Unarchive, "unarchive", None),
    entry::<a::ValidateArgumentSpec>(Controller::ValidateArgumentSpec, "validate_argument_spec", None),
    entry::<a::WaitForConnection>(Controller::WaitForConnection, "wait_for_connection", None),
];

impl Action {
    /// The action a task names, with or without its collection.
    pub fn find(written: &str) -> Option<Action> {
        let (collection, name) = written.rsplit_once('.').map_or((None, written), |(c, n)| (Some(c), n));
        let builtin = matches!(collection, None | Some("ansible.builtin" | "ansible.legacy"));
        if let Ok(at) = CONTROLLER.binary_search_by(|entry| entry.name.cmp(name))
            && builtin
        {
            return Some(Action::Controller(&CONTROLLER[at]));
        }
        registry::find(name)
            .filter(|entry| match collection {
                None => true,
                Some("ansible.builtin" | "ansible.legacy") => entry.collection == "ansible.builtin",
                Some(collection) => collection == entry.collection,
            })
            .map(Action::Module)
    }

    /// The short name.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Module(entry) => entry.name,
            Action::Controller(entry) => entry.name,
        }
    }

    /// The group of `module_defaults` to which it belongs: the last word of its collection.
    pub fn group(&self) -> &'static str {
        match self {
            Action::Module(entry) => entry.collection.rsplit('.').next().unwrap_or_default(),
            Action::Controller(_) => "builtin",
        }
    }

    pub fn free_form(&self) -> Option<&'static str> {
        match self {
            Action::Module(entry) => entry.free_form,
            Action::Controller(entry) => entry.free_form,
        }
    }

    pub fn args(&self) -> Vec<Arg> {
        match self {
            Action::Module(entry) => (entry.args)(),
            Action::Controller(entry) => (entry.args)(),
        }
    }

    /// Faults that can be seen before a run; `later` names the arguments whose value is not known yet.
    pub fn check(&self, map: &Map, later: &[String]) -> Vec<ArgFault> {
        match self {
            Action::Module(entry) => (entry.check)(map, later),
            Action::Controller(entry) if entry.open => Vec::new(),
            Action::Controller(entry) => (entry.check)(map, later),
        }
    }

    pub fn controller(&self) -> Option<Controller> {
        match self {
            Action::Controller(entry) => Some(entry.kind),
            Action::Module(_) => None,
        }
    }

    /// All names that tasks may use, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CONTROLLER.iter().map(|entry| entry.name).chain(registry::MODULES.iter().map(|entry| entry.name))
    }

    /// The name that was probably meant.
    pub fn nearest(written: &str) -> Option<&'static str> {
        let short = written.rsplit('.').next().unwrap_or(written);
        nearest(short, Action::names())
    }
}
