//! The report of a whole run, collected while it runs and written at its end: one HTML page (`--report run.html`), or
//! the same data as JSON (`--report run.json`, whose schema is docs/report.schema.json).
//!
//! A result takes about ten bytes in the file; texts (failures, differences) are kept once for all hosts with the same
//! text, and within a budget.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use indexmap::IndexMap;
use rplay_wire::Diff;

use super::{
    Reader,
    run_document::{
        DiffRow, Document, FailureRow, HostRow, LineRow, PlaceRow, PlayRow, ResultRow, RunAbout, StatsRow, TaskRow,
        WarningRow, directory, kind,
    },
    values,
};
use crate::{
    event::{Counts, Event, HostResult, Item, PlayStarted, Recap, Status, TaskId, TaskStarted},
    secrets::Secrets,
    source::Span,
    visible::visible,
};

/// Maximum bytes of text of all failures, and of all differences.
const BUDGET: usize = 1_200_000;
/// Maximum bytes of one text.
const LONGEST: usize = 16_000;
/// Maximum number of warnings that are kept.
const MOST_WARNINGS: usize = 200;
/// Lines of source around the place of a failure.
const AROUND: usize = 3;

/// Collects a run for its report; the other reports read first.
pub struct RunReport {
    own: Box<dyn Reader>,
    paths: Vec<PathBuf>,
    secrets: Arc<Secrets>,
    begun: Instant,
    data: Document,
    hosts: IndexMap<Arc<str>, Counts>,
    tasks: HashMap<TaskId, usize>,
    running: HashMap<(TaskId, Arc<str>), u32>,
    /// Failures and differences by a hash of their shared content.
    known_failures: HashMap<u64, usize>,
    known_diffs: HashMap<u64, Option<usize>>,
    failures_left: usize,
    diffs_left: usize,
}

impl RunReport {
    /// Begins a report that will be written to these files; each name determines the file's format.
    ///
    /// # Errors
    /// If a name ends neither in .html nor in .json, or its directory is not writable.
    pub fn new(
        own: Box<dyn Reader>,
        paths: Vec<PathBuf>,
        about: RunAbout,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, String> {
        for path in &paths {
            if kind(path).is_none() {
                return Err(format!("the name of the report {} must end in .html or .json", path.display()));
            }
            // Reported before the run, not after it.
            tempfile::NamedTempFile::new_in(directory(path))
                .map_err(|error| format!("the report {} cannot be written: {error}", path.display()))?;
        }
        Ok(RunReport {
            own,
            paths,
            secrets: secrets.clone(),
            begun: Instant::now(),
            data: Document::new(about, secrets),
            hosts: IndexMap::new(),
            tasks: HashMap::new(),
            running: HashMap::new(),
            known_failures: HashMap::new(),
            known_diffs: HashMap::new(),
            failures_left: BUDGET,
            diffs_left: BUDGET,
        })
    }

    fn now(&self) -> u32 {
        millis(self.begun.elapsed())
    }

    /// Foreign text made safe to show: secrets masked, control characters visible.
    fn text(&self, text: &str) -> String {
        visible(&self.secrets.mask(text)).into_owned()
    }

    fn host(&mut self, name: &Arc<str>) -> usize {
        match self.hosts.get_index_of(name) {
            Some(at) => at,
            None => self.hosts.insert_full(name.clone(), Counts::default()).0,
        }
    }

    fn play(&mut self, play: &PlayStarted) {
        let mut hosts: Vec<usize> = play.hosts.iter().map(|host| self.host(host)).collect();
        hosts.sort_unstable();
        let row = PlayRow { name: self.text(play.name.trim()), place: self.text(&play.place.to_string()), hosts };
        self.data.plays.push(row);
    }

    fn task(&mut self, task: &TaskStarted) {
        self.tasks.insert(task.id, self.data.tasks.len());
        let row = TaskRow {
            play: self.data.plays.len().saturating_sub(1),
            name: self.text(task.name.trim()),
            action: self.text(&task.action),
            place: self.text(&task.place.to_string()),
            handler: task.handler,
            start: self.now(),
            status: String::new(),
            hosts: None,
            starts: Vec::new(),
            took: Vec::new(),
            results: Vec::new(),
        };
        self.data.tasks.push(row);
    }

    fn done(&mut self, task: TaskId, host: &Arc<str>, status: char, took: u32) {
        let end = self.now();
        let started = self.running.remove(&(task, host.clone()));
        let host = self.host(host);
        // A task that was sent together with others reports its own duration.
        let took = match (took, started) {
            (0, Some(started)) => end.saturating_sub(started),
            (took, _) => took,
        };
        let Some(row) = self.tasks.get(&task).and_then(|at| self.data.tasks.get_mut(*at)) else { return };
        row.results.push(ResultRow { host, status, start: end.saturating_sub(took), took });
    }

    fn result(&mut self, task: TaskId, item: Option<&Item>, result: &HostResult) {
        let Some(at) = self.tasks.get(&task).copied() else { return };
        let host = self.host(&result.host);
        let status = match result.status {
            Status::Failed => Some("failed"),
            Status::Ignored | Status::UnreachableIgnored => Some("ignored"),
            Status::Unreachable => Some("unreachable"),
            Status::Ok | Status::Changed | Status::Skipped => None,
        };
        // The failures of a loop are those of its items.
        if let Some(status) = status.filter(|_| item.is_some() || !result.looped) {
            self.failure(at, host, status, item, result);
        }
        // Only now is it known that the failures of items are ignored.
        if result.looped && result.status == Status::Ignored {
            let of_items = |row: &&mut FailureRow| row.task == at && row.item.is_some();
            self.data.failures.iter_mut().filter(of_items).for_each(|row| row.status = "ignored");
        }
        if result.shows_diff {
            for diff in result.task_result.diff.iter() {
                self.diff(at, host, diff);
            }
        }
        for warning in &result.task_result.warnings {
            self.warning(warning, None);
        }
    }

    fn failure(&mut self, task: usize, host: usize, status: &'static str, item: Option<&Item>, result: &HostResult) {
        let msg = result.data.get_attr("msg").ok().filter(|msg| !msg.is_undefined() && !msg.is_none());
        let msg = msg.map(|msg| values::label(&msg)).filter(|msg| !msg.is_empty());
        let msg = msg.unwrap_or_else(|| "the task failed".to_owned());
        let item = item.map(|item| values::label(&item.label));
        let place = result.task_result.place.as_ref().map(Span::to_string);
        let key = hashed(&(task, status, &item, &msg, place));
        if let Some(known) = self.known_failures.get(&key).and_then(|at| self.data.failures.get_mut(*at)) {
            if known.hosts.last() != Some(&host) {
                known.hosts.push(host);
            }
            return;
        }
        let row = FailureRow {
            task,
            hosts: vec![host],
            status,
            item: item.map(|item| cut(&self.text(&item), 400)),
            message: cut(&self.text(&msg), LONGEST / 4),
            place: result.task_result.place.as_ref().map(|place| {
                let (line, column) = place.line_column();
                PlaceRow { file: self.text(&place.source.name), line, column }
            }),
            excerpt: result.task_result.place.as_ref().map(|place| self.excerpt(place)).unwrap_or_default(),
            help: result.task_result.help.as_ref().map(|help| cut(&self.text(help), LONGEST / 4)),
            result: cut(&visible(&values::json(&result.data, true, &self.secrets)), LONGEST),
        };
        let lines = row.excerpt.iter().map(|line| line.text.len() + 24).sum::<usize>();
        let size = 300 + row.message.len() + row.result.len() + lines + row.help.as_ref().map_or(0, String::len);
        match self.failures_left.checked_sub(size) {
            Some(left) => {
                self.failures_left = left;
                self.known_failures.insert(key, self.data.failures.len());
                self.data.failures.push(row);
            }
            None => self.data.left_out.failures += 1,
        }
    }

    /// The lines around a place; none if the file was decrypted.
    fn excerpt(&self, place: &Span) -> Vec<LineRow> {
        if place.source.secret {
            return Vec::new();
        }
        let (at, _) = place.line_column();
        let first = at.saturating_sub(AROUND).max(1);
        let lines = place.source.text.lines().enumerate().skip(first - 1).take(at + AROUND + 1 - first);
        lines.map(|(index, text)| LineRow { line: index + 1, text: cut(&self.text(text), 300) }).collect()
    }

    fn diff(&mut self, task: usize, host: usize, diff: &Diff) {
        let key = hashed(&(task, &diff.before_header, &diff.after_header, &diff.before, &diff.after));
        if let Some(known) = self.known_diffs.get(&key) {
            match known.and_then(|at| self.data.diffs.get_mut(at)) {
                Some(known) if known.hosts.last() != Some(&host) => known.hosts.push(host),
                _ => {}
            }
            return;
        }
        let lines = values::difference(diff, 3, &self.secrets);
        if lines.is_empty() {
            return;
        }
        let text = cut(&self.text(lines.join("\n").trim_end_matches('\n')), LONGEST);
        let kept = self.diffs_left.checked_sub(text.len() + 60);
        self.known_diffs.insert(key, kept.map(|_| self.data.diffs.len()));
        match kept {
            Some(left) => {
                self.diffs_left = left;
                self.data.diffs.push(DiffRow { task, hosts: vec![host], text });
            }
            None => self.data.left_out.diffs += 1,
        }
    }

    fn warning(&mut self, message: &str, place: Option<&Span>) {
        let (message, place) = (cut(&self.text(message), 2000), place.map(|place| self.text(&place.to_string())));
        let known = |row: &WarningRow| row.message == message && row.place == place;
        match self.data.warnings.len() < MOST_WARNINGS {
            _ if self.data.warnings.iter().any(known) => {}
            true => self.data.warnings.push(WarningRow { message, place }),
            false => self.data.left_out.warnings += 1,
        }
    }

    fn ended(&mut self, recap: &Recap) {
        self.data.elapsed_ms = self.now();
        self.data.complete = !recap.interrupted;
        self.data.exit_code = recap.exit_code();
        for (host, counts) in &recap.hosts {
            let at = self.host(host);
            if let Some((_, known)) = self.hosts.get_index_mut(at) {
                *known = *counts;
            }
        }
        let names: Vec<String> = self.hosts.keys().map(|name| self.text(name)).collect();
        self.data.hosts = names
            .into_iter()
            .zip(self.hosts.values())
            .map(|(name, counts)| HostRow { name, counts: *counts })
            .collect();
        for task in &mut self.data.tasks {
            task.make_columns(&self.data.plays);
        }
        let failures = self.data.failures.iter_mut().map(|row| &mut row.hosts);
        failures.chain(self.data.diffs.iter_mut().map(|row| &mut row.hosts)).for_each(|hosts| {
            hosts.sort_unstable();
            hosts.dedup();
        });
        let stats = recap.custom.iter().map(|(host, data)| {
            let mut data = values::to_json(data);
            self.secrets.mask_data(&mut data);
            StatsRow { host: host.as_ref().map(|host| self.text(host)), data }
        });
        self.data.custom_stats = stats.collect();
        for path in std::mem::take(&mut self.paths) {
            if let Err(error) = self.data.write(&path) {
                let message = format!("the report {} cannot be written: {error}", path.display()).into();
                self.own.read(&Event::Warning { message, place: None });
            }
        }
    }
}

impl Reader for RunReport {
    fn read(&mut self, event: &Event) {
        self.own.read(event);
        match event {
            Event::PlaybookStarted { name, .. } => {
                let name = self.text(name);
                self.data.playbooks.push(name);
            }
            Event::PlayStarted(play) => self.play(play),
            Event::TaskStarted(task) => self.task(task),
            Event::HostStarted { task, host } => {
                let now = self.now();
                self.running.insert((*task, host.clone()), now);
            }
            Event::ItemDone { task, item, result } => self.result(*task, Some(item), result),
            Event::HostDone { task, result } => {
                let status = match result.status {
                    Status::Ok => 'o',
                    Status::Changed => 'c',
                    Status::Skipped => 's',
                    Status::Failed => 'f',
                    Status::Ignored => 'i',
                    Status::Unreachable => 'u',
                    Status::UnreachableIgnored => 'v',
                };
                self.done(*task, &result.host, status, millis(result.elapsed));
                self.result(*task, None, result);
            }
            Event::Included { task, hosts, .. } => hosts.iter().for_each(|host| {
                if self.running.contains_key(&(*task, host.clone())) {
                    self.done(*task, host, 'o', 0);
                }
            }),
            Event::Warning { message, place } => self.warning(message, place.as_ref()),
            Event::RunEnded(recap) => self.ended(recap),
            Event::NoHosts { .. }
            | Event::PlaybookEnded(_)
            | Event::Retrying { .. }
            | Event::IncludeDone { .. }
            | Event::Notified { .. }
            | Event::HandlerFound { .. }
            | Event::NoHostsLeft
            | Event::Message { .. }
            | Event::Verbose { .. }
            | Event::Detail { .. }
            | Event::Flushed { .. } => {}
        }
    }

    fn rest(&mut self) {
        self.own.rest();
    }

    fn wants_invocations(&self) -> bool {
        self.own.wants_invocations()
    }

    fn tick(&mut self) {
        self.own.tick();
    }

    fn clear(&mut self) {
        self.own.clear();
    }
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn hashed(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// A text, truncated to a number of bytes.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n... ({} more bytes)", text.get(..end).unwrap_or_default(), text.len() - end)
}

#[cfg(test)]
mod tests;
