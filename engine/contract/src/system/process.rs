//! Runs a process to its end and captures its output.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, killpg},
};
use rplay_wire::Value;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::system::captured::{Budget, Captured, Excess};

/// How long the pipes of an ended process are read if others hold them, and how often its end is polled on kernels
/// without notification. Milliseconds.
const LOOK_ROUND: u8 = 100;

/// How long what a process has left behind may go on printing into its pipes.
pub const AFTERMATH: Duration = Duration::from_secs(1);

/// The exit status and output of a process.
#[derive(Debug)]
pub struct Finished {
    /// The exit code, or the negated number of a signal.
    pub rc: i64,
    /// Invalid UTF-8 is replaced.
    pub stdout: String,
    pub stderr: String,
    /// Set if it wrote more than is kept.
    pub excess: Option<Excess>,
}

/// Starts the command, writes `input` to it, and waits until it ends. It leads a process group. A descendant may keep
/// the pipes open; that does not block.
///
/// At most `most` bytes of output are kept: the beginning, and the last part of the end. A process that prints
/// endlessly is killed with its group; see [`Excess`].
///
/// # Errors
/// If it cannot be started or waited for, or its pipes break.
pub fn run(command: &mut Command, input: Option<Vec<u8>>, most: usize) -> io::Result<Finished> {
    run_within(command, input, most, None)
}

/// Like [`run`]; a command that exceeds `limit` is killed with its process group.
///
/// # Errors
/// Those of [`run`]; of kind `TimedOut` after `limit`.
pub fn run_within(
    command: &mut Command,
    input: Option<Vec<u8>>,
    most: usize,
    limit: Option<Duration>,
) -> io::Result<Finished> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    // So that it can be killed with its descendants.
    command.process_group(0);
    let ((out, to_out), (err, to_err)) = (io::pipe()?, io::pipe()?);
    let (mut out, mut err) = (Some(out), Some(err));
    for fd in [out.as_ref().map(AsFd::as_fd), err.as_ref().map(AsFd::as_fd)].into_iter().flatten() {
        do_not_block(fd)?;
    }
    let spawned = command.stdout(to_out).stderr(to_err).spawn();
    // Our ends of the pipes are kept open in the command, so that they do not signal an end: the process wakes us only
    // when it exits, not each time it closes one.
    let mut end = spawned.as_ref().ok().and_then(end_of);
    if end.is_none() {
        let_go(command);
    }
    let mut child = spawned?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // In a separate thread, so that neither side blocks the other. A process that does not read its input is not an
        // error. input is no error.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    let mut budget = Budget::new(most);
    let (mut stdout, mut stderr) = (Captured::default(), Captured::default());
    let mut ended: Option<(ExitStatus, Instant)> = None;
    let mut killed = false;
    loop {
        let watched = [out.as_ref().map(AsFd::as_fd), err.as_ref().map(AsFd::as_fd), end.as_ref().map(AsFd::as_fd)];
        let mut fds: Vec<PollFd> = watched.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        if fds.is_empty() || ended.is_some_and(|(_, since)| since.elapsed() > AFTERMATH) {
            break;
        }
        if budget.is_endless() {
            killed = ended.is_none();
            if killed {
                kill(&mut child);
            }
            break;
        }
        let mut wait = if end.is_some() { PollTimeout::NONE } else { PollTimeout::from(LOOK_ROUND) };
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let_go(command);
                kill(&mut child);
                return Err(io::ErrorKind::TimedOut.into());
            }
            let left = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            wait = if wait == PollTimeout::NONE { left } else { wait.min(left) };
        }
        let ready = match poll(&mut fds, wait) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if ready == 0 {
            match ended {
                Some(_) => break,
                None if end.is_none() => ended = child.try_wait()?.map(|status| (status, Instant::now())),
                None => {}
            }
            continue;
        }
        let has_ended = end.is_some() && fds.last().is_some_and(|fd| fd.any() == Some(true));
        if has_ended {
            ended = Some((child.wait()?, Instant::now()));
            end = None;
            let_go(command);
        }
        if out.as_mut().is_some_and(|pipe| is_drained(pipe, &mut stdout, &mut budget)) {
            out = None;
        }
        if err.as_mut().is_some_and(|pipe| is_drained(pipe, &mut stderr, &mut budget)) {
            err = None;
        }
    }
    // Descendants that still write have no reader any more.
    drop((out, err));
    let_go(command);
    let status = match (ended, deadline) {
        (Some((status, _)), _) => status,
        (None, None) => child.wait()?,
        // It closed its output but is still running.
        (None, Some(deadline)) => loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() >= deadline {
                kill(&mut child);
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(5));
        },
    };
    let rc = status.code().or_else(|| status.signal().map(|signal| -signal)).unwrap_or(-1);
    let (stdout, stderr) = (stdout.text(), stderr.text());
    Ok(Finished { rc: rc.into(), stdout, stderr, excess: budget.excess(killed) })
}

/// Kills the process and its group.
fn kill(child: &mut Child) {
    let _ = killpg(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.kill();
    let _ = child.wait();
}

/// Makes reads and writes of the descriptor return at once.
///
/// # Errors
/// Those of fcntl(2).
pub fn do_not_block(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// A descriptor that becomes readable when the process ends; `None` before Linux 5.3.
fn end_of(child: &Child) -> Option<OwnedFd> {
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()
}

/// Closes our ends of the command's output pipes.
fn let_go(command: &mut Command) {
    command.stdout(Stdio::null()).stderr(Stdio::null());
}

/// Reads what is there, but not for ever; true at the pipe's end.
pub fn is_drained(pipe: &mut impl Read, kept: &mut Captured, budget: &mut Budget) -> bool {
    let mut piece = [0u8; 16 << 10];
    for _ in 0..64 {
        match pipe.read(&mut piece) {
            Ok(0) => return true,
            Ok(length) => kept.add(piece.get(..length).unwrap_or_default(), budget),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
    false
}

/// The lines of a text as in Python's `splitlines`, for `stdout_lines` and the like.
pub fn lines(text: &str) -> Value {
    let mut lines: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((line, after)) = split_line(rest) {
        lines.push(line);
        rest = after;
    }
    lines.into()
}

/// The first line of a text, without its end, and the rest; `None` for an empty text.
pub fn split_line(text: &str) -> Option<(&str, &str)> {
    let is_break = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let Some(at) = text.find(is_break) else { return (!text.is_empty()).then_some((text, "")) };
    let (line, tail) = text.split_at(at);
    let width = if tail.starts_with("\r\n") { 2 } else { tail.chars().next().map_or(1, char::len_utf8) };
    Some((line, &tail[width..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str, input: Option<Vec<u8>>) -> Finished {
        run(Command::new("/bin/sh").args(["-c", line]), input, 32 << 20).unwrap()
    }

    #[test]
    fn much_input_and_output_at_once_do_not_block_each_other() {
        let finished = shell("tee /dev/stderr", Some(vec![b'x'; 3 << 20]));
        assert_eq!((finished.stdout.len(), finished.stderr.len(), finished.rc), (3 << 20, 3 << 20, 0));
    }

    #[test]
    fn a_process_left_behind_does_not_hold_us_up() {
        let begun = Instant::now();
        let finished = shell("sleep 30 & echo $!; exit 4", None);
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(finished.rc, 4);
        let left: i32 = finished.stdout.trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(left), nix::sys::signal::SIGKILL).unwrap();
    }

    #[test]
    fn a_signal_is_a_negative_code_and_a_closed_input_no_error() {
        assert_eq!(shell("kill -9 $$", None).rc, -9);
        assert_eq!(shell("exec <&-; exit 0", Some(vec![0; 1 << 20])).rc, 0);
    }

    #[test]
    fn what_prints_without_end_is_killed_and_its_beginning_and_end_are_kept() {
        let begun = Instant::now();
        let mut command = Command::new("/bin/sh");
        let finished = run(command.args(["-c", "echo first; yes; echo never"]), None, 1 << 20).unwrap();
        assert!(finished.excess.as_ref().is_some_and(|excess| excess.was_killed()), "{:?}", finished.excess);
        assert_eq!(finished.rc, -9);
        assert!(finished.stdout.starts_with("first\ny\n") && finished.stdout.ends_with("y\n"));
        assert!(finished.stdout.len() < 2 << 20, "{}", finished.stdout.len());
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn much_output_that_ends_is_cut_in_its_middle_and_the_process_lives_on() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo first; yes | head -c 5000000; echo last; echo oh >&2; exit 3"]);
        let finished = run(&mut command, None, 1 << 20).unwrap();
        assert!(finished.excess.as_ref().is_some_and(|excess| !excess.was_killed()));
        assert_eq!((finished.rc, finished.stderr.as_str()), (3, "oh\n"));
        assert!(finished.stdout.starts_with("first\n") && finished.stdout.ends_with("y\nlast\n"));
        assert!(finished.stdout.contains(" bytes of output were cut here"));
        assert!(finished.stdout.len() < (1 << 20) + (1 << 17));
    }

    #[test]
    fn what_a_process_leaves_behind_may_print_without_end() {
        let begun = Instant::now();
        assert_eq!(shell("yes >&2 & exit 4", None).rc, 4);
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn lines_are_split_as_python_splits_them() {
        assert_eq!(lines("a\r\nb\u{b}c\n\nd"), vec!["a", "b", "c", "", "d"].into());
        assert_eq!(lines("a\n"), vec!["a"].into());
        assert_eq!(lines(""), Value::List(Vec::new()));
    }
}
