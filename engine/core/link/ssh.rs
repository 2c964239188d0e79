//! An agent at the other end of ssh.
//!
//! OpenSSH's own master process holds the connection, started by us with the user's own configuration and
//! arguments; it stays for a while after the run, so that the next run finds it. Over its control socket a
//! session costs no process and no key exchange.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
    process::Stdio as ProcessStdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use openssh::{Session, Stdio};
use rplay_wire::Failure;
use tokio::{process::Command, sync::Semaphore, time::timeout};

use super::{
    SshOptions, Target, arrival,
    askpass::Answers,
    conversation::unreachable,
    executable::Executables,
    ssh_words::{self, Cause},
    transport::Transport,
};

/// sshd drops connections at random beyond 10 that have not logged in yet (MaxStartups 10:30:100).
const CONNECTS_AT_ONCE: usize = 8;

/// How often a dropped connection is tried again.
const RETRIES: u32 = 6;

/// What logging in may take beyond connecting: name look-ups and slow PAM modules on the host. Seconds.
const LOGIN: u64 = 30;

/// By host and port: how many may connect there at a time.
type Gates = HashMap<(String, Option<u16>), Arc<Semaphore>>;

/// All masters of a run.
pub struct Masters {
    /// Where the control sockets lie; only we can enter it.
    folder: PathBuf,
    /// Seconds that a master stays without a session.
    persist: u32,
    executables: Arc<Executables>,
    gates: Mutex<Gates>,
}

impl Masters {
    pub fn new(folder: PathBuf, persist: u32, executables: Arc<Executables>) -> Self {
        Masters { folder, persist, executables, gates: Mutex::default() }
    }

    /// Starts the agent on a host: over the master that is there already, or a new one. Returns with the
    /// agent's marker read.
    pub async fn start(&self, target: &Target, ssh: &SshOptions, patience: Duration) -> Result<Transport, Failure> {
        refuse_odd(ssh)?;
        // Its digest is wanted as soon as we are connected.
        let executables = self.executables.clone();
        tokio::task::spawn_blocking(move || executables.own());
        let control = self.control(target, ssh);
        if self.is_alive(&control).await {
            // A master whose host has gone still answers for itself, so it does not get all the patience.
            let begun = self.session(&control, target, patience.min(Duration::from_secs(10))).await;
            if let Ok(transport) = begun {
                return Ok(transport);
            }
            self.end(ssh, &control).await;
        }
        self.connect(target, ssh, &control).await?;
        self.session(&control, target, patience).await
    }

    /// Ends the master of a target.
    pub async fn reset(&self, target: &Target, ssh: &SshOptions) {
        let control = self.control(target, ssh);
        if refuse_odd(ssh).is_ok() && self.is_alive(&control).await {
            self.end(ssh, &control).await;
        }
    }

    /// The socket for a target. One for each inventory name, even if two mean the same host: sshd allows
    /// ten sessions for each connection.
    fn control(&self, target: &Target, ssh: &SshOptions) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        let SshOptions { host, port, user, private_key, args, password: _, check_host_key, executable, timeout: _ } =
            ssh;
        (&target.name, host, port, user, private_key, args, check_host_key, executable).hash(&mut hasher);
        self.folder.join(format!("{:016x}", hasher.finish()))
    }

    /// Whether a master listens there; a socket that nobody listens on is removed.
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
        // It wants a host's name, and does not look at it.
        command.args(["-O", "exit", "-S"]).arg(control).arg("host").kill_on_drop(true);
        command.stdin(ProcessStdio::null()).stdout(ProcessStdio::null()).stderr(ProcessStdio::null());
        let _ = timeout(Duration::from_secs(2), command.status()).await;
        let _ = std::fs::remove_file(control);
    }

    async fn session(&self, control: &Path, target: &Target, patience: Duration) -> Result<Transport, Failure> {
        let executables = self.executables.clone();
        let own = tokio::task::spawn_blocking(move || executables.own()).await;
        let own = own.map_err(|error| Failure::new(error.to_string()))??;
        let session = Arc::new(Session::resume_mux(control.into(), None));
        let mut command = session.arc_raw_command(arrival::command(&own));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = &target.name;
        let mut child = match timeout(patience, command.spawn()).await {
            Ok(Ok(child)) => child,
            Ok(Err(error)) => return Err(unreachable(format!("ssh opens no session on {name}: {}", chain(&error)))),
            Err(_) => {
                return Err(unreachable(format!("ssh opens no session on {name} within {} s", patience.as_secs())));
            }
        };
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(unreachable(format!("ssh opened a session on {name} without its streams")));
        };
        let mut transport = Transport::new(stdout, stdin, stderr, child);
        arrival::arrive(&mut transport, &self.executables, name, patience).await?;
        Ok(transport)
    }

    /// Starts a master, again if sshd was too busy.
    async fn connect(&self, target: &Target, ssh: &SshOptions, control: &Path) -> Result<(), Failure> {
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            let gate =
                gates.entry((ssh.host.clone(), ssh.port)).or_insert_with(|| Arc::new(Semaphore::new(CONNECTS_AT_ONCE)));
            gate.clone()
        };
        let mut tried = 0;
        loop {
            let permit = gate.acquire().await;
            // Under another name at first. Two runs may start at the same time, and an ssh that finds a
            // socket of its name goes on without one, never to be reached again, and never to end.
            let new = control.with_extension(format!("{:08x}", rand::random::<u32>()));
            let said = match self.master(target, ssh, &new).await {
                Ok(()) if self.is_alive(control).await => {
                    self.end(ssh, &new).await;
                    return Ok(());
                }
                Ok(()) => {
                    return std::fs::rename(&new, control).map_err(|error| {
                        unreachable(format!("ssh's control socket {} is not there: {error}", new.display()))
                    });
                }
                Err(Ended::Said(said)) => said,
                Err(Ended::Failed(failure)) => return Err(failure),
            };
            drop(permit);
            let (cause, failure) = ssh_words::explain(&target.name, ssh, &said);
            if cause != Cause::Busy || tried == RETRIES {
                return Err(failure);
            }
            let longest = 200u64 << tried;
            tokio::time::sleep(Duration::from_millis(rand::random_range(longest / 2..=longest))).await;
            tried += 1;
        }
    }

    /// Runs `ssh -M -f`, which ends when the master has logged in and goes on by itself.
    async fn master(&self, target: &Target, ssh: &SshOptions, control: &Path) -> Result<(), Ended> {
        let name = &target.name;
        // The master keeps its standard error, so a pipe would never end.
        let mut log = control.as_os_str().to_owned();
        log.push(".log");
        let log = PathBuf::from(log);
        let written = private_file(&log)
            .map_err(|error| Ended::Failed(unreachable(format!("{} cannot be written: {error}", log.display()))))?;
        let _removed = Removed(&log);
        let mut command = Command::new(&ssh.executable);
        command.args(self.arguments(ssh, control));
        command.stdin(ProcessStdio::null()).stdout(ProcessStdio::null()).stderr(written).kill_on_drop(true);
        let answers = match &ssh.password {
            None => None,
            Some(password) => {
                let answers = Answers::to(password.clone(), &self.folder, &mut command, self.executables.own_path());
                Some(
                    answers.map_err(|error| {
                        Ended::Failed(unreachable(format!("ssh cannot be given a password: {error}")))
                    })?,
                )
            }
        };
        let mut process = command.spawn().map_err(|error| {
            Ended::Failed(match error.kind() {
                io::ErrorKind::NotFound => {
                    Failure::new(format!("`{}` is not installed here", ssh.executable)).help("install OpenSSH's client")
                }
                _ => Failure::new(format!("`{}` cannot be started: {error}", ssh.executable)),
            })
        })?;
        if let (Some(answers), Some(pid)) = (&answers, process.id()) {
            answers.only_for(pid);
        }
        let longest = Duration::from_secs(u64::from(ssh.timeout) + LOGIN);
        let said = |ended: &str| {
            let text = std::fs::read(&log).unwrap_or_default();
            Ended::Said(format!("{}\n{ended}", String::from_utf8_lossy(&text)))
        };
        match timeout(longest, process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(_)) => Err(said("")),
            Ok(Err(error)) => Err(said(&error.to_string())),
            Err(_) => Err(Ended::Failed(unreachable(format!(
                "logging in on {name} over ssh took longer than {} s",
                longest.as_secs()
            )))),
        }
    }

    /// The first value of an option is the one that counts: what we rely on comes first, then the inventory's
    /// variables, then the user's arguments, then our defaults.
    fn arguments(&self, ssh: &SshOptions, control: &Path) -> Vec<String> {
        let mut words: Vec<String> = ["-M", "-f", "-N", "-S"].map(str::to_owned).into();
        words.push(control.to_string_lossy().into_owned());
        let mut option = |option: String| words.extend(["-o".to_owned(), option]);
        match ssh.password {
            // Never waits for somebody at a terminal: neither for a password nor for a look at a host key.
            None => option("BatchMode=yes".to_owned()),
            Some(_) => {
                option("BatchMode=no".to_owned());
                option("NumberOfPasswordPrompts=1".to_owned());
            }
        }
        if !ssh.check_host_key {
            option("StrictHostKeyChecking=no".to_owned());
        }
        if let Some(port) = ssh.port {
            option(format!("Port={port}"));
        }
        if let Some(user) = &ssh.user {
            option(format!("User=\"{user}\""));
        }
        if let Some(key) = &ssh.private_key {
            option(format!("IdentityFile=\"{}\"", key.display()));
        }
        words.extend(ssh.args.iter().cloned());
        for default in [
            format!("ConnectTimeout={}", ssh.timeout),
            format!("ControlPersist={}", self.persist),
            "ServerAliveInterval=15".to_owned(),
            "ServerAliveCountMax=3".to_owned(),
        ] {
            words.extend(["-o".to_owned(), default]);
        }
        words.extend(["--".to_owned(), ssh.host.clone()]);
        words
    }
}

/// Why there is no master.
enum Ended {
    /// ssh ended and said this.
    Said(String),
    Failed(Failure),
}

/// A file that goes away with this.
struct Removed<'a>(&'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}

fn private_file(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// What would be an option to ssh, or end one, is no name.
fn refuse_odd(ssh: &SshOptions) -> Result<(), Failure> {
    let odd = |text: &str| text.is_empty() || text.starts_with('-') || text.contains(['"', '\n', '\r', '\0']);
    if odd(&ssh.host) || ssh.host.contains(char::is_whitespace) {
        return Err(Failure::new(format!("`{}` is no host name", ssh.host)).help("correct ansible_host"));
    }
    if let Some(user) = ssh.user.as_deref().filter(|user| odd(user)) {
        return Err(Failure::new(format!("`{user}` is no user name")).help("correct ansible_user"));
    }
    if let Some(key) = ssh.private_key.as_ref().filter(|key| key.to_str().is_none_or(odd)) {
        return Err(Failure::new(format!("`{}` is no path to a key", key.display()))
            .help("correct ansible_ssh_private_key_file"));
    }
    Ok(())
}

/// An error with those that caused it.
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

    fn masters() -> Masters {
        Masters::new("/run/x".into(), 60, Arc::new(Executables::new(None, None)))
    }

    #[test]
    fn what_the_user_says_comes_before_our_defaults_and_after_what_we_rely_on() {
        let ssh = SshOptions {
            args: vec!["-o".into(), "ControlPersist=5m".into()],
            port: Some(2222),
            ..SshOptions::new("web1")
        };
        let words = masters().arguments(&ssh, Path::new("/run/x/c")).join(" ");
        let at = |word: &str| words.find(word).unwrap_or_else(|| panic!("{word} is not in {words}"));
        assert!(at("-S /run/x/c") < at("BatchMode=yes"));
        assert!(at("Port=2222") < at("ControlPersist=5m"));
        assert!(at("ControlPersist=5m") < at("ControlPersist=60"));
        assert!(words.ends_with("-- web1"));
        assert!(!words.contains("StrictHostKeyChecking"));
    }

    #[test]
    fn names_that_would_be_options_are_refused() {
        assert!(refuse_odd(&SshOptions::new("-oProxyCommand=x")).is_err());
        assert!(refuse_odd(&SshOptions::new("")).is_err());
        assert!(refuse_odd(&SshOptions { user: Some("-l".into()), ..SshOptions::new("h") }).is_err());
        assert!(refuse_odd(&SshOptions { private_key: Some("a\" b".into()), ..SshOptions::new("h") }).is_err());
        assert!(refuse_odd(&SshOptions::new("web1")).is_ok());
    }
}
