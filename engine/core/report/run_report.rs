//! What a whole run was, kept while it runs and written at its end: one HTML page (`--report run.html`), or the same data
//! as JSON (`--report run.json`, whose schema is docs/report.schema.json).
//!
//! A result costs some ten bytes in the file; what has text (failures, differences) is kept once for all hosts that have
//! the same, and within a budget.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use indexmap::IndexMap;
use rplay_wire::Diff;
use serde::Serialize;

use super::{Reader, page, words};
use crate::{
    event::{Counts, Event, HostResult, Item, PlayStarted, Recap, Status, TaskId, TaskStarted},
    secrets::Secrets,
    source::Span,
    visible::visible,
};

/// Bytes of text that all failures may take, and all differences.
const BUDGET: usize = 1_200_000;
/// Bytes of one text.
const LONGEST: usize = 16_000;
/// Warnings that are kept.
const MOST_WARNINGS: usize = 200;
/// Lines of source around the place of a failure.
const AROUND: usize = 3;

/// What a report says of the run as a whole, beside what its events tell.
#[derive(Clone, Debug, Default)]
pub struct RunAbout {
    pub version: &'static str,
    pub inventory: Vec<String>,
    pub limit: Option<String>,
    pub tags: Vec<String>,
    pub skip_tags: Vec<String>,
    pub forks: u32,
    pub check: bool,
    /// Whether differences are shown (`--diff`).
    pub diff: bool,
}

/// Keeps a run for its report; the other reports read first.
pub struct RunReport {
    own: Box<dyn Reader>,
    paths: Vec<PathBuf>,
    secrets: Arc<Secrets>,
    begun: Instant,
    data: Data,
    hosts: IndexMap<Arc<str>, Counts>,
    tasks: HashMap<TaskId, usize>,
    running: HashMap<(TaskId, Arc<str>), u32>,
    /// Failures and differences by what they have in common.
    known_failures: HashMap<u64, usize>,
    known_diffs: HashMap<u64, Option<usize>>,
    failures_left: usize,
    diffs_left: usize,
}

/// The document. The names are those of docs/report.schema.json.
#[derive(Serialize)]
struct Data {
    format: u32,
    rplay: &'static str,
    started: String,
    elapsed_ms: u32,
    /// False if the run was ended from outside.
    complete: bool,
    exit_code: u8,
    check: bool,
    playbooks: Vec<String>,
    inventory: Vec<String>,
    limit: Option<String>,
    tags: Vec<String>,
    skip_tags: Vec<String>,
    forks: u32,
    hosts: Vec<HostRow>,
    plays: Vec<PlayRow>,
    tasks: Vec<TaskRow>,
    failures: Vec<FailureRow>,
    diffs: Vec<DiffRow>,
    warnings: Vec<WarningRow>,
    custom_stats: Vec<StatsRow>,
    left_out: LeftOut,
    #[serde(skip)]
    shows_diffs: bool,
}

#[derive(Serialize)]
struct HostRow {
    name: String,
    ok: u32,
    changed: u32,
    unreachable: u32,
    failed: u32,
    skipped: u32,
    rescued: u32,
    ignored: u32,
}

#[derive(Serialize)]
struct PlayRow {
    name: String,
    place: String,
    hosts: Vec<usize>,
}

#[derive(Serialize)]
struct TaskRow {
    play: usize,
    name: String,
    action: String,
    place: String,
    handler: bool,
    /// Milliseconds from the run's start to the task's first result's start.
    start: u32,
    /// One letter for each result.
    status: String,
    /// The hosts of the results; absent if they are the play's.
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<Vec<usize>>,
    starts: Vec<u32>,
    took: Vec<u32>,
    #[serde(skip)]
    results: Vec<ResultRow>,
}

/// One host's result, until the task's columns are made of it.
struct ResultRow {
    host: usize,
    status: char,
    start: u32,
    took: u32,
}

#[derive(Serialize)]
struct FailureRow {
    task: usize,
    hosts: Vec<usize>,
    status: &'static str,
    item: Option<String>,
    message: String,
    place: Option<PlaceRow>,
    excerpt: Vec<LineRow>,
    help: Option<String>,
    /// The whole result as JSON text, of the first host.
    result: String,
}

#[derive(Serialize)]
struct PlaceRow {
    file: String,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct LineRow {
    line: usize,
    text: String,
}

#[derive(Serialize)]
struct DiffRow {
    task: usize,
    hosts: Vec<usize>,
    text: String,
}

#[derive(Serialize)]
struct WarningRow {
    message: String,
    place: Option<String>,
}

#[derive(Serialize)]
struct StatsRow {
    host: Option<String>,
    data: serde_json::Value,
}

#[derive(Default, Serialize)]
struct LeftOut {
    failures: usize,
    diffs: usize,
    warnings: usize,
}

impl RunReport {
    /// Begins a report that is written to these files; the kind of each follows from its name.
    ///
    /// # Errors
    /// A name ends neither in .html nor in .json, or its folder cannot be written to: the message.
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
            // Before the run, not after it.
            tempfile::NamedTempFile::new_in(folder(path))
                .map_err(|error| format!("the report {} cannot be written: {error}", path.display()))?;
        }
        let texts = |texts: Vec<String>| texts.iter().map(|text| secrets.mask(text).into_owned()).collect();
        let data = Data {
            format: 1,
            rplay: about.version,
            started: jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S %z").to_string(),
            elapsed_ms: 0,
            complete: true,
            exit_code: 0,
            check: about.check,
            playbooks: Vec::new(),
            inventory: texts(about.inventory),
            limit: about.limit.map(|limit| secrets.mask(&limit).into_owned()),
            tags: texts(about.tags),
            skip_tags: texts(about.skip_tags),
            forks: about.forks,
            hosts: Vec::new(),
            plays: Vec::new(),
            tasks: Vec::new(),
            failures: Vec::new(),
            diffs: Vec::new(),
            warnings: Vec::new(),
            custom_stats: Vec::new(),
            left_out: LeftOut::default(),
            shows_diffs: about.diff,
        };
        Ok(RunReport {
            own,
            paths,
            secrets: secrets.clone(),
            begun: Instant::now(),
            data,
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

    /// A text of others as it may be shown: without secrets, with control characters made visible.
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
        // What was sent together with other tasks says itself how long it took.
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
        // Only then is known that the failures of items are ignored.
        if result.looped && result.status == Status::Ignored {
            let of_items = |row: &&mut FailureRow| row.task == at && row.item.is_some();
            self.data.failures.iter_mut().filter(of_items).for_each(|row| row.status = "ignored");
        }
        if self.data.shows_diffs {
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
        let msg = msg.map(|msg| words::label(&msg)).filter(|msg| !msg.is_empty());
        let msg = msg.unwrap_or_else(|| "the task failed".to_owned());
        let item = item.map(|item| words::label(&item.label));
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
            result: cut(&visible(&words::json(&result.data, true, &self.secrets)), LONGEST),
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

    /// The lines around a place; none of a decrypted file.
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
        let lines = words::difference(diff, &self.secrets);
        if lines.is_empty() {
            return;
        }
        let text = cut(&self.text(&lines.join("\n")), LONGEST);
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
        self.data.hosts = names.into_iter().zip(self.hosts.values()).map(HostRow::of).collect();
        for task in &mut self.data.tasks {
            task.make_columns(&self.data.plays);
        }
        let failures = self.data.failures.iter_mut().map(|row| &mut row.hosts);
        failures.chain(self.data.diffs.iter_mut().map(|row| &mut row.hosts)).for_each(|hosts| {
            hosts.sort_unstable();
            hosts.dedup();
        });
        let stats = recap.custom.iter().map(|(host, data)| {
            let mut data = words::to_json(data);
            self.secrets.mask_data(&mut data);
            StatsRow { host: host.as_ref().map(|host| self.text(host)), data }
        });
        self.data.custom_stats = stats.collect();
        for path in std::mem::take(&mut self.paths) {
            if let Err(error) = self.write(&path) {
                let message = format!("the report {} cannot be written: {error}", path.display()).into();
                self.own.read(&Event::Warning { message, place: None });
            }
        }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let json = serde_json::to_string(&self.data)?;
        let text = if kind(path) == Some("json") { json + "\n" } else { page::page(&json) };
        // Whoever reads the old report goes on to see it whole.
        let mut file = tempfile::NamedTempFile::new_in(folder(path))?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl HostRow {
    fn of((name, counts): (String, &Counts)) -> Self {
        let Counts { ok, changed, unreachable, failed, skipped, rescued, ignored } = *counts;
        HostRow { name, ok, changed, unreachable, failed, skipped, rescued, ignored }
    }
}

impl TaskRow {
    /// The results as columns, in the order of hosts.
    fn make_columns(&mut self, plays: &[PlayRow]) {
        let mut results = std::mem::take(&mut self.results);
        results.sort_by_key(|result| result.host);
        if let Some(first) = results.iter().map(|result| result.start).min() {
            self.start = first;
        }
        let hosts: Vec<usize> = results.iter().map(|result| result.host).collect();
        let of_play = plays.get(self.play).is_some_and(|play| play.hosts == hosts);
        self.status = results.iter().map(|result| result.status).collect();
        self.starts = results.iter().map(|result| result.start - self.start).collect();
        self.took = results.iter().map(|result| result.took).collect();
        self.hosts = (!of_play).then_some(hosts);
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
            | Event::Retrying { .. }
            | Event::Notified { .. }
            | Event::NoHostsLeft
            | Event::Message { .. } => {}
        }
    }

    fn rest(&mut self) {
        self.own.rest();
    }

    fn tick(&mut self) {
        self.own.tick();
    }

    fn clear(&mut self) {
        self.own.clear();
    }
}

/// `html` or `json`, as the file's name says.
fn kind(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "html" | "htm" => Some("html"),
        "json" => Some("json"),
        _ => None,
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn hashed(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// A text, cut after some bytes where it is longer.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n... ({} more bytes)", text.get(..end).unwrap_or_default(), text.len() - end)
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::{event::TaskResult, source::Source};

    /// Remembers warnings; shows nothing.
    struct Quiet(Arc<Mutex<Vec<String>>>);

    impl Reader for Quiet {
        fn read(&mut self, event: &Event) {
            if let Event::Warning { message, .. } = event {
                self.0.lock().push(message.to_string());
            }
        }
    }

    fn report(paths: Vec<PathBuf>, secrets: &Arc<Secrets>) -> (RunReport, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let about = RunAbout { version: "0", diff: true, ..RunAbout::default() };
        (RunReport::new(Box::new(Quiet(told.clone())), paths, about, secrets).unwrap(), told)
    }

    fn task(id: u64, name: &str, place: &Span) -> Event {
        Event::TaskStarted(Arc::new(TaskStarted {
            id: TaskId(id),
            name: name.into(),
            action: "command".into(),
            handler: false,
            check_mode: false,
            place: place.clone(),
            about: Default::default(),
        }))
    }

    fn play(hosts: &[Arc<str>], place: &Span) -> Event {
        let (name, place) = ("all".into(), place.clone());
        Event::PlayStarted(PlayStarted { name, hosts: hosts.to_vec(), check_mode: false, place, vars: Arc::default() })
    }

    fn failed(host: &Arc<str>, msg: &str, place: &Span) -> HostResult {
        let result = TaskResult { place: Some(place.clone()), ..TaskResult::failed(msg) };
        HostResult { data: result.data.value(), ..HostResult::of(host.clone(), Status::Failed, result) }
    }

    /// The bound that the documents promise, with failures and differences that all differ.
    #[test]
    fn a_thousand_hosts_and_a_hundred_tasks_take_less_than_5_megabytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.html");
        let (mut report, _) = report(vec![path.clone()], &Arc::default());
        let hosts: Vec<Arc<str>> = (0..1000).map(|number| format!("host-{number:04}.example.com").into()).collect();
        let source = Source::inline("site.yml", "- hosts: all\n  tasks:\n    - command: x\n");
        let place = Span::new(&source, 25..30);
        report.read(&play(&hosts, &place));
        for id in 0..100 {
            report.read(&task(id, &format!("The task number {id}"), &place));
            for (number, host) in hosts.iter().enumerate() {
                let elapsed = std::time::Duration::from_millis(10_000 + (number as u64 * 37 + id) % 5000);
                let result = match (id, number % 3) {
                    (99, _) => failed(host, &format!("{host} does not answer").repeat(30), &place),
                    (50..60, 0) => {
                        let diff = Diff::text("/etc/x", "a\n".repeat(50), format!("{host} {id}\n").repeat(50));
                        let result = TaskResult { diff: [diff].into(), ..TaskResult::default() };
                        HostResult::of(host.clone(), Status::Changed, result)
                    }
                    _ => HostResult::of(host.clone(), Status::Ok, TaskResult::default()),
                };
                report.read(&Event::HostDone { task: TaskId(id), result: HostResult { elapsed, ..result } });
            }
        }
        report.read(&Event::RunEnded(Arc::default()));
        let size = path.metadata().unwrap().len();
        assert!((1_000_000..5_000_000).contains(&size), "{size} bytes");
        assert!(report.data.left_out.failures > 0 && report.data.left_out.diffs > 0, "the budget was not tried");
    }

    #[test]
    fn hosts_that_fail_alike_share_one_entry_and_secrets_are_masked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let secrets = Arc::new(Secrets::default());
        secrets.add("tell-nobody");
        let (mut report, _) = report(vec![path.clone()], &secrets);
        let hosts: [Arc<str>; 3] = ["a".into(), "b".into(), "c-tell-nobody".into()];
        let source = Source::inline("site.yml", "one\ntwo tell-nobody\nthree\n");
        let place = Span::new(&source, 4..7);
        report.read(&play(&hosts, &place));
        report.read(&task(1, "Use tell-nobody", &place));
        for host in &hosts {
            let result = failed(host, "with tell-nobody: \u{1b}[31mno", &place);
            report.read(&Event::HostDone { task: TaskId(1), result });
        }
        let recap = Recap { interrupted: true, failed: true, ..Recap::default() };
        report.read(&Event::RunEnded(Arc::new(recap)));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("tell-nobody") && !text.contains('\u{1b}'), "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["failures"].as_array().unwrap().len(), 1);
        assert_eq!(json["failures"][0]["hosts"], serde_json::json!([0, 1, 2]));
        assert_eq!(json["failures"][0]["place"], serde_json::json!({"file": "site.yml", "line": 2, "column": 1}));
        assert_eq!(json["failures"][0]["excerpt"][1]["text"], "two ********");
        assert_eq!(json["tasks"][0]["status"], "fff");
        assert_eq!((&json["complete"], &json["exit_code"]), (&false.into(), &2.into()));
    }

    /// No lines of a file that was decrypted.
    #[test]
    fn encrypted_files_are_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let (mut report, _) = report(vec![path.clone()], &Arc::default());
        let source = Source::decrypted("site.yml".to_owned(), None, "one\ntwo\n".to_owned());
        let place = Span::new(&source, 4..7);
        let host: Arc<str> = "a".into();
        report.read(&play(std::slice::from_ref(&host), &place));
        report.read(&task(1, "x", &place));
        report.read(&Event::HostDone { task: TaskId(1), result: failed(&host, "no", &place) });
        report.read(&Event::RunEnded(Arc::default()));
        let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(json["failures"][0]["excerpt"], serde_json::json!([]));
        assert_eq!(json["failures"][0]["place"]["line"], 2);
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str| {
            let own = Box::new(Quiet(Arc::default()));
            RunReport::new(own, vec![folder.path().join(name)], RunAbout::default(), &Arc::default()).err().unwrap()
        };
        assert!(refused("run.txt").ends_with("must end in .html or .json"));
        assert!(refused("no/run.html").contains("cannot be written"));
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let (mut report, told) = report(vec![inner.join("run.html")], &Arc::default());
        std::fs::remove_dir(&inner).unwrap();
        report.read(&Event::RunEnded(Arc::default()));
        assert!(told.lock()[0].contains("cannot be written"));
    }
}
