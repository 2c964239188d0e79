//! Background jobs (`async`): each is a process of its own that outlives the agent and records its outcome.

use std::{
    io::{self, Write, stdin},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use rplay_modules::{
    Host, NoBlobs, external,
    system::{
        captured::MAX_JOB_OUTPUT,
        jobs::{JobFile, Progress},
    },
};
use rplay_wire::{Background, Call, Failure, Outcome, encode, read_frame};

use crate::{contained, descendants, running::Running};

/// `rplay agent start-job` only starts the job and exits, so that the job is reparented to init and outlives the agent.
const START: &str = "start-job";
/// `rplay agent run-job` is the job itself.
const RUN: &str = "run-job";

/// Starts a call as a job; the outcome only says that it has started. Content that the job needs from the controller is
/// fetched through `host` first.
pub(crate) fn begin(call: &Call, job: &Background, host: &Host) -> Outcome {
    let begun = || -> Result<Outcome, Failure> {
        let whole;
        let call = match call.module == external::MODULE {
            true => {
                whole = external::with_content(call, host)?;
                &whole
            }
            false => call,
        };
        let file = JobFile::of(&job.id, host)?;
        file.write(&Progress::Ordered)?;
        start(call, job).map_err(|error| {
            let _ = file.remove();
            Failure::new(format!("cannot start the job: {error}"))
        })?;
        Ok(Outcome { changed: true, data: file.describe(false).into_iter().collect(), ..Outcome::default() })
    };
    begun().unwrap_or_else(Outcome::failed)
}

fn host(call: &Call) -> Host {
    Host::new(call.environment.clone(), Arc::new(NoBlobs))
}

/// The call is passed on standard input, since other users can read arguments.
fn start(call: &Call, job: &Background) -> io::Result<()> {
    let call = encode(call).map_err(io::Error::other)?;
    let mut starter =
        again(START, &job.id).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut input = starter.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    // The starter hands its standard input on without waiting, so this ends once the job has read it.
    let written = input.write_all(&call);
    drop(input);
    let output = starter.wait_with_output()?;
    match output.status.success() {
        true => written,
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// This executable, even if its file has been removed.
fn again(word: &str, id: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["agent", word, id]);
    command
}

/// Implements `rplay agent start-job` and `rplay agent run-job`; `None` for other words.
pub(crate) fn main(words: &[String]) -> Option<io::Result<()>> {
    let [word, id] = words else { return None };
    match word.as_str() {
        START => Some(again(RUN, id).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)),
        RUN => Some(run(id)),
        _ => None,
    }
}

fn run(id: &str) -> io::Result<()> {
    let _ = nix::unistd::setsid();
    let call: Option<Call> = read_frame(&mut stdin().lock()).map_err(io::Error::other)?;
    let mut call = call.ok_or(io::ErrorKind::UnexpectedEof)?;
    if call.mode.max_output == 0 {
        call.mode.max_output = MAX_JOB_OUTPUT as u64;
    }
    nix::unistd::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    let file = JobFile::of(id, &host(&call)).map_err(io::Error::other)?;
    file.write(&Progress::Running(std::process::id()))?;
    let seconds = call.background.as_ref().map_or(0, |job| job.seconds);
    file.write(&Progress::Done(Box::new(within(call, Duration::from_secs(seconds)))))
}

/// The outcome of a call. If it exceeds the limit, the processes that it started are killed and the outcome is a
/// failure.
fn within(call: Call, limit: Duration) -> Outcome {
    let (tell, told) = mpsc::channel();
    let worker = thread::Builder::new().spawn(move || {
        let _ = tell.send(contained::run(&call, host(&call), &Running::default()));
    });
    match worker {
        Ok(_) => told.recv_timeout(limit).unwrap_or_else(|_| {
            descendants::kill_all();
            Outcome::failed(Failure::new("Timeout exceeded"))
        }),
        Err(error) => Outcome::failed(Failure::new(format!("cannot start a thread on the host: {error}"))),
    }
}
