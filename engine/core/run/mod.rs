//! Plays over hosts: strategies, blocks, loops, retries, register, handlers.
//!
//! A run walks the steps of a play with a set of hosts. A task goes to all hosts of the set at once; who
//! fails leaves the set, for the block's rescue or for good. Nothing here prints: see [`crate::event`].

mod conditions;
mod connection;
mod dispatch;
mod lookahead;
mod plays;
mod reads;
mod scope;
mod state;
mod steering;
mod task;
mod walk;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::actions::text_of;
pub use connection::target::{Defaults, MethodDefaults};
pub use plays::play::PlayRun;
pub use plays::preflight::RunError;
use state::host::HostState;

use crate::{
    actions::{Blobs, Prompt, entries},
    event::{Counts, Event, Recap, Sink, TaskId},
    inventory::{Inventory, Matched, SourceRules},
    link::Links,
    plan::{Play, Resolver},
    source::Span,
    vars::{Lazy, Lenience, Value, mapping},
    vault::Vault,
};

/// What the command line and the configuration say about a run.
pub struct Options {
    pub check: bool,
    pub diff: bool,
    pub forks: usize,
    pub verbosity: u8,
    /// `--limit` as it was given.
    pub limit: Option<String>,
    /// The hosts that `--limit` allows.
    pub allowed: Option<Matched>,
    pub force_handlers: bool,
    pub start_at: Option<String>,
    /// Whether facts are gathered for plays that do not say: `implicit` (when first read) or `explicit`.
    pub gather: bool,
    pub any_errors_fatal: bool,
    pub no_log: bool,
    /// The strategy of plays that name none.
    pub strategy: String,
    /// Whether calls of several tasks or items may go out together.
    pub batch: bool,
    pub connection: Defaults,
    pub inventory_dir: Option<String>,
    pub inventory_file: Option<String>,
    pub inventory_sources: Vec<String>,
    pub config_file: Option<String>,
    /// Where hosts keep what becomes of jobs, unless it is the usual place.
    pub async_dir: Option<String>,
    /// Seconds; 0 lets tasks with `async` go on by themselves when they say nothing else.
    pub poll_interval: u32,
    pub source_rules: SourceRules,
    pub deprecation_warnings: bool,
    /// What is deprecated and let through all the same.
    pub lenience: Vec<Lenience>,
}

/// One run over all its plays.
pub struct Run {
    pub options: Options,
    pub resolver: Resolver,
    pub(crate) inventory: RwLock<Inventory>,
    pub(crate) links: Links,
    pub(crate) vault: Arc<Vault>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) prompt: Box<dyn Prompt>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) hosts: Mutex<HashMap<Arc<str>, Arc<HostState>>>,
    pub(crate) groups: Mutex<Option<Value>>,
    pub(crate) additions: Mutex<Vec<state::growth::Addition>>,
    pub(crate) recap: Mutex<Recap>,
    pub(crate) losses: Mutex<state::losses::Losses>,
    pub(crate) next_task: AtomicU64,
    pub(crate) next_key: AtomicU64,
    /// `--start-at-task` has not met its task yet.
    pub(crate) waiting: AtomicBool,
    pub(crate) begun: Instant,
    /// Warnings of templates that were given, with their places.
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
        let waiting = AtomicBool::new(options.start_at.is_some());
        Arc::new(Run {
            options,
            resolver,
            inventory: RwLock::new(inventory),
            links,
            vault,
            sink,
            prompt,
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

    /// Runs playbooks that were resolved before. The recap tells what it came to; an error is one that
    /// ends the run at once (a variables file that cannot be read, an unknown pattern): before any host is touched
    /// where that can be known.
    pub fn playbooks(self: &Arc<Self>, playbooks: &[(PathBuf, Vec<Arc<Play>>)]) -> Result<Recap, RunError> {
        let all: Vec<&Arc<Play>> = playbooks.iter().flat_map(|(_, plays)| plays).collect();
        self.preflight(&all)?;
        let mut result = Ok(());
        'all: for (path, plays) in playbooks {
            let name = path.display().to_string().into();
            self.send(Event::PlaybookStarted { name, plays: plays.len() });
            for play in plays {
                match self.play(play) {
                    Ok(true) => {}
                    Ok(false) => break 'all,
                    Err(problems) => {
                        result = Err(problems);
                        break 'all;
                    }
                }
            }
        }
        let recap = self.recap();
        self.send(Event::RunEnded(Arc::new(recap.clone())));
        if let (true, Some(name)) = (self.waiting.load(Ordering::Acquire), &self.options.start_at) {
            let message =
                format!("No matching task \"{name}\" found. Note: --start-at-task can only follow static includes.");
            self.warn(message, None);
        }
        result.map(|()| recap).map_err(RunError::from)
    }

    /// What the run has come to so far.
    pub fn recap(&self) -> Recap {
        let mut recap = lock(&self.recap).clone();
        recap.elapsed = self.begun.elapsed();
        let last = lock(&self.losses).last();
        recap.failed = last == state::losses::PlayResult::Failed;
        recap.unreachable = last == state::losses::PlayResult::Unreachable;
        recap.hosts.sort_unstable_keys();
        recap
    }

    pub(crate) fn send(&self, event: Event) {
        self.sink.send(event);
    }

    /// Warns of something at a place, unless that was done before.
    pub(crate) fn warn_once(&self, message: &str, place: &Span) {
        if lock(&self.warned).insert((message.to_owned(), place.to_string())) {
            self.warn(message, Some(place.clone()));
        }
    }

    pub(crate) fn warn(&self, message: impl Into<Arc<str>>, place: Option<Span>) {
        self.send(Event::Warning { message: message.into(), place });
    }

    pub(crate) fn inventory(&self) -> RwLockReadGuard<'_, Inventory> {
        self.inventory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the inventory; what was put together from it is put together anew.
    pub(crate) fn change_inventory<T>(&self, change: impl FnOnce(&mut Inventory) -> T) -> T {
        let result = change(&mut self.inventory.write().unwrap_or_else(PoisonError::into_inner));
        *lock(&self.groups) = None;
        result
    }

    /// A host's state; made when it is first asked for. `None` for a name that no source knows.
    pub(crate) fn host(&self, name: &str, play: &PlayRun) -> Option<Arc<HostState>> {
        if let Some(host) = lock(&self.hosts).get(name) {
            return Some(host.clone());
        }
        self.inventory().host(name)?;
        let host = match self.inventory_layers(name, &play.play.folder) {
            Ok(layers) => HostState::new(name.into(), layers),
            Err(problems) => HostState::broken(name.into(), &problems),
        };
        let host = Arc::new(host);
        Some(lock(&self.hosts).entry(name.into()).or_insert(host).clone())
    }

    /// A host that a task is delegated to; one that no source knows is reached by its name.
    pub(crate) fn host_or_ad_hoc(&self, name: &str, play: &PlayRun) -> Arc<HostState> {
        self.host(name, play).unwrap_or_else(|| {
            let host = Arc::new(HostState::new(name.into(), Vec::new()));
            lock(&self.hosts).entry(name.into()).or_insert(host).clone()
        })
    }

    /// Reads the inventory's variables of all hosts seen so far anew.
    pub(crate) fn refresh_layers(&self, playbook_dir: &Path) {
        let hosts: Vec<Arc<HostState>> = lock(&self.hosts).values().cloned().collect();
        for host in hosts {
            match self.inventory_layers(&host.name, playbook_dir) {
                Ok(layers) => host.set_inventory(layers),
                Err(problems) => host.set_broken(&problems),
            }
        }
    }

    /// The variable `groups`.
    pub(crate) fn groups(&self) -> Value {
        let mut kept = lock(&self.groups);
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

    /// Counts something for a host.
    pub(crate) fn count(&self, host: &Arc<str>, count: impl FnOnce(&mut Counts)) {
        count(lock(&self.recap).hosts.entry(host.clone()).or_default());
    }

    pub(crate) fn add_stats(&self, host: &Arc<str>, data: Vec<(Arc<str>, Value)>, per_host: bool, aggregate: bool) {
        let mut recap = lock(&self.recap);
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
}

/// Numbers and texts are added up, lists joined, mappings united.
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

/// Nothing here leaves a lock in a broken state, so a panic elsewhere does no harm to it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A variable set to data.
pub(crate) fn data(value: impl Into<Value>) -> Lazy {
    Lazy::Data(value.into())
}
