//! A run as JSON: one document at its end (`ansible.posix.json`), or a line for each event (`ansible.posix.jsonl`).

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Map, Value as Json, json};

use super::Output;
use crate::{
    event::{Event, HostResult, PlayStarted, Recap, Status, TaskId, TaskStarted},
    report::{Reader, layout::Layout, values},
};

/// Options of both.
#[derive(Clone, Copy, Debug)]
pub struct JsonOptions {
    /// Spaces per level; zero or less writes one line.
    pub indent: i64,
    /// Values of `set_stats` (`show_custom_stats`).
    pub custom_stats: bool,
}

/// Builds the parts that both formats have in common.
struct Parts {
    output: Output,
    options: JsonOptions,
    /// The first half of each identifier, which differs from run to run.
    run: u64,
    next: AtomicU64,
}

impl Parts {
    fn new(output: Output, options: JsonOptions) -> Self {
        let now = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or_default();
        let run = now ^ u64::from(std::process::id()) << 48;
        Parts { output, options, run, next: AtomicU64::new(1) }
    }

    /// An identifier in Ansible's format.
    fn id(&self) -> String {
        let run = format!("{:016x}", self.run);
        let (first, rest) = run.split_at(8);
        let (second, third) = rest.split_at(4);
        format!("{first}-{second}-{third}-0000-{:012x}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn play(&self, play: &PlayStarted) -> Json {
        json!({ "name": &*play.name, "id": self.id(), "path": values::place(&play.place), "duration": {"start": now()} })
    }

    fn task(&self, task: &TaskStarted) -> Json {
        let name = task.name.trim();
        json!({ "name": name, "id": self.id(), "path": values::place(&task.place), "duration": {"start": now()} })
    }

    fn stats(&self, recap: &Recap) -> [(&'static str, Json); 3] {
        let hosts = recap.hosts.iter().map(|(host, counts)| {
            let counts = json!({ "ok": counts.ok, "changed": counts.changed, "unreachable": counts.unreachable,
                "failures": counts.failed, "skipped": counts.skipped, "rescued": counts.rescued,
                "ignored": counts.ignored });
            (host.to_string(), counts)
        });
        let custom = recap.custom.iter().filter(|_| self.options.custom_stats);
        let of_hosts =
            custom.clone().filter_map(|(host, data)| Some((host.as_deref()?.to_owned(), values::to_json(data))));
        let of_run = custom.filter(|(host, _)| host.is_none()).map(|(_, data)| values::to_json(data)).next();
        [
            ("custom_stats", Json::Object(of_hosts.collect())),
            ("global_custom_stats", of_run.unwrap_or_else(|| json!({}))),
            ("stats", Json::Object(hosts.collect())),
        ]
    }

    /// Writes a document with its secrets masked.
    fn write(&mut self, mut value: Json, one_line: Layout) {
        self.output.secrets.mask_data(&mut value);
        value.sort_all_objects();
        let indent = usize::try_from(self.options.indent).ok().filter(|spaces| *spaces > 0);
        let text = one_line.with_indent(indent).ascii().write(&value);
        self.output.write(&(text + "\n"));
    }

    fn other(&mut self, event: &Event) {
        match event {
            Event::Warning { message, place } => self.output.warning(message, place.as_ref()),
            Event::Message { text } | Event::Verbose { text } => self.output.message(text),
            _ => {}
        }
    }
}

/// A host's result, with its action.
fn told(result: &HostResult, action: &str) -> Json {
    let mut data = values::whole(result);
    if let Json::Object(data) = &mut data {
        data.retain(|key, _| !key.starts_with("_ansible_"));
        data.insert("action".to_owned(), action.into());
        // Hidden results tell their status, too.
        match result.status {
            Status::Skipped => drop(data.insert("skipped".to_owned(), true.into())),
            Status::Failed | Status::Ignored => drop(data.insert("failed".to_owned(), true.into())),
            _ => {}
        }
    }
    // `meta` changes no host.
    match action.rsplit('.').next() {
        Some("meta") => data,
        _ => values::with_changed(data, result),
    }
}

/// Keeps the run and writes it at its end.
pub struct JsonDocument {
    parts: Parts,
    plays: Vec<Json>,
    /// The tasks of the last play, by their numbers.
    tasks: HashMap<TaskId, (usize, Arc<TaskStarted>)>,
}

impl JsonDocument {
    pub fn new(output: Output, options: JsonOptions) -> Self {
        JsonDocument { parts: Parts::new(output, options), plays: Vec::new(), tasks: HashMap::new() }
    }

    fn result(&mut self, task: TaskId, result: &HostResult) {
        let Some((at, started)) = self.tasks.get(&task) else { return };
        let data = told(result, &started.action);
        let Some(play) = self.plays.last_mut() else { return };
        let end = now();
        play["play"]["duration"]["end"] = end.clone();
        let task = &mut play["tasks"][*at];
        task["task"]["duration"]["end"] = end;
        task["hosts"][&*result.host] = data;
    }
}

impl Reader for JsonDocument {
    fn read(&mut self, event: &Event) {
        match event {
            Event::PlayStarted(play) => {
                self.tasks.clear();
                self.plays.push(json!({ "play": self.parts.play(play), "tasks": [] }));
            }
            Event::TaskStarted(task) => {
                let row = json!({ "task": self.parts.task(task), "hosts": {} });
                let Some(tasks) = self.plays.last_mut().and_then(|play| play["tasks"].as_array_mut()) else { return };
                self.tasks.insert(task.id, (tasks.len(), task.clone()));
                tasks.push(row);
            }
            Event::HostDone { task, result } | Event::IncludeDone { task, item: None, result } => {
                self.result(*task, result);
            }
            Event::RunEnded(recap) => {
                let mut document = json!({ "plays": std::mem::take(&mut self.plays) });
                for (key, value) in self.parts.stats(recap) {
                    document[key] = value;
                }
                self.parts.write(document, Layout::LINE);
            }
            _ => self.parts.other(event),
        }
    }

    fn rest(&mut self) {
        self.parts.output.flush();
    }

    fn wants_invocations(&self) -> bool {
        true
    }
}

/// Writes each event when it happens.
pub struct JsonLines {
    parts: Parts,
    tasks: HashMap<TaskId, (Json, Arc<TaskStarted>)>,
}

impl JsonLines {
    pub fn new(output: Output, options: JsonOptions) -> Self {
        JsonLines { parts: Parts::new(output, options), tasks: HashMap::new() }
    }

    fn event(&mut self, name: &str, parts: impl IntoIterator<Item = (&'static str, Json)>) {
        let mut line = json!({ "_event": format!("v2_{name}"), "_timestamp": now() });
        for (key, value) in parts {
            line[key] = value;
        }
        self.parts.write(line, Layout::COMPACT);
    }

    fn result(&mut self, task: TaskId, result: &HostResult) {
        let Some((row, started)) = self.tasks.get_mut(&task) else { return };
        row["duration"]["end"] = now();
        let data = told(result, &started.action);
        let hosts = Map::from_iter([(result.host.to_string(), data)]);
        let name = match result.status {
            Status::Ok | Status::Changed => "runner_on_ok",
            Status::Skipped => "runner_on_skipped",
            Status::Failed | Status::Ignored => "runner_on_failed",
            Status::Unreachable | Status::UnreachableIgnored => "runner_on_unreachable",
        };
        let row = row.clone();
        self.event(name, [("task", row), ("hosts", Json::Object(hosts))]);
    }
}

impl Reader for JsonLines {
    fn read(&mut self, event: &Event) {
        match event {
            Event::PlayStarted(play) => {
                self.tasks.clear();
                let play = self.parts.play(play);
                self.event("playbook_on_play_start", [("play", play), ("tasks", json!([]))]);
            }
            Event::TaskStarted(task) => {
                let row = self.parts.task(task);
                self.tasks.insert(task.id, (row.clone(), task.clone()));
                let name = if task.handler { "playbook_on_handler_task_start" } else { "playbook_on_task_start" };
                self.event(name, [("task", row), ("hosts", json!({}))]);
            }
            Event::HostDone { task, result } | Event::IncludeDone { task, item: None, result } => {
                self.result(*task, result);
            }
            Event::RunEnded(recap) | Event::PlaybookEnded(recap) => {
                let stats = self.parts.stats(recap);
                self.event("playbook_on_stats", stats);
            }
            _ => self.parts.other(event),
        }
    }

    fn rest(&mut self) {
        self.parts.output.flush();
    }

    fn wants_invocations(&self) -> bool {
        true
    }
}

/// The time in UTC, with microseconds.
fn now() -> Json {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::mapping;
    use crate::{event::TaskResult, vars::Value};

    #[test]
    fn a_hidden_result_tells_its_status() {
        let told_of = |status| {
            let data = mapping([("censored", Value::from("hidden")), ("changed", Value::from(false))]);
            let result = HostResult { data, ..HostResult::of("h".into(), status, TaskResult::default()) };
            let told = told(&result, "command");
            (told.get("skipped").is_some(), told.get("failed").is_some())
        };
        assert_eq!(told_of(Status::Skipped), (true, false));
        assert_eq!(told_of(Status::Ignored), (false, true));
        assert_eq!(told_of(Status::Ok), (false, false));
    }
}
