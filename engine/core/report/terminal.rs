//! The output that Ansible users know: a line for each host and task, and a recap. On a terminal it has colours.

mod results;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    io::Write,
    sync::Arc,
};

use super::{
    Level, Log, Reader, columns, differences,
    failures::Failures,
    look::{Explain, Look},
    palette::Colour,
    values, warning,
};
use crate::{
    event::{Event, HostResult, Item, Recap, Status, TaskId, TaskStarted},
    secrets::Secrets,
    source::{self, Span},
    visible::{one_line, piped, visible},
};

/// Writes events as lines.
pub struct Terminal<W: Write> {
    out: W,
    /// Where warnings are written.
    aside: Box<dyn Write + Send>,
    look: Look,
    secrets: Arc<Secrets>,
    explain: Explain,
    tasks: HashMap<TaskId, Arc<TaskStarted>>,
    /// Failures of the current task that have not been explained yet.
    failures: Failures,
    /// The task named by the last banner.
    shown: Option<TaskId>,
    log: Option<Arc<Log>>,
    /// Whether output currently goes to standard error.
    aside_now: bool,
    /// Errors and warnings that were shown: as in ansible-core, each is shown once.
    told: HashSet<String>,
}

impl<W: Write> Terminal<W> {
    pub fn new(out: W, aside: Box<dyn Write + Send>, look: Look, secrets: Arc<Secrets>, explain: Explain) -> Self {
        Terminal {
            out,
            aside,
            look,
            secrets,
            explain,
            tasks: HashMap::new(),
            failures: Failures::default(),
            shown: None,
            log: None,
            aside_now: false,
            told: HashSet::new(),
        }
    }

    /// Also writes everything to a log.
    pub fn with_log(self, log: Option<Arc<Log>>) -> Self {
        Terminal { log, ..self }
    }
}

impl<W: Write + Send> Reader for Terminal<W> {
    fn read(&mut self, event: &Event) {
        match event {
            Event::PlaybookStarted { name, plays } => self.playbook(name, *plays),
            Event::PlayStarted(play) => {
                let marker = self.look.marker(play.check_mode);
                let name = self.name(play.name.trim());
                let name = if name.is_empty() { String::new() } else { format!(" [{name}]") };
                self.banner(&format!("PLAY{name}{marker}"));
            }
            Event::NoHosts { .. } => self.line("skipping: no hosts matched", Some(Colour::Skipped)),
            Event::NoHostsLeft => self.banner("NO MORE HOSTS LEFT"),
            Event::TaskStarted(task) => self.task(task),
            Event::HostStarted { task, host } => {
                if self.look.starts {
                    let name = self.tasks.get(task).map_or_else(String::new, |task| self.name(&task.name));
                    self.line(&format!(" [started TASK: {name} on {}]", self.name(host)), None);
                }
            }
            Event::ItemDone { task, item, result } => {
                if !self.hides(result.status) {
                    self.back_to(*task);
                }
                self.result(*task, Some(item), result);
            }
            Event::HostDone { task, result } => {
                if !self.hides(result.status) {
                    self.back_to(*task);
                }
                match result.looped {
                    true => self.after_items(*task, result),
                    false => self.result(*task, None, result),
                }
            }
            Event::Retrying { task, host, retries_left, result, .. } => {
                self.back_to(*task);
                let name = self.tasks.get(task).map_or_else(String::new, |task| self.name(&task.name));
                let host = self.name(host);
                let more = match self.look.verbosity > 2 || result.task_result.verbose_always {
                    true => format!("Result was: {}", values::retried(result, &self.secrets)),
                    false => String::new(),
                };
                let head = format!("FAILED - RETRYING: [{host}]: {name} ({retries_left} retries left).");
                self.line_and_data(&head, &more, Some(Colour::Verbose));
            }
            Event::Included { task, hosts, file, item, .. } => {
                self.back_to(*task);
                let hosts: Vec<String> = hosts.iter().map(|host| self.name(host)).collect();
                let item = item.as_ref().map(|item| format!(" => (item={})", self.label(item)));
                let file = self.name(file);
                self.line(
                    &format!("included: {file} for {}{}", hosts.join(", "), item.unwrap_or_default()),
                    Some(Colour::Skipped),
                );
            }
            Event::Notified { handler, .. } if self.look.verbosity > 1 => {
                let handler = self.name(handler);
                self.verbose(&format!("Notification for handler {handler} has been saved."));
            }
            Event::HandlerFound { handler, host } if self.look.verbosity > 1 => {
                let text = format!("NOTIFIED HANDLER {} for {}", self.name(handler), self.name(host));
                self.verbose(&text);
            }
            // As in ansible-core, the lines about what is included follow.
            Event::IncludeDone { .. } | Event::Notified { .. } | Event::HandlerFound { .. } | Event::Flushed { .. } => {
            }
            Event::Warning { message, place } => self.warning(message, place.as_ref()),
            Event::Message { text } => {
                self.explain();
                self.line(text, None);
            }
            Event::Verbose { text } => {
                self.explain();
                self.verbose(text);
            }
            Event::Detail { level, text } if *level <= self.look.verbosity => self.verbose(text),
            Event::Detail { level, text } => {
                if let Some(log) = self.log.as_ref().filter(|log| *level <= log.verbosity()) {
                    log.record(Level::Info, &self.secrets.mask(text));
                }
            }
            Event::RunEnded(recap) | Event::PlaybookEnded(recap) => self.recap(recap),
        }
    }

    fn rest(&mut self) {
        let _ = self.out.flush();
    }
}

impl<W: Write> Terminal<W> {
    fn task(&mut self, task: &Arc<TaskStarted>) {
        // Only recent tasks are still needed.
        if self.tasks.len() > 1000 {
            self.tasks.clear();
        }
        self.tasks.insert(task.id, task.clone());
        // A task whose results are all hidden is not named either.
        if self.look.show_ok && self.look.show_skipped {
            self.head(task);
        } else {
            self.shown = None;
        }
    }

    fn hides(&self, status: Status) -> bool {
        match status {
            Status::Ok => !self.look.show_ok,
            Status::Skipped => !self.look.show_skipped,
            _ => false,
        }
    }

    /// If hosts run at their own pace, a result may belong to another task than the last banner.
    fn back_to(&mut self, task: TaskId) {
        if self.shown != Some(task)
            && let Some(task) = self.tasks.get(&task).cloned()
        {
            self.head(&task);
        }
    }

    fn head(&mut self, task: &TaskStarted) {
        self.shown = Some(task.id);
        let kind = if task.handler { "RUNNING HANDLER" } else { "TASK" };
        let marker = self.look.marker(task.check_mode);
        self.banner(&format!("{kind} [{}]{marker}", self.name(task.name.trim())));
        if self.look.verbosity > 1 {
            self.path(task);
        }
    }

    fn playbook(&mut self, name: &str, plays: usize) {
        if self.look.verbosity > 1 {
            let name = one_line(name);
            let short = name.rsplit('/').next().unwrap_or(&name);
            self.banner(&format!("PLAYBOOK: {short}"));
            self.verbose(&format!("{plays} plays in {name}"));
        }
        self.dry_run();
    }

    /// Shows at the start and at the end that nothing is changed.
    fn dry_run(&mut self) {
        if self.look.check && self.look.check_markers {
            self.banner("DRY RUN");
        }
    }

    fn path(&mut self, task: &TaskStarted) {
        let place = task.place.source.path.as_deref();
        let path = match place {
            Some(path) => format!("{}:{}", source::absolute(path), task.place.line_column().0),
            None => task.place.to_string(),
        };
        self.line(&format!("task path: {}", self.name(&path)), Some(Colour::Verbose));
    }

    fn warnings(&mut self, result: &HostResult) {
        for warning in &result.task_result.warnings {
            // As in ansible-core, a warning may have several lines.
            let warning = match self.look.boxes {
                true => self.name(warning),
                false => self.secrets.mask(warning).into_owned(),
            };
            self.warning(&warning, None);
        }
    }

    /// A name, or another text that must stay on one line.
    fn name(&self, text: &str) -> String {
        one_line(&self.secrets.mask(text)).into_owned()
    }

    fn label(&self, item: &Item) -> String {
        self.name(&values::label(&item.label))
    }

    fn warning(&mut self, message: &str, place: Option<&Span>) {
        let message = self.secrets.mask(message).replace("\r\n", "\n");
        if let Some(line) = self.look.deprecations.introduction(&message) {
            self.warning_line(line);
        }
        let explain = (!self.look.boxes).then_some(&self.explain);
        let text = warning::worded(&message, place, explain);
        self.warning_line(&text);
    }

    fn warning_line(&mut self, text: &str) {
        let masked = self.secrets.mask(text).into_owned();
        if !self.look.boxes && !self.told.insert(masked.clone()) {
            return;
        }
        let masked_text = if self.look.boxes { visible(&masked) } else { piped(&masked) };
        let shown = self.look.coloured(&masked_text, Colour::Warning);
        // Scripts read standard output; a closed standard error must not stop the run.
        let _ = self.out.flush();
        let _ = writeln!(self.aside, "{shown}");
        if let Some(log) = &self.log {
            let level = if masked.starts_with("[DEPRECATION") { Level::Info } else { Level::Warning };
            log.record(level, &masked);
        }
    }

    /// Differences that a task has made.
    fn differences(&mut self, result: &HostResult) {
        for line in differences::lines(result, self.look.results, self.look.diff_context, &self.secrets) {
            self.line(&line, Colour::of_difference(&line));
        }
    }

    fn recap(&mut self, recap: &Recap) {
        // As in ansible-core, the error comes last.
        if recap.aborted {
            return;
        }
        self.banner("PLAY RECAP");
        for (host, counts) in &recap.hosts {
            let line = self.look.recap_line(&self.name(host), counts);
            let masked = self.secrets.mask(&line).into_owned();
            self.write(&masked, None, Level::Info);
        }
        self.line("", None);
        self.custom(recap);
        self.dry_run();
    }

    fn custom(&mut self, recap: &Recap) {
        if self.look.custom_stats && !recap.custom.is_empty() {
            self.banner("CUSTOM STATS:");
            // By host name; the statistics of the whole run come last, after an empty line.
            let mut custom: Vec<_> = recap.custom.iter().collect();
            custom.sort_by(|(one, _), (other, _)| (one.is_none(), one).cmp(&(other.is_none(), other)));
            for (host, data) in custom {
                if host.is_none() {
                    self.line("", None);
                }
                let whose = self.name(host.as_deref().unwrap_or("RUN"));
                let data = values::narrow(data, &self.secrets);
                self.line_and_data(&format!("\t{whose}: "), &data, None);
            }
            self.line("", None);
        }
    }

    fn banner(&mut self, text: &str) {
        self.explain();
        let stars = self.look.columns.saturating_sub(columns::of(text) + 1).max(3);
        self.line(&format!("\n{text} {}", "*".repeat(stars)), None);
    }

    /// One or more lines of text from others. Secrets are masked before control characters are made visible, since they
    /// are recognized by their original text.
    fn line(&mut self, text: &str, colour: Option<Colour>) {
        self.line_and_data(text, "", colour);
    }

    /// Lines that the verbosity asks for.
    fn verbose(&mut self, text: &str) {
        self.aside_now = self.look.verbose_aside;
        self.line(text, Some(Colour::Verbose));
        self.aside_now = false;
    }

    /// A line that ends with data in which secrets are already masked.
    fn line_and_data(&mut self, text: &str, data: &str, colour: Option<Colour>) {
        let line = format!("{}{}", visible(&self.secrets.mask(text)), visible(data));
        self.write(&line, colour, Level::Info);
    }

    /// All output is written here, masked and visible.
    fn write(&mut self, text: &str, colour: Option<Colour>, level: Level) {
        let shown = match colour {
            Some(colour) => Cow::Owned(self.look.coloured(text, colour)),
            None => Cow::Borrowed(text),
        };
        // A closed pipe must not stop the run.
        match self.aside_now {
            true => {
                let _ = self.out.flush();
                let _ = writeln!(self.aside, "{shown}");
            }
            false => {
                let _ = writeln!(self.out, "{shown}");
            }
        }
        if let Some(log) = &self.log {
            log.record(level, text);
        }
    }
}
