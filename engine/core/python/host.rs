//! The plugin host: a helper process in the Python that has ansible-core.
//!
//! Several threads may send requests concurrently. While it works on a request, the host may ask questions, which are
//! answered by the thread that waits for that request, with that thread's data.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};

use crate::limits;

/// The program; passed as an argument, since standard input carries requests.
const PROGRAM: &str = include_str!("host.py");

/// Further files of the program, by name. Operations of a part are called `PART.NAME`; it is loaded with the first.
const PARTS: [(&str, &str); 8] = [
    ("versions", include_str!("versions.py")),
    ("inventory", include_str!("inventory.py")),
    ("vars", include_str!("vars.py")),
    ("values", include_str!("values.py")),
    ("actions", include_str!("actions.py")),
    ("becoming", include_str!("becoming.py")),
    ("facts", include_str!("facts.py")),
    ("globals", include_str!("globals.py")),
];

/// Maximum size of a message in bytes.
const MOST: u32 = 256 << 20;

/// Number of its last lines of output that are kept for messages.
const KEPT_LINES: usize = 20;

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It reported an error in the request.
    #[error("{0}")]
    Refused(String),
    /// It cannot be started, died, or does not respond.
    #[error("{python} does not respond: {reason}")]
    Broken {
        python: String,
        reason: String,
        /// Whether other requests were pending when it died: any of them may be the cause.
        with_others: bool,
    },
}

/// Answers the host's questions during a request, by operation and arguments.
pub type Serve<'s> = &'s mut dyn FnMut(&str, Json) -> Result<Json, String>;

/// A message for a request.
enum Incoming {
    Response(Result<Json, String>),
    /// A question from the host.
    Call {
        call: u64,
        op: String,
        with: Json,
    },
}

/// The pending requests, by ID.
#[derive(Default)]
struct Waiting {
    askers: HashMap<u64, Sender<Incoming>>,
    /// How many were pending when the process ended.
    at_end: Option<usize>,
}

/// The process. It ends on drop.
pub struct PluginHost {
    python: String,
    child: Mutex<Child>,
    requests: Mutex<ChildStdin>,
    waiting: Arc<Mutex<Waiting>>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    next: AtomicU64,
    useless: AtomicBool,
    /// How many of the initial requests it has received.
    pub(super) prepared: Mutex<usize>,
}

impl PluginHost {
    /// Starts it.
    ///
    /// # Errors
    /// If the interpreter cannot be started, or has no supported ansible-core. On success, also returns the
    /// response to `hello`.
    pub fn start(python: &Path) -> Result<(PluginHost, Json), HostError> {
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM]);
        let host = PluginHost::launch(command, &python.display().to_string())?;
        let parts: Map<String, Json> =
            PARTS.iter().map(|(name, text)| ((*name).to_owned(), Json::from(*text))).collect();
        let hello = host.ask("hello", &json!({ "parts": parts }), None)?;
        Ok((host, hello))
    }

    fn launch(mut command: Command, python: &str) -> Result<PluginHost, HostError> {
        let broken = |reason: std::io::Error| HostError::Broken {
            python: python.to_owned(),
            reason: reason.to_string(),
            with_others: false,
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(broken)?;
        let missing = || broken(std::io::ErrorKind::BrokenPipe.into());
        let requests = Mutex::new(child.stdin.take().ok_or_else(missing)?);
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let host = PluginHost {
            python: python.to_owned(),
            child: Mutex::new(child),
            requests,
            waiting: Arc::default(),
            last_words: Arc::default(),
            next: AtomicU64::new(0),
            useless: AtomicBool::new(false),
            prepared: Mutex::default(),
        };
        let (waiting, words) = (host.waiting.clone(), host.last_words.clone());
        thread::Builder::new().spawn(move || receive(stdout, &waiting)).map_err(broken)?;
        thread::Builder::new().spawn(move || listen(stderr, &words)).map_err(broken)?;
        Ok(host)
    }

    /// Whether it should get no new requests: it has died, or a request hangs.
    pub fn is_useless(&self) -> bool {
        self.useless.load(Relaxed) || self.waiting.lock().at_end.is_some()
    }

    /// Sends a request and waits for the response; `serve` answers the host's questions meanwhile.
    ///
    /// # Errors
    /// If it rejects the request, or does not answer in time; then it should get no new requests. Other
    /// pending requests may still be answered.
    pub fn ask(&self, op: &str, with: &Json, serve: Option<Serve<'_>>) -> Result<Json, HostError> {
        self.ask_within(op, with, serve, limits::program_time())
    }

    /// Like [`ask`](Self::ask), with a limit on the host's silence.
    ///
    /// # Errors
    /// Same as [`ask`](Self::ask).
    pub(super) fn ask_within(
        &self,
        op: &str,
        with: &Json,
        mut serve: Option<Serve<'_>>,
        limit: Duration,
    ) -> Result<Json, HostError> {
        /// Removes the request when nobody waits any longer.
        struct Asker<'h>(&'h PluginHost, u64);
        impl Drop for Asker<'_> {
            fn drop(&mut self) {
                self.0.waiting.lock().askers.remove(&self.1);
            }
        }
        let id = self.next.fetch_add(1, Relaxed);
        let (sender, incoming) = mpsc::channel();
        {
            let mut waiting = self.waiting.lock();
            if waiting.at_end.is_some() {
                drop(waiting);
                return Err(self.broken("it exited"));
            }
            waiting.askers.insert(id, sender);
        }
        let _asker = Asker(self, id);
        let told = |message: &Json| match self.send(message) {
            // It exited; the loop below finds out why.
            Err(HostError::Broken { .. }) | Ok(()) => Ok(()),
            refused => refused,
        };
        told(&json!({ "id": id, "op": op, "with": with }))?;
        loop {
            match incoming.recv_timeout(limit) {
                Ok(Incoming::Response(response)) => return response.map_err(HostError::Refused),
                Ok(Incoming::Call { call, op, with }) => {
                    let response = match &mut serve {
                        Some(serve) => serve(&op, with),
                        None => Err(format!("no handler for `{op}`")),
                    };
                    told(&match response {
                        Ok(result) => json!({ "call": call, "result": result }),
                        Err(error) => json!({ "call": call, "error": error }),
                    })?;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.broken("it exited")),
                Err(RecvTimeoutError::Timeout) => {
                    self.useless.store(true, Relaxed);
                    return Err(self.broken(&format!("no message for {} s", limit.as_secs())));
                }
            }
        }
    }

    fn send(&self, message: &Json) -> Result<(), HostError> {
        let body = message.to_string().into_bytes();
        let Some(length) = u32::try_from(body.len()).ok().filter(|length| *length <= MOST) else {
            return Err(HostError::Refused(format!("more than {} MiB cannot be passed to Python", MOST >> 20)));
        };
        let mut requests = self.requests.lock();
        let sent = requests.write_all(&length.to_le_bytes()).and_then(|()| requests.write_all(&body));
        let sent = sent.and_then(|()| requests.flush());
        drop(requests);
        sent.map_err(|error| {
            self.useless.store(true, Relaxed);
            self.broken(&error.to_string())
        })
    }

    fn broken(&self, reason: &str) -> HostError {
        let words = self.last_words.lock().back().cloned();
        let reason = words.map_or_else(|| reason.to_owned(), |words| format!("{reason}; its last output: {words}"));
        let with_others = self.waiting.lock().at_end.is_some_and(|requests| requests > 1);
        HostError::Broken { python: self.python.clone(), reason, with_others }
    }
}

impl Drop for PluginHost {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The content of the program's files, as a version: cached results of another version are invalid.
pub(super) fn program<'p>() -> impl Iterator<Item = &'p str> {
    std::iter::once(PROGRAM).chain(PARTS.iter().map(|(_, text)| *text))
}

/// Distributes messages until one cannot be decoded.
fn receive(mut stdout: impl Read, waiting: &Mutex<Waiting>) {
    let mut head = [0; 4];
    while stdout.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes(head);
        let mut body = Vec::new();
        if length > MOST || stdout.by_ref().take(length.into()).read_to_end(&mut body).is_err() {
            break;
        }
        let Some((request, message)) = serde_json::from_slice(&body).ok().and_then(understood) else { break };
        // The sender may have given up.
        if let Some(asker) = waiting.lock().askers.get(&request) {
            let _ = asker.send(message);
        }
    }
    let mut waiting = waiting.lock();
    waiting.at_end = Some(waiting.askers.len());
    waiting.askers.clear();
}

/// A message, with the request that it belongs to.
fn understood(mut message: Json) -> Option<(u64, Incoming)> {
    let mut take = |name: &str| message.get_mut(name).map(Json::take);
    if let Some(call) = take("call") {
        let (request, op, with) = (take("for")?.as_u64()?, take("op")?.as_str()?.to_owned(), take("with")?);
        return Some((request, Incoming::Call { call: call.as_u64()?, op, with }));
    }
    let response = match take("result") {
        Some(result) => Ok(result),
        None => Err(take("error").and_then(|e| e.as_str().map(str::to_owned)).unwrap_or("it gave no reason".into())),
    };
    Some((take("id")?.as_u64()?, Incoming::Response(response)))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers through the program's protocol, without ansible-core; `None` if there is no Python.
    fn stand_in() -> Option<PluginHost> {
        let own = "
def echo(host, what):
    return what

def ask(host, times):
    return sum(host.controller.call('double', of=number) for number in range(times))

def inner(host):
    return host.controller.call('nest')

def hang(host):
    threading.Event().wait()

def die(host):
    os.write(2, b'I am ill')
    os._exit(1)

def noise(host):
    print('noise')
    raise RequestError('it is too loud')

OPERATIONS.update(echo=echo, ask=ask, inner=inner, hang=hang, die=die, noise=noise)
main()
";
        let program = PROGRAM.strip_suffix("main()\n").unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", &format!("{program}{own}")]);
        PluginHost::launch(command, "python3").ok()
    }

    #[test]
    fn many_threads_ask_at_a_time_and_each_gets_its_own_answer() {
        let Some(host) = stand_in() else { return };
        thread::scope(|scope| {
            for thread in 0..8 {
                let host = &host;
                scope.spawn(move || {
                    for number in 0..50 {
                        let what = json!([thread, number]);
                        assert_eq!(host.ask("echo", &json!({ "what": what }), None), Ok(what));
                    }
                });
            }
        });
    }

    #[test]
    fn what_it_asks_is_answered_by_the_thread_that_waits_and_may_ask_again() {
        let Some(host) = stand_in() else { return };
        let mut seen = 0;
        let mut double = |op: &str, with: Json| {
            assert_eq!(op, "double");
            seen += 1;
            Ok(json!(with["of"].as_u64().unwrap_or_default() * 2))
        };
        assert_eq!(host.ask("ask", &json!({ "times": 4 }), Some(&mut double)), Ok(json!(12)));
        assert_eq!(seen, 4);
        let mut nest = |_: &str, _: Json| host.ask("echo", &json!({ "what": 7 }), None).map_err(|e| e.to_string());
        assert_eq!(host.ask("inner", &json!({}), Some(&mut nest)), Ok(json!(7)));
        let refused = |error: &str| Err(HostError::Refused(error.to_owned()));
        assert_eq!(host.ask("inner", &json!({}), None), refused("no handler for `nest`"));
        assert_eq!(host.ask("noise", &json!({}), None), refused("it is too loud"));
        assert_eq!(host.ask("nothing", &json!({}), None), refused("there is no operation 'nothing'"));
    }

    #[test]
    fn one_that_hangs_fails_alone_and_one_that_dies_says_whether_others_were_under_way() {
        let Some(host) = stand_in() else { return };
        let late = host.ask_within("hang", &json!({}), None, Duration::from_millis(200)).unwrap_err();
        assert!(
            matches!(&late, HostError::Broken { reason, with_others: false, .. } if reason.starts_with("no message"))
        );
        // It gets no new requests, but pending ones finish.
        assert!(host.is_useless());
        assert_eq!(host.ask("echo", &json!({ "what": 1 }), None), Ok(json!(1)));

        let Some(host) = stand_in() else { return };
        let died = host.ask("die", &json!({}), None).unwrap_err();
        let HostError::Broken { reason, with_others, .. } = died else { panic!("{died}") };
        assert!(reason.starts_with("it exited") && !with_others, "{reason}");
        assert!(host.is_useless() && host.ask("echo", &json!({ "what": 1 }), None).is_err());

        let Some(host) = stand_in() else { return };
        thread::scope(|scope| {
            let other = scope.spawn(|| host.ask("hang", &json!({}), None));
            while host.waiting.lock().askers.is_empty() {
                thread::yield_now();
            }
            let died = host.ask("die", &json!({}), None);
            for response in [died, other.join().unwrap()] {
                assert!(matches!(response, Err(HostError::Broken { with_others: true, .. })), "{response:?}");
            }
        });
    }
}
