//! The plugin host: a process of ours in the Python that has ansible-core.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::limits;

/// The program; it goes to the interpreter by its arguments, since standard input belongs to requests.
const PROGRAM: &str = include_str!("host.py");

/// What depends on the version of ansible-core.
pub(super) const VERSIONS: &str = include_str!("versions.py");

/// Bytes of an answer at most.
const MOST: u32 = 256 << 20;

/// Lines of what it prints that are kept for messages.
const KEPT_LINES: usize = 20;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It answered that something is wrong with what was asked for.
    #[error("{0}")]
    Refused(String),
    /// It cannot be started, has died, or says nothing.
    #[error("{python} does not answer: {reason}")]
    Broken { python: String, reason: String },
}

/// The process. It ends with this.
pub struct PluginHost {
    python: String,
    child: Child,
    requests: ChildStdin,
    answers: mpsc::Receiver<Json>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    next: u64,
}

impl PluginHost {
    /// Starts it.
    ///
    /// # Errors
    /// The interpreter cannot be started, or has no ansible-core that is supported. What there is instead is the
    /// answer to `hello`.
    pub fn start(python: &Path) -> Result<(PluginHost, Json), HostError> {
        let name = python.display().to_string();
        let broken = |reason: std::io::Error| HostError::Broken { python: name.clone(), reason: reason.to_string() };
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(broken)?;
        let missing = || broken(std::io::ErrorKind::BrokenPipe.into());
        let requests = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let (sender, answers) = mpsc::channel();
        let last_words = Arc::<Mutex<VecDeque<String>>>::default();
        let words = last_words.clone();
        thread::Builder::new().spawn(move || receive(stdout, &sender)).map_err(broken)?;
        thread::Builder::new().spawn(move || listen(stderr, &words)).map_err(broken)?;
        let mut host = PluginHost { python: name.clone(), child, requests, answers, last_words, next: 0 };
        let hello = host.ask("hello", json!({ "versions": VERSIONS }))?;
        Ok((host, hello))
    }

    /// Asks for an operation and waits for the answer.
    ///
    /// # Errors
    /// It says what is wrong with the request, or does not answer in time or at all; then it is of no use any more.
    pub fn ask(&mut self, op: &str, with: Json) -> Result<Json, HostError> {
        let id = self.next;
        self.next += 1;
        let body = json!({ "id": id, "op": op, "with": with }).to_string().into_bytes();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
        let sent = self.requests.write_all(&length).and_then(|()| self.requests.write_all(&body));
        if let Err(error) = sent.and_then(|()| self.requests.flush()) {
            return Err(self.broken(error.to_string()));
        }
        loop {
            let mut answer = match self.answers.recv_timeout(limits::program_time()) {
                Ok(answer) => answer,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.broken("it has ended".to_owned())),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    return Err(self.broken(format!("nothing came for {} s", limits::program_time().as_secs())));
                }
            };
            if answer.get("id").and_then(Json::as_u64) != Some(id) {
                continue;
            }
            return match answer.get_mut("result").map(Json::take) {
                Some(result) => Ok(result),
                None => Err(HostError::Refused(answer["error"].as_str().unwrap_or("it gave no reason").to_owned())),
            };
        }
    }

    fn broken(&mut self, reason: String) -> HostError {
        let words = self.last_words.lock().back().cloned();
        let reason = words.map_or_else(|| reason.clone(), |words| format!("{reason}; its last words: {words}"));
        HostError::Broken { python: self.python.clone(), reason }
    }
}

impl Drop for PluginHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on answers until there is none that can be understood.
fn receive(mut stdout: impl Read, answers: &mpsc::Sender<Json>) {
    let mut head = [0; 4];
    while stdout.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes(head);
        let mut body = Vec::new();
        if length > MOST || stdout.by_ref().take(length.into()).read_to_end(&mut body).is_err() {
            return;
        }
        let Ok(answer) = serde_json::from_slice(&body) else { return };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn listen(stderr: impl Read, words: &Mutex<VecDeque<String>>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = stderr.by_ref().take(1 << 16).read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        let mut words = words.lock();
        if !text.is_empty() {
            words.push_back(text);
        }
        if words.len() > KEPT_LINES {
            words.pop_front();
        }
        line.clear();
    }
}
