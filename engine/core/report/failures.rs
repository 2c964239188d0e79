//! Where and why a task failed, kept until all its hosts have answered.

use std::{fmt::Write, sync::Arc};

use super::{message, task_error::TaskError, values};
use crate::{
    event::HostResult,
    secrets::Secrets,
    source::Span,
    visible::{one_line, visible},
};

/// Maximum number of lines of a program's output that an explanation quotes.
const LAST_LINES: usize = 5;
/// Maximum number of help texts shown for unreachable hosts.
const MOST_HELPS: usize = 5;

/// Failures of a task. Many hosts often fail alike and then share one explanation.
#[derive(Default)]
pub(super) struct Failures {
    failed: Vec<Alike>,
    /// Help texts for unreachable hosts, and the hosts they apply to.
    helps: Vec<(String, Vec<Arc<str>>)>,
}

/// Hosts with the same failure.
struct Alike {
    msg: String,
    place: Span,
    help: Option<String>,
    hosts: Vec<Arc<str>>,
}

impl Failures {
    /// Keeps the place and help of a failure.
    pub(super) fn add(&mut self, place: &Span, result: &HostResult, secrets: &Secrets) {
        let msg = result.data.get_attr("msg").ok().filter(|msg| !msg.is_undefined() && !msg.is_none());
        // The message of an include has another name.
        let msg = msg.or_else(|| result.task_result.data.get("msg").cloned());
        let msg = msg.map_or_else(|| "the task failed".to_owned(), |msg| values::label(&msg));
        // Before wrapping: a secret that is split would not be found.
        let msg = secrets.mask(&msg);
        let msg = message::reason(msg.lines().next().unwrap_or_default());
        let alike = |known: &&mut Alike| known.msg == msg && known.place.to_string() == place.to_string();
        let host = result.host.clone();
        match self.failed.iter_mut().find(alike) {
            Some(known) if known.hosts.contains(&host) => {}
            Some(known) => known.hosts.push(host),
            None => self.failed.push(Alike {
                msg: msg.to_owned(),
                place: place.clone(),
                help: match &result.task_result.help {
                    Some(help) => Some(secrets.mask(help).into_owned()),
                    None => last_words(result, secrets),
                },
                hosts: vec![host],
            }),
        }
    }

    /// Keeps the help text for an unreachable host, if there is one.
    pub(super) fn add_unreachable(&mut self, result: &HostResult, secrets: &Secrets) {
        let Some(help) = &result.task_result.help else { return };
        let help = one_line(&secrets.mask(help)).into_owned();
        match self.helps.iter_mut().find(|(known, _)| *known == help) {
            Some((_, hosts)) => hosts.push(result.host.clone()),
            None => self.helps.push((help, vec![result.host.clone()])),
        }
    }

    /// Takes the help texts for unreachable hosts, a line each.
    pub(super) fn take_helps(&mut self) -> Vec<String> {
        let helps = std::mem::take(&mut self.helps);
        let more = helps.iter().skip(MOST_HELPS).map(|(_, hosts)| hosts.len()).sum::<usize>();
        let mut lines: Vec<String> = helps
            .into_iter()
            .take(MOST_HELPS)
            .map(|(help, hosts)| format!("  help for {}: {help}", named(hosts)))
            .collect();
        if more > 0 {
            lines.push(format!("  and the like for {more} more hosts"));
        }
        lines
    }

    /// Takes the failures, each as a diagnostic at its place.
    pub(super) fn take(&mut self) -> Vec<TaskError> {
        let error = |alike: Alike| {
            let label = format!("failed on {}", named(alike.hosts));
            TaskError { label: Some(label), help: alike.help, ..TaskError::at(&alike.place, alike.msg) }
        };
        std::mem::take(&mut self.failed).into_iter().map(error).collect()
    }
}

/// A list of host names, shortened if there are many.
fn named(mut hosts: Vec<Arc<str>>) -> String {
    hosts.sort_unstable();
    match hosts.len() {
        0..=4 => hosts.join(", "),
        all => format!("{} and {} more hosts", hosts[..3].join(", "), all - 3),
    }
}

/// The last lines of a failed program's output: of standard error, if there is any.
fn last_words(result: &HostResult, secrets: &Secrets) -> Option<String> {
    let text = |key: &str| {
        let text = result.data.get_attr(key).ok()?;
        let text = secrets.mask(text.as_str()?.trim_end()).into_owned();
        (!text.is_empty()).then_some(text)
    };
    // Only programs have an exit code.
    result.data.get_attr("rc").ok().filter(|rc| !rc.is_undefined())?;
    let (what, text) = match text("stderr") {
        Some(text) => ("standard error", text),
        None => ("standard output", text("stdout")?),
    };
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
    let ends = if lines.len() > shown.len() { "ends with" } else { "says" };
    if let [line] = shown {
        return Some(format!("{what} {ends}: {}", visible(line)));
    }
    let mut told = format!("{what} {ends}");
    for line in shown {
        let _ = write!(told, "\n  {}", visible(line));
    }
    Some(told)
}
