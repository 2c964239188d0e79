//! rplay's agent on a managed host: answers calls until the controller disconnects.
//!
//! [`serve`] is the conversation, over any pair of streams; [`main`] is the process around it. Each batch runs on its
//! own thread and shares only the reply stream with others, so a slow batch does not delay another. Calls that run as
//! another user go to a second agent, which this one starts ([`identity`]).

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod background;
mod batch;
mod blobs;
mod contained;
mod descendants;
mod escalation;
mod executable;
mod identity;
mod part;
mod patience;
mod replies;
mod running;
mod serve;
mod sweep;

pub use serve::{serve, serve_while_heard};

use std::{
    fs::File,
    io::{self, stderr, stdin, stdout},
    os::fd::AsFd,
    process::ExitCode,
};

use nix::sys::signal::{SigSet, Signal};
use rplay_modules::system::scratch;

/// Identifies this build of the agent: a prefix, and the SHA-256 of the agent's sources in hexadecimal. Every
/// executable that contains this build contains this text, and no other does. A controller and an agent understand each
/// other only if their builds are the same. A lean agent has the prefix `rplay-lean-agent-build:` instead of
/// `rplay-agent-build:`.
pub const BUILD: &str = env!("RPLAY_AGENT_BUILD");

/// `rplay agent`: serves standard input and output until the controller disconnects, then kills every process that it
/// started.
pub fn main() -> ExitCode {
    // On the controller's own machine, Ctrl-Z must not stop the agent; its child processes must not inherit the mask.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTSTP);
    let _ = stop.thread_unblock();
    if cfg!(panic = "abort") {
        contained::begin();
    }
    let words: Vec<String> = std::env::args().skip(2).collect();
    if let Some(done) = background::main(&words) {
        return ended(done);
    }
    if let Some(done) = executable::main(&words) {
        return ended(done);
    }
    let wishes = match Wishes::read(&words) {
        Ok(wishes) => wishes,
        Err(error) => return ended(Err(error)),
    };
    // Checked before the marker is sent: without a marker, the controller verifies the file.
    if let Err(error) = executable::check(wishes.is_fresh) {
        return ended(Err(error));
    }
    // Gives up the controlling terminal: sudo and su cannot prompt on it, so local connections behave like those over
    // ssh. This fails, harmlessly, if sshd has already done so.
    let _ = nix::unistd::setsid();
    let sweeping = sweep::begin();
    let served =
        streams().map_err(Into::into).and_then(|(reader, writer)| serve_while_heard(reader, writer, wishes.silence));
    scratch::end();
    descendants::kill_all();
    sweeping.end();
    ended(served)
}

/// The options that the controller passes to an agent at its start.
#[derive(Debug, Default, PartialEq)]
struct Wishes {
    /// Seconds of silence after which the controller counts as gone; 0 for never.
    silence: u32,
    /// Whether the executable has just been written and verified.
    is_fresh: bool,
}

impl Wishes {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut wishes = Wishes::default();
        for word in words {
            match word.strip_prefix("silence=").map(str::parse) {
                Some(Ok(seconds)) => wishes.silence = seconds,
                None if word == "fresh" => wishes.is_fresh = true,
                _ => return Err(format!("unknown agent option `{word}`")),
            }
        }
        Ok(wishes)
    }
}

fn ended(done: Result<(), impl std::fmt::Display>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rplay agent: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Moves the conversation away from the standard streams, so that a process started by a module cannot read or write in
/// the middle of a frame, whatever it inherits.
fn streams() -> io::Result<(File, File)> {
    let reader = File::from(stdin().as_fd().try_clone_to_owned()?);
    let writer = File::from(stdout().as_fd().try_clone_to_owned()?);
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    nix::unistd::dup2_stdout(stderr().as_fd())?;
    Ok((reader, writer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_is_told_is_understood_or_refused() {
        let read = |words: &[&str]| Wishes::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&[]), Ok(Wishes::default()));
        assert_eq!(read(&["silence=90", "fresh"]), Ok(Wishes { silence: 90, is_fresh: true }));
        assert!(read(&["silence=long"]).is_err() && read(&["quiet"]).is_err());
    }
}
