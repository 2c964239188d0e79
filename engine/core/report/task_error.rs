//! A failed task, or a warning, as a diagnostic at its place.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, Severity};

use super::{message, values};
use crate::{event::HostResult, event::TaskStarted, secrets::Secrets, source::Span};

/// A failed task, or a warning, as a diagnostic at its place.
#[derive(Debug, thiserror::Error)]
#[error("{msg}")]
pub(super) struct TaskError {
    pub(super) msg: String,
    pub(super) place: UpTo,
    pub(super) label: Option<String>,
    pub(super) help: Option<String>,
    pub(super) cause: Option<Box<TaskError>>,
    /// Whether it is a warning.
    pub(super) warns: bool,
}

impl Diagnostic for TaskError {
    fn severity(&self) -> Option<Severity> {
        self.warns.then_some(Severity::Warning)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.place)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(self.label.clone(), self.place.0.range());
        Some(Box::new(std::iter::once(label)))
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.cause.as_deref().map(|cause| cause as &dyn Diagnostic)
    }
}

impl TaskError {
    pub(super) fn at(place: &Span, msg: String) -> Self {
        TaskError { msg, place: UpTo(place.clone()), label: None, help: None, cause: None, warns: false }
    }

    /// The failure of a task on a host with its places, as in ansible-core: the task's place, and the cause's if it has
    /// one.
    pub(super) fn of(task: &TaskStarted, result: &HostResult, secrets: &Secrets) -> Self {
        if let Some(reason) = message::reason_of_include(result) {
            let place = result.task_result.place.as_ref().unwrap_or(&task.place);
            return TaskError::at(place, secrets.mask(&reason).into_owned());
        }
        let msg = message::message(result, &task.action);
        let masked = secrets.mask(&msg).into_owned();
        let mut error = TaskError::at(&task.place, masked.clone());
        // Nothing that the message already contains is repeated.
        let told = values::json(&result.data, false, secrets);
        let help = result.task_result.help.as_ref().map(|help| secrets.mask(help).into_owned());
        let help = help.filter(|help| !masked.contains(help.as_str()) && !told.contains(first_line(help)));
        if result.task_result.unbegun {
            let place = result.task_result.place.as_ref().unwrap_or(&task.place);
            return TaskError { help, ..TaskError::at(place, masked) };
        }
        match &result.task_result.place {
            // Failures reported by a module or an action have only the place of their task.
            Some(place) if message::has_causes(&msg) && place.origin() != task.place.origin() => {
                let causes = message::causes(&masked);
                let mut cause = None;
                for text in causes.iter().rev() {
                    let help = if cause.is_none() { help.clone() } else { None };
                    cause = Some(Box::new(TaskError { help, cause, ..TaskError::at(place, (*text).to_owned()) }));
                }
                error.cause = cause;
            }
            _ => error.help = help,
        }
        error
    }
}

impl TaskError {
    /// The messages from the outermost to the innermost cause, each with its place.
    pub(super) fn chain(&self) -> impl Iterator<Item = (&str, &Span)> {
        std::iter::successors(Some(self), |error| error.cause.as_deref()).map(|error| (&*error.msg, &error.place.0))
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A place with two lines before it and none after, as Ansible quotes it: scripts search the output for the messages of
/// later tasks, whose text must not appear.
#[derive(Debug)]
pub(super) struct UpTo(Span);

impl miette::SourceCode for UpTo {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        // The place itself is requested; it has its own line and column.
        if before == 0 {
            return self.0.read_span(span, before, after);
        }
        let seen = self.0.read_span(span, before.saturating_mul(2), 1)?;
        let end = (span.offset() + span.len()).saturating_sub(seen.span().offset());
        let rest = seen.data().get(end..).unwrap_or_default();
        let Some(newline) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(seen) };
        let data = seen.data().get(..=end + newline).unwrap_or_default();
        let shown = miette::SourceSpan::from((seen.span().offset(), data.len()));
        let name = seen.name().unwrap_or_default().to_owned();
        let (line, column) = (seen.line(), seen.column());
        Ok(Box::new(miette::MietteSpanContents::new_named(name, data, shown, line, column, seen.line_count())))
    }
}
