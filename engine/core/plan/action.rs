//! What a task can name: a module that the agent runs, or an action of the controller.

use rplay_contract::{
    Arg, ArgFault, Args, Entry,
    args::{self},
    registry,
    wire::Map,
};

use super::action_args as a;
use crate::{external::ExternalModule, source::nearest};

/// What a task does.
#[derive(Clone, Copy)]
pub enum Action {
    Module(&'static Entry),
    Controller(&'static ControllerEntry),
    /// A module that rplay does not implement itself.
    External(&'static ExternalModule),
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Actions that run on the controller, or prepare a call to a module there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    Assemble,
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
    /// The name is a template: `action: "{{ ansible_pkg_mgr }}"`.
    Late,
    Meta,
    Pause,
    Reboot,
    Script,
    SetFact,
    SetStats,
    Template,
    Unarchive,
    ValidateArgumentSpec,
    WaitForConnection,
}

/// The description of a controller action, for tasks, checks and documentation.
pub struct ControllerEntry {
    pub kind: Controller,
    pub name: &'static str,
    pub free_form: Option<&'static str>,
    /// Whether it accepts arguments of any name (`set_fact`).
    pub open: bool,
    /// Same as [`Entry::keeps_to_host`].
    keeps_to_host: bool,
    /// The definition of its arguments. `None` if it shares those of the agent's module of the same name, for which the
    /// controller only provides content.
    arguments: Option<Definition>,
}

/// The arguments of an action that only exists on the controller.
#[derive(Clone, Copy)]
struct Definition {
    doc: &'static str,
    args: fn() -> Vec<Arg>,
    check: fn(&Map, &[String]) -> Vec<ArgFault>,
}

const fn entry<A: Args>(kind: Controller, name: &'static str, free_form: Option<&'static str>) -> ControllerEntry {
    let arguments = Some(Definition { doc: A::DOC, args: A::args, check: check::<A> });
    ControllerEntry { kind, name, free_form, open: false, keeps_to_host: false, arguments }
}

const fn open<A: Args>(kind: Controller, name: &'static str) -> ControllerEntry {
    ControllerEntry { open: true, ..entry::<A>(kind, name, None) }
}

/// An action that ends in a call to the module of the same name.
const fn relayed(kind: Controller, name: &'static str, free_form: Option<&'static str>) -> ControllerEntry {
    ControllerEntry { kind, name, free_form, open: false, keeps_to_host: false, arguments: None }
}

impl ControllerEntry {
    const fn keeps_to_host(mut self) -> Self {
        self.keeps_to_host = true;
        self
    }
}

fn check<A: Args>(map: &Map, later: &[String]) -> Vec<ArgFault> {
    args::check(&A::args(), |map| A::from_map(map).err().unwrap_or_default(), map, later)
}

/// Sorted by name.
pub static CONTROLLER: &[ControllerEntry] = &[
    open::<a::AddHost>(Controller::AddHost, "add_host"),
    relayed(Controller::Assemble, "assemble", None).keeps_to_host(),
    entry::<a::Assert>(Controller::Assert, "assert", None).keeps_to_host(),
    relayed(Controller::Copy, "copy", None).keeps_to_host(),
    entry::<a::Debug>(Controller::Debug, "debug", None).keeps_to_host(),
    entry::<a::Fail>(Controller::Fail, "fail", None),
    relayed(Controller::Fetch, "fetch", None).keeps_to_host(),
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
    relayed(Controller::Reboot, "reboot", None),
    relayed(Controller::Script, "script", Some("_raw_params")).keeps_to_host(),
    open::<a::SetFact>(Controller::SetFact, "set_fact").keeps_to_host(),
    entry::<a::SetStats>(Controller::SetStats, "set_stats", None),
    entry::<a::Template>(Controller::Template, "template", None).keeps_to_host(),
    relayed(Controller::Unarchive, "unarchive", None).keeps_to_host(),
    entry::<a::ValidateArgumentSpec>(Controller::ValidateArgumentSpec, "validate_argument_spec", None),
    entry::<a::WaitForConnection>(Controller::WaitForConnection, "wait_for_connection", None),
];

/// A placeholder while the action's name is a template.
static LATE: ControllerEntry = ControllerEntry {
    kind: Controller::Late,
    name: "action",
    free_form: Some("_raw_params"),
    open: true,
    keeps_to_host: false,
    arguments: Some(Definition { doc: "", args: Vec::new, check: |_, _| Vec::new() }),
};

/// All modules that agents have.
fn modules() -> &'static [Entry] {
    // No executable hands them in before tests of this crate.
    #[cfg(test)]
    rplay_modules::registry::install();
    registry::modules()
}

/// The agents' module of that short name.
pub fn module(name: &str) -> Option<&'static Entry> {
    registry::among(modules(), name)
}

impl Action {
    /// The placeholder for an action whose name is a template.
    pub fn late() -> Action {
        Action::Controller(&LATE)
    }

    /// The action that a task names, short or fully qualified.
    pub fn find(written: &str) -> Option<Action> {
        let (collection, name) = written.rsplit_once('.').map_or((None, written), |(c, n)| (Some(c), n));
        let builtin = matches!(collection, None | Some("ansible.builtin" | "ansible.legacy"));
        if let Ok(at) = CONTROLLER.binary_search_by(|entry| entry.name.cmp(name))
            && builtin
        {
            return Some(Action::Controller(&CONTROLLER[at]));
        }
        module(name)
            .filter(|entry| match collection {
                None => true,
                // Ansible redirects old names of modules that moved into collections.
                Some("ansible.builtin" | "ansible.legacy") => !entry.collection.starts_with("rplay."),
                Some(collection) => collection == entry.collection,
            })
            .map(Action::Module)
    }

    /// The short name.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Module(entry) => entry.name,
            Action::Controller(entry) => entry.name,
            Action::External(module) => &module.name,
        }
    }

    /// Whether its results may set facts. Facts in results of other actions are ignored.
    pub fn brings_facts(&self) -> bool {
        match self {
            Action::Module(entry) => entry.brings_facts,
            // The action behind a template is only known when it is sent.
            Action::Controller(entry) => matches!(entry.kind, Controller::GatherFacts | Controller::Late),
            Action::External(_) => true,
        }
    }

    /// Whether it only affects its own host, unless its arguments say otherwise.
    pub fn keeps_to_host(&self) -> bool {
        match self {
            Action::Module(entry) => entry.keeps_to_host,
            Action::Controller(entry) => entry.keeps_to_host,
            Action::External(_) => false,
        }
    }

    /// Its group in `module_defaults`: the last part of its collection's name.
    pub fn group(&self) -> &'static str {
        match self {
            Action::Module(entry) => entry.collection.rsplit('.').next().unwrap_or_default(),
            Action::Controller(_) => "builtin",
            // The collection defines its groups.
            Action::External(_) => "",
        }
    }

    pub fn free_form(&self) -> Option<&'static str> {
        match self {
            Action::Module(entry) => entry.free_form,
            Action::Controller(entry) => entry.free_form,
            Action::External(_) => None,
        }
    }

    pub fn args(&self) -> Vec<Arg> {
        match self.definition() {
            Ok(definition) => (definition.args)(),
            Err(module) => module.map(|entry| (entry.args)()).unwrap_or_default(),
        }
    }

    /// Its description, from the doc comment.
    pub fn doc(&self) -> &'static str {
        match self.definition() {
            Ok(definition) => definition.doc,
            Err(module) => module.map_or("", |entry| entry.doc),
        }
    }

    /// The collection that it belongs to.
    pub fn collection(&self) -> &'static str {
        match self {
            Action::Module(entry) => entry.collection,
            Action::Controller(_) => "ansible.builtin",
            Action::External(module) => module.collection().unwrap_or("ansible.legacy"),
        }
    }

    /// Checks the arguments before a run; `later` names arguments whose value is not known yet.
    pub fn check(&self, map: &Map, later: &[String]) -> Vec<ArgFault> {
        match self.definition() {
            _ if matches!(self, Action::Controller(entry) if entry.open) => Vec::new(),
            // Such a module validates its arguments itself.
            _ if matches!(self, Action::External(_)) => Vec::new(),
            Ok(definition) => (definition.check)(map, later),
            Err(module) => module.map(|entry| (entry.check)(map, later)).unwrap_or_default(),
        }
    }

    /// The action's own definition, or the module that defines its arguments.
    fn definition(&self) -> Result<&'static Definition, Option<&'static Entry>> {
        match self {
            Action::Module(entry) => Err(Some(entry)),
            Action::Controller(entry) => entry.arguments.as_ref().ok_or_else(|| module(entry.name)),
            Action::External(_) => Err(None),
        }
    }

    /// All actions and modules, by name.
    pub fn all() -> Vec<Action> {
        let mut names: Vec<&str> = Action::names().collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(Action::find).collect()
    }

    pub fn controller(&self) -> Option<Controller> {
        match self {
            Action::Controller(entry) => Some(entry.kind),
            Action::Module(_) | Action::External(_) => None,
        }
    }

    /// All names that tasks may use, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CONTROLLER.iter().map(|entry| entry.name).chain(modules().iter().map(|entry| entry.name))
    }

    /// The known name closest to a misspelled one.
    pub fn nearest(written: &str) -> Option<&'static str> {
        let short = written.rsplit('.').next().unwrap_or(written);
        nearest(short, Action::names()).filter(|meant| *meant != short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_wait_for_each_other_only_where_a_task_reaches_beyond_its_host() {
        let keeps = |name: &str| Action::find(name).unwrap().keeps_to_host();
        for name in ["command", "copy", "template", "ansible.builtin.set_fact", "stat"] {
            assert!(keeps(name), "{name}");
        }
        for name in ["add_host", "apt", "docker_container", "pause", "run_lock", "wait_for"] {
            assert!(!keeps(name), "{name}");
        }
        assert!(!Action::late().keeps_to_host());
    }

    /// The controller only provides content.
    #[test]
    fn a_relayed_action_reaches_as_far_as_its_module() {
        for entry in CONTROLLER.iter().filter(|entry| entry.arguments.is_none()) {
            let module = module(entry.name).unwrap();
            assert_eq!(entry.keeps_to_host, module.keeps_to_host, "{}", entry.name);
        }
    }
}
