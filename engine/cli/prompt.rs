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

/// Asks on the terminal itself, so that standard input and output may be pipes. Without a terminal the answer is a line
/// of standard input, as with Ansible.
pub(crate) fn secret(question: &str) -> io::Result<String> {
    line(question, false)
}

/// The same; `echo` shows what is typed.
pub(crate) fn line(question: &str, echo: bool) -> io::Result<String> {
    let mut answer = String::new();
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        output::aside(&visible(question));
        if io::stdin().lock().read_line(&mut answer)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "there is no terminal to ask at, and no input"));
        }
        return Ok(answer.trim_end_matches(['\r', '\n']).to_owned());
    };
    {
        let _unseen = if echo { None } else { Some(Unseen::on(&terminal)?) };
        write!(&terminal, "{}", visible(question))?;
        BufReader::new(&terminal).read_line(&mut answer)?;
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

/// Turns off echo while it lives.
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

/// Prompts for `pause` and `vars_prompt`, in order with the report.
pub(crate) struct Person {
    pub report: Arc<Channel>,
    pub secrets: Arc<Secrets>,
}

impl Prompt for Person {
    fn ask(&self, text: &str, echo: bool) -> Option<String> {
        self.report.flush();
        let text = &*self.secrets.mask(text);
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            // Input may come from a pipe; end of input means that nobody is there.
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

    fn wait(&self, text: &str, duration: Duration) -> Result<(), String> {
        self.report.flush();
        let text = &*self.secrets.mask(text);
        let stdin = io::stdin();
        output::tell(&format!("{}\n", visible(text)));
        if !stdin.is_terminal() {
            std::thread::sleep(duration);
            return Ok(());
        }
        output::tell("(press Enter to continue, Ctrl+C to abort)\n");
        let until = Instant::now() + duration;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let wait = PollTimeout::try_from(left.min(Duration::from_secs(30))).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, wait) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) => {
                    let mut line = String::new();
                    let _ = stdin.lock().read_line(&mut line);
                    return Ok(());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
