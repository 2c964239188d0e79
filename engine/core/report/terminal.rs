//! The output that Ansible users know: a line for each host and task, and a recap. On a terminal it has colours.

use std::{borrow::Cow, collections::HashMap, io::Write, sync::Arc};

use super::{
    Level, Log, Reader,
    failures::Failures,
    look::{Colour, Explain, Look},
    words,
};
use crate::{
    event::{Event, HostResult, Item, Recap, Status, TaskId, TaskStarted},
    secrets::Secrets,
    source::Span,
    visible::{one_line, visible},
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
    /// Those of the current task that are still to be explained.
    failures: Failures,
    /// The task named by the last banner.
    shown: Option<TaskId>,
    log: Option<Arc<Log>>,
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
            Event::PlaybookStarted { name, plays } if self.look.verbosity > 1 => {
                let name = one_line(name);
                let short = name.rsplit('/').next().unwrap_or(&name);
                self.banner(&format!("PLAYBOOK: {short}"));
                self.line(&format!("{plays} plays in {name}"), None);
            }
            Event::PlaybookStarted { .. } => {}
            Event::PlayStarted(play) => self.banner(&format!("PLAY [{}]", self.name(play.name.trim()))),
            Event::NoHosts { .. } => self.line("skipping: no hosts matched", Some(Colour::Skipped)),
            Event::NoHostsLeft => self.banner("NO MORE HOSTS LEFT"),
            Event::TaskStarted(task) => self.task(task),
            Event::HostStarted { .. } => {}
            Event::ItemDone { task, item, result } => {
                self.back_to(*task);
                self.result(Some(item), result);
            }
            Event::HostDone { task, result } => {
                self.back_to(*task);
                match result.looped {
                    true => self.after_items(result),
                    false => self.result(None, result),
                }
            }
            Event::Retrying { task, host, item, retries_left, result, .. } => {
                self.back_to(*task);
                let name = self.tasks.get(task).map_or_else(String::new, |task| self.name(&task.name));
                let item = item.as_ref().map(|item| format!(" (item={})", self.label(item))).unwrap_or_default();
                let host = self.name(host);
                let more = match self.look.verbosity > 2 {
                    true => format!(" Result was: {}", words::json(&result.data, false, &self.secrets)),
                    false => String::new(),
                };
                let head = format!("FAILED - RETRYING: [{host}]: {name}{item} ({retries_left} retries left).");
                self.line_and_data(&head, &more, Some(Colour::Dim));
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
            Event::Notified { handler, host } if self.look.verbosity > 1 => {
                let (handler, host) = (self.name(handler), self.name(host));
                self.line(&format!("NOTIFIED HANDLER {handler} for {host}"), Some(Colour::Dim));
            }
            Event::Notified { .. } => {}
            Event::Warning { message, place } => self.warning(message, place.as_ref()),
            Event::Message { text } => self.line(text, None),
            Event::RunEnded(recap) => self.recap(recap),
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
        self.head(task);
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
        self.banner(&format!("{kind} [{}]", self.name(task.name.trim())));
        if self.look.verbosity > 1 {
            self.line(&format!("task path: {}", self.name(&task.place.to_string())), Some(Colour::Dim));
        }
    }

    fn result(&mut self, item: Option<&Item>, result: &HostResult) {
        let host = match &result.delegated_to {
            Some(other) => format!("{} -> {}", self.name(&result.host), self.name(other)),
            None => self.name(&result.host),
        };
        let label = item.map(|item| self.label(item));
        let (word, colour) = match result.status {
            Status::Ok => ("ok", Colour::Ok),
            Status::Changed => ("changed", Colour::Changed),
            Status::Skipped => ("skipping", Colour::Skipped),
            Status::Failed | Status::Ignored | Status::Unreachable | Status::UnreachableIgnored => {
                return self.failure(&host, label, result);
            }
        };
        self.warnings(result);
        self.differences(result);
        let hidden = match result.status {
            Status::Ok => !self.look.show_ok,
            Status::Skipped => !self.look.show_skipped,
            _ => false,
        };
        if hidden {
            return;
        }
        let mut line = format!("{word}: [{host}]");
        if let Some(label) = label {
            line += &format!(" => (item={label})");
        }
        let detailed = result.task_result.verbose_always && result.status != Status::Skipped;
        let data = match detailed || self.look.verbosity > 0 && !result.silent {
            true => format!(" => {}", self.data(result, detailed || self.look.verbosity > 2)),
            false => String::new(),
        };
        // Ansible ends this line with a space; scripts compare whole lines.
        if result.status == Status::Skipped && item.is_some() && self.look.verbosity == 0 {
            line.push(' ');
        }
        self.line_and_data(&line, &data, Some(colour));
        // A diff is more informative, if there is one.
        if result.status == Status::Changed
            && (self.look.verbosity > 0 || self.look.diff && result.task_result.diff.is_empty())
        {
            for change in result.task_result.changes.iter() {
                self.line(&format!("  - {}", self.name(change)), Some(Colour::Changed));
            }
        }
    }

    /// The data of a result in the configured format.
    fn data(&self, result: &HostResult, indent: bool) -> String {
        self.look.results.show(&result.data, indent, &self.secrets)
    }

    fn failure(&mut self, host: &str, label: Option<String>, result: &HostResult) {
        self.warnings(result);
        self.differences(result);
        let data = self.data(result, self.look.verbosity > 2);
        let unreachable = matches!(result.status, Status::Unreachable | Status::UnreachableIgnored);
        let colour = if unreachable { Colour::Unreachable } else { Colour::Failed };
        let line = match label {
            Some(label) => format!("failed: [{host}] (item={label}) => "),
            None if unreachable => format!("fatal: [{host}]: UNREACHABLE! => "),
            None => format!("fatal: [{host}]: FAILED! => "),
        };
        self.line_and_data(&line, &data, Some(colour));
        if result.status == Status::Failed
            && let Some(place) = &result.task_result.place
        {
            self.failures.add(place, result, &self.secrets);
        }
        if matches!(result.status, Status::Ignored | Status::UnreachableIgnored) {
            self.line("...ignoring", Some(Colour::Skipped));
        }
    }

    /// Shows where the last task failed.
    fn explain(&mut self) {
        for failure in self.failures.take() {
            let text = (self.explain)(&failure);
            // It has its own colours, and control characters are already visible (`Explain`).
            let masked = self.secrets.mask(text.trim_end()).into_owned();
            self.write(&masked, None, Level::Error);
        }
    }

    fn after_items(&mut self, result: &HostResult) {
        match result.status {
            Status::Failed | Status::Ignored => {
                // The failures were already shown with the items.
                let line = format!("fatal: [{}]: FAILED! => {{\"msg\": \"One or more items failed\"}}", result.host);
                self.line(&line, Some(Colour::Failed));
                if result.status == Status::Ignored {
                    self.line("...ignoring", Some(Colour::Skipped));
                }
            }
            Status::Skipped if self.look.show_skipped => {
                self.line(&format!("skipping: [{}]", result.host), Some(Colour::Skipped));
            }
            _ => {}
        }
    }

    fn warnings(&mut self, result: &HostResult) {
        for warning in &result.task_result.warnings {
            let warning = self.name(warning);
            self.warning(&warning, None);
        }
    }

    /// A name, or another text that must stay on one line.
    fn name(&self, text: &str) -> String {
        one_line(&self.secrets.mask(text)).into_owned()
    }

    fn label(&self, item: &Item) -> String {
        self.name(&words::label(&item.label))
    }

    fn warning(&mut self, message: &str, place: Option<&Span>) {
        let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
        let text = format!("[WARNING]: {message}{place}");
        let masked = self.secrets.mask(&text);
        let shown = self.look.coloured(&visible(&masked), Colour::Warning);
        // Scripts read standard output; a closed standard error must not stop the run.
        let _ = self.out.flush();
        let _ = writeln!(self.aside, "{shown}");
        if let Some(log) = &self.log {
            log.record(Level::Warning, &masked);
        }
    }

    fn differences(&mut self, result: &HostResult) {
        if !self.look.diff {
            return;
        }
        for diff in result.task_result.diff.iter() {
            let lines = words::difference(diff, &self.secrets);
            if lines.is_empty() {
                continue;
            }
            for line in lines {
                let colour = match line.as_bytes().first() {
                    Some(b'+') => Some(Colour::Added),
                    Some(b'-') => Some(Colour::Removed),
                    Some(b'@') => Some(Colour::Skipped),
                    _ => None,
                };
                self.line(&line, colour);
            }
            self.line("", None);
        }
    }

    fn recap(&mut self, recap: &Recap) {
        self.banner("PLAY RECAP");
        for (host, counts) in &recap.hosts {
            let line = self.look.recap_line(&self.name(host), counts);
            let masked = self.secrets.mask(&line).into_owned();
            self.write(&masked, None, Level::Info);
        }
        self.line("", None);
        if self.look.custom_stats && !recap.custom.is_empty() {
            self.banner("CUSTOM STATS: ");
            for (host, data) in &recap.custom {
                let whose = self.name(host.as_deref().unwrap_or("RUN"));
                let data = words::json(data, false, &self.secrets);
                self.line_and_data(&format!("\t{whose}: "), &data, None);
            }
            self.line("", None);
        }
    }

    fn banner(&mut self, text: &str) {
        self.explain();
        let stars = self.look.columns.min(80).saturating_sub(text.chars().count() + 1).max(3);
        self.line(&format!("\n{text} {}", "*".repeat(stars)), None);
    }

    /// One or more lines of text from others. Secrets are masked before control characters are made visible, since they
    /// are recognized by their original text.
    fn line(&mut self, text: &str, colour: Option<Colour>) {
        self.line_and_data(text, "", colour);
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
        let _ = writeln!(self.out, "{shown}");
        if let Some(log) = &self.log {
            log.record(level, text);
        }
    }
}
