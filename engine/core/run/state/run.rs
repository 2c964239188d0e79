//! One run over all its plays: its inputs and its counts.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use parking_lot::{Mutex, RwLock};

use crate::{
    actions::{Blobs, Prompt, entries},
    event::{Counts, Event, Recap, Sink, TaskId},
    inventory::Inventory,
    link::Links,
    plan::Resolver,
    run::{
        options::Options,
        state::{
            addition::Addition,
            host::HostState,
            losses::{Losses, PlayResult},
            play::PlayRun,
        },
    },
    source::{Problems, Span},
    vars::{Layer, Value, mapping},
    vault::Vault,
};

/// One run over all its plays.
pub struct Run {
    pub options: Options,
    pub resolver: Resolver,
    pub(crate) inventory: RwLock<Inventory>,
    pub(crate) links: Links,
    pub(crate) vault: Arc<Vault>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) prompt: Box<dyn Prompt>,
    /// Whether a person is asked before each task.
    pub(crate) stepping: AtomicBool,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) hosts: Mutex<HashMap<Arc<str>, Arc<HostState>>>,
    pub(crate) groups: Mutex<Option<Value>>,
    pub(crate) additions: Mutex<Vec<Addition>>,
    pub(crate) recap: Mutex<Recap>,
    pub(crate) losses: Mutex<Losses>,
    pub(crate) next_task: AtomicU64,
    pub(crate) next_key: AtomicU64,
    /// Whether `--start-at-task` has not reached its task yet.
    pub(crate) waiting: AtomicBool,
    pub(crate) begun: Instant,
    /// Warnings that were already shown, with their locations.
    pub(crate) warned: Mutex<HashSet<(String, String)>>,
}

impl Run {
    pub fn new(
        options: Options,
        resolver: Resolver,
        inventory: Inventory,
        links: Links,
        vault: Arc<Vault>,
        sink: Arc<dyn Sink>,
        prompt: Box<dyn Prompt>,
    ) -> Arc<Self> {
        let stepping = AtomicBool::new(options.step);
        let waiting = AtomicBool::new(options.start_at.is_some());
        Arc::new(Run {
            options,
            resolver,
            inventory: RwLock::new(inventory),
            links,
            vault,
            sink,
            prompt,
            stepping,
            blobs: Arc::default(),
            hosts: Mutex::default(),
            groups: Mutex::default(),
            additions: Mutex::default(),
            recap: Mutex::default(),
            losses: Mutex::default(),
            next_task: AtomicU64::new(1),
            next_key: AtomicU64::new(1),
            waiting,
            begun: Instant::now(),
            warned: Mutex::default(),
        })
    }

    /// The recap so far.
    pub fn recap(&self) -> Recap {
        let mut recap = self.recap.lock().clone();
        recap.elapsed = self.begun.elapsed();
        let last = self.losses.lock().last();
        recap.failed = last == PlayResult::Failed;
        recap.unreachable = last == PlayResult::Unreachable;
        recap.hosts.sort_unstable_keys();
        recap
    }

    pub(crate) fn send(&self, event: Event) {
        self.sink.send(event);
    }

    /// Warns about something in a file, once per message and location.
    pub(crate) fn warn_once(&self, message: &str, place: &Span) {
        if self.warned.lock().insert((message.to_owned(), place.to_string())) {
            self.warn(message, Some(place.clone()));
        }
    }

    pub(crate) fn warn(&self, message: impl Into<Arc<str>>, place: Option<Span>) {
        self.send(Event::Warning { message: message.into(), place });
    }

    pub(crate) fn inventory(&self) -> parking_lot::RwLockReadGuard<'_, Inventory> {
        self.inventory.read()
    }

    /// The state of a host, created on first use. `None` if no inventory source names it.
    pub(crate) fn host(&self, name: &str, play: &PlayRun) -> Option<Arc<HostState>> {
        if let Some(host) = self.hosts.lock().get(name) {
            return Some(host.clone());
        }
        self.inventory().host(name)?;
        let host = match self.inventory_layers(name, &play.play.folder) {
            Ok(layers) => HostState::new(name.into(), layers).with_password(self.options.connection.password.as_ref()),
            Err(problems) => HostState::broken(name.into(), &problems),
        };
        let host = Arc::new(host);
        Some(self.hosts.lock().entry(name.into()).or_insert(host).clone())
    }

    /// The host that a task is delegated to. If no source names it, its name is its address.
    pub(crate) fn host_or_ad_hoc(&self, name: &str, play: &PlayRun) -> Arc<HostState> {
        self.host(name, play).unwrap_or_else(|| {
            let host = Arc::new(HostState::new(name.into(), Vec::new()));
            self.hosts.lock().entry(name.into()).or_insert(host).clone()
        })
    }

    /// The variable `groups`.
    pub(crate) fn groups(&self) -> Value {
        let mut kept = self.groups.lock();
        kept.get_or_insert_with(|| {
            let inventory = self.inventory();
            let names = |group: &str| inventory.hosts_of(group).into_iter().map(Value::from).collect::<Value>();
            mapping(inventory.groups().map(|group| (group.name.clone(), names(&group.name))))
        })
        .clone()
    }

    pub(crate) fn task_id(&self) -> TaskId {
        TaskId(self.next_task.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Updates the counts of a host.
    pub(crate) fn count(&self, host: &Arc<str>, count: impl FnOnce(&mut Counts)) {
        count(self.recap.lock().hosts.entry(host.clone()).or_default());
    }

    pub(crate) fn add_stats(&self, host: &Arc<str>, data: Vec<(Arc<str>, Value)>, per_host: bool, aggregate: bool) {
        let mut recap = self.recap.lock();
        let whose = per_host.then(|| host.clone());
        let at = match recap.custom.iter().position(|(name, _)| *name == whose) {
            Some(at) => at,
            None => {
                recap.custom.push((whose, mapping::<&str, Value>([])));
                recap.custom.len() - 1
            }
        };
        let Some(slot) = recap.custom.get_mut(at) else { return };
        let mut all = entries(&slot.1);
        for (name, value) in data {
            let sum = match all.get(&name) {
                Some(old) if aggregate => aggregated(old, &value),
                _ => value,
            };
            all.insert(name, sum);
        }
        slot.1 = mapping(all);
    }

    /// The inventory variables of a host.
    ///
    /// # Errors
    /// If a file of `group_vars` or `host_vars` cannot be read.
    pub(crate) fn inventory_layers(&self, name: &str, playbook_dir: &Path) -> Result<Vec<Arc<Layer>>, Problems> {
        self.inventory().layers(name, Some(playbook_dir)).map(|layers| layers.to_vec())
    }
}

/// `set_stats` with `aggregate`: adds numbers and text, joins lists, merges mappings.
fn aggregated(old: &Value, new: &Value) -> Value {
    use minijinja::value::ValueKind::{Map, Number, Seq, String};
    match (old.kind(), new.kind()) {
        (Number, Number) if old.is_integer() && new.is_integer() => {
            let sum = i128::try_from(old.clone()).unwrap_or(0) + i128::try_from(new.clone()).unwrap_or(0);
            i64::try_from(sum).map_or_else(|_| Value::from(sum), Value::from)
        }
        (Number, Number) => {
            Value::from(f64::try_from(old.clone()).unwrap_or(0.0) + f64::try_from(new.clone()).unwrap_or(0.0))
        }
        (String, String) => Value::from(format!("{old}{new}")),
        (Seq, Seq) => old.try_iter().into_iter().flatten().chain(new.try_iter().into_iter().flatten()).collect(),
        (Map, Map) => {
            let mut all = entries(old);
            all.extend(entries(new));
            mapping(all)
        }
        _ => new.clone(),
    }
}
