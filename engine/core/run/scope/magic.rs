//! Magic variables: computed from the inventory, the play and the current task.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use rplay_contract::external::DEPRECATED;

use crate::{
    event::Event,
    inventory::HostSource,
    plan::{Role, Task},
    run::{
        magic_names,
        reads::ReadTracker,
        state::{
            host::HostState,
            play::{PlayRun, ShownHosts},
            run::Run,
        },
        steering, template_warnings,
    },
    source::{Source, Span, absolute},
    task_result::TemplateWarning,
    template,
    vars::{Layer, Lazy, Lenience, Magic, Outside, Plugins, Scope, mapping},
};

/// The magic variables of one host in one task.
pub(crate) struct HostMagic {
    pub run: Arc<Run>,
    pub play: Arc<PlayRun>,
    pub host: Arc<HostState>,
    pub task: Option<Arc<Task>>,
    /// Records what is read.
    pub reads: Option<Arc<ReadTracker>>,
    /// Whether this is an entry of `hostvars`, which shows the host's variables without the play's.
    pub entry: bool,
    /// What a task that has begun sees besides.
    pub otherwise: Option<Arc<dyn Otherwise>>,
    /// The loop variables of an iteration, which hide magic ones.
    pub iteration: Option<Arc<Layer>>,
}

/// Variables that exist where nothing sets them.
pub(crate) trait Otherwise: Send + Sync {
    /// The names of all of them, sorted.
    fn names(&self) -> &'static [&'static str];

    /// The value of one of them; `None` for any other name, and if it has none.
    fn value(&self, name: &str) -> Option<Value>;
}

/// Whether a variable may be a fact. Names that facts never have must not trigger gathering.
fn may_be_fact(name: &str) -> bool {
    name.starts_with("ansible_") && name != "ansible_managed" && !steering::steers(name)
}

impl Magic for HostMagic {
    fn get(&self, name: &str) -> Option<Lazy> {
        if let Some(reads) = &self.reads {
            reads.name(name);
        }
        // Most names are not magic; a binary search rules them out.
        if !magic_names::is_one(name) {
            if name == "ansible_facts" {
                return self.facts();
            }
            // A fact of an earlier play is old.
            if !self.host.gathered() && may_be_fact(name) && self.host.knows_fact(name) {
                self.host.want_facts();
            }
            return None;
        }
        if self.iteration.as_ref().is_some_and(|variables| variables.contains_key(name)) {
            return None;
        }
        // As in ansible-core, the play is unknown there, also to the templates of the host's variables.
        if self.entry && name != "omit" && !magic_names::OF_HOSTS.contains(&name) {
            return None;
        }
        self.found(name)
    }

    fn otherwise(&self, name: &str) -> Option<Lazy> {
        self.otherwise.as_ref()?.value(name).map(Lazy::Data)
    }

    fn names(&self) -> Vec<Arc<str>> {
        if let Some(reads) = &self.reads {
            reads.names();
        }
        let known = if self.entry { magic_names::OF_HOSTS } else { magic_names::NAMES };
        // `role_name` exists only in roles.
        let known = known.iter().copied().filter(|name| self.found(name).is_some());
        let otherwise = self.otherwise.iter().flat_map(|other| other.names().iter().copied());
        let otherwise = otherwise.filter(|name| Magic::otherwise(self, name).is_some());
        // A host has facts, be they none.
        known.chain(otherwise).chain(self.entry.then_some("ansible_facts")).map(Arc::from).collect()
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.host.name)
    }

    fn decrypt(&self, envelope: &str) -> Result<Arc<str>, String> {
        let source = Source::inline("a vault value", "");
        self.run.vault.decrypt_value(envelope, &Span::new(&source, 0..0)).map_err(|error| error.to_string())
    }

    fn look_outside(&self, outside: Outside) -> bool {
        self.reads.as_ref().is_none_or(|reads| reads.outside(outside))
    }

    fn conceal(&self, text: &str) {
        self.run.vault.secrets().add(text);
    }

    fn envelope_of(&self, text: &str) -> Option<Arc<str>> {
        self.run.vault.envelope_of(text)
    }

    fn turn(&self) -> Option<String> {
        self.task.as_ref().map(|task| format!("{:p} {}", Arc::as_ptr(task), self.host.name))
    }

    fn allows(&self, lenience: Lenience) -> bool {
        self.run.options.lenience.contains(&lenience)
    }

    fn warn(&self, message: &str, place: Option<&Span>) {
        template_warnings::warn(TemplateWarning { text: message.to_owned(), deprecated: false });
        self.run.warn_once(message, place);
    }

    fn deprecated(&self, message: &str, place: Option<&Span>) {
        template_warnings::warn(TemplateWarning { text: message.to_owned(), deprecated: true });
        if self.run.options.deprecation_warnings {
            self.run.warn_once(&format!("{DEPRECATED}{message}"), place);
        }
    }

    fn message(&self, text: &str) {
        self.run.send(Event::Message { text: text.into() });
    }

    fn plugins(&self) -> Option<&dyn Plugins> {
        Some(self.run.resolver.project.finder())
    }

    fn missing(&self, name: &str) {
        if may_be_fact(name) {
            self.host.want_facts();
        }
    }
}

impl HostMagic {
    fn found(&self, name: &str) -> Option<Lazy> {
        match (name, &self.task) {
            // As it is written: templates in it are rendered when it is read.
            ("environment", Some(task)) => {
                Some(Lazy::List(task.settings.environment.iter().map(|field| field.value.clone()).collect()))
            }
            _ => self.value(name).map(Lazy::Data),
        }
    }

    /// Without facts, `ansible_facts` is empty and triggers gathering.
    fn facts(&self) -> Option<Lazy> {
        let known = self.host.layers().facts.get("ansible_facts").cloned();
        if !self.host.gathered() {
            self.host.want_facts();
        }
        Some(known.unwrap_or_else(|| Lazy::Data(mapping::<&str, Value>([]))))
    }

    /// The names of the roles that the play names and has included so far, once for each use.
    fn play_role_names(&self) -> Value {
        let included = self.play.included.lock();
        let named = self.play.play.roles.iter().filter(|role| !role.dependency);
        named.chain(included.iter()).map(|role| Value::from(role.name.clone())).collect()
    }

    /// The names of the play's roles, of those that it has included so far, and of their dependencies; without
    /// duplicates.
    fn role_names(&self, which: impl Fn(&Role) -> bool) -> Value {
        let included = self.play.included.lock();
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut open: Vec<&Arc<Role>> = self.play.play.roles.iter().chain(included.iter()).rev().collect();
        while let Some(role) = open.pop() {
            if which(role) && !names.contains(&role.name) {
                names.push(role.name.clone());
            }
            if !self.play.play.roles.iter().any(|known| Arc::ptr_eq(known, role)) {
                open.extend(role.dependencies.iter().rev());
            }
        }
        names.into_iter().map(Value::from).collect()
    }

    /// The roles that include the current one, if any.
    fn parents(&self) -> Option<&[Arc<Role>]> {
        self.role()?.including()
    }

    fn role(&self) -> Option<&Arc<Role>> {
        self.task.as_ref()?.role.as_ref()
    }

    /// Something about the inventory source of the host; null for a host that a play added.
    fn of_source(&self, part: impl Fn(&HostSource) -> Option<&str>) -> Option<Value> {
        let inventory = self.run.inventory();
        let host = inventory.host(&self.host.name).filter(|host| !host.implicit)?;
        Some(host.source.as_deref().and_then(part).map_or(Value::from(()), Value::from))
    }

    fn value(&self, name: &str) -> Option<Value> {
        let names = |list: &[Arc<str>]| list.iter().cloned().map(Value::from).collect::<Value>();
        let inventory = || self.run.inventory();
        Some(match name {
            "inventory_hostname" => self.host.name.clone().into(),
            "inventory_hostname_short" => self.host.name.split('.').next().unwrap_or_default().into(),
            "group_names" => names(&inventory().group_names(&self.host.name)),
            "groups" => self.run.groups(),
            "hostvars" => Value::from_object(HostVars {
                run: self.run.clone(),
                play: self.play.clone(),
                reads: self.reads.clone(),
                level: template::Level::now(),
            }),
            "playbook_dir" => absolute(&self.play.play.directory).into(),
            // As in ansible-core, a list of hosts is in the directory `None`.
            "inventory_dir" => self.of_source(|source| Some(source.directory.as_deref().unwrap_or("None")))?,
            "inventory_file" => self.of_source(|source| Some(&source.file))?,
            "play_hosts" | "ansible_play_batch" => self.play.shown(ShownHosts::Batch),
            "ansible_play_hosts" => self.play.shown(ShownHosts::Present),
            "ansible_play_hosts_all" => self.play.shown(ShownHosts::All),
            "ansible_play_name" => self.play.name.clone().into(),
            "role_name" => self.role()?.short_name().into(),
            "ansible_role_name" => self.role()?.name.clone().into(),
            // As in Ansible, defined in every role, and null outside of collections.
            "ansible_collection_name" => self.role()?.collection.clone().map_or(Value::from(()), Value::from),
            "role_path" => absolute(&self.role()?.path).into(),
            "role_names" | "ansible_play_role_names" => self.play_role_names(),
            "ansible_role_names" => self.role_names(|_| true),
            "ansible_dependent_role_names" => self.role_names(|role| role.dependency),
            "ansible_parent_role_names" => self.parents()?.iter().map(|role| Value::from(role.name.clone())).collect(),
            "ansible_parent_role_paths" => {
                self.parents()?.iter().map(|role| Value::from(absolute(&role.path))).collect()
            }
            "ansible_search_path" => {
                self.task.as_ref()?.directories.iter().map(|directory| Value::from(absolute(directory))).collect()
            }
            name => return self.run.resolver.magic.value(name),
        })
    }
}

/// `hostvars`: every host's variables, rendered when they are read.
#[derive(Clone)]
struct HostVars {
    run: Arc<Run>,
    play: Arc<PlayRun>,
    reads: Option<Arc<ReadTracker>>,
    level: template::Level,
}

impl std::fmt::Debug for HostVars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hostvars")
    }
}

impl Object for HostVars {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let host = self.run.host(key.as_str()?, &self.play)?;
        if let Some(why) = host.why_broken() {
            return Some(template::failed_value(&why));
        }
        Some(template::scope_value(self.run.host_scope(&self.play, &host, self.reads.clone()), self.level))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.run.inventory().hosts().map(|host| Value::from(host.name.clone())).collect())
    }
}

impl Run {
    /// The scope behind an entry of `hostvars`: everything except the variables of plays and tasks.
    pub(crate) fn host_scope(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        reads: Option<Arc<ReadTracker>>,
    ) -> Arc<Scope> {
        let state = host.layers();
        let mut layers = Vec::with_capacity(4 + state.inventory.len());
        layers.extend([self.resolver.extra.clone(), state.set, state.included, state.facts]);
        layers.extend(state.inventory.iter().cloned());
        let magic = HostMagic {
            run: self.clone(),
            play: play.clone(),
            host: host.clone(),
            task: None,
            reads,
            entry: true,
            otherwise: None,
            iteration: None,
        };
        Arc::new(Scope::new(layers, Arc::new(magic), Arc::new([])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_each_is_found() {
        assert!(magic_names::NAMES.is_sorted());
    }

    #[test]
    fn an_entry_of_hostvars_does_not_hold_hostvars() {
        assert!(magic_names::OF_HOSTS.iter().all(|name| magic_names::NAMES.contains(name)));
        assert!(!magic_names::OF_HOSTS.contains(&"hostvars"));
    }

    #[test]
    fn facts_are_told_from_settings() {
        for fact in ["ansible_hostname", "ansible_user_id", "ansible_default_ipv4", "ansible_os_family"] {
            assert!(may_be_fact(fact), "{fact}");
        }
        for setting in ["ansible_user", "ansible_host", "ansible_become_password", "ansible_failed_task", "hostname"] {
            assert!(!may_be_fact(setting), "{setting}");
        }
    }
}
