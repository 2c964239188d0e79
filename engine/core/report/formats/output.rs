//! Standard output and standard error of a format that is not the default: masked, with control characters visible.

use std::{io::Write, sync::Arc};

use super::super::warning;
use crate::{
    report::{Level, Log},
    secrets::Secrets,
    source::Span,
    visible::{one_line, visible},
};

/// Where a format writes.
pub struct Output {
    out: Box<dyn Write + Send>,
    /// Receives warnings and messages, which must not interrupt data.
    aside: Box<dyn Write + Send>,
    pub(super) secrets: Arc<Secrets>,
    log: Option<Arc<Log>>,
}

impl Output {
    pub fn new(
        out: Box<dyn Write + Send>,
        aside: Box<dyn Write + Send>,
        secrets: Arc<Secrets>,
        log: Option<Arc<Log>>,
    ) -> Self {
        Output { out, aside, secrets, log }
    }

    /// Writes a text; foreign parts of it must have passed [`Output::name`] or [`Output::text`]. A closed pipe must not
    /// stop the run.
    pub(super) fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        if let Some(log) = &self.log {
            log.record(Level::Info, text);
        }
    }

    /// Writes text that will be overwritten, and therefore not to the log.
    pub(super) fn draw(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
    }

    pub(super) fn warning(&mut self, message: &str, place: Option<&Span>) {
        let text = self.text(&warning::worded(message, place, None));
        self.aside(&text, Level::Warning);
    }

    pub(super) fn message(&mut self, text: &str) {
        let text = self.text(text);
        self.aside(&text, Level::Info);
    }

    fn aside(&mut self, text: &str, level: Level) {
        self.flush();
        let _ = writeln!(self.aside, "{text}");
        if let Some(log) = &self.log {
            log.record(level, text);
        }
    }

    /// A name without secrets, on one line.
    pub(super) fn name(&self, text: &str) -> String {
        one_line(&self.secrets.mask(text)).into_owned()
    }

    /// A text without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        visible(&self.secrets.mask(text)).into_owned()
    }

    pub(super) fn flush(&mut self) {
        let _ = self.out.flush();
    }
}
