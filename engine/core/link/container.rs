//! Starts an agent in a container on this machine.

use std::process::Stdio;

use rplay_wire::Failure;
use tokio::process::Command;

use super::{Container, arrival, executable::Executable, local, transport::Transport};

/// Runs the script that starts the agent through `ENGINE exec -i`.
pub(super) fn start(container: &Container, executable: &Executable, how: arrival::Start) -> Result<Transport, Failure> {
    let Container { engine, name, user } = container;
    if name.is_empty() || name.starts_with('-') {
        return Err(Failure::new(format!("`{name}` is not a valid container name")));
    }
    let mut command = Command::new(engine);
    command.args(["exec", "-i"]);
    if let Some(user) = user {
        command.args(["-u", user]);
    }
    command.args([name, "/bin/sh", "-c", &arrival::script(executable, how, "")]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    local::running(command, &format!("`{engine} exec`"))
}
