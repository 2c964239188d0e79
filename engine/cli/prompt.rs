//! Prompts on the terminal.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, IsTerminal, Write},
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr},
};
use parking_lot::{Mutex, MutexGuard};
use rplay::{actions::Prompt, report::Channel, secrets::Secrets, visible::visible};

use crate::output;

/// Prompts on the terminal itself, so that standard input and output may be pipes. As in Ansible, the answer is a line
/// of standard input if there is no terminal. `UnexpectedEof` says that nobody answered.
pub(crate) fn secret(question: &str) -> io::Result<String> {
    line(question, false)
}

/// The same; `echo` shows what is typed.
pub(crate) fn line(question: &str, echo: bool) -> io::Result<String> {
    let mut answer = String::new();
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        output::aside(&visible(question));
        if io::stdin().lock().read_line(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        return Ok(answer.trim_end_matches(['\r', '\n']).to_owned());
    };
    {
        let _unseen = if echo { None } else { Some(Unseen::on(&terminal)?) };
        write!(&terminal, "{}", visible(question))?;
        if BufReader::new(&terminal).read_line(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    if !echo {
        writeln!(&terminal)?;
    }
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal's settings before a prompt turned off echo.
static HIDDEN: Mutex<Option<Termios>> = Mutex::new(None);

fn hidden() -> MutexGuard<'static, Option<Termios>> {
    HIDDEN.lock()
}

/// Turns echo back on when the process ends during a prompt.
pub(crate) fn restore() {
    if let (Some(before), Ok(terminal)) = (hidden().take(), File::open("/dev/tty")) {
        let _ = tcsetattr(&terminal, SetArg::TCSANOW, &before);
    }
}

/// Turns off echo until dropped.
struct Unseen<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Unseen<'t> {
    fn on(terminal: &'t File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        *hidden() = Some(before.clone());
        let mut unseen = before.clone();
        unseen.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &unseen)?;
        Ok(Unseen { terminal, before })
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        hidden().take();
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

/// Prompts for `pause` and `vars_prompt`, in sync with the report.
pub(crate) struct Person {
    pub report: Arc<Channel>,
    pub secrets: Arc<Secrets>,
}

/// Whether input other than a terminal has already ended, as for a run in the background.
fn is_over(stdin: &io::Stdin) -> bool {
    let mut polled = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let is_ready = poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
    is_ready && stdin.lock().fill_buf().is_ok_and(<[u8]>::is_empty)
}

impl Prompt for Person {
    fn ask(&self, text: &str, echo: bool) -> Option<String> {
        self.report.flush();
        let text = &*self.secrets.mask(text);
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            // Input may come from a pipe; its end means that nobody can answer.
            if is_over(&stdin) {
                return None;
            }
            output::tell(&visible(text));
            let mut line = String::new();
            let read = stdin.lock().read_line(&mut line).unwrap_or(0);
            output::tell("\n");
            return (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned());
        }
        if !echo {
            return secret(text).ok();
        }
        output::tell(&visible(text));
        let mut line = String::new();
        stdin.lock().read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn is_attended(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn wait(&self, text: &str, prompt: Option<&str>, duration: Duration) -> Result<(), String> {
        self.report.flush();
        let told = |text: &str| format!("{}\n", visible(&self.secrets.mask(text)));
        let stdin = io::stdin();
        output::tell(&told(text));
        if stdin.is_terminal() || prompt.is_some() {
            output::tell("(ctrl+C then 'C' = continue early, ctrl+C then 'A' = abort)\r\n");
        }
        if stdin.is_terminal() {
            output::tell(&prompt.map(told).unwrap_or_default());
        }
        if !stdin.is_terminal() || !in_foreground(&stdin) {
            std::thread::sleep(duration);
            return Ok(());
        }
        let until = Instant::now() + duration;
        let keys = Keys::on(&stdin).map_err(|error| error.to_string())?;
        loop {
            match keys.next(Some(until)).map_err(|error| error.to_string())? {
                None => return Ok(()),
                Some(INTERRUPT) if keys.goes_on(Some(until))? => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn pause(&self, text: &str, echo: bool) -> Result<Option<String>, String> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(self.ask(text, echo));
        }
        if !in_foreground(&stdin) {
            return Ok(None);
        }
        self.report.flush();
        output::tell(&visible(&self.secrets.mask(text)));
        let keys = Keys::on(&stdin).map_err(|error| error.to_string())?;
        let mut typed = Vec::new();
        loop {
            match keys.next(None).map_err(|error| error.to_string())? {
                None | Some(b'\r' | b'\n') => break,
                Some(INTERRUPT) => {
                    if keys.goes_on(None)? {
                        typed.clear();
                        break;
                    }
                }
                Some(8 | 127) => {
                    if typed.pop().is_some() && echo {
                        output::tell("\x08 \x08");
                    }
                }
                Some(byte) => {
                    typed.push(byte);
                    if echo {
                        let _ = io::stdout().write_all(&[byte]).and_then(|()| io::stdout().flush());
                    }
                }
            }
        }
        output::tell("\r\n");
        Ok(Some(String::from_utf8_lossy(&typed).into_owned()))
    }
}

/// Whether we may read from the terminal; a background job that tries is stopped.
fn in_foreground(stdin: &io::Stdin) -> bool {
    nix::unistd::tcgetpgrp(stdin).is_ok_and(|group| group == nix::unistd::getpgrp())
}

/// Ctrl+C as a key.
const INTERRUPT: u8 = 3;

/// Reads single keys from the terminal, including Ctrl+C, until dropped.
struct Keys<'t> {
    stdin: &'t io::Stdin,
    before: Termios,
}

impl<'t> Keys<'t> {
    fn on(stdin: &'t io::Stdin) -> io::Result<Self> {
        let before = tcgetattr(stdin)?;
        *hidden() = Some(before.clone());
        let mut keys = before.clone();
        keys.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        // Keys typed before the prompt count, too.
        tcsetattr(stdin, SetArg::TCSANOW, &keys)?;
        Ok(Keys { stdin, before })
    }

    /// The next key; `None` when the time is up or the input ends.
    fn next(&self, until: Option<Instant>) -> io::Result<Option<u8>> {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let wait = left.unwrap_or(Duration::from_secs(30)).min(Duration::from_secs(30));
            // Rounded up, so that it does not spin.
            let wait = PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.stdin.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, wait) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) => {
                    let mut key = [0];
                    let read = nix::unistd::read(self.stdin, &mut key)?;
                    return Ok((read > 0).then_some(key[0]));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks after Ctrl+C whether to go on.
    fn goes_on(&self, until: Option<Instant>) -> Result<bool, String> {
        output::tell("\nPress 'C' to continue the play or 'A' to abort \r");
        match self.next(until).map_err(|error| error.to_string())? {
            Some(b'a' | b'A') => Err("user requested abort!".to_owned()),
            Some(b'c' | b'C') | None => Ok(true),
            Some(_) => Ok(false),
        }
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        hidden().take();
        let _ = tcsetattr(self.stdin, SetArg::TCSANOW, &self.before);
    }
}
