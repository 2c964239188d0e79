//! All links of a run: takes jobs and passes them to the agents that run them.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use rplay_wire::{Batch, Failure, MARKER, Outcome, Request};
use tokio::{runtime::Runtime, time::timeout};
use tracing::debug;

use super::{
    Connection, Container, Job, LinkEvent, Target,
    arrival::{self, Start},
    container,
    conversation::Conversation,
    directory,
    executable::AgentKind,
    executables::Executables,
    greeting::{self, NoAgent},
    keys::{KeyAgent, Keys},
    local,
    needs::needs_full,
    running::{Sending, answer_all},
    silence::Silence,
    ssh::Masters,
    stops,
    transport::Transport,
};
use crate::event::Deliveries;

/// Options of all links of a run.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// The executable to start as agent; `None` means this one.
    pub executable: Option<PathBuf>,
    /// The name of its agent's build, by which an agent alone is known as one that understands this controller. `None`:
    /// hosts get the whole executable.
    pub agent_build: Option<String>,
    /// Whether hosts get a full agent at once, because a task of the run needs it.
    pub full: bool,
    /// How long an agent may take to say hello once its process is being started.
    pub patience: Duration,
    /// Maximum time without data in the middle of an agent's reply. Between replies there is no limit.
    pub stall: Duration,
    /// Directory of ssh's control sockets: mode 0700, short path. `None` chooses one.
    pub control_directory: Option<PathBuf>,
    /// Seconds for which an idle ssh connection is kept open for the next run.
    pub persist: u32,
    /// Seconds of silence after which an ssh connection is considered lost, including what runs on its host; 0 for
    /// never.
    pub silence: u32,
    /// The ssh-agent for private keys that variables hold; `None` refuses such keys.
    pub key_agent: Option<KeyAgent>,
    /// Where the agents that are being sent are counted.
    pub deliveries: Arc<Deliveries>,
}

impl Default for LinkOptions {
    fn default() -> Self {
        LinkOptions {
            executable: None,
            agent_build: None,
            full: false,
            patience: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            control_directory: None,
            persist: 60,
            silence: Silence::default().0,
            key_agent: None,
            deliveries: Arc::default(),
        }
    }
}

/// How long telling the agents that the controller stops may take; meanwhile the terminal waits.
const TELLING: Duration = Duration::from_secs(1);

/// Frames that were queued are written within this time.
const WRITTEN: Duration = Duration::from_millis(50);

/// Locked while connecting, so that concurrent jobs share one connection.
type Slot = tokio::sync::Mutex<Option<Arc<Conversation>>>;

/// The links of a run. Dropping it disconnects from all agents.
pub struct Links {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

struct Shared {
    options: LinkOptions,
    executables: Arc<Executables>,
    masters: Masters,
    hosts: Mutex<HashMap<Arc<Target>, Arc<Host>>>,
    next_batch: AtomicU64,
}

/// The agents of one target, as far as there are any.
#[derive(Default)]
struct Host {
    /// With the agent that was started first, mostly a lean one.
    first: Slot,
    /// With a full one, started when the other cannot answer a call.
    full: Slot,
    /// Keys of jobs that were cancelled before they were sent.
    cancelled: Mutex<HashSet<u64>>,
}

impl Links {
    /// Starts the threads that serve all links.
    ///
    /// # Errors
    /// If no directory for control sockets can be created, or threads cannot be started.
    pub fn new(options: LinkOptions) -> io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("link").enable_all().build()?;
        let directory = match &options.control_directory {
            Some(directory) => directory::make_private(directory).map(|()| directory.clone())?,
            None => directory::control_directory()?,
        };
        let swept = directory.clone();
        runtime.spawn_blocking(move || directory::sweep(&swept));
        let executables =
            Executables::new(options.executable.clone(), options.agent_build.clone(), Some(directory.clone()));
        let executables = Arc::new(executables.counting(&options.deliveries));
        let silence = Silence(options.silence);
        let keys = Keys::new(options.key_agent.clone());
        let masters = Masters::new(directory, options.persist, silence, executables.clone(), keys);
        let shared = Shared { options, executables, masters, hosts: Mutex::default(), next_batch: AtomicU64::new(1) };
        let shared = Arc::new(shared);
        if silence.interval().is_some() {
            let (links, handle) = (Arc::downgrade(&shared), runtime.handle().clone());
            stops::follow(move |request| {
                if let Some(links) = links.upgrade() {
                    let _ = handle.block_on(async { timeout(TELLING, links.tell_all(&request)).await });
                }
            });
        }
        Ok(Links { runtime: Some(runtime), shared })
    }

    /// Sends a job and returns at once. Jobs for the same target run concurrently; to keep an order, wait for `Done`.
    pub fn dispatch(&self, job: Job) {
        let shared = self.shared.clone();
        // Registered here, before the task starts, so that a cancellation always finds it.
        let host = shared.hosts().entry(job.target.clone()).or_default().clone();
        self.spawn(async move { shared.run(&host, job).await });
    }

    /// Cancels a job: running calls are killed, calls that have not started are answered as skipped.
    pub fn cancel(&self, target: &Target, key: u64) {
        let Some(host) = self.shared.hosts().get(target).cloned() else { return };
        host.cancelled().insert(key);
        self.spawn(async move {
            for slot in host.slots() {
                // If this blocks, the job has not been sent yet, and `run` checks the set afterwards.
                let conversation = slot.lock().await.clone();
                if let Some(conversation) = conversation {
                    conversation.cancel(key).await;
                }
            }
        });
    }

    /// Disconnects from a target and ends its ssh master; the next job connects again (`meta: reset_connection`).
    pub fn reset(&self, target: &Target) {
        let host = self.shared.hosts().remove(target);
        let Some(runtime) = &self.runtime else { return };
        runtime.block_on(async {
            for slot in host.iter().flat_map(|host| host.slots()) {
                if let Some(conversation) = slot.lock().await.take() {
                    conversation.close();
                }
            }
            if let Connection::Ssh(ssh) = &target.connection {
                self.shared.masters.reset(target, ssh).await;
            }
        });
    }

    /// Disconnects from all agents, which kill what is still running.
    pub fn close(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        for (_, host) in self.shared.hosts().drain() {
            for slot in host.slots() {
                if let Ok(mut conversation) = slot.try_lock()
                    && let Some(conversation) = conversation.take()
                {
                    conversation.close();
                }
            }
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(100));
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Shared {
    /// Sends a request to all agents behind a network, and lets it leave.
    async fn tell_all(&self, request: &Request) {
        let behind_ssh = |(target, host): (&Arc<Target>, &Arc<Host>)| {
            matches!(target.connection, Connection::Ssh(_)).then(|| host.clone())
        };
        let hosts: Vec<_> = self.hosts().iter().filter_map(behind_ssh).collect();
        for slot in hosts.iter().flat_map(|host| host.slots()) {
            // While still connecting, there is no agent that could count the silence.
            let conversation = slot.try_lock().ok().and_then(|conversation| conversation.clone());
            if let Some(conversation) = conversation {
                conversation.tell(request).await;
            }
        }
        tokio::time::sleep(WRITTEN).await;
    }

    async fn run(&self, host: &Host, job: Job) {
        crate::panics::trap("link");
        let kind = self.kind_for(&job);
        let batch = Batch { id: self.next_batch.fetch_add(1, Ordering::Relaxed), stages: job.stages };
        let mut sending = Sending { key: job.key, batch, events: job.events, blobs: job.blobs, sinks: job.sinks };
        // The second attempt is for an agent that ended just when it received the batch.
        for _ in 0..2 {
            let conversation = match self.conversation(host, &job.target, kind).await {
                Ok(conversation) => conversation,
                Err(failure) => {
                    let failure = Failure { unreachable: true, ..failure };
                    sending.events.hear(LinkEvent::Unreachable { key: sending.key, failure });
                    return;
                }
            };
            if host.cancelled().remove(&sending.key) {
                answer_all(&sending, &Outcome { skipped: Some("cancelled".to_owned()), ..Outcome::default() });
                return;
            }
            let key = sending.key;
            match conversation.send(sending).await {
                Ok(()) => {
                    // The job may have been cancelled in the meantime.
                    if host.cancelled().remove(&key) {
                        conversation.cancel(key).await;
                    }
                    return;
                }
                Err(unsent) => sending = unsent,
            }
        }
        let failure = Failure::unreachable(format!("the agent on {} exits immediately", job.target.name));
        sending.events.hear(LinkEvent::Unreachable { key: sending.key, failure });
    }

    /// The kind of agent that all calls of a job need.
    fn kind_for(&self, job: &Job) -> AgentKind {
        let mut calls = job.stages.iter().flat_map(|stage| &stage.calls);
        match self.options.full || calls.any(needs_full) {
            true => AgentKind::Full,
            false => AgentKind::Lean,
        }
    }

    /// A conversation with an agent of that kind, or a full one that is there; connects if there is none.
    async fn conversation(&self, host: &Host, target: &Target, kind: AgentKind) -> Result<Arc<Conversation>, Failure> {
        let other = match kind {
            AgentKind::Lean => &host.full,
            AgentKind::Full => &host.first,
        };
        let there = other.lock().await.clone();
        if let Some(there) = there.filter(|there| there.kind == AgentKind::Full && !there.is_over()) {
            return Ok(there);
        }
        let mut slot = match kind {
            AgentKind::Lean => host.first.lock().await,
            AgentKind::Full => host.full.lock().await,
        };
        if let Some(conversation) = slot.as_ref().filter(|conversation| !conversation.is_over()) {
            return Ok(conversation.clone());
        }
        // If the agent ended on its own, its file may be damaged.
        let how = if slot.is_some() { Start::Checking } else { Start::Trusting };
        let conversation = match self.begin(target, kind, how).await {
            // The file may be damaged in a part that does not keep it from starting.
            Err((failure, true)) if how == Start::Trusting => {
                self.begin(target, kind, Start::Checking).await.map_err(|_| failure)?
            }
            begun => begun.map_err(|(failure, _)| failure)?,
        };
        *slot = Some(conversation.clone());
        Ok(conversation)
    }

    /// Starts an agent and waits for its hello. A failure also says whether the agent had started.
    async fn begin(&self, target: &Target, kind: AgentKind, how: Start) -> Result<Arc<Conversation>, (Failure, bool)> {
        let transport = self.connect(target, kind, how).await.map_err(|failure| (failure, false))?;
        let silence = match &target.connection {
            Connection::Ssh(_) => Silence(self.options.silence),
            // There is no network in between, and Ctrl-Z may stop `docker exec` as well.
            Connection::Local(_) | Connection::Container(_) | Connection::Plugin(_) => Silence(0),
        };
        let LinkOptions { patience, stall, .. } = self.options;
        let begun = Conversation::begin(target.name.clone(), transport, patience, stall, silence).await;
        match &begun {
            Ok(_) => debug!(host = target.name, "connected: the agent says hello"),
            Err(failure) => {
                debug!(host = target.name, unreachable = failure.unreachable, "the agent does not say hello")
            }
        }
        begun.map_err(|failure| (failure, !matches!(target.connection, Connection::Local(_))))
    }

    async fn connect(&self, target: &Target, kind: AgentKind, how: Start) -> Result<Transport, Failure> {
        let patience = self.options.patience;
        match &target.connection {
            Connection::Local(directory) => {
                debug!(host = target.name, "starting an agent on this machine");
                let mut transport = local::start(self.executables.own_path(), directory)?;
                greeting::wait_for(&[MARKER], &mut transport, &target.name, patience).await?;
                Ok(transport)
            }
            Connection::Ssh(ssh) => self.masters.start(target, ssh, kind, patience, how).await,
            // Tasks go to the plugin itself.
            Connection::Plugin(plugin) => {
                Err(Failure::new(format!("no agent can be started through the connection plugin '{}'", plugin.kind)))
            }
            Connection::Container(container) => {
                debug!(
                    host = target.name,
                    engine = container.engine,
                    container = container.name,
                    "entering the container"
                );
                match self.enter(container, &target.name, kind, how).await {
                    Err(NoAgent::Ended(_) | NoAgent::Silent(_)) if how == Start::Trusting => {
                        self.enter(container, &target.name, kind, Start::Checking).await.map_err(Failure::from)
                    }
                    entered => entered.map_err(Failure::from),
                }
            }
        }
    }

    async fn enter(
        &self,
        container: &Container,
        name: &str,
        kind: AgentKind,
        how: Start,
    ) -> Result<Transport, NoAgent> {
        let executables = self.executables.clone();
        let own = tokio::task::spawn_blocking(move || executables.own(kind)).await;
        let own = own.map_err(|error| Failure::new(error.to_string())).and_then(|own| own).map_err(NoAgent::Way)?;
        let mut transport = container::start(container, &own, how).map_err(NoAgent::Way)?;
        transport.kind = own.kind;
        arrival::arrive(&mut transport, &self.executables, name, kind, self.options.patience).await?;
        Ok(transport)
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<Arc<Target>, Arc<Host>>> {
        self.hosts.lock()
    }
}

impl Host {
    fn slots(&self) -> [&Slot; 2] {
        [&self.first, &self.full]
    }

    fn cancelled(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.cancelled.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_can_come_from_any_thread() {
        fn shared<T: Send + Sync>() {}
        shared::<Links>();
        shared::<Job>();
    }
}
