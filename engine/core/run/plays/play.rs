//! One play: its hosts, its batches, what is left of them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexSet;
use miette::Diagnostic;

use crate::run::conditions;
use crate::run::lookahead::rules as certain;
use crate::run::state::handler_list::HandlerList;
use crate::run::state::host::HostState;
use crate::run::{Run, data, lock, text_of};
use crate::{
    event::{Event, PlayStarted},
    inventory::Pattern,
    plan::{Field, Play, Role, Step},
    source::{Problems, Span},
    template,
    vars::{Layer, Scope, Value},
};

/// A play as one batch of hosts runs it.
pub struct PlayRun {
    pub play: Arc<Play>,
    pub name: Arc<str>,
    /// All hosts of the play, whatever became of them.
    pub all: Vec<Arc<str>>,
    /// Those of the present batch.
    pub batch: Vec<Arc<str>>,
    pub prompted: Arc<Layer>,
    /// Layers from vars_files, by host, the strongest first.
    files: RwLock<HashMap<Arc<str>, Vec<Arc<Layer>>>>,
    /// Roles of the play, and those that an include made public.
    roles: RwLock<Arc<[Arc<Role>]>>,
    handlers: RwLock<Arc<HandlerList>>,
    /// What was notified, by host: names and topics, which are looked up when the handlers are to run.
    pub notified: Mutex<HashMap<Arc<str>, IndexSet<Arc<str>>>>,
    /// Handlers that are still to run, by host and by their place in the list.
    pub pending: Mutex<HashMap<Arc<str>, IndexSet<usize>>>,
    /// Handlers run on failed hosts as well.
    pub force_handlers: bool,
    /// Hosts that take no further part, and why.
    gone: Mutex<HashMap<Arc<str>, Gone>>,
    /// Hosts that are none of the play's any more: `ansible_play_hosts` is without them.
    removed: Mutex<HashSet<Arc<str>>>,
    /// Hosts of this batch that are given up, as far as `max_fail_percentage` counts them.
    failed: Mutex<HashSet<Arc<str>>>,
    /// Hosts that failed before this batch.
    failed_before: Mutex<HashSet<Arc<str>>>,
    /// Hosts that fail because others did, elsewhere in the play: they leave their steps at the next one.
    struck: Mutex<HashSet<Arc<str>>>,
    /// `end_play` or `end_batch`.
    over: AtomicBool,
    /// More hosts failed than `max_fail_percentage` allows: the run ends after this batch.
    pub broken: AtomicBool,
    /// No further batches of the play.
    pub end_play: AtomicBool,
    /// Hosts go their own ways: strategy free or host_pinned.
    pub free: AtomicBool,
    /// The play says that no facts are to be gathered.
    pub never_gather: AtomicBool,
    /// Hosts go their own ways, and one of them may end the play for all at any time.
    pub unsteady: AtomicBool,
    /// Held while facts are gathered, so that hosts on their own ways do not do it twice.
    pub gathering: Mutex<()>,
}

/// Why a host takes no further part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    Failed,
    Unreachable,
    /// `end_host` and the like: not for later plays.
    Ended,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
enum PlayError {
    #[error("`{name}` cannot be rendered: {reason}")]
    Keyword {
        name: &'static str,
        reason: String,
        #[source_code]
        #[label("here")]
        at: Span,
    },
    #[error("`serial` takes numbers of hosts or percentages")]
    Serial {
        #[source_code]
        #[label("neither")]
        at: Span,
    },
    #[error("an undefined variable was found when attempting to template the vars_files item: {reason}")]
    VarsFiles {
        reason: String,
        #[source_code]
        #[label("in this item")]
        at: Span,
    },
    #[error("Invalid `vars_files` value of type '{kind}'")]
    VarsFileType {
        kind: String,
        #[source_code]
        #[label("must be the name of a file")]
        at: Span,
    },
}

impl PlayRun {
    /// A play without hosts.
    pub(crate) fn of(play: &Arc<Play>) -> Self {
        PlayRun {
            play: play.clone(),
            name: "".into(),
            all: Vec::new(),
            batch: Vec::new(),
            prompted: Arc::default(),
            files: RwLock::default(),
            roles: RwLock::new(play.roles.clone().into()),
            handlers: RwLock::new(Arc::new(HandlerList::of(&play.handlers))),
            notified: Mutex::default(),
            pending: Mutex::default(),
            force_handlers: false,
            gone: Mutex::default(),
            removed: Mutex::default(),
            failed: Mutex::default(),
            failed_before: Mutex::default(),
            struck: Mutex::default(),
            over: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            end_play: AtomicBool::new(false),
            free: AtomicBool::new(false),
            never_gather: AtomicBool::new(false),
            unsteady: AtomicBool::new(false),
            gathering: Mutex::default(),
        }
    }

    pub fn roles(&self) -> Arc<[Arc<Role>]> {
        self.roles.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The handlers there are by now.
    pub(crate) fn handlers(&self) -> Arc<HandlerList> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the handlers of an included role or file.
    pub fn add_handlers(&self, steps: &[Step]) {
        if !steps.is_empty() {
            Arc::make_mut(&mut self.handlers.write().unwrap_or_else(PoisonError::into_inner)).extend(steps);
        }
    }

    /// Lets the tasks that follow see a role's variables.
    pub fn publish(&self, role: Arc<Role>) {
        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        *roles = roles.iter().cloned().chain([role]).collect();
    }

    pub fn files_of(&self, host: &str) -> Vec<Arc<Layer>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(host).cloned().unwrap_or_default()
    }

    pub fn leave(&self, host: &Arc<str>, why: Gone) {
        lock(&self.gone).insert(host.clone(), why);
    }

    /// A host is none of the play's hosts any more, as its variables tell them.
    pub fn remove(&self, host: &Arc<str>) {
        lock(&self.removed).insert(host.clone());
    }

    /// Those of these hosts that are still the play's.
    pub fn present(&self, hosts: &[Arc<str>]) -> Vec<Arc<str>> {
        let removed = lock(&self.removed);
        hosts.iter().filter(|host| !removed.contains(*host)).cloned().collect()
    }

    /// A host is given up: later plays go on without it.
    pub fn give_up(&self, host: &Arc<str>) {
        lock(&self.failed).insert(host.clone());
    }

    /// How many hosts of the batch were given up.
    pub fn given_up(&self) -> usize {
        lock(&self.failed).len()
    }

    /// A host fails because another did; it hears of it at its next step.
    pub fn strike(&self, host: &Arc<str>) {
        lock(&self.struck).insert(host.clone());
    }

    /// Whether a host was to fail since it was asked last.
    pub fn take_strike(&self, host: &str) -> bool {
        lock(&self.struck).remove(host)
    }

    /// `clear_host_errors`: those that could not be reached take part again at once; those that failed do so in the
    /// next play.
    pub fn clear_errors(&self) {
        let mut gone = lock(&self.gone);
        gone.retain(|_, why| *why != Gone::Unreachable);
        gone.values_mut().for_each(|why| *why = Gone::Ended);
        drop(gone);
        lock(&self.failed).clear();
        lock(&self.failed_before).retain(|host| !self.batch.contains(host));
    }

    /// `end_host` and the like: what went wrong on these hosts before counts no more.
    pub fn end_hosts<'h>(&self, hosts: impl Iterator<Item = &'h Arc<str>>) {
        for host in hosts {
            lock(&self.failed_before).remove(host);
            self.remove(host);
            self.leave(host, Gone::Ended);
        }
    }

    pub fn gone(&self, host: &str) -> Option<Gone> {
        lock(&self.gone).get(host).copied()
    }

    pub fn left_of(&self, hosts: &[Arc<str>]) -> Vec<Arc<str>> {
        let gone = lock(&self.gone);
        hosts.iter().filter(|host| !gone.contains_key(*host)).cloned().collect()
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

impl Run {
    /// Runs a play. False when nothing may follow it.
    pub(crate) fn play(self: &Arc<Self>, play: &Arc<Play>) -> Result<bool, Problems> {
        let scope = self.scope_of_play(&Arc::new(PlayRun::of(play)));
        let pattern = words(&play.hosts, &scope, "hosts")?.join(",");
        let name: Arc<str> = match &play.name {
            Some(name) => template::render(&name.value, &scope)
                .map_or_else(|_| name.span.text().to_owned(), |v| text_of(&v))
                .into(),
            None => pattern.as_str().into(),
        };
        let (all, ordered) = self.hosts_of(&pattern, play, &scope)?;
        if all.is_empty() {
            self.send(Event::PlayStarted(self.play_started(&name, &[], play)));
            self.send(Event::NoHosts { pattern: pattern.into() });
            return Ok(true);
        }
        let prompted = self.prompted(play, &scope)?;
        let force_handlers =
            conditions::own_flag("force_handlers", play.force_handlers.as_ref(), &scope).ok().flatten();
        lock(&self.losses).begin_play();
        for batch in batches(&ordered, &play.serial, &scope)? {
            let run = PlayRun {
                name: name.clone(),
                all: all.clone(),
                batch: batch.clone(),
                prompted: prompted.clone(),
                force_handlers: force_handlers.unwrap_or(self.options.force_handlers),
                ..PlayRun::of(play)
            };
            let lost_before = self.losses_keep_out(&run);
            let run = Arc::new(run);
            self.send(Event::PlayStarted(self.play_started(&name, &run.left_of(&batch), play)));
            self.batch(&run, &batch)?;
            self.end_batch(&run);
            let lost = lock(&self.losses).count();
            // The run goes on unless all of the batch are lost. Ansible counts those twice that could not be
            // reached and failed with others.
            if run.broken.load(Ordering::Acquire) || lost.saturating_sub(lost_before) == batch.len() {
                return Ok(false);
            }
            if run.end_play.load(Ordering::Acquire) {
                break;
            }
        }
        Ok(true)
    }

    /// Who failed or was unreachable in an earlier play or batch stays out. Returns how many there are.
    fn losses_keep_out(&self, run: &PlayRun) -> usize {
        let mut losses = lock(&self.losses);
        for host in run.all.iter() {
            if let Some(why) = losses.why(host) {
                run.remove(host);
                run.leave(host, why);
            }
        }
        let count = losses.count();
        *lock(&run.failed_before) = losses.take_failed();
        count
    }

    /// Notes what became of a batch for the plays after it.
    fn end_batch(&self, run: &Arc<PlayRun>) {
        let mut failed = std::mem::take(&mut *lock(&run.failed_before));
        failed.extend(run.batch.iter().filter(|host| run.gone(host) == Some(Gone::Failed)).cloned());
        let condemned = std::mem::take(&mut *lock(&run.failed));
        let broken = run.broken.load(Ordering::Acquire);
        lock(&self.losses).end_batch(failed, condemned, broken);
    }

    fn play_started(&self, name: &Arc<str>, hosts: &[Arc<str>], play: &Play) -> PlayStarted {
        PlayStarted {
            name: name.clone(),
            hosts: hosts.to_vec(),
            check_mode: self.options.check,
            place: play.span.clone(),
        }
    }

    fn batch(self: &Arc<Self>, play: &Arc<PlayRun>, names: &[Arc<str>]) -> Result<(), Problems> {
        let hosts: Vec<Arc<HostState>> = names.iter().filter_map(|name| self.host(name, play)).collect();
        let free = matches!(self.strategy(&play.play)?, "free" | "host_pinned");
        play.free.store(free, Ordering::Release);
        for host in &hosts {
            host.begin_play();
            host.set_inventory(self.inventory_layers(&host.name, &play.play.folder)?);
        }
        let alive: Vec<_> = hosts.iter().filter(|host| play.gone(&host.name).is_none()).cloned().collect();
        self.begin_gathering(play, &alive)?;
        self.read_vars_files(play, &hosts)?;
        // Those that are gone may come back by `clear_host_errors`.
        match free {
            true => self.each_on_its_own(play, &hosts),
            false => self.together(play, &hosts),
        }
        Ok(())
    }

    /// Strategy linear: all hosts do one task, then the next.
    fn together(self: &Arc<Self>, play: &Arc<PlayRun>, hosts: &[Arc<HostState>]) {
        let failed = self.steps(play, &play.play.steps, hosts, None);
        self.drop_failed(play, &failed);
    }

    /// Strategy free: every host goes through the play as fast as it can.
    fn each_on_its_own(self: &Arc<Self>, play: &Arc<PlayRun>, hosts: &[Arc<HostState>]) {
        let ends = certain::may_end_play(&play.play.steps) || certain::may_end_play(&play.play.handlers);
        play.unsteady.store(hosts.len() > 1 && ends, Ordering::Release);
        let queue = Mutex::new(hosts.iter().cloned().collect::<std::collections::VecDeque<_>>());
        std::thread::scope(|threads| {
            for _ in 0..self.options.forks.min(hosts.len()).max(1) {
                threads.spawn(|| {
                    loop {
                        // Bound first: in a `while let` the lock would last for the whole body.
                        let next = lock(&queue).pop_front();
                        let Some(host) = next else { break };
                        self.together(play, &[host]);
                    }
                });
            }
        });
        if hosts.iter().all(|host| play.gone(&host.name) == Some(Gone::Unreachable)) {
            self.send(Event::NoHostsLeft);
        }
    }

    /// Hosts that have failed outside any block that could rescue them, unless that was forgiven since.
    pub(crate) fn drop_failed(&self, play: &PlayRun, failed: &[Arc<HostState>]) {
        for host in failed.iter().filter(|host| host.has_failed()) {
            if play.gone(&host.name).is_none() {
                play.leave(&host.name, Gone::Failed);
            }
        }
    }

    pub(crate) fn scope_of_play(self: &Arc<Self>, play: &Arc<PlayRun>) -> Arc<Scope> {
        let host = Arc::new(HostState::new("localhost".into(), Vec::new()));
        host.set_gathered(true);
        self.scope(play, &host, None, None, self.options.check)
    }

    /// The hosts of a play in the inventory's order, as its variables tell them, and in the one they go in.
    fn hosts_of(
        &self,
        pattern: &str,
        play: &Play,
        scope: &Arc<Scope>,
    ) -> Result<(Vec<Arc<str>>, Vec<Arc<str>>), Problems> {
        let inventory = self.inventory();
        let matched = inventory.matching(&Pattern::parse(pattern)?, self.options.allowed.as_ref())?;
        for warning in &matched.warnings {
            self.warn(warning.as_str(), Some(play.hosts.span.clone()));
        }
        let all = matched.hosts;
        let mut hosts = all.clone();
        match &play.order {
            None => {}
            Some(order) => match text_of(&rendered(order, scope, "order")?).as_str() {
                "inventory" | "None" => {}
                "reverse_inventory" => hosts.reverse(),
                "sorted" => hosts.sort(),
                "reverse_sorted" => {
                    hosts.sort();
                    hosts.reverse();
                }
                "shuffle" => {
                    use rand::seq::SliceRandom;
                    hosts.shuffle(&mut rand::rng());
                }
                other => {
                    return Err(PlayError::Keyword {
                        name: "order",
                        reason: format!(
                            "`{other}` is none of inventory, reverse_inventory, sorted, reverse_sorted, shuffle"
                        ),
                        at: order.span.clone(),
                    }
                    .into());
                }
            },
        }
        Ok((all, hosts))
    }

    fn prompted(&self, play: &Play, scope: &Arc<Scope>) -> Result<Arc<Layer>, Problems> {
        let mut layer = Layer::new();
        for entry in &play.vars_prompt {
            if self.resolver.extra.contains_key(&entry.name) {
                continue;
            }
            let default = match &entry.default {
                Some(field) => Some(text_of(&rendered(field, scope, "vars_prompt")?)),
                None => None,
            };
            let text = match &entry.prompt {
                Some(field) => text_of(&rendered(field, scope, "vars_prompt")?),
                None => entry.name.to_string(),
            };
            let text = match &default {
                Some(default) if !entry.private => format!("{text} [{default}]: "),
                _ => format!("{text}: "),
            };
            let answer = loop {
                let first = self.prompt.ask(&text, !entry.private);
                if !entry.confirm
                    || first.is_none()
                    || first == self.prompt.ask(&format!("confirm {text}"), !entry.private)
                {
                    break first;
                }
            };
            let answer = answer.filter(|answer| !answer.is_empty());
            // What is not shown while it is typed is not shown later.
            if let Some(typed) = answer.as_ref().filter(|_| entry.private) {
                scope.magic.conceal(typed);
            }
            let value = answer.or(default).unwrap_or_default();
            let value = match &entry.encrypt {
                Some(scheme) => {
                    let given =
                        Layer::from_iter([("answer".into(), data(value)), ("scheme".into(), data(scheme.clone()))]);
                    let scope = Scope::new(vec![Arc::new(given)], scope.magic.clone(), scope.folders.clone());
                    template::expression("answer | password_hash(scheme)", entry.span.clone(), &Arc::new(scope))
                        .map_err(Problems::from)?
                }
                None => Value::from(value),
            };
            layer.insert(entry.name.clone(), data(value));
        }
        Ok(Arc::new(layer))
    }

    fn read_vars_files(self: &Arc<Self>, play: &Arc<PlayRun>, hosts: &[Arc<HostState>]) -> Result<(), Problems> {
        if play.play.vars_files.is_empty() {
            return Ok(());
        }
        for host in hosts {
            let mut layers: Vec<Arc<Layer>> = Vec::new();
            for candidates in &play.play.vars_files {
                let layer = self.vars_file(play, host, candidates)?;
                layers.insert(0, layer);
                // Later files may be named by what earlier ones say.
                let mut files = play.files.write().unwrap_or_else(PoisonError::into_inner);
                files.insert(host.name.clone(), layers.clone());
            }
        }
        Ok(())
    }

    fn vars_file(
        self: &Arc<Self>,
        play: &Arc<PlayRun>,
        host: &Arc<HostState>,
        candidates: &[Field],
    ) -> Result<Arc<Layer>, Problems> {
        for candidate in candidates {
            let at = || candidate.span.clone();
            let name = match self.with_facts(play, host, |scope| template::render(&candidate.value, scope)) {
                Ok(name) => name,
                Err(error) if error.undefined().is_some() => {
                    // With facts at hand the name will not become known later.
                    if host.gathered() || !play.never_gather.load(Ordering::Acquire) {
                        return Err(PlayError::VarsFiles { reason: error.to_string(), at: at() }.into());
                    }
                    self.warn_once("skipping vars_files item due to an undefined variable", &candidate.span);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(name) = name.as_str() else {
                let kind = name.kind().to_string();
                return Err(PlayError::VarsFileType { kind, at: at() }.into());
            };
            if let Some(found) = crate::plan::vars_file(&play.play.folder, name) {
                return self.resolver.project.vars(&found, Some(&candidate.span));
            }
        }
        // As in Ansible, a file that is not there says nothing.
        Ok(Arc::default())
    }
}

/// The rendered value of a play's keyword.
pub(crate) fn rendered(field: &Field, scope: &Arc<Scope>, name: &'static str) -> Result<Value, Problems> {
    template::render(&field.value, scope)
        .map_err(|error| PlayError::Keyword { name, reason: error.to_string(), at: field.span.clone() }.into())
}

fn words(field: &Field, scope: &Arc<Scope>, name: &'static str) -> Result<Vec<String>, Problems> {
    let value = rendered(field, scope, name)?;
    Ok(match value.as_str() {
        Some(text) => vec![text.to_owned()],
        None => value.try_iter().into_iter().flatten().map(|item| text_of(&item)).collect(),
    })
}

/// Whether `serial` is to be understood, as far as it is known before the play has hosts.
///
/// # Errors
/// It holds something that is neither a number nor a percentage.
pub(crate) fn check_serial(play: &Play, scope: &Arc<Scope>) -> Result<(), Problems> {
    match play.serial.iter().all(|field| field.value.data().is_some()) {
        true => batches(&[], &play.serial, scope).map(drop),
        false => Ok(()),
    }
}

/// Cuts the hosts into the batches that `serial` asks for; the last size goes on until all are served.
fn batches(hosts: &[Arc<str>], serial: &[Field], scope: &Arc<Scope>) -> Result<Vec<Vec<Arc<str>>>, Problems> {
    let mut sizes = Vec::new();
    for field in serial {
        let value = rendered(field, scope, "serial")?;
        if crate::vars::is_omit(&value) {
            continue;
        }
        let parts: Vec<Value> = match value.kind() {
            minijinja::value::ValueKind::Seq => value.try_iter().into_iter().flatten().collect(),
            _ => vec![value],
        };
        for part in parts {
            let text = text_of(&part);
            let size = match text.trim().strip_suffix('%') {
                Some(percent) => percent.trim().parse::<f64>().ok().map(|p| (p / 100.0 * hosts.len() as f64) as usize),
                // Fewer than none means all, as in Ansible.
                None => text.trim().parse::<i64>().ok().map(|size| usize::try_from(size).unwrap_or(0)),
            };
            match size {
                Some(0) if !text.contains('%') => sizes.push(hosts.len()),
                Some(size) => sizes.push(size.max(1)),
                None => return Err(PlayError::Serial { at: field.span.clone() }.into()),
            }
        }
    }
    let mut rest = hosts;
    let mut batches = Vec::new();
    let mut sizes = sizes.into_iter();
    let mut size = sizes.next().unwrap_or(hosts.len());
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(size.min(rest.len()));
        batches.push(batch.to_vec());
        rest = after;
        size = sizes.next().unwrap_or(size);
    }
    Ok(batches)
}
