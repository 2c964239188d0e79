//! rplay's side on a host: answers calls until the controller hangs up.
//!
//! [`serve`] is the conversation, over any pair of streams; [`main`] is the process around it. A batch
//! runs on its own thread and shares nothing with others but the way back, so a slow one holds up no
//! other. What needs another identity goes to a second agent that this one starts ([`identity`]).

mod background;
mod batch;
mod blobs;
mod descendants;
mod escalation;
mod executable;
mod identity;
mod part;
mod replies;
mod running;
mod serve;

pub use serve::serve;

use std::{
    fs::File,
    io::{self, stderr, stdin, stdout},
    os::fd::AsFd,
    process::ExitCode,
};

/// `rplay agent`: serves standard input and output until the controller hangs up, then ends whatever it
/// had started.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(2).collect();
    if let Some(done) = background::main(&words) {
        return ended(done);
    }
    // Without a terminal of its own, sudo and the like cannot ask there: the same on the controller's own
    // machine as over ssh. Fails when sshd has done it already.
    let _ = nix::unistd::setsid();
    executable::mark_used();
    let served = streams().map_err(Into::into).and_then(|(reader, writer)| serve(reader, writer));
    descendants::kill_all();
    ended(served)
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
