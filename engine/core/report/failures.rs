//! Where a task failed and why, kept until all its hosts have answered.

use std::sync::Arc;

use super::{message, task_error::TaskError, words};
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

impl Failures {
    /// Keeps the location and help of a failure.
    pub(super) fn add(&mut self, place: &Span, result: &HostResult, secrets: &Secrets) {
        let msg = result.data.get_attr("msg").ok().filter(|msg| !msg.is_undefined() && !msg.is_none());
        // What an include shows has another name.
        let msg = msg.or_else(|| result.task_result.data.get("msg").cloned());
        let msg = msg.map_or_else(|| "the task failed".to_owned(), |msg| words::label(&msg));
        // Before wrapping: a secret that is split would not be found.
        let msg = secrets.mask(&msg);
        let msg = message::reason(msg.lines().next().unwrap_or_default());
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
            TaskError { label: Some(label), help: alike.help, ..TaskError::at(&alike.place, alike.msg) }
        };
        std::mem::take(&mut self.0).into_iter().map(error).collect()
    }
}
