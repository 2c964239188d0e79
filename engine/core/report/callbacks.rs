//! Callback plugins written in Python: every event is sent to a helper process in the Python that has ansible-core,
//! which calls the plugins.
//!
//! The process writes to the run's own standard output and standard error. To keep lines in the order of events, the
//! reporting thread waits until the plugins have handled an event; the run itself never waits.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Child, Command},
    sync::Arc,
    time::{Duration, Instant},
};

use rplay_wire::number::unmarked;
use serde_json::{Map, Value as Json, json};

use super::{Reader, task_error::TaskError, values};
use crate::{
    event::{Event, HostResult, Item, Recap, Status, TaskId, TaskStarted},
    secrets::Secrets,
    vars::Layer,
};

/// Maximum size of an answer in bytes.
const MOST: u32 = 1 << 20;

/// How long the process may take to exit: plugins may still be sending to their servers.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to load the plugins.
pub struct CallbackSetup<'s> {
    /// The interpreter that has ansible-core.
    pub python: &'s Path,
    /// The texts of the program that calls plugins, and of its version-dependent part.
    pub program: &'s str,
    pub versions: &'s str,
    /// The plugin that writes to standard output instead of our own report.
    pub stdout: Option<&'s str>,
    /// Whether other plugins are called as well.
    pub additional: bool,
    /// Directories of playbooks, which may contain `callback_plugins`.
    pub directories: Vec<String>,
    /// The content of `context.CLIARGS`.
    pub options: Json,
    /// The name of the playbook if the plays do not come from a file.
    pub playbook: Option<&'static str>,
    /// How long plugins may take for one event.
    pub patience: Duration,
}

/// Why no plugin was loaded; with the report to use without them.
pub struct CallbackError {
    pub why: String,
    pub own: Box<dyn Reader>,
}

/// Passes events on to plugins, after our own report has read them.
pub struct Callbacks {
    /// Our own report; if a plugin writes the output, it only shows warnings and messages.
    own: Box<dyn Reader>,
    is_stdout: bool,
    /// Our own report shows the arguments of modules, too.
    shows_invocations: bool,
    secrets: Arc<Secrets>,
    process: Option<Process>,
    playbook: Option<&'static str>,
    /// Tasks that have started in the current play.
    tasks: HashMap<TaskId, Arc<TaskStarted>>,
}

struct Process {
    child: Child,
    link: UnixStream,
}

impl Callbacks {
    /// Loads the plugins. If there are none, returns the report as it is.
    ///
    /// # Errors
    /// If the interpreter does not start, or a required plugin cannot be loaded.
    pub fn load(
        setup: &CallbackSetup<'_>,
        own: Box<dyn Reader>,
        secrets: &Arc<Secrets>,
    ) -> Result<Box<dyn Reader>, CallbackError> {
        let python = setup.python.display();
        let mut process = match Process::start(setup) {
            Ok(process) => process,
            Err(error) => return Err(CallbackError { why: format!("{python}: {error}"), own }),
        };
        let argv: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let asked = json!({
            "versions": setup.versions, "stdout": setup.stdout, "additional": setup.additional,
            "directories": setup.directories, "options": setup.options, "argv": argv,
        });
        let answer = process.send(&asked).and_then(|()| process.receive());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(CallbackError { why: format!("{python} does not answer: {error}"), own }),
        };
        if let Some(error) = answer["error"].as_str() {
            return Err(CallbackError { why: error.to_owned(), own });
        }
        if setup.stdout.is_none() && answer["loaded"].as_array().is_none_or(Vec::is_empty) {
            return Ok(own);
        }
        Ok(Box::new(Callbacks {
            own,
            is_stdout: setup.stdout.is_some(),
            shows_invocations: setup.options["verbosity"].as_u64() > Some(2),
            secrets: secrets.clone(),
            process: Some(process),
            playbook: setup.playbook,
            tasks: HashMap::new(),
        }))
    }

    /// Sends an event to the plugins. The process itself reports errors of plugins; once it has died, events are
    /// dropped.
    fn tell(&mut self, mut event: Json, waits: bool) {
        let Some(process) = &mut self.process else { return };
        if waits {
            event["wait"] = Json::from(true);
        }
        self.secrets.mask_data(&mut event);
        let told = process.send(&event).and_then(|()| if waits { process.receive().map(drop) } else { Ok(()) });
        if let Err(error) = told {
            self.process = None;
            let message = format!("callback plugins receive no more events: {error}").into();
            self.own.read(&Event::Warning { message, place: None });
        }
    }

    fn event(&mut self, event: &Event) -> Option<Json> {
        Some(match event {
            Event::PlaybookStarted { name, .. } => {
                json!({ "event": "playbook_started", "path": self.playbook.unwrap_or(name) })
            }
            Event::PlayStarted(play) => {
                self.tasks.clear();
                let hosts: Vec<&str> = play.hosts.iter().map(|host| &**host).collect();
                json!({ "event": "play_started", "name": &*play.name, "hosts": hosts, "patterns": &*play.patterns, "variables": values::written(&play.vars),
                    "check_mode": play.check_mode, "place": values::place(&play.place) })
            }
            Event::NoHosts { .. } => json!({ "event": "no_hosts" }),
            Event::NoHostsLeft => json!({ "event": "no_hosts_left" }),
            Event::TaskStarted(task) => {
                self.tasks.insert(task.id, task.clone());
                started(task)
            }
            Event::Flushed { place } => json!({ "event": "flushed", "place": values::place(place) }),
            Event::HostStarted { task, host } if self.tasks.contains_key(task) => {
                json!({ "event": "host_started", "task": task.0, "host": &**host })
            }
            Event::ItemDone { task, item, result } | Event::IncludeDone { task, item: Some(item), result } => {
                let mut told = self.done("item_done", task, result)?;
                told["item"] = label(item);
                told
            }
            Event::HostDone { task, result } | Event::IncludeDone { task, item: None, result } => {
                self.done("host_done", task, result)?
            }
            Event::Retrying { task, host, item, retries_left, result, .. } if self.tasks.contains_key(task) => {
                json!({ "event": "retrying", "task": task.0, "host": &**host, "left": retries_left,
                    "data": values::to_json(&result.data), "delegated_to": result.delegated_to.as_ref().map(|other| &*other.name),
                    "item": item.as_ref().map(label) })
            }
            Event::Included { task, hosts, file, item, .. } if self.tasks.contains_key(task) => {
                let hosts: Vec<&str> = hosts.iter().map(|host| &**host).collect();
                json!({ "event": "included", "task": task.0, "hosts": hosts, "file": &**file,
                    "item": item.as_ref().map(label) })
            }
            Event::HandlerFound { handler, host } => {
                json!({ "event": "notified", "handler": &**handler, "host": &**host })
            }
            Event::RunEnded(recap) | Event::PlaybookEnded(recap) => ended(recap),
            _ => return None,
        })
    }

    /// The result of a task or of an item of its loop; `None` for a task that was not announced to plugins.
    fn done(&self, event: &str, task: &TaskId, result: &HostResult) -> Option<Json> {
        let started = self.tasks.get(task)?;
        let status = match result.status {
            Status::Ok => "ok",
            Status::Changed => "changed",
            Status::Skipped => "skipped",
            Status::Failed => "failed",
            Status::Ignored => "ignored",
            Status::Unreachable => "unreachable",
            Status::UnreachableIgnored => "unreachable_ignored",
        };
        // A loop's combined result has no failure of its own: its items have.
        let is_loop =
            started.about.looped && result.data.get_attr("results").is_ok_and(|results| !results.is_undefined());
        let fails = !matches!(result.status, Status::Ok | Status::Changed | Status::Skipped) && !is_loop;
        let error = fails.then(|| TaskError::of(started, result, &self.secrets));
        let causes = error.iter().flat_map(TaskError::chain).map(|(msg, place)| {
            let (line, column) = place.line_column();
            json!({ "msg": msg, "path": values::file(place), "line": line, "column": column })
        });
        Some(json!({ "event": event, "task": task.0, "host": &*result.host, "status": status,
            "data": values::whole(result), "delegated_to": result.delegated_to.as_ref().map(|other| &*other.name),
            "shown": result.task_result.verbose_always, "shows_diff": result.shows_diff, "polled": result.polled,
            "causes": causes.collect::<Vec<_>>() }))
    }
}

impl Reader for Callbacks {
    fn read(&mut self, event: &Event) {
        match (self.is_stdout && self.process.is_some(), event) {
            (false, Event::HostDone { .. } | Event::ItemDone { .. }) if !self.shows_invocations => {
                self.own.read(&without_invocation(event));
            }
            (false, _) => self.own.read(event),
            (true, Event::Warning { .. } | Event::Message { .. } | Event::Verbose { .. } | Event::Detail { .. }) => {
                // Standard output belongs to Python: what it has buffered comes first.
                self.tell(json!({ "event": "flush" }), true);
                self.own.read(event);
            }
            (true, _) => {}
        }
        let Some(told) = self.event(event) else { return };
        if !self.is_stdout {
            self.own.clear();
            self.own.rest();
        }
        let is_end = matches!(event, Event::RunEnded(_));
        self.tell(told, !self.is_stdout || is_end);
        if is_end {
            // Now, since rplay itself may exit at any time.
            self.process = None;
        }
    }

    fn rest(&mut self) {
        if self.is_stdout {
            self.tell(json!({ "event": "flush" }), true);
        }
        self.own.rest();
    }

    fn tick(&mut self) {
        if !self.is_stdout {
            self.own.tick();
        }
    }

    fn clear(&mut self) {
        self.own.clear();
    }

    fn wants_invocations(&self) -> bool {
        true
    }
}

/// A result as our own report shows it if the verbosity does not ask for the arguments of modules.
fn without_invocation(event: &Event) -> Event {
    let mut event = event.clone();
    if let Event::HostDone { result, .. } | Event::ItemDone { result, .. } = &mut event {
        result.data = values::without(&result.data, "invocation");
    }
    event
}

impl Process {
    fn start(setup: &CallbackSetup<'_>) -> io::Result<Process> {
        let (link, theirs) = UnixStream::pair()?;
        link.set_read_timeout(Some(setup.patience))?;
        link.set_write_timeout(Some(setup.patience))?;
        let mut command = Command::new(setup.python);
        let child = command.args(["-c", setup.program]).stdin(OwnedFd::from(theirs)).spawn()?;
        Ok(Process { child, link })
    }

    fn send(&mut self, message: &Json) -> io::Result<()> {
        let json = message.to_string();
        let json = unmarked(&json);
        let body = json.as_bytes();
        let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.link.write_all(&[&length.to_le_bytes()[..], body].concat()).map_err(described)
    }

    fn receive(&mut self) -> io::Result<Json> {
        let mut head = [0; 4];
        self.link.read_exact(&mut head).map_err(described)?;
        let length = u32::from_le_bytes(head);
        if length > MOST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = Vec::new();
        (&self.link).take(length.into()).read_to_end(&mut body).map_err(described)?;
        serde_json::from_slice(&body).map_err(io::Error::from)
    }
}

/// The meaning of kinds of errors here.
fn described(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::other("one of them takes too long"),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            io::Error::other("their process has ended")
        }
        _ => error,
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.link.shutdown(std::net::Shutdown::Both);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn started(task: &TaskStarted) -> Json {
    let about = &task.about;
    let name = if about.named { values::own_name(task) } else { "" };
    let role = about.role.as_ref();
    json!({
        "event": "task_started", "id": task.id.0, "name": name, "action": &*task.action,
        "handler": task.handler, "check_mode": task.check_mode, "place": values::place(&task.place),
        "args": values::written(&about.args), "vars": variables(&about.vars),
        "around": variables(&about.around), "tags": &*about.tags,
        "role": role.map(|(name, _)| &**name), "role_path": role.map(|(_, path)| path.to_string_lossy()),
        "looped": about.looped, "no_log": about.no_log,
    })
}

/// Layers of variables as one, as they are written; the innermost layer comes first.
fn variables(layers: &[Arc<Layer>]) -> Json {
    let mut merged = Map::new();
    for layer in layers.iter().rev() {
        if let Json::Object(layer) = values::written(layer) {
            merged.extend(layer);
        }
    }
    merged.into()
}

fn ended(recap: &Recap) -> Json {
    let hosts: Map<String, Json> = recap.hosts.iter().map(|(host, counts)| {
        let counts = json!({ "ok": counts.ok, "changed": counts.changed, "dark": counts.unreachable,
            "failures": counts.failed, "skipped": counts.skipped, "rescued": counts.rescued, "ignored": counts.ignored });
        (host.to_string(), counts)
    }).collect();
    let custom: Map<String, Json> = recap
        .custom
        .iter()
        .map(|(host, data)| (host.as_deref().unwrap_or("_run").to_owned(), values::to_json(data)))
        .collect();
    json!({ "event": "run_ended", "hosts": hosts, "custom": custom })
}

fn label(item: &Item) -> Json {
    json!({ "label": values::to_json(&item.label) })
}
