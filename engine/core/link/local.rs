//! Starts an agent on this machine.

use std::{path::Path, process::Stdio};

use rplay_wire::Failure;
use tokio::process::Command;

use super::transport::Transport;

/// Starts the executable as a child process. It could also serve on a thread of this process, but then a module that
/// changes the working directory or the umask, or runs out of memory, would affect the whole run. It works in
/// `directory`; where that is no directory (the playbook came from a pipe), in the current one.
pub(super) fn start(executable: &Path, directory: &Path) -> Result<Transport, Failure> {
    let mut command = Command::new(executable);
    if directory.is_dir() {
        // As a shell that starts there has it.
        command.current_dir(directory).env("PWD", directory);
    }
    command.arg("agent").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    running(command, "the local agent")
}

/// The transport of a command with all standard streams piped.
pub(super) fn running(mut command: Command, what: &str) -> Result<Transport, Failure> {
    let mut process = command.spawn().map_err(|error| Failure::new(format!("cannot start {what}: {error}")))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (process.stdin.take(), process.stdout.take(), process.stderr.take())
    else {
        return Err(Failure::new(format!("{what} was started without its streams")));
    };
    // The process ends when its standard input closes; an agent then kills what it has started.
    Ok(Transport::new(stdout, stdin, stderr, process))
}
