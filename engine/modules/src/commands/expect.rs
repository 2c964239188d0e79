//! `expect`: runs a program on a new terminal and answers its prompts.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
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
use rplay_wire::{Failure, Map, Value, data};

use crate::system::fs::File;
use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    commands::command::{moment, not_needed, span},
    system::{
        captured::{Budget, Captured, Excess},
        pattern::{Flags, Pattern},
        times,
    },
};

/// How often to check whether the call was cancelled and whether the program still runs. Milliseconds.
const LOOK_ROUND: u16 = 200;

/// The terminal type and size of pexpect, which Ansible's module uses.
const TERMINAL: (&str, Winsize) = ("xterm", Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 });

args! {
    /// Runs a program on a new terminal and answers its prompts.
    pub struct Expect {
        /// The command line, split into words like in a shell.
        command: Text,
        /// Regular expressions for prompts, with their answers: a string for every time, or a list with one for each
        /// time.
        responses: Map,
        /// A path or glob pattern; if it matches an existing file, the command does not run.
        creates: Option<PathArg>,
        /// A path or glob pattern; if it matches no file, the command does not run.
        removes: Option<PathArg>,
        /// The working directory.
        chdir: Option<PathArg>,
        /// How many seconds to wait for the next prompt, or for the end.
        timeout: i64 = 30,
        /// Whether the output shows the answers.
        echo: Flag = Flag(false),
    }
}

/// A prompt and its remaining answers.
struct Response {
    asked: String,
    pattern: Pattern,
    answers: Answers,
}

enum Answers {
    Always(String),
    InTurn(std::vec::IntoIter<String>),
}

impl Response {
    fn read(asked: &str, answer: &Value) -> Result<Self, Failure> {
        let text = |value: &Value| {
            let parsed = <Text as args::ArgType>::parse(value);
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

impl Module for Expect {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let shown = self.command.to_string();
        let words = shell_words::split(&shown)
            .map_err(|error| Failure::new(format!("cannot split the command into words: {error}")).arg("command"))?;
        let Some(program) = words.first() else {
            return Err(Failure::new("no command given").data(data! { "rc" => 256 }));
        };
        let responses = self.responses.iter().map(|(asked, answer)| Response::read(asked, answer));
        let responses = responses.collect::<Result<Vec<_>, _>>()?;
        let folder = self.chdir.as_ref().map(|chdir| chdir.on(host));
        if let Some(folder) = folder.as_deref().filter(|folder| !folder.is_dir()) {
            let msg = format!("Unable to change directory before execution: {} is not a directory", folder.display());
            return Err(Failure::new(msg).arg("chdir"));
        }
        if let Some(reason) = not_needed(&self.creates, &self.removes, folder.as_deref(), host) {
            let stdout = format!("skipped, since {}", reason.replace('\'', ""));
            let plan = Plan::unchanged().set("cmd", shown).set("rc", 0);
            return Ok(plan.set("stdout", stdout));
        }
        if host.find_program(program).is_none() && !std::path::Path::new(program).is_file() && !host.check {
            let msg = format!("The command was not found or was not executable: {program}.");
            return Err(Failure::new(msg).arg("command"));
        }
        let change = Change::new(format!("run {program}"), move |host, data| {
            // A new session, so that the terminal is the controlling terminal, which passwd and the like open as
            // /dev/tty.
            let setsid = host.find_program("setsid");
            let setsid = setsid.ok_or_else(|| Failure::new("the host has no program `setsid`"))?;
            let mut command = host.command(&setsid.to_string_lossy());
            command.arg("-c").args(&words).env("TERM", TERMINAL.0);
            if let Some(folder) = &folder {
                command.current_dir(folder);
            }
            let (terminal, end) = terminal(self.echo.0)?;
            let start = times::now();
            let child = command
                .stdin(end.try_clone()?)
                .stdout(end.try_clone()?)
                .stderr(Stdio::from(end))
                .spawn()
                .map_err(|error| Failure::new(format!("cannot run `setsid`: {error}")))?;
            // It holds the other end of the terminal, which would otherwise never be closed.
            drop(command);
            let limit = Duration::from_secs(self.timeout.unsigned_abs());
            let dialogue = Dialogue { host, child, terminal, responses, limit };
            let (rc, stdout, excess) = dialogue.hold()?;
            let finish = times::now();
            let micros = finish.timestamp().as_microsecond() - start.timestamp().as_microsecond();
            data.extend(data! {
                "cmd" => shown, "rc" => rc.map_or(Value::Null, Value::from), "start" => moment(&start),
                "end" => moment(&finish), "delta" => span(micros),
                "stdout" => stdout.replace("\r\n", "\n").trim_end_matches(['\r', '\n']),
            });
            match (excess, rc) {
                (Some(excess), _) => Err(Failure::new(excess.sentence("the command")).help(Excess::help())),
                (None, Some(0)) => Ok(()),
                (None, Some(_)) => Err(Failure::new("non-zero return code")),
                (None, None) => Err(Failure::new("command exceeded timeout")),
            }
        });
        Ok(Plan::unchanged().change(
            change.changed_even_if_failed().unpredictable("remote module (expect) does not support check mode"),
        ))
    }
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

/// A program on a terminal, and its answers.
struct Dialogue<'h> {
    host: &'h Host,
    child: Child,
    terminal: File,
    responses: Vec<Response>,
    limit: Duration,
}

impl Dialogue<'_> {
    /// Runs to the program's end: returns its exit code, its output, and whether that was truncated. No exit code if a
    /// signal ended it, or if it was killed because of a timeout.
    fn hold(mut self) -> Result<(Option<i64>, String, Option<Excess>), Failure> {
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
                return Ok((None, kept.text(), excess));
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
        Ok((status.code().map(i64::from), kept.text(), budget.excess(false)))
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
                let msg = format!("No remaining responses for '{}', output was 'b'{before}''", response.asked);
                self.kill();
                Err(Failure::new(msg))
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

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, Outcome, Value, data};

    use crate::runner::tests::{call, checked};

    const ASKS: &str = "sh -c 'printf \"Name? \"; read n; printf \"Pass: \"; read p; echo; echo got $n $p; exit 3'";

    fn responses(pairs: &[(&str, Value)]) -> Value {
        Value::Map(pairs.iter().map(|(asked, answer)| ((*asked).to_owned(), answer.clone())).collect())
    }

    fn expect(command: &str, responses: Value, more: Map) -> Outcome {
        let mut args = data! { "command" => command, "responses" => responses };
        args.extend(more);
        call("expect", args)
    }

    #[test]
    fn questions_are_answered() {
        let done = expect(ASKS, responses(&[("Name", "bob".into()), ("(?i)pass", 5.into())]), Map::new());
        assert_eq!(done.data["stdout"], "Name? Pass: \ngot bob 5".into(), "{done:?}");
        assert_eq!((done.data["rc"].clone(), done.changed), (3.into(), true));
        assert_eq!(done.failure.unwrap().msg, "non-zero return code");
        let done = expect(ASKS, responses(&[("Name", "bob".into()), ("Pass", "x".into())]), data! { "echo" => true });
        assert_eq!(done.data["stdout"], "Name? bob\nPass: x\n\ngot bob x".into());
    }

    #[test]
    fn answers_of_a_list_come_in_turn_and_may_run_out() {
        let both = Value::List(vec!["a".into(), "b".into()]);
        let done = expect(ASKS, responses(&[("Name|Pass", both)]), Map::new());
        assert!(done.data["stdout"].as_str().unwrap().ends_with("got a b"), "{done:?}");
        let done = expect(ASKS, responses(&[("Name|Pass", Value::List(vec!["a".into()]))]), Map::new());
        assert_eq!(done.failure.unwrap().msg, "No remaining responses for 'Name|Pass', output was 'b'? Pass''");
    }

    #[test]
    fn who_asks_something_unknown_is_killed_in_time() {
        let done = expect(ASKS, responses(&[("Name", "a".into())]), data! { "timeout" => 1 });
        assert_eq!(done.failure.unwrap().msg, "command exceeded timeout");
        assert_eq!((done.data["rc"].clone(), done.data["stdout"].clone()), (Value::Null, "Name? Pass: ".into()));
    }

    #[test]
    fn the_terminal_is_that_of_the_program() {
        let command = "sh -c 'cd .; echo $TERM; stty size; echo there >/dev/tty; pwd'";
        let done = expect(command, responses(&[("x", "".into())]), data! { "chdir" => "/usr" });
        assert_eq!(done.data["stdout"], "xterm\n24 80\nthere\n/usr".into(), "{done:?}");
    }

    #[test]
    fn what_need_not_or_cannot_run_is_said() {
        let one = || responses(&[("x", "".into())]);
        let done = expect("id", one(), data! { "creates" => "/etc/passwd" });
        assert_eq!((done.changed, done.data["stdout"].clone()), (false, "skipped, since /etc/passwd exists".into()));
        let done = expect("/nowhere/nothing", one(), Map::new());
        assert_eq!(done.failure.unwrap().msg, "The command was not found or was not executable: /nowhere/nothing.");
        assert_eq!(expect(" ", one(), Map::new()).failure.unwrap().msg, "no command given");
        assert!(checked("expect", data! { "command" => "id", "responses" => one() }).skipped.is_some());
        assert!(expect("id", responses(&[("(", "".into())]), Map::new()).failure.is_some());
    }
}
