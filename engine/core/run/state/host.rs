//! The state of a host during a run: its facts, set variables, and roles.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexMap;
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::{
    actions::entries,
    link::Secret,
    run::steering::{self, GATHERED},
    source::{Problems, one_line},
    vars::{Layer, Lazy, Value, mapping},
};

/// A host of the inventory during the whole run. Layers are shared with scopes: they are replaced, never modified.
pub(crate) struct HostState {
    pub name: Arc<str>,
    /// `ansible_host`, if no variable sets it.
    pub itself: Arc<Layer>,
    layers: RwLock<Layers>,
    /// Why its variables cannot be read. If set, no task may run on it, and none of its variables may be read.
    broken: Mutex<Option<Arc<str>>>,
    /// Whether facts were gathered, or must not be gathered.
    gathered: AtomicBool,
    /// Whether a fact was read that has not been gathered.
    wants_facts: AtomicBool,
    /// Whether `meta: clear_facts` removed its facts in this play.
    lost_facts: AtomicBool,
    /// Whether a task failed and was not rescued since.
    failed: AtomicBool,
    /// Whether it failed together with another host's `run_once`, which also counts as a failure in the rescue.
    failed_twice: AtomicBool,
    /// Whether a handler failed: no others run, not even forced ones.
    handlers_over: AtomicBool,
    /// The enclosing blocks, the innermost last.
    shelters: Mutex<Vec<Shelter>>,
    /// The identities of roles whose tasks this host ran in the current play.
    roles: Mutex<HashSet<String>>,
    /// The identities of roles of which it ran at least one task.
    ran: Mutex<HashSet<String>>,
    /// Roles that this host left by `end_role`.
    left: Mutex<HashSet<String>>,
    /// Variables that its facts tried to set without permission.
    refused: Mutex<HashSet<Arc<str>>>,
}

/// What follows a failure in a part of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shelter {
    pub rescue: bool,
    pub always: bool,
}

/// The layers that change during a run, weakest last.
#[derive(Clone, Default)]
pub(crate) struct Layers {
    /// set_fact and register.
    pub set: Arc<Layer>,
    /// include_vars.
    pub included: Arc<Layer>,
    /// Facts with their prefix, and `ansible_facts` itself.
    pub facts: Arc<Layer>,
    /// From the inventory, strongest first.
    pub inventory: Arc<[Arc<Layer>]>,
}

impl HostState {
    pub(crate) fn new(name: Arc<str>, inventory: Vec<Arc<Layer>>) -> Self {
        let itself = Layer::from_iter([("ansible_host".into(), Lazy::Data(Value::from(name.clone())))]);
        HostState {
            name,
            itself: Arc::new(itself),
            layers: RwLock::new(Layers { inventory: inventory.into(), ..Layers::default() }),
            broken: Mutex::default(),
            gathered: AtomicBool::new(false),
            wants_facts: AtomicBool::new(false),
            lost_facts: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            failed_twice: AtomicBool::new(false),
            handlers_over: AtomicBool::new(false),
            shelters: Mutex::default(),
            roles: Mutex::default(),
            ran: Mutex::default(),
            left: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// A host whose variables cannot be read.
    pub(crate) fn broken(name: Arc<str>, problems: &Problems) -> Self {
        let host = HostState::new(name, Vec::new());
        host.set_broken(problems);
        host
    }

    /// Marks the inventory variables as unreadable.
    pub(crate) fn set_broken(&self, problems: &Problems) {
        let text = problems.0.iter().map(|problem| one_line(&**problem)).collect::<Vec<_>>().join("; ");
        *self.broken.lock() = Some(text.into());
    }

    /// Why its variables cannot be read, if so.
    pub(crate) fn why_broken(&self) -> Option<Arc<str>> {
        self.broken.lock().clone()
    }

    /// The current layers.
    pub(crate) fn layers(&self) -> Layers {
        self.layers.read().clone()
    }

    fn change(&self, change: impl FnOnce(&mut Layers)) {
        change(&mut self.layers.write());
    }

    /// Takes back what tasks have set since then.
    pub(crate) fn restore(&self, before: Layers) {
        self.change(|layers| {
            let inventory = std::mem::take(&mut layers.inventory);
            *layers = Layers { inventory, ..before };
        });
    }

    /// Sets variables, as `set_fact` and `register` do.
    pub(crate) fn set(&self, vars: impl IntoIterator<Item = (Arc<str>, Lazy)>) {
        self.change(|layers| Arc::make_mut(&mut layers.set).extend(vars));
    }

    pub(crate) fn include(&self, vars: Layer) {
        self.change(|layers| Arc::make_mut(&mut layers.included).extend(vars));
    }

    /// The login password of the command line is `ansible_password`, where no variable says otherwise.
    pub(crate) fn with_password(self, password: Option<&Secret>) -> Self {
        let Some(password) = password else { return self };
        let mut itself = (*self.itself).clone();
        itself.insert("ansible_password".into(), Lazy::Data(Value::from(password.reveal())));
        HostState { itself: Arc::new(itself), ..self }
    }

    /// The inventory has changed (`add_host`, `group_by`).
    pub(crate) fn set_inventory(&self, inventory: Vec<Arc<Layer>>) {
        *self.broken.lock() = None;
        self.change(|layers| layers.inventory = inventory.into());
    }

    /// Adds facts set by the playbook (`set_fact` with `cacheable`), also to `ansible_facts`.
    pub(crate) fn add_facts(&self, facts: IndexMap<Arc<str>, Value>) {
        let variables = facts.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        self.keep_facts(variables, facts, false);
    }

    /// Adds facts reported by a host. Only permitted names ([`steering`]) become variables; `ansible_facts` holds all
    /// of them, since nothing is steered by it. Facts of `setup` (`prefixed`) lack the prefix `ansible_` of their
    /// variables; with `inject` off there are none. Returns the names that were refused for the first time.
    pub(crate) fn add_facts_from_host(
        &self,
        facts: IndexMap<Arc<str>, Value>,
        prefixed: bool,
        inject: bool,
    ) -> Vec<Arc<str>> {
        let (mut variables, refused) = steering::from_host(&facts, prefixed);
        if !inject {
            // As in Ansible, local facts alone are a variable anyway.
            variables.retain(|(name, _)| &**name == "ansible_local");
        }
        self.keep_facts(variables, facts, prefixed);
        self.refuse(refused)
    }

    /// Adds facts of an earlier run, by the names of their variables. As with those of a host, only permitted names
    /// become variables.
    pub(crate) fn recall_facts(&self, facts: IndexMap<Arc<str>, Value>) {
        if facts.is_empty() {
            return;
        }
        let complete = facts.get(GATHERED).is_some_and(Value::is_true);
        let (variables, _) = steering::from_host(&facts, false);
        self.keep_facts(variables, facts, false);
        self.set_gathered(complete);
    }

    /// Records names that the host may not set, and returns the new ones.
    pub(crate) fn refuse(&self, names: impl IntoIterator<Item = Arc<str>>) -> Vec<Arc<str>> {
        let mut known = self.refused.lock();
        names.into_iter().filter(|name| known.insert(name.clone())).collect()
    }

    fn keep_facts(&self, variables: Vec<(Arc<str>, Value)>, facts: IndexMap<Arc<str>, Value>, prefixed: bool) {
        self.change(|layers| {
            let known = Arc::make_mut(&mut layers.facts);
            let mut all: IndexMap<Arc<str>, Value> = match known.get("ansible_facts").and_then(Lazy::data) {
                Some(old) => entries(&old),
                None => IndexMap::new(),
            };
            known.extend(variables.into_iter().map(|(name, value)| (name, Lazy::Data(value))));
            for (name, value) in facts {
                // As in Ansible, this one alone keeps its prefix in `ansible_facts`.
                let name = match (&*name, prefixed) {
                    ("ansible_local", _) | ("local", true) => "ansible_local".into(),
                    (long, _) => long.strip_prefix("ansible_").map_or_else(|| name.clone(), Arc::from),
                };
                all.insert(name, value);
            }
            known.insert("ansible_facts".into(), Lazy::Data(mapping(all)));
        });
    }

    /// Forgets all facts. As in Ansible, the play gathers them only once, so they stay away until the next play.
    pub(crate) fn clear_facts(&self) {
        self.change(|layers| layers.facts = Arc::default());
        self.set_gathered(true);
        self.lost_facts.store(true, Ordering::Release);
    }

    /// Resets the state of roles and failures for a new play.
    pub(crate) fn begin_play(&self) {
        self.roles().clear();
        self.set_failed(false);
        self.shelters.lock().clear();
        if self.lost_facts.swap(false, Ordering::AcqRel) {
            self.set_gathered(false);
        }
    }

    /// Whether a task failed and was neither rescued nor cleared since.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Whether a handler failed and was not rescued since.
    pub(crate) fn handlers_are_over(&self) -> bool {
        self.handlers_over.load(Ordering::Acquire)
    }

    pub(crate) fn end_handlers(&self) {
        self.handlers_over.store(true, Ordering::Release);
    }

    pub(crate) fn set_failed(&self, yes: bool) {
        if !yes {
            self.handlers_over.store(false, Ordering::Release);
        }
        self.failed.store(yes, Ordering::Release);
        self.failed_twice.store(false, Ordering::Release);
    }

    /// Records that it failed because of another host's `run_once`.
    pub(crate) fn fail_twice(&self) {
        self.set_failed(true);
        self.failed_twice.store(true, Ordering::Release);
    }

    /// Whether a second failure also skips the rescue, or the next part of the block.
    pub(crate) fn take_second_failure(&self) -> bool {
        self.failed_twice.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn forget_second_failure(&self) {
        self.failed_twice.store(false, Ordering::Release);
    }

    /// Enters a part of a block.
    pub(crate) fn enter(&self, shelter: Shelter) {
        self.shelters.lock().push(shelter);
    }

    pub(crate) fn leave_shelter(&self) {
        self.shelters.lock().pop();
    }

    /// What a failure meets here: whether a block rescues it, and whether anything else still runs for it.
    pub(crate) fn shelter(&self) -> Shelter {
        let shelters = self.shelters.lock();
        Shelter {
            rescue: shelters.iter().any(|shelter| shelter.rescue),
            always: shelters.iter().any(|shelter| shelter.always),
        }
    }

    pub(crate) fn gathered(&self) -> bool {
        self.gathered.load(Ordering::Acquire)
    }

    pub(crate) fn set_gathered(&self, yes: bool) {
        self.gathered.store(yes, Ordering::Release);
    }

    /// Whether the variable is a fact that no variable of the run replaces.
    pub(crate) fn knows_fact(&self, name: &str) -> bool {
        let layers = self.layers.read();
        layers.facts.contains_key(name) && !layers.set.contains_key(name) && !layers.included.contains_key(name)
    }

    /// Records a read of something that may be a fact.
    pub(crate) fn want_facts(&self) {
        if !self.gathered() {
            self.wants_facts.store(true, Ordering::Release);
        }
    }

    /// Whether facts were read since the last call.
    pub(crate) fn take_want(&self) -> bool {
        self.wants_facts.swap(false, Ordering::AcqRel)
    }

    /// Records that a task of the role actually ran.
    pub(crate) fn ran_in_role(&self, identity: &str) {
        self.ran.lock().insert(identity.to_owned());
    }

    /// Whether any task of the role ran.
    pub(crate) fn has_run(&self, identity: &str) -> bool {
        self.ran.lock().contains(identity)
    }

    /// Skips the remaining tasks of the role on this host.
    pub(crate) fn end_role(&self, identity: &str) {
        self.left.lock().insert(identity.to_owned());
    }

    pub(crate) fn has_left(&self, identity: &str) -> bool {
        self.left.lock().contains(identity)
    }

    /// Enters the role again.
    pub(crate) fn enter_role(&self, identity: &str) {
        self.left.lock().remove(identity);
    }

    /// The roles that this host ran in the play.
    pub(crate) fn roles(&self) -> MutexGuard<'_, HashSet<String>> {
        self.roles.lock()
    }
}

/// Hosts in the order of the play.
pub(crate) type Hosts = Vec<Arc<HostState>>;

/// Adds hosts that are not included yet.
pub(crate) fn join(hosts: &mut Hosts, more: Hosts) {
    if more.is_empty() {
        return;
    }
    let mut members = Members::of(hosts.iter());
    hosts.extend(more.into_iter().filter(|host| members.0.insert(Members::key(host))));
}

/// The hosts of a list as a set, where many are to be looked up in it.
pub(crate) struct Members(HashSet<usize>);

impl Members {
    pub(crate) fn of<'h>(hosts: impl IntoIterator<Item = &'h Arc<HostState>>) -> Self {
        Members(hosts.into_iter().map(Members::key).collect())
    }

    pub(crate) fn contains(&self, host: &Arc<HostState>) -> bool {
        self.0.contains(&Members::key(host))
    }

    /// A host has one state during the whole run.
    fn key(host: &Arc<HostState>) -> usize {
        Arc::as_ptr(host).addr()
    }
}
