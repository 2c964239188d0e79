//! Starts agents over ssh.
//!
//! OpenSSH's master process holds the connection. It is started with the user's own configuration and arguments, and
//! stays for a while after the run, so that the next run finds it. A session over its control socket needs no process
//! and no key exchange.

mod master;

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::Stdio as ProcessStdio,
    sync::Arc,
    time::{Duration, Instant},
};

use openssh::{Session, Stdio};
use parking_lot::Mutex;
use rplay_wire::Failure;
use tokio::{process::Command, time::timeout};
use tracing::debug;

use super::{
    SshOptions, Target,
    arrival::{self, Start},
    executable::AgentKind,
    executables::Executables,
    greeting::NoAgent,
    keys::Keys,
    pace::Pace,
    silence::Silence,
    ssh_words::{self, Cause},
    transport::Transport,
};
use master::Ended;

/// Concurrent connections to one address. Below 10, at which sshd starts to drop connections that have not logged in
/// yet (MaxStartups 10:30:100).
const CONNECTS_AT_ONCE: usize = 8;

/// Number of dropped connections that are retried at a time: initially, and at most. They may share a jump host or an
/// sshd, whatever their addresses are.
const RETRIED_AT_ONCE: (usize, usize) = (8, 64);

/// How long, and how often at least, a host that drops connections is retried.
const BUSY_FOR: Duration = Duration::from_secs(60);
const BUSY_TRIES: u32 = 10;

/// A host that was dropped more often is busy for other reasons, and does not slow down others.
const DROPS_THAT_COUNT: u32 = 5;

/// Maximum pause in milliseconds before a retry, after a drop or because of ansible_ssh_retries.
const LONGEST_REST: u64 = 3_000;
const LONGEST_PAUSE: u64 = 30_000;

/// By host and port: limits concurrent connection attempts.
type Gates = HashMap<(String, Option<u16>), Arc<Pace>>;

/// All ssh masters of a run.
pub(super) struct Masters {
    /// Private directory of the control sockets.
    directory: PathBuf,
    /// Seconds that a master stays without a session.
    persist: u32,
    /// Silence after which a link is considered lost.
    silence: Silence,
    executables: Arc<Executables>,
    keys: Keys,
    gates: Mutex<Gates>,
    /// Shared by all connections that are retried because sshd dropped them.
    retried: Arc<Pace>,
}

impl Masters {
    pub(super) fn new(
        directory: PathBuf,
        persist: u32,
        silence: Silence,
        executables: Arc<Executables>,
        keys: Keys,
    ) -> Self {
        let retried = Pace::new(RETRIED_AT_ONCE.0, RETRIED_AT_ONCE.1);
        Masters { directory, persist, silence, executables, keys, gates: Mutex::default(), retried }
    }

    /// Starts the agent on a host, over an existing master or a new one. Returns once the agent's marker was read. A
    /// damaged executable on the host is replaced.
    pub(super) async fn start(
        &self,
        target: &Target,
        ssh: &SshOptions,
        kind: AgentKind,
        patience: Duration,
        how: Start,
    ) -> Result<Transport, Failure> {
        refuse_odd(ssh)?;
        // The digest is needed as soon as the connection is there.
        let executables = self.executables.clone();
        tokio::task::spawn_blocking(move || executables.own(kind));
        let control = self.control(target, ssh);
        // A host that hangs, or a master that outlived its host, does not get the full patience.
        let little = patience.min(Duration::from_secs(10));
        if self.is_alive(&control).await {
            debug!(host = target.name, "found the ssh connection of an earlier run or task");
            if let Ok(transport) = self.agent(&control, target, kind, little, how).await {
                return Ok(transport);
            }
            debug!(host = target.name, "no agent can be started over this connection: connecting again");
            self.end(ssh, &control).await;
        }
        self.connect(target, ssh, &control).await?;
        match self.agent(&control, target, kind, patience, how).await {
            Err(NoAgent::Silent(_)) if how == Start::Trusting => {
                self.session(&control, target, kind, little, Start::Checking).await
            }
            other => other,
        }
        .map_err(Failure::from)
    }

    /// Starts the agent over a master; if it ends at once, starts it again with its file verified.
    async fn agent(
        &self,
        control: &Path,
        target: &Target,
        kind: AgentKind,
        patience: Duration,
        how: Start,
    ) -> Result<Transport, NoAgent> {
        match self.session(control, target, kind, patience, how).await {
            Err(NoAgent::Ended(_)) if how == Start::Trusting => {
                self.session(control, target, kind, patience, Start::Checking).await
            }
            other => other,
        }
    }

    /// Ends the master of a target.
    pub(super) async fn reset(&self, target: &Target, ssh: &SshOptions) {
        let control = self.control(target, ssh);
        if refuse_odd(ssh).is_ok() && self.is_alive(&control).await {
            self.end(ssh, &control).await;
        }
    }

    /// The control socket of a target. Each inventory name has its own, even if two names mean the same host, because
    /// sshd allows only ten sessions per connection.
    fn control(&self, target: &Target, ssh: &SshOptions) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        let SshOptions {
            host,
            port,
            user,
            private_key_file,
            private_key,
            args,
            password: _,
            check_host_key,
            executable,
            timeout: _,
            retries: _,
        } = ssh;
        let key = private_key.as_ref().map(|key| &key.text);
        (&target.name, host, port, user, private_key_file, key, args, check_host_key, executable).hash(&mut hasher);
        self.directory.join(format!("{:016x}", hasher.finish()))
    }

    /// Whether a master listens there; removes a socket without a listener.
    async fn is_alive(&self, control: &Path) -> bool {
        if !control.exists() {
            return false;
        }
        let checked = timeout(Duration::from_secs(2), Session::resume_mux(control.into(), None).check()).await;
        let alive = matches!(checked, Ok(Ok(())));
        if !alive {
            let _ = std::fs::remove_file(control);
        }
        alive
    }

    async fn end(&self, ssh: &SshOptions, control: &Path) {
        let mut command = Command::new(&ssh.executable);
        // ssh requires a host name here but ignores it.
        command.args(["-O", "exit", "-S"]).arg(control).arg("host").kill_on_drop(true);
        command.stdin(ProcessStdio::null()).stdout(ProcessStdio::null()).stderr(ProcessStdio::null());
        let _ = timeout(Duration::from_secs(2), command.status()).await;
        let _ = std::fs::remove_file(control);
    }

    async fn session(
        &self,
        control: &Path,
        target: &Target,
        kind: AgentKind,
        patience: Duration,
        how: Start,
    ) -> Result<Transport, NoAgent> {
        let way = |msg: String| NoAgent::Way(Failure::unreachable(msg));
        let executables = self.executables.clone();
        let own = tokio::task::spawn_blocking(move || executables.own(kind)).await;
        let own = own.map_err(|error| Failure::new(error.to_string())).and_then(|own| own).map_err(NoAgent::Way)?;
        let session = Arc::new(Session::resume_mux(control.into(), None));
        let mut command = session.arc_raw_command(arrival::command(&own, how, &self.silence.words()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = &target.name;
        let mut child = match timeout(patience, command.spawn()).await {
            Ok(Ok(child)) => child,
            Ok(Err(error)) => return Err(way(format!("ssh cannot open a session on {name}: {}", chain(&error)))),
            Err(_) => return Err(way(format!("ssh did not open a session on {name} within {} s", patience.as_secs()))),
        };
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(way(format!("ssh opened a session on {name} without its streams")));
        };
        let mut transport = Transport::new(stdout, stdin, stderr, child);
        transport.kind = own.kind;
        arrival::arrive(&mut transport, &self.executables, name, kind, patience).await?;
        Ok(transport)
    }

    /// Starts a master. A connection that a busy sshd dropped is retried for a while, together with few others; any
    /// other failure is retried as often as `ansible_ssh_retries` says.
    async fn connect(&self, target: &Target, ssh: &SshOptions, control: &Path) -> Result<(), Failure> {
        let gate = {
            let mut gates = self.gates.lock();
            let gate = gates
                .entry((ssh.host.clone(), ssh.port))
                .or_insert_with(|| Pace::new(CONNECTS_AT_ONCE, CONNECTS_AT_ONCE));
            gate.clone()
        };
        let (mut drops, mut retries) = (0, 0);
        let mut dropped_first: Option<Instant> = None;
        loop {
            let place = gate.place().await;
            // Connections that were not dropped wait for no others.
            let turn = if drops > 0 { Some(self.retried.place().await) } else { None };
            let since = turn.as_ref().map_or_else(|| self.retried.now(), |turn| turn.since());
            let said = match self.new_master(target, ssh, control).await {
                Ok(()) => {
                    gate.succeeded();
                    if turn.is_some() {
                        self.retried.succeeded();
                    }
                    return Ok(());
                }
                Err(Ended::Said(said)) => said,
                Err(Ended::Failed(failure)) => return Err(failure),
            };
            let (cause, failure) = ssh_words::explain(ssh, &said);
            let (tries, longest) = match cause {
                Cause::Busy => {
                    drops += 1;
                    if drops <= DROPS_THAT_COUNT {
                        gate.dropped(place.since());
                        self.retried.dropped(since);
                    }
                    let for_long = dropped_first.get_or_insert_with(Instant::now).elapsed() >= BUSY_FOR;
                    if for_long && drops > BUSY_TRIES {
                        return Err(failure);
                    }
                    (drops, LONGEST_REST)
                }
                Cause::Other if retries < ssh.retries => {
                    retries += 1;
                    // As in Ansible: 1 s, then doubled each time, up to 30.
                    (retries + 2, LONGEST_PAUSE)
                }
                Cause::Other | Cause::Refused => return Err(failure),
            };
            drop((place, turn));
            let longest = (100u64 << tries.min(10)).min(longest);
            let pause = rand::random_range(longest / 2..=longest);
            debug!(host = target.name, ?cause, pause_ms = pause, "ssh did not log in: trying again");
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

/// Rejects names that ssh would take for an option.
fn refuse_odd(ssh: &SshOptions) -> Result<(), Failure> {
    let odd = |text: &str| text.is_empty() || text.starts_with('-') || text.contains(['"', '\n', '\r', '\0']);
    if odd(&ssh.host) || ssh.host.contains(char::is_whitespace) {
        return Err(Failure::new(format!("`{}` is not a valid host name", ssh.host)).help("correct ansible_host"));
    }
    if let Some(user) = ssh.user.as_deref().filter(|user| odd(user)) {
        return Err(Failure::new(format!("`{user}` is not a valid user name")).help("correct ansible_user"));
    }
    if let Some(key) = ssh.private_key_file.as_ref().filter(|key| key.to_str().is_none_or(odd)) {
        return Err(Failure::new(format!("`{}` is not a valid key path", key.display()))
            .help("correct ansible_ssh_private_key_file"));
    }
    Ok(())
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_options_are_refused() {
        assert!(refuse_odd(&SshOptions::new("-oProxyCommand=x")).is_err());
        assert!(refuse_odd(&SshOptions::new("")).is_err());
        assert!(refuse_odd(&SshOptions { user: Some("-l".into()), ..SshOptions::new("h") }).is_err());
        assert!(refuse_odd(&SshOptions { private_key_file: Some("a\" b".into()), ..SshOptions::new("h") }).is_err());
        assert!(refuse_odd(&SshOptions::new("web1")).is_ok());
    }
}
