//! rplay's side on a host: answers calls until the controller hangs up.
//!
//! [`serve`] is the conversation, over any pair of streams; [`main`] is the process around it. A batch
//! runs on its own thread and shares nothing with others but the way back, so a slow one holds up no
//! other. What needs another identity goes to a second agent that this one starts ([`identity`]).

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod background;
mod batch;
mod blobs;
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

/// What stands in every executable that holds this build of the agent, and in no other: a prefix and a SHA-256 over the
/// agent's sources in hexadecimal. Only agents of the controller's own build understand it.
pub const BUILD: &str = concat!("rplay-agent-build:", env!("RPLAY_AGENT_BUILD"));

/// `rplay agent`: serves standard input and output until the controller hangs up, then ends whatever it
/// had started.
pub fn main() -> ExitCode {
    // A controller on this machine keeps Ctrl-Z to itself; what is started here knows nothing of that.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTSTP);
    let _ = stop.thread_unblock();
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
    // Before the marker: without it the controller looks at the file.
    if let Err(error) = executable::check(wishes.is_fresh) {
        return ended(Err(error));
    }
    // Without a terminal of its own, sudo and the like cannot ask there: the same on the controller's own
    // machine as over ssh. Fails when sshd has done it already.
    let _ = nix::unistd::setsid();
    let sweeping = sweep::begin();
    let served =
        streams().map_err(Into::into).and_then(|(reader, writer)| serve_while_heard(reader, writer, wishes.silence));
    scratch::end();
    descendants::kill_all();
    sweeping.end();
    ended(served)
}

/// What the controller says to an agent that it starts.
#[derive(Debug, Default, PartialEq)]
struct Wishes {
    /// Seconds without a word of the controller after which it counts as gone; 0: never.
    silence: u32,
    /// The file has just been written and checked.
    is_fresh: bool,
}

impl Wishes {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut wishes = Wishes::default();
        for word in words {
            match word.strip_prefix("silence=").map(str::parse) {
                Some(Ok(seconds)) => wishes.silence = seconds,
                None if word == "fresh" => wishes.is_fresh = true,
                _ => return Err(format!("`{word}` is nothing that an agent is told")),
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

/// Takes the conversation off the standard streams: a process started by a module then cannot read or
/// write in the middle of a frame, whatever it inherits.
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
