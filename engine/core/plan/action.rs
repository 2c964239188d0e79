//! What a task can name: a module that the agent runs, or an action of the controller.

use rplay_contract::{Arg, ArgError, Entry, Traits, registry, wire::Map};

use super::statement::{LATE, STATEMENTS, Statement, StatementEntry};
use crate::{
    actions::{self, ActionEntry, Definition},
    external::{ActionPlugin, ExternalModule},
    source::nearest,
};

/// What a task does.
#[derive(Clone, Copy)]
pub enum Action {
    Module(&'static Entry),
    Controller(&'static ActionEntry),
    Statement(&'static StatementEntry),
    /// A module that rplay does not implement itself.
    External(&'static ExternalModule),
    /// A plugin in Python that runs on the controller.
    Plugin(&'static ActionPlugin),
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// All modules that agents have.
fn modules() -> &'static [Entry] {
    // In tests of this crate, no executable has installed them.
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
        Action::Statement(&LATE)
    }

    /// The action that a task names, short or fully qualified.
    pub fn find(written: &str) -> Option<Action> {
        let (collection, name) = written.rsplit_once('.').map_or((None, written), |(c, n)| (Some(c), n));
        let builtin = matches!(collection, None | Some("ansible.builtin" | "ansible.legacy"));
        if builtin {
            let action = actions::registry::find(name).map(Action::Controller);
            let statement = || STATEMENTS.iter().find(|entry| entry.name == name).map(Action::Statement);
            if let Some(found) = action.or_else(statement) {
                return Some(found);
            }
        }
        let found = module(name).filter(|entry| match collection {
            None => true,
            // Ansible redirects old names of modules that moved into collections.
            Some("ansible.builtin" | "ansible.legacy") => !entry.collection.starts_with("rplay."),
            Some(collection) => collection == entry.collection,
        })?;
        // A module of a collection may have its part on the controller, too: `ansible.posix.patch`.
        Some(actions::registry::find(name).map_or(Action::Module(found), Action::Controller))
    }

    /// The short name.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Module(entry) => entry.name,
            Action::Controller(entry) => entry.name,
            Action::Statement(entry) => entry.name,
            Action::External(module) => &module.name,
            Action::Plugin(plugin) => &plugin.name,
        }
    }

    /// What its registry entry says about it. Modules and plugins that rplay does not implement may set facts; facts in
    /// the results of other actions are ignored.
    pub fn traits(&self) -> Traits {
        match self {
            Action::Module(entry) => entry.traits,
            Action::Controller(entry) => entry.traits,
            // The action behind a template is only known when it is sent.
            Action::Statement(entry) => {
                Traits { free_form: entry.free_form, brings_facts: entry.kind == Statement::Late, ..Traits::NONE }
            }
            Action::External(_) | Action::Plugin(_) => Traits { brings_facts: true, ..Traits::NONE },
        }
    }

    /// Whether its result has the key `failed` if it was skipped for this reason.
    pub fn skip_has_failed(&self, why: &str) -> bool {
        match self {
            Action::Module(_) | Action::External(_) | Action::Plugin(_) => true,
            Action::Controller(entry) => (entry.skip_has_failed)(why),
            Action::Statement(_) => actions::skipped_by_module(why),
        }
    }

    /// Its group in `module_defaults`: the last part of its collection's name.
    pub fn group(&self) -> &'static str {
        match self {
            Action::Module(entry) => entry.collection.rsplit('.').next().unwrap_or_default(),
            Action::Controller(_) | Action::Statement(_) => "builtin",
            // The collection defines its groups.
            Action::External(_) | Action::Plugin(_) => "",
        }
    }

    /// Whether any action is in this group.
    pub fn has_group(group: &str) -> bool {
        group == "builtin" || modules().iter().any(|entry| entry.collection.rsplit('.').next() == Some(group))
    }

    /// Whether it accepts arguments of any name, such as variables.
    pub fn is_open(&self) -> bool {
        matches!(self, Action::Controller(entry) if entry.is_open)
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
            Action::Controller(_) | Action::Statement(_) => "ansible.builtin",
            Action::External(module) => module.collection().unwrap_or("ansible.legacy"),
            Action::Plugin(plugin) => plugin.collection().unwrap_or("ansible.legacy"),
        }
    }

    /// Checks the arguments before a run; `later` names arguments whose value is not known yet.
    pub fn check(&self, map: &Map, later: &[String]) -> Vec<ArgError> {
        match self.definition() {
            _ if self.is_open() => Vec::new(),
            // These validate their arguments themselves.
            _ if matches!(self, Action::External(_) | Action::Plugin(_)) => Vec::new(),
            Ok(definition) => (definition.check)(map, later),
            Err(module) => module.map(|entry| (entry.check)(map, later)).unwrap_or_default(),
        }
    }

    /// The action's own definition, or the module that defines its arguments.
    fn definition(&self) -> Result<&'static Definition, Option<&'static Entry>> {
        match self {
            Action::Module(entry) => Err(Some(entry)),
            Action::Controller(entry) => entry.definition.as_ref().ok_or_else(|| module(entry.name)),
            Action::Statement(entry) => Ok(&entry.definition),
            Action::External(_) | Action::Plugin(_) => Err(None),
        }
    }

    /// All actions and modules, by name.
    pub fn all() -> Vec<Action> {
        let mut names: Vec<&str> = Action::names().collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(Action::find).collect()
    }

    /// The action of the controller.
    pub fn controller(&self) -> Option<&'static ActionEntry> {
        match self {
            Action::Controller(entry) => Some(entry),
            Action::Module(_) | Action::Statement(_) | Action::External(_) | Action::Plugin(_) => None,
        }
    }

    /// Whether it can be a background job.
    pub fn may_be_async(&self) -> bool {
        let is_of_controller = matches!(self, Action::Controller(_) | Action::Statement(_));
        is_of_controller == self.traits().differs_in_async
    }

    /// The statement.
    pub fn statement(&self) -> Option<Statement> {
        match self {
            Action::Statement(entry) => Some(entry.kind),
            Action::Module(_) | Action::Controller(_) | Action::External(_) | Action::Plugin(_) => None,
        }
    }

    /// All names that tasks may use, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let own = actions::registry::actions().map(|entry| entry.name);
        own.chain(STATEMENTS.iter().map(|entry| entry.name)).chain(modules().iter().map(|entry| entry.name))
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
        let keeps = |name: &str| Action::find(name).unwrap().traits().keeps_to_host;
        for name in ["command", "copy", "template", "ansible.builtin.set_fact", "stat"] {
            assert!(keeps(name), "{name}");
        }
        for name in ["add_host", "apt", "docker_container", "pause", "run_lock", "wait_for"] {
            assert!(!keeps(name), "{name}");
        }
        assert!(!Action::late().traits().keeps_to_host);
    }

    #[test]
    fn a_module_of_a_collection_has_its_part_on_the_controller_by_every_name() {
        for name in ["patch", "ansible.posix.patch"] {
            assert!(matches!(Action::find(name), Some(Action::Controller(_))), "{name}");
        }
    }

    /// The controller only provides content.
    #[test]
    fn a_relayed_action_reaches_as_far_as_its_module() {
        for entry in actions::registry::ACTIONS.iter().filter(|entry| entry.definition.is_none()) {
            let module = module(entry.name).unwrap();
            assert_eq!(entry.traits.keeps_to_host, module.traits.keeps_to_host, "{}", entry.name);
        }
    }
}
