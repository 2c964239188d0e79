//! Where a task failed and why, kept until all its hosts have answered.

use std::sync::Arc;

use miette::Diagnostic;

use super::words;
use crate::{event::HostResult, secrets::Secrets, source::Span};

/// Failures of a task. Many hosts often fail alike and then share one explanation.
#[derive(Default)]
pub(super) struct Failures(Vec<Alike>);

/// Hosts with the same failure.
struct Alike {
    msg: String,
    place: Span,
    help: Option<String>,
    hosts: Vec<Arc<str>>,
}

/// A failed task, as a diagnostic at its location.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{msg}")]
pub(super) struct TaskError {
    msg: String,
    #[source_code]
    place: UpTo,
    #[label("{label}")]
    at: miette::SourceSpan,
    label: String,
    #[help]
    help: Option<String>,
}

/// A place with two lines before it and none after, as Ansible quotes it: scripts look in the output for what tasks
/// that stand further down would say.
#[derive(Debug)]
struct UpTo(Span);

impl miette::SourceCode for UpTo {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        // The place itself is asked for, which has its own line and column.
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

impl Failures {
    /// Keeps the location and help of a failure.
    pub(super) fn add(&mut self, place: &Span, result: &HostResult, secrets: &Secrets) {
        let msg = result.data.get_attr("msg").ok().filter(|msg| !msg.is_undefined() && !msg.is_none());
        let msg = msg.map_or_else(|| "the task failed".to_owned(), |msg| words::label(&msg));
        // Before wrapping: a secret that is split would not be found.
        let msg = secrets.mask(&msg);
        let msg = reason(msg.lines().next().unwrap_or_default());
        let alike = |known: &&mut Alike| known.msg == msg && known.place.to_string() == place.to_string();
        let host = result.host.clone();
        match self.0.iter_mut().find(alike) {
            Some(known) if known.hosts.contains(&host) => {}
            Some(known) => known.hosts.push(host),
            None => self.0.push(Alike {
                msg: msg.to_owned(),
                place: place.clone(),
                help: result.task_result.help.as_ref().map(|help| secrets.mask(help).into_owned()),
                hosts: vec![host],
            }),
        }
    }

    /// Takes them, each as a diagnostic at its place.
    pub(super) fn take(&mut self) -> Vec<TaskError> {
        let error = |mut alike: Alike| {
            alike.hosts.sort_unstable();
            let hosts = match alike.hosts.len() {
                0..=4 => alike.hosts.join(", "),
                all => format!("{} and {} more hosts", alike.hosts[..3].join(", "), all - 3),
            };
            let label = format!("failed on {hosts}");
            let at = miette::SourceSpan::from(alike.place.range());
            TaskError { msg: alike.msg, at, place: UpTo(alike.place), label, help: alike.help }
        };
        std::mem::take(&mut self.0).into_iter().map(error).collect()
    }
}

/// The reason of a failure without what ansible-core says before it: the place is shown below.
fn reason(msg: &str) -> &str {
    let mut rest = msg.strip_prefix("Task failed: ").unwrap_or(msg);
    for (start, end) in [
        ("Finalization of task args for '", "' failed: "),
        ("Error while resolving value for '", "': "),
        ("Error while evaluating conditional", ": "),
    ] {
        let after = rest.strip_prefix(start).and_then(|rest| rest.split_once(end));
        rest = after.map_or(rest, |(_, reason)| reason);
    }
    rest
}
