//! A conversation with a program on a new terminal: answers its prompts.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, killpg},
        termios::{LocalFlags, SetArg, tcgetattr, tcsetattr},
    },
};
use rplay_wire::{Failure, Value};

use crate::{
    Host,
    args::ArgType,
    argtypes::Text,
    system::{
        captured::{Budget, Captured, Excess},
        pattern::{Flags, Pattern},
    },
};

/// How often to check whether the call was cancelled and whether the program still runs. Milliseconds.
const LOOK_ROUND: u16 = 200;

/// The terminal type and size of pexpect, which Ansible's module uses.
const TERMINAL: (&str, Winsize) = ("xterm", Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 });

/// A prompt and its remaining answers.
pub struct Response {
    asked: String,
    pattern: Pattern,
    answers: Answers,
}

enum Answers {
    Always(String),
    InTurn(std::vec::IntoIter<String>),
}

impl Response {
    /// Reads a regular expression and its answer, or a list of answers.
    ///
    /// # Errors
    /// If an answer is no text, or the expression is invalid.
    pub fn read(asked: &str, answer: &Value) -> Result<Self, Failure> {
        let text = |value: &Value| {
            let parsed = <Text as ArgType>::parse(value);
            parsed.map_err(|expected| Failure::new(format!("the answer to `{asked}` {expected}")).arg("responses"))
        };
        let answers = match answer {
            Value::List(list) => Answers::InTurn(list.iter().map(text).collect::<Result<Vec<_>, _>>()?.into_iter()),
            one => Answers::Always(text(one)?),
        };
        let pattern = Pattern::new(asked, Flags::default(), "responses")?;
        Ok(Response { asked: asked.to_owned(), pattern, answers })
    }

    fn next(&mut self) -> Option<String> {
        match &mut self.answers {
            Answers::Always(answer) => Some(answer.clone()),
            Answers::InTurn(answers) => answers.next(),
        }
    }
}

/// Runs a program on a terminal where it is given each answer after its prompt, a regular expression: its exit code and
/// what it printed.
///
/// # Errors
/// Those of [`Response::read`], [`Dialogue::begin`] and [`Dialogue::hold`].
pub fn converse(host: &Host, words: Vec<String>, answers: &[(&str, &str)]) -> Result<(Option<i64>, String), Failure> {
    let responses = answers.iter().map(|(asked, answer)| Response::read(asked, &Value::from(*answer)));
    let responses = responses.collect::<Result<Vec<_>, _>>()?;
    let held = Dialogue::begin(host, &words, None, false, responses, Duration::from_secs(30))?.hold()?;
    Ok((held.rc, held.stdout))
}

/// Both ends of a new terminal: ours and the program's.
fn terminal(echo: bool) -> io::Result<(File, OwnedFd)> {
    let pair = openpty(&TERMINAL.1, None)?;
    let mut settings = tcgetattr(&pair.slave)?;
    settings.local_flags.set(LocalFlags::ECHO, echo);
    tcsetattr(&pair.slave, SetArg::TCSANOW, &settings)?;
    for fd in [&pair.master, &pair.slave] {
        fcntl(fd, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    let flags = OFlag::from_bits_truncate(fcntl(&pair.master, FcntlArg::F_GETFL)?);
    fcntl(&pair.master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok((pair.master.into(), pair.slave))
}

/// What came of a dialogue.
pub struct Held {
    /// `None` if a signal ended the program, or if it was killed because of a timeout.
    pub rc: Option<i64>,
    pub stdout: String,
    /// Where the output is no text, and the byte there.
    pub broken: Option<(usize, u8)>,
    /// Set if the output was truncated.
    pub excess: Option<Excess>,
}

/// A program on a terminal, and its answers.
pub struct Dialogue<'h> {
    host: &'h Host,
    child: Child,
    terminal: File,
    responses: Vec<Response>,
    limit: Duration,
}

impl<'h> Dialogue<'h> {
    /// Starts the program.
    ///
    /// # Errors
    /// If the host has no terminals or no setsid, or the program cannot be started.
    pub fn begin(
        host: &'h Host,
        words: &[String],
        directory: Option<&Path>,
        echo: bool,
        responses: Vec<Response>,
        limit: Duration,
    ) -> Result<Self, Failure> {
        // A new session, so that the terminal is the controlling terminal, which passwd and the like open as /dev/tty.
        let setsid = host.find_program("setsid").ok_or_else(|| host.missing_program("setsid"))?;
        let mut command = host.command(&setsid.to_string_lossy());
        command.arg("-c").args(words).env("TERM", TERMINAL.0);
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        let (terminal, end) = terminal(echo)?;
        let child = command
            .stdin(end.try_clone()?)
            .stdout(end.try_clone()?)
            .stderr(Stdio::from(end))
            .spawn()
            .map_err(|error| Failure::new(format!("cannot run `setsid`: {error}")))?;
        // It holds the other end of the terminal, which would otherwise never be closed.
        drop(command);
        Ok(Dialogue { host, child, terminal, responses, limit })
    }

    /// Runs to the program's end.
    ///
    /// # Errors
    /// If a prompt comes again after its last answer, or the program cannot be written to or waited for.
    pub fn hold(mut self) -> Result<Held, Failure> {
        let mut budget = Budget::new(self.host.max_output());
        let mut kept = Captured::default();
        // The output since the last answer.
        let mut asked = String::new();
        let mut since = Instant::now();
        let mut piece = [0; 1 << 14];
        loop {
            if since.elapsed() >= self.limit || self.host.cancel().is_cancelled() || budget.is_endless() {
                self.kill();
                let excess = budget.is_endless().then(|| budget.excess(true)).flatten();
                return Ok(Held { rc: None, broken: kept.broken(), stdout: kept.text(), excess });
            }
            let _ = poll(&mut [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)], PollTimeout::from(LOOK_ROUND));
            match self.terminal.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => {
                    let new = piece.get(..length).unwrap_or_default();
                    kept.add(new, &mut budget);
                    asked.push_str(&String::from_utf8_lossy(new));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    // A process that it left behind may hold the terminal.
                    if self.child.try_wait()?.is_some() {
                        break;
                    }
                    continue;
                }
                // How Linux reports that the other end is closed.
                Err(_) => break,
            }
            while let Some(answer) = self.answer(&mut asked)? {
                self.write(&answer)?;
                since = Instant::now();
            }
        }
        let status = self.child.wait()?;
        let (rc, broken) = (status.code().map(i64::from), kept.broken());
        Ok(Held { rc, broken, stdout: kept.text(), excess: budget.excess(false) })
    }

    /// The answer to the first prompt in the output; the output up to there is discarded.
    fn answer(&mut self, asked: &mut String) -> Result<Option<String>, Failure> {
        let found = self.responses.iter_mut().filter_map(|response| {
            let found = response.pattern.find(asked)?.get(0)?;
            Some((found.start(), found.end(), response))
        });
        let Some((_, end, response)) = found.min_by_key(|(start, ..)| *start) else { return Ok(None) };
        let rest = asked.split_off(end);
        let before = std::mem::replace(asked, rest);
        match response.next() {
            Some(answer) => Ok(Some(format!("{}\n", answer.trim_end_matches('\n')))),
            None => {
                let before = before.as_bytes().escape_ascii();
                let msg = format!("No remaining responses for '{}', output was 'b'{before}''", response.asked);
                self.kill();
                Err(Failure::new(msg).not_begun())
            }
        }
    }

    fn write(&mut self, answer: &str) -> io::Result<()> {
        let mut left = answer.as_bytes();
        while !left.is_empty() {
            match self.terminal.write(left) {
                Ok(length) => left = left.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(self.terminal.as_fd(), PollFlags::POLLOUT)], PollTimeout::from(LOOK_ROUND))?;
                    if self.child.try_wait()?.is_some() || self.host.cancel().is_cancelled() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It exited; its exit code is decisive.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Kills the program and its descendants.
    fn kill(&mut self) {
        let _ = killpg(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
