//! The ssh-agent that a run uses for private keys in variables (the setting `SSH_AGENT`).
//!
//! All that a run starts must find it in the environment, ssh as well as the user's own commands. A process cannot
//! safely change its environment while it runs, so this one starts its own executable in its place.

use std::{
    env,
    ffi::OsStr,
    io::Read,
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use miette::Diagnostic;
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};
use rplay::config::Config;
use rplay_contract::io_failure::python_error;

use crate::diagnostics;

/// The variable with an ssh-agent's socket, which is also what the output of an ssh-agent begins with.
const SOCKET: &str = "SSH_AUTH_SOCK";

/// Names this process and the ssh-agent that it started before it replaced itself: `PID AGENT`. Processes that inherit
/// the variable have another PID.
const STARTED: &str = "RPLAY_SSH_AGENT";

/// How long an ssh-agent may take to name its socket, as in Ansible.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("Failed to launch ssh agent: {0}")]
pub(crate) struct AgentError(String);

/// Whether the settings name an ssh-agent.
pub(crate) fn is_wanted(config: &Config) -> bool {
    !matches!(config.ssh_agent.value.as_str(), "none" | "")
}

/// Puts the ssh-agent of the settings into the environment of this process, which starts again for that. Call it before
/// anything is read or written.
///
/// # Errors
/// If the ssh-agent cannot be started or does not answer.
pub(crate) fn join(config: &Config) -> Result<(), AgentError> {
    if !is_wanted(config) || own().is_some() {
        return Ok(());
    }
    let wanted = config.ssh_agent.value.as_str();
    if wanted == "auto" {
        let (agent, socket) = start(&config.ssh_agent_executable.value)?;
        let started = format!("{} {}", std::process::id(), agent.id());
        let error = replace(&socket, Some(&started));
        end_child(agent, &socket);
        return Err(error);
    }
    let socket = rplay::files::filled_in(wanted);
    answers(&socket)?;
    match env::var_os(SOCKET).is_some_and(|own| Path::new(&own) == socket) {
        true => Ok(()),
        false => Err(replace(&socket, None)),
    }
}

/// What to tell about the ssh-agent that this process has started.
pub(crate) fn told() -> Vec<String> {
    let Some((agent, socket)) = own() else { return Vec::new() };
    let started = format!("SSH_AGENT: ssh-agent[{agent}] started and bound to {}", socket.display());
    vec!["SSH_AGENT: starting...".to_owned(), started]
}

/// Ends the ssh-agent that this process has started.
pub(crate) fn end() {
    if let Some((agent, socket)) = own() {
        // It removes its socket.
        if kill(agent, Signal::SIGTERM).is_ok() {
            let _ = waitpid(agent, None);
        }
        remove(&socket);
    }
}

/// The ssh-agent that this process has started, and its socket.
fn own() -> Option<(Pid, PathBuf)> {
    let started = env::var(STARTED).ok()?;
    let (process, agent) = started.split_once(' ')?;
    let agent = (process.parse() == Ok(std::process::id())).then(|| agent.parse().ok()).flatten()?;
    Some((Pid::from_raw(agent), env::var_os(SOCKET)?.into()))
}

/// Starts this executable with the same arguments in place of this process; returns only if it cannot.
fn replace(socket: &Path, started: Option<&str>) -> AgentError {
    let mut words = env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(words.next().unwrap_or_else(|| "rplay".into())).args(words).env(SOCKET, socket);
    if let Some(started) = started {
        command.env(STARTED, started);
    }
    AgentError(format!("cannot start rplay again: {}", command.exec()))
}

/// Starts an ssh-agent at a socket of its own.
fn start(executable: &str) -> Result<(Child, PathBuf), AgentError> {
    let program = find(executable)?;
    let directory = tempfile::Builder::new().prefix("rplay-ssh-agent-").tempdir();
    let directory = directory.map_err(|error| AgentError(format!("cannot create a directory: {error}")))?;
    let socket = directory.path().join("agent.sock");
    let mut command = Command::new(&program);
    command.args([OsStr::new("-D"), OsStr::new("-s"), OsStr::new("-a"), socket.as_os_str()]);
    // In a group of its own: Ctrl-C at the terminal is for the run.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut agent = command.spawn().map_err(|error| {
        AgentError(format!("Could not start ssh-agent: {}: '{}'", python_error(&error), program.display()))
    })?;
    if let Some(warning) = agent.stdout.take().and_then(|stdout| oddity(stdout, &program)) {
        diagnostics::warn(&warning);
    }
    if let Err(error) = answers(&socket) {
        let has_ended = ends_soon(&mut agent);
        end_child(agent, &socket);
        return Err(match has_ended {
            true => AgentError("The ssh-agent terminated prematurely".to_owned()),
            false => error,
        });
    }
    // From here on, `end` removes it.
    let _ = directory.keep();
    Ok((agent, socket))
}

/// Whether an ssh-agent that does not answer has ended, or is about to: its output ends a moment before itself.
fn ends_soon(agent: &mut Child) -> bool {
    let until = Instant::now() + Duration::from_secs(1);
    loop {
        match agent.try_wait() {
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            ended => return ended.is_ok_and(|status| status.is_some()),
        }
    }
}

fn find(executable: &str) -> Result<PathBuf, AgentError> {
    // PATH does not matter for an absolute path.
    let named = match executable.contains('/') {
        true => rplay::source::absolute(&rplay::files::filled_in(executable)),
        false => executable.to_owned(),
    };
    rplay::program::in_path(&named).ok_or_else(|| {
        let what = "SSH_AGENT set to auto, but cannot find ssh-agent binary";
        let paths = env::var("PATH").unwrap_or_default();
        AgentError(format!("{what}: Failed to find required executable \"{executable}\" in paths: {paths}"))
    })
}

/// What is odd about the output of an ssh-agent, which names its socket.
fn oddity(stdout: impl Read + Send + 'static, program: &Path) -> Option<String> {
    let (sender, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.take(SOCKET.len() as u64).read_to_end(&mut text);
        let _ = sender.send(text);
    });
    let what = match read.recv_timeout(PATIENCE) {
        Ok(text) if text == SOCKET.as_bytes() => return None,
        Ok(text) => {
            let text = String::from_utf8_lossy(&text);
            format!("The ssh-agent output '{}' did not match expected '{SOCKET}'.", text.escape_debug())
        }
        Err(_) => format!(
            "Timed out waiting for expected stdout '{SOCKET}' from ssh-agent: Timed out after {} second(s).",
            PATIENCE.as_secs()
        ),
    };
    Some(format!("{what} The ssh-agent '{}' might be an incompatible agent.", program.display()))
}

/// Whether an ssh-agent listens at a socket.
fn answers(socket: &Path) -> Result<(), AgentError> {
    UnixStream::connect(socket).map(drop).map_err(|error| {
        let what = "Could not communicate with ssh-agent using auth sock";
        AgentError(format!("{what} '{}': {}", socket.display(), python_error(&error)))
    })
}

fn end_child(mut agent: Child, socket: &Path) {
    let _ = agent.kill();
    let _ = agent.wait();
    remove(socket);
}

fn remove(socket: &Path) {
    let _ = std::fs::remove_file(socket);
    if let Some(directory) = socket.parent() {
        let _ = std::fs::remove_dir(directory);
    }
}
