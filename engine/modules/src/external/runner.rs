//! The warm Python process, and module calls in it.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::OpenOptionsExt,
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use parking_lot::Mutex;
use rplay_wire::{Failure, Map, Mode, Value, number::unmarked};

use super::{
    Ended, Order, interpreter,
    settings::{self, Directory},
    store,
};
use crate::{
    Host,
    system::{
        captured::{Budget, Captured},
        process::{AFTERMATH, do_not_block, is_drained},
    },
};

/// The program; sent to the interpreter, so that no file is needed.
const PROGRAM: &str = include_str!("runner.py");

/// Reads the program and runs it. Works with any Python, so that an old version can be reported.
const BOOTSTRAP: &str = "import os, sys
if sys.version_info < (3, 6): sys.exit('it is Python %d.%d, at least 3.6 is required' % sys.version_info[:2])
n = int(sys.argv[1]); p = b''
while len(p) < n: p += os.read(0, n - len(p))
exec(compile(p, 'rplay', 'exec'))";

/// Time limit for Python to start and import the shared code, which may be compiled on a slow machine.
const START: Duration = Duration::from_secs(120);

/// How often a call checks whether it was cancelled. Milliseconds.
const LOOK_ROUND: u16 = 100;

/// A Python process that has imported `ansible.module_utils.basic`.
struct Runner {
    control: Mutex<UnixStream>,
}

/// By interpreter and imported code. Locked while one starts, so that it starts once.
static RUNNERS: Mutex<Option<HashMap<(Vec<String>, PathBuf), Arc<Mutex<Option<Arc<Runner>>>>>>> = Mutex::new(None);

/// Runs a Python module. `found` receives facts about a discovered interpreter.
pub(super) fn run(order: &Order, mode: Mode, host: &Host, found: &mut Map) -> Result<Ended, Failure> {
    let python = interpreter::python(order, host)?;
    if let Some(path) = &python.found {
        found.extend(super::discovered(path));
    }
    let base = order.base.as_ref().ok_or_else(|| Failure::new("the controller did not send the shared module code"))?;
    let base = store::path_of(base, host)?;
    let bundle = store::path_of(&order.content, host)?;
    let directory = Directory::make(order, host)?;
    let runner = runner(order, python.words.clone(), &base)?;
    let mut pipes = Pipes::make(directory.path(), host.max_output())?;
    let call = rplay_wire::data! {
        "directory" => directory.path().display().to_string(),
        "bundle" => bundle.display().to_string(),
        "module" => order.package.as_str(),
        "arguments" => order.args.clone(),
        "settings" => settings::of(order, mode, directory.path()),
        "environment" => host.environment.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect::<Map>(),
    };
    let sent = write_frame(&mut runner.control.lock(), &call);
    match sent.and_then(|()| pipes.wait(host)) {
        Ok(rc) => {
            let Pipes { stdout, stderr, budget, killed, .. } = pipes;
            let excess = budget
                .excess(killed && budget.is_endless())
                .map(|excess| excess.sentence(&format!("the module {}", order.name)));
            Ok(Ended { rc, stdout: stdout.text(), stderr: stderr.text(), excess })
        }
        Err(error) => {
            // The next call starts another one.
            forget(&runner);
            Err(Failure::new(format!(
                "the module {} could not be run by {}: {error}",
                order.name,
                python.words.join(" ")
            )))
        }
    }
}

/// The runner of an interpreter; started if necessary.
fn runner(order: &Order, words: Vec<String>, base: &Path) -> Result<Arc<Runner>, Failure> {
    let slot = {
        let mut runners = RUNNERS.lock();
        runners.get_or_insert_default().entry((words.clone(), base.to_owned())).or_default().clone()
    };
    let mut slot = slot.lock();
    if let Some(runner) = &*slot {
        return Ok(runner.clone());
    }
    let runner = Arc::new(Runner::start(&words, base).map_err(|reason| {
        let failure = Failure::new(format!("{} cannot run the module {}: {reason}", words.join(" "), order.name));
        failure.help("set another Python with the variable `ansible_python_interpreter`")
    })?);
    *slot = Some(runner.clone());
    Ok(runner)
}

fn forget(runner: &Arc<Runner>) {
    let slots: Vec<_> = RUNNERS.lock().iter().flat_map(|runners| runners.values().cloned()).collect();
    for slot in slots {
        let mut slot = slot.lock();
        if slot.as_ref().is_some_and(|known| Arc::ptr_eq(known, runner)) {
            *slot = None;
        }
    }
}

impl Runner {
    /// Starts a runner; the error is the reason if it fails.
    fn start(words: &[String], base: &Path) -> Result<Runner, String> {
        let text = |error: io::Error| error.to_string();
        let (mut control, theirs) = UnixStream::pair().map_err(text)?;
        let mut command = Command::new(words.first().map(String::as_str).unwrap_or_default());
        command.args(words.get(1..).unwrap_or_default()).args(["-c", BOOTSTRAP, &PROGRAM.len().to_string()]);
        let (mut said, to_said) = io::pipe().map_err(text)?;
        let also_said = to_said.try_clone().map_err(text)?;
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(to_said).stderr(also_said).process_group(0);
        let ended = start_apart(command)?;
        // Reads its errors in a thread, since nobody else reads while it starts.
        let (tell, told) = mpsc::channel();
        let listening = thread::Builder::new().spawn(move || {
            let mut text = Vec::new();
            let _ = io::Read::by_ref(&mut said).take(1 << 16).read_to_end(&mut text);
            let _ = tell.send(String::from_utf8_lossy(&text).trim().to_owned());
            let _ = io::copy(&mut said, &mut io::sink());
        });
        listening.map_err(text)?;
        let _ = control.set_read_timeout(Some(START));
        let first = rplay_wire::data! { "base" => base.display().to_string() };
        let begun = control.write_all(PROGRAM.as_bytes()).and_then(|()| write_frame(&mut control, &first));
        match begun.and_then(|()| read_frame(&mut control)) {
            Ok(hello) => match hello.get("wrong").and_then(serde_json::Value::as_str) {
                None => {
                    let _ = control.set_read_timeout(None);
                    Ok(Runner { control: Mutex::new(control) })
                }
                Some(wrong) => Err(wrong.to_owned()),
            },
            Err(error) => {
                drop(control);
                let status = ended.recv_timeout(Duration::from_secs(5)).ok();
                let said = told.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
                Err(match (said.lines().last(), status) {
                    (Some(last), _) => last.to_owned(),
                    (None, Some(status)) => format!("it exited immediately ({status})"),
                    (None, None) => format!("it did not start: {error}"),
                })
            }
        }
    }
}

/// Starts a process from a separate thread, so that it is not a child of a call's thread and survives a cancelled call.
/// The receiver gets its exit status.
fn start_apart(mut command: Command) -> Result<mpsc::Receiver<ExitStatus>, String> {
    let (tell_started, started) = mpsc::channel();
    let (tell, ended) = mpsc::channel();
    let thread = thread::Builder::new().name("python".to_owned()).spawn(move || {
        let spawned = command.spawn();
        // Closes our copies of inherited streams.
        drop(command);
        match spawned {
            Ok(mut child) => {
                let _ = tell_started.send(Ok(()));
                let _ = tell.send(child.wait().unwrap_or_else(|_| ExitStatus::from_raw(1)));
            }
            Err(error) => drop(tell_started.send(Err(error.to_string()))),
        }
    });
    thread.map_err(|error| format!("cannot start a thread on the host: {error}"))?;
    started.recv().unwrap_or_else(|_| Err("it did not start".to_owned()))?;
    Ok(ended)
}

fn write_frame(stream: &mut UnixStream, message: &Map) -> io::Result<()> {
    let json = serde_json::Value::from(&Value::Map(message.clone())).to_string();
    let json = unmarked(&json);
    let body = json.as_bytes();
    let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    stream.write_all(&length.to_le_bytes())?;
    stream.write_all(body)
}

fn read_frame(stream: &mut UnixStream) -> io::Result<serde_json::Value> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = u64::from(u32::from_le_bytes(head)).min(1 << 20);
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// The pipes that a call's process writes to.
struct Pipes {
    status: File,
    out: Option<File>,
    err: Option<File>,
    stdout: Captured,
    stderr: Captured,
    budget: Budget,
    /// It was cancelled, or printed endlessly.
    killed: bool,
}

impl Pipes {
    fn make(directory: &Path, most: usize) -> io::Result<Self> {
        let open = |name: &str| {
            let path = directory.join(name);
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR)?;
            // Without a writer, this would block.
            let flags = nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
            let file = File::options().read(true).custom_flags(flags).open(&path)?;
            do_not_block(file.as_fd())?;
            Ok::<_, io::Error>(file)
        };
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let (status, out, err) = (open("status")?, Some(open("out")?), Some(open("err")?));
        Ok(Pipes { status, out, err, stdout, stderr, budget: Budget::new(most), killed: false })
    }

    /// Reads the output until the process ends; returns the exit code, or the negated number of a signal.
    fn wait(&mut self, host: &Host) -> io::Result<i64> {
        let mut said = String::new();
        let mut ended: Option<(i64, Instant)> = None;
        loop {
            let status = ended.is_none().then(|| self.status.as_fd());
            let watched = [status, self.out.as_ref().map(AsFd::as_fd), self.err.as_ref().map(AsFd::as_fd)];
            let mut fds: Vec<PollFd> =
                watched.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            if let Some((code, since)) = ended
                && (fds.is_empty() || since.elapsed() > AFTERMATH)
            {
                return Ok(code);
            }
            let ready = match poll(&mut fds, PollTimeout::from(LOOK_ROUND)) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if ended.is_none() && (host.cancel().is_cancelled() || self.budget.is_endless()) {
                self.killed = true;
                // Repeated, since it may just have been forked.
                kill(&said);
            }
            if ready == 0 {
                // Other processes may hold its output streams.
                if let Some((code, _)) = ended {
                    return Ok(code);
                }
                continue;
            }
            if ended.is_none() {
                let is_over = read_lines(&mut self.status, &mut said)?;
                ended = status_of(&said)?.map(|code| (code, Instant::now()));
                if is_over && ended.is_none() {
                    return Err(io::Error::other("its process ended unexpectedly"));
                }
            }
            if self.out.as_mut().is_some_and(|pipe| is_drained(pipe, &mut self.stdout, &mut self.budget)) {
                self.out = None;
            }
            if self.err.as_mut().is_some_and(|pipe| is_drained(pipe, &mut self.stderr, &mut self.budget)) {
                self.err = None;
            }
        }
    }
}

/// Appends available lines; returns true at the end.
fn read_lines(status: &mut File, said: &mut String) -> io::Result<bool> {
    let mut piece = [0; 4096];
    loop {
        match status.read(&mut piece) {
            // Before the runner has opened it, this is not the end, and poll reports nothing.
            Ok(0) => return Ok(true),
            Ok(length) => said.push_str(&String::from_utf8_lossy(piece.get(..length).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The exit status, if it is in the lines.
fn status_of(said: &str) -> io::Result<Option<i64>> {
    for line in said.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        match line.trim_end().split_once(' ') {
            Some(("exit", code)) => return Ok(code.parse().ok()),
            Some(("error", text)) => return Err(io::Error::other(text.to_owned())),
            _ => {}
        }
    }
    Ok(None)
}

/// Kills the process of a call and all others of its process group.
fn kill(said: &str) {
    let pid = said.lines().find_map(|line| line.strip_prefix("pid ")?.parse::<i32>().ok());
    if let Some(pid) = pid.filter(|pid| *pid > 1) {
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
