//! One run over all its plays: its inputs and its counts.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc, OnceLock,
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
        hidden_values::HiddenOfJobs,
        options::Options,
        state::{
            addition::Addition,
            fact_cache::FactCache,
            host::HostState,
            losses::{Losses, PlayResult},
            play::PlayRun,
        },
    },
    source::{Problems, Span},
    syntax::reserved_name,
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
    /// Opened when first used.
    cache: OnceLock<Option<FactCache>>,
    /// Why the run ends now, if it does.
    pub(crate) aborted: Mutex<Option<Problems>>,
    /// Warnings that were already shown, with their locations.
    pub(crate) warned: Mutex<HashSet<(String, String)>>,
    /// What the results of background jobs must not tell.
    pub(crate) hidden_of_jobs: Mutex<HiddenOfJobs>,
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
            cache: OnceLock::new(),
            aborted: Mutex::default(),
            warned: Mutex::default(),
            hidden_of_jobs: Mutex::default(),
        })
    }

    /// Ends the run, as ansible-core does where no host can be said to have failed: nothing rescues it, and no other
    /// play follows. Only the first reason counts.
    pub(crate) fn abort(&self, play: &PlayRun, problems: Problems) {
        self.aborted.lock().get_or_insert(problems);
        play.end();
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.lock().is_some()
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
    pub(crate) fn warn_once<'s>(&self, message: &str, place: impl Into<Option<&'s Span>>) {
        let place = place.into();
        let seen = (message.to_owned(), place.map(Span::to_string).unwrap_or_default());
        if self.warned.lock().insert(seen) {
            self.warn(message, place.cloned());
        }
    }

    /// Warns about variables whose names are reserved.
    pub(crate) fn warn_of_reserved<'n>(&self, names: impl IntoIterator<Item = (&'n str, &'n Span)>) {
        for (name, place) in names {
            if let Some(message) = reserved_name(name) {
                self.warn_once(&message, place);
            }
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
        let host = match self.inventory_layers(name, &play.play.directory) {
            Ok(layers) => HostState::new(name.into(), layers).with_password(self.options.connection.password.as_ref()),
            Err(problems) => HostState::broken(name.into(), &problems),
        };
        self.recall_facts(&host);
        let host = Arc::new(host);
        Some(self.hosts.lock().entry(name.into()).or_insert(host).clone())
    }

    /// The host that a task is delegated to. If no source names it, its name is its address.
    pub(crate) fn host_or_ad_hoc(&self, name: &str, play: &PlayRun) -> Arc<HostState> {
        self.host(name, play).unwrap_or_else(|| {
            let host = HostState::new(name.into(), Vec::new());
            self.recall_facts(&host);
            let host = Arc::new(host);
            self.hosts.lock().entry(name.into()).or_insert(host).clone()
        })
    }

    /// Where facts are kept between runs, if they are. A cache that cannot be used gives a warning.
    fn fact_cache(&self) -> Option<&FactCache> {
        let settings = self.options.fact_caching.as_ref()?;
        let open = || FactCache::open(settings, &self.resolver.project).map_err(|why| self.warn(why, None)).ok();
        self.cache.get_or_init(open).as_ref()
    }

    fn recall_facts(&self, host: &HostState) {
        let Some(cache) = self.fact_cache() else { return };
        match cache.recall(&host.name) {
            Ok(facts) => host.recall_facts(facts),
            Err(why) => self.warn(why, None),
        }
    }

    /// Keeps facts for later runs, by the names of their variables.
    pub(crate) fn cache_facts(&self, host: &Arc<str>, facts: impl IntoIterator<Item = (Arc<str>, Value)>) {
        if let Some(Err(why)) = self.fact_cache().map(|cache| cache.add(host, facts)) {
            self.warn(why, None);
        }
    }

    /// Removes facts, also those that were kept for later runs.
    pub(crate) fn clear_facts(&self, host: &HostState) {
        host.clear_facts();
        self.uncache_facts(&host.name);
    }

    fn uncache_facts(&self, host: &Arc<str>) {
        if let Some(Err(why)) = self.fact_cache().map(|cache| cache.forget(host)) {
            self.warn(why, None);
        }
    }

    /// `--flush-cache`: removes the cached facts of all hosts that the run may reach.
    pub(crate) fn flush_fact_cache(&self) {
        if !self.options.fact_caching.as_ref().is_some_and(|cache| cache.flush) {
            return;
        }
        let names: Vec<Arc<str>> = match &self.options.allowed {
            Some(allowed) => allowed.hosts.to_vec(),
            None => self.inventory().hosts().map(|host| host.name.clone()).collect(),
        };
        names.iter().for_each(|name| self.uncache_facts(name));
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
        let inventory = self.inventory();
        let layers = inventory.layers(name, Some(playbook_dir)).map(|layers| layers.to_vec());
        for message in inventory.take_reserved() {
            self.warn_once(&message, None);
        }
        layers
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
