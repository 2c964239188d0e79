//! The results of an ad-hoc task, in the format of `ansible`.

use std::{collections::HashSet, io::Write, path::PathBuf, sync::Arc};

use minijinja::Value;

use super::{
    Deprecations, Level, Log, Reader, ResultFormat, differences,
    layout::Layout,
    look::Explain,
    message,
    palette::{Colour, Palette},
    task_error::TaskError,
    values, warning,
};
use crate::{
    event::{Event, HostResult, Status, TaskStarted},
    secrets::Secrets,
    source::Span,
    visible::{one_line, piped, visible},
};

/// Actions whose output is shown as it is instead of as JSON.
const PLAIN: &[&str] = &["command", "shell", "raw"];

/// Writes one result per host.
pub struct AdhocReport<W: Write> {
    out: W,
    /// Where warnings and errors are written.
    aside: Box<dyn Write + Send>,
    /// Renders failures, if they are shown in addition to results.
    explain: Option<Explain>,
    task: Option<Arc<TaskStarted>>,
    /// Errors and warnings that were shown: each is shown once.
    told: HashSet<String>,
    secrets: Arc<Secrets>,
    plain: bool,
    /// Whether the task only shows a message.
    is_debug: bool,
    is_playbook: bool,
    one_line: bool,
    log: Option<Arc<Log>>,
    results: ResultFormat,
    palette: Palette,
    /// Lines that the verbosity asks for go to `aside`.
    verbose_aside: bool,
    /// A directory that also receives the results, in a file for each host.
    tree: Option<PathBuf>,
    /// Whether a warning about a deprecation was shown.
    deprecations: Deprecations,
}

impl<W: Write> AdhocReport<W> {
    /// `module` is the short name of the called module; warnings go to `aside`.
    pub fn new(out: W, aside: Box<dyn Write + Send>, module: &str, one_line: bool, secrets: Arc<Secrets>) -> Self {
        AdhocReport {
            out,
            aside,
            explain: None,
            task: None,
            told: HashSet::new(),
            secrets,
            plain: PLAIN.contains(&module),
            is_debug: false,
            is_playbook: false,
            one_line,
            log: None,
            results: ResultFormat::Json { pretty: true },
            palette: Palette::default(),
            verbose_aside: false,
            tree: None,
            deprecations: Deprecations::default(),
        }
    }

    /// Also shows failures as errors with their place, rendered by `explain`.
    pub fn with_errors(self, explain: Option<Explain>) -> Self {
        AdhocReport { explain, ..self }
    }

    /// Also writes everything to a log.
    pub fn with_log(self, log: Option<Arc<Log>>) -> Self {
        AdhocReport { log, ..self }
    }

    /// Shows the results of playbooks rather than of one task.
    pub fn of_playbooks(self) -> Self {
        AdhocReport { is_playbook: true, ..self }
    }

    /// Shows results in a format.
    pub fn with_results(self, results: ResultFormat) -> Self {
        AdhocReport { results, ..self }
    }

    /// Shows results in colours.
    pub fn with_palette(self, palette: Palette) -> Self {
        AdhocReport { palette, ..self }
    }

    /// Lines that the verbosity asks for go to where warnings are written.
    pub fn with_verbose_aside(self, verbose_aside: bool) -> Self {
        AdhocReport { verbose_aside, ..self }
    }

    /// Tells others whether a warning about a deprecation was shown.
    pub fn with_deprecations(self, deprecations: Deprecations) -> Self {
        AdhocReport { deprecations, ..self }
    }

    /// Also writes each result to a file.
    pub fn with_tree(self, tree: Option<PathBuf>) -> Self {
        AdhocReport { tree, ..self }
    }

    /// Writes a result to its host's file.
    fn keep(&mut self, result: &HostResult) {
        let Some(tree) = &self.tree else { return };
        // No host name can lead to a file elsewhere.
        let path = tree.join(result.host.replace('/', "_"));
        let text = values::json(&result.data, false, &self.secrets);
        if let Err(error) = std::fs::write(&path, text) {
            self.warning(&format!("the answer cannot be written to {}: {error}", path.display()), None);
        }
    }

    /// Writes a line that the verbosity asks for.
    fn verbose(&mut self, text: &str) {
        if !self.verbose_aside {
            return self.line(text, Some(Colour::Verbose));
        }
        let text = visible(&self.secrets.mask(text)).into_owned();
        let _ = self.out.flush();
        let _ = writeln!(self.aside, "{}", self.palette.coloured(&text, Colour::Verbose));
        if let Some(log) = &self.log {
            log.record(Level::Info, &text);
        }
    }

    fn line(&mut self, text: &str, colour: Option<Colour>) {
        let masked = self.secrets.mask(text).into_owned();
        self.masked_line(&masked, colour);
    }

    /// Writes a line that is already masked.
    fn masked_line(&mut self, text: &str, colour: Option<Colour>) {
        let text = visible(text);
        let shown = colour.map_or_else(|| text.clone(), |colour| self.palette.coloured(&text, colour).into());
        // A closed pipe must not stop the run.
        let _ = writeln!(self.out, "{shown}");
        if let Some(log) = &self.log {
            log.record(Level::of(&text), &text);
        }
    }

    fn warning(&mut self, message: &str, place: Option<&Span>) {
        let message = self.secrets.mask(message).replace("\r\n", "\n");
        if let Some(line) = self.deprecations.introduction(&message) {
            self.aside(line.to_owned(), Level::Warning);
        }
        let text = match &self.explain {
            Some(explain) => warning::worded(&message, place, Some(explain)),
            None => warning::worded(&message, None, None),
        };
        let level = Level::of(&text);
        self.aside(text, level);
    }

    /// Writes a masked text to standard error, once.
    fn aside(&mut self, text: String, level: Level) {
        if self.told.contains(&text) {
            return;
        }
        let _ = self.out.flush();
        let shown = if self.explain.is_some() { piped(&text) } else { visible(&text) };
        let _ = writeln!(self.aside, "{}", self.palette.coloured(&shown, Colour::Warning));
        if let Some(log) = &self.log {
            log.record(level, &visible(&text));
        }
        self.told.insert(text);
    }

    fn failure(&mut self, result: &HostResult) {
        if let (Some(explain), Some(task)) = (&self.explain, &self.task)
            && !message::is_told_by_module(result)
        {
            // As in Ansible, an error is shown among the results, once.
            let text = explain(&TaskError::of(task, result, &self.secrets));
            if self.told.insert(text.clone()) {
                let _ = writeln!(self.out, "{}", self.palette.coloured(&piped(&text), Colour::Failed));
                if let Some(log) = &self.log {
                    log.record(Level::Error, &visible(&text));
                }
            }
        }
    }

    fn differences(&mut self, result: &HostResult) {
        for line in differences::lines(result, self.results, 3, &self.secrets) {
            self.line(&line, Colour::of_difference(&line));
        }
    }

    fn answer(&mut self, result: &HostResult) {
        let (word, colour) = match result.status {
            Status::Ok => ("SUCCESS", Colour::Ok),
            Status::Changed => ("CHANGED", Colour::Changed),
            Status::Skipped => ("SKIPPED", Colour::Skipped),
            Status::Failed | Status::Ignored => ("FAILED", Colour::Failed),
            Status::Unreachable | Status::UnreachableIgnored => ("UNREACHABLE", Colour::Unreachable),
        };
        let colour = Some(colour);
        for warning in &result.task_result.warnings {
            self.warning(warning, None);
        }
        if matches!(word, "FAILED" | "UNREACHABLE") {
            self.failure(result);
        }
        self.differences(result);
        let host = one_line(&result.host);
        let of = |name: &str| result.data.get_attr(name).ok().filter(|value| !value.is_undefined());
        let text = |name: &str| of(name).map(|value| values::label(&value)).unwrap_or_default();
        match (word, of("rc")) {
            ("SKIPPED", _) => self.line(&format!("{host} | SKIPPED"), colour),
            ("UNREACHABLE", _) if self.one_line => {
                self.line(&format!("{host} | UNREACHABLE!: {}", text("msg")), colour);
            }
            // As in Ansible, a background job shows its whole result.
            ("SUCCESS" | "CHANGED" | "FAILED", rc) if self.plain && of("ansible_job_id").is_none() => {
                // As in Ansible, for results without one, such as a loop's combined result.
                let rc = rc.unwrap_or_else(|| Value::from(-1));
                let (out, err) = (text("stdout"), text("stderr"));
                let msg = if word == "FAILED" || of("rc").is_none() { text("msg") } else { String::new() };
                match self.one_line {
                    true => {
                        let out = out.replace('\n', "\\n");
                        let err = match err.is_empty() {
                            true => err,
                            false => format!(" (stderr) {}", err.replace('\n', "\\n")),
                        };
                        self.line(&format!("{host} | {word} | rc={rc} | (stdout) {out}{err}"), colour);
                    }
                    false => {
                        // As in Ansible, nothing separates them.
                        self.line(&format!("{host} | {word} | rc={rc} >>\n{out}{err}{msg}"), colour);
                    }
                }
            }
            _ => {
                let mark = if matches!(word, "FAILED" | "UNREACHABLE") { "!" } else { "" };
                let head = format!("{host} | {word}{mark} => ");
                let data = match () {
                    // As in Ansible, a loop of `debug` shows nothing at its end.
                    () if self.is_debug && result.looped && !self.one_line => {
                        Layout::indented(4).write(&serde_json::json!({ "msg": text("msg") }))
                    }
                    () if self.one_line => values::one_line(result, &self.secrets),
                    () => self.results.show(&result.data, false, true, &self.secrets),
                };
                self.masked_line(&format!("{}{data}", self.secrets.mask(&head)), colour);
            }
        }
    }
}

impl<W: Write + Send> Reader for AdhocReport<W> {
    fn read(&mut self, event: &Event) {
        match event {
            Event::HostDone { result, .. } | Event::IncludeDone { item: None, result, .. } => {
                self.answer(result);
                self.keep(result);
            }
            // Included tasks may call other modules.
            Event::TaskStarted(task) => {
                let short = task.action.rsplit('.').next().unwrap_or_default();
                self.plain = PLAIN.contains(&short);
                self.is_debug = short == "debug";
                self.task = Some(task.clone());
            }
            Event::NoHosts { .. } if self.is_playbook => {}
            Event::NoHosts { .. } => self.warning("No hosts matched, nothing to do", None),
            Event::Warning { message, place } => self.warning(message, place.as_ref()),
            Event::Message { text } => self.line(text, None),
            Event::Verbose { text } => self.verbose(text),
            _ => {}
        }
    }

    fn rest(&mut self) {
        let _ = self.out.flush();
    }
}
