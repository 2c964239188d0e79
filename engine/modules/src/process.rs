//! Running a program to its end: what it reads, what it wrote, how long it may take.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rplay_wire::{Failure, Map, data};

use crate::Host;

/// How long the pipes are watched before it is looked whether the process itself has ended: a daemon
/// that it left behind may hold them open for ever.
const LOOK_ROUND: u16 = 100;

/// A program about to run on the host. It gets its own process group, so that all it starts can be ended
/// with it.
pub struct Process {
    command: Command,
    name: String,
    stdin: Vec<u8>,
    timeout: Option<Duration>,
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The exit code; for a process ended by signal N, -N as in Python.
    pub rc: i32,
    pub stdout: String,
    pub stderr: String,
    /// The program's name, for messages.
    pub name: String,
}

impl Host {
    /// A program to run to its end with [`Process::run`]. It starts with the call's environment and an
    /// empty standard input.
    pub fn process(&self, program: &str) -> Process {
        Process { command: self.command(program), name: program.to_owned(), stdin: Vec::new(), timeout: None }
    }

    /// Whether `program` is found in `PATH` or in the folders where system programs live.
    pub fn has_program(&self, program: &str) -> bool {
        let path = self.variable("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(Into::into))
            .any(|folder| nix::unistd::access(&folder.join(program), nix::unistd::AccessFlags::X_OK).is_ok())
    }
}

impl Process {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The program's messages are to be parsed: not translated.
    pub fn untranslated(self) -> Self {
        self.env("LC_ALL", "C").env("LANGUAGE", "C")
    }

    pub fn current_dir(mut self, folder: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What the program reads from its standard input: the way for secrets, which must not be arguments.
    pub fn stdin(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.stdin = content.into();
        self
    }

    /// After that time the program and all it started are killed, and [`Process::run`] fails.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Runs the program to its end. An exit code other than 0 is no error here: see [`Finished::success`].
    pub fn run(self) -> Result<Finished, Failure> {
        let name = self.name.clone();
        self.run_bytes().map(|(rc, stdout, stderr)| Finished {
            rc,
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            name,
        })
    }

    /// As [`Process::run`], with the output as it came: exit code, standard output, standard error.
    pub fn run_bytes(mut self) -> Result<(i32, Vec<u8>, Vec<u8>), Failure> {
        let name = self.name;
        self.command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        if !self.stdin.is_empty() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new(format!("the host has no program `{name}`")),
            _ => Failure::new(format!("cannot start `{name}`: {error}")),
        })?;
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        match converse(&mut child, &self.stdin, deadline) {
            Ok((status, stdout, stderr)) => Ok((exit_code(status), stdout, stderr)),
            Err(error) => {
                let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
                let _ = child.wait();
                Err(match error.kind() {
                    io::ErrorKind::TimedOut => Failure::new(format!(
                        "`{name}` did not end within {} s and was killed",
                        self.timeout.unwrap_or_default().as_secs()
                    )),
                    _ => Failure::new(format!("lost touch with `{name}`: {error}")),
                })
            }
        }
    }
}

impl Finished {
    /// This, if the program succeeded, else a failure that says `what` could not be done, with the
    /// program's last words and `rc`, `stdout`, `stderr`.
    pub fn success(self, what: &str) -> Result<Self, Failure> {
        if self.rc == 0 { Ok(self) } else { Err(self.failure(what)) }
    }

    /// The failure that says `what` could not be done.
    pub fn failure(&self, what: &str) -> Failure {
        let said = [&self.stderr, &self.stdout].into_iter().map(|text| text.trim()).find(|text| !text.is_empty());
        let msg = match said {
            Some(said) => format!("{what}: {said}"),
            None => format!("{what}: `{}` ended with {}", self.name, self.rc),
        };
        Failure::new(msg).data(self.data())
    }

    /// `rc`, `stdout` and `stderr` for an outcome.
    pub fn data(&self) -> Map {
        data! { "rc" => self.rc, "stdout" => self.stdout.as_str(), "stderr" => self.stderr.as_str() }
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| -signal)).unwrap_or(-1)
}

fn non_blocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Writes and reads side by side, so that neither end waits for a full pipe.
fn converse(
    child: &mut Child,
    mut input: &[u8],
    deadline: Option<Instant>,
) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    if let Some(pipe) = &stdin {
        non_blocking(pipe)?;
    }
    if let Some(pipe) = &stdout {
        non_blocking(pipe)?;
    }
    if let Some(pipe) = &stderr {
        non_blocking(pipe)?;
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut ended: Option<ExitStatus> = None;
    while stdout.is_some() || stderr.is_some() {
        let wait = match deadline {
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                Some(left) => u16::try_from(left.as_millis() + 1).unwrap_or(LOOK_ROUND).min(LOOK_ROUND),
                None => return Err(io::ErrorKind::TimedOut.into()),
            },
            None => LOOK_ROUND,
        };
        let mut pipes = Vec::with_capacity(3);
        pipes.extend(stdin.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
        pipes.extend(stdout.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        pipes.extend(stderr.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        let ready = match poll(&mut pipes, PollTimeout::from(wait)) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        if ready == 0 {
            // Silence: if the process had ended before this round too, whoever holds the pipes is not it.
            if ended.is_some() {
                break;
            }
            ended = child.try_wait()?;
            continue;
        }
        if let Some(pipe) = &mut stdin {
            match pipe.write(input) {
                Ok(written) => input = input.get(written..).unwrap_or_default(),
                Err(error) if again(&error) => {}
                // The program does not care to read all of it.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => input = &[],
                Err(error) => return Err(error),
            }
            if input.is_empty() {
                stdin = None;
            }
        }
        drain(&mut stdout, &mut out)?;
        drain(&mut stderr, &mut err)?;
    }
    drop(stdin);
    let status = match (ended, deadline) {
        (Some(status), _) => status,
        (None, None) => child.wait()?,
        // It closed its output but lives on.
        (None, Some(deadline)) => loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(5));
        },
    };
    Ok((status, out, err))
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Reads what is there; a closed pipe becomes `None`.
fn drain<R: Read + AsRawFd>(pipe: &mut Option<R>, into: &mut Vec<u8>) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut piece = [0; 65536];
    loop {
        match open.read(&mut piece) {
            Ok(0) => {
                *pipe = None;
                return Ok(());
            }
            Ok(count) => into.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) if again(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::NoBlobs;

    fn sh(script: &str) -> Process {
        Host::new(vec![("GREETING".into(), "hello".into())], Arc::new(NoBlobs)).process("sh").args(["-c", script])
    }

    #[test]
    fn output_exit_code_and_environment() {
        let done = sh("echo $GREETING; echo oh >&2; exit 3").run().unwrap();
        assert_eq!((done.rc, done.stdout.as_str(), done.stderr.as_str()), (3, "hello\n", "oh\n"));
        assert_eq!(done.success("cannot greet").unwrap_err().msg, "cannot greet: oh");
        assert_eq!(sh("kill -9 $$").run().unwrap().rc, -9);
    }

    #[test]
    fn more_input_and_output_than_a_pipe_holds() {
        let text = "0123456789abcdef".repeat(40_000);
        assert_eq!(sh("cat").stdin(text.as_str()).run().unwrap().stdout.len(), text.len());
        // A reader that leaves early is no error.
        assert_eq!(sh("head -c 3").stdin(text).run().unwrap().stdout, "012");
    }

    #[test]
    fn a_daemon_left_behind_does_not_hold_up_the_call() {
        let begun = Instant::now();
        assert_eq!(sh("sleep 20 & echo started").run().unwrap().stdout, "started\n");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn time_runs_out() {
        let begun = Instant::now();
        let failure = sh("sleep 20; echo late").timeout(Duration::from_millis(200)).run().unwrap_err();
        assert!(failure.msg.contains("was killed"), "{}", failure.msg);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_missing_program_is_named() {
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let failure = host.process("no-such-program").run().unwrap_err();
        assert_eq!(failure.msg, "the host has no program `no-such-program`");
        assert!(host.has_program("sh") && !host.has_program("no-such-program"));
    }
}
