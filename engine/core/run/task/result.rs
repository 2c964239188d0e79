//! The result of a task on a host, for one item or for all.

use std::{sync::Arc, time::Duration};

use crate::{
    actions::{Effect, entries},
    event::{HostResult, Item, Status},
    plan::Task,
    run::{state::host::HostState, task::iteration::Iteration},
    source::Span,
    vars::{Value, mapping},
};

/// An answer with the task's conditions applied.
pub(crate) struct TaskResult {
    /// As reported in the event.
    pub report: HostResult,
    pub item: Option<Item>,
    /// The value that `register` stores.
    pub registered: Value,
    pub changed: bool,
    pub failed: bool,
    pub no_log: bool,
    pub ignore_errors: bool,
    pub ignore_unreachable: bool,
    pub retry: Option<Retry>,
    /// Whether `break_when` holds, so that no items follow.
    pub stop: bool,
    pub effects: Vec<Effect>,
    /// Rendered names to notify.
    pub notify: Vec<(String, Span)>,
}

/// Another attempt is due.
pub(crate) struct Retry {
    pub left: u32,
    pub delay: Duration,
}

impl TaskResult {
    /// Sets `changed`, once it is known whether the inventory changed.
    pub(crate) fn note_new(&mut self, task: &Task, new: bool) {
        if new || self.report.status != Status::Changed || !task.changed_when.is_empty() {
            return;
        }
        self.changed = false;
        self.report.status = Status::Ok;
        let mut data = entries(&self.registered);
        data.insert("changed".into(), Value::from(false));
        self.registered = mapping(data);
        self.report.data = self.registered.clone();
        self.notify.clear();
    }

    /// Turns the result into a failure whose cause has its own location.
    pub(crate) fn fail(&mut self, msg: &str, at: Span) {
        self.failed = true;
        self.report.status = Status::Failed;
        self.report.data = mapping([("msg", Value::from(msg)), ("changed", Value::from(self.changed))]);
        self.report.place = Some(at);
        self.report.looped = false;
    }

    /// Like [`shown`](Self::shown), consuming the result.
    pub(crate) fn into_shown(self) -> HostResult {
        if self.no_log { censored(&self.report) } else { self.report }
    }

    /// The result as it may be shown.
    pub(crate) fn shown(&self) -> HostResult {
        if self.no_log { censored(&self.report) } else { self.report.clone() }
    }
}

/// The combined result of all items.
pub(crate) fn sum(host: &Arc<HostState>, parts: Vec<TaskResult>) -> TaskResult {
    let any = |status: fn(&TaskResult) -> bool| parts.iter().any(status);
    let unreachable = any(|part| part.report.status == Status::Unreachable);
    let failed = any(|part| part.failed && part.report.status != Status::Unreachable);
    let skipped = parts.iter().all(|part| part.report.status == Status::Skipped);
    let changed = any(|part| part.changed);
    let results: Value = parts.iter().map(|part| part.registered.clone()).collect();
    let mut fields: Vec<(&str, Value)> = vec![("results", results), ("changed", Value::from(changed))];
    let msg = match () {
        () if failed => "One or more items failed",
        () if skipped => "All items skipped",
        () => "All items completed",
    };
    if failed {
        fields.push(("failed", Value::from(true)));
    }
    if unreachable {
        fields.push(("unreachable", Value::from(true)));
    }
    fields.push(("skipped", Value::from(skipped)));
    match parts.is_empty() {
        true => fields.push(("skipped_reason", Value::from("No items in the list"))),
        false => fields.push(("msg", Value::from(msg))),
    }
    let status = match () {
        () if unreachable => Status::Unreachable,
        () if failed => Status::Failed,
        () if skipped => Status::Skipped,
        () if changed => Status::Changed,
        () => Status::Ok,
    };
    let first_bad = parts.iter().find(|part| part.failed);
    let data = mapping(fields);
    let unreachable_data =
        parts.iter().find(|part| part.report.status == Status::Unreachable).map(|part| part.report.data.clone());
    TaskResult {
        report: HostResult {
            host: host.name.clone(),
            delegated_to: None,
            status,
            data: unreachable_data.unwrap_or_else(|| data.clone()),
            diff: Arc::default(),
            changes: Arc::default(),
            warnings: Vec::new(),
            verbose_always: false,
            silent: false,
            looped: !parts.is_empty() && !unreachable,
            place: first_bad.and_then(|part| part.report.place.clone()),
            help: first_bad.and_then(|part| part.report.help.clone()),
            elapsed: Duration::ZERO,
        },
        item: None,
        registered: data,
        changed,
        failed,
        no_log: any(|part| part.no_log),
        ignore_errors: parts.iter().all(|part| part.ignore_errors) && !parts.is_empty(),
        ignore_unreachable: parts.iter().all(|part| part.ignore_unreachable) && !parts.is_empty(),
        retry: None,
        stop: false,
        effects: Vec::new(),
        notify: parts.into_iter().flat_map(|part| part.notify).collect(),
    }
}

/// Replaces items and other values under `no_log`; Ansible's wording.
pub(crate) const CENSORED: &str = "(censored due to no_log)";

/// What is shown of a result under `no_log`: that it is hidden, and the number of attempts.
pub(crate) fn censored(result: &HostResult) -> HostResult {
    let note = "the output has been hidden due to the fact that 'no_log: true' was specified for this result";
    let changed = result.data.get_attr("changed").is_ok_and(|changed| changed.is_true());
    let mut data = vec![("censored", Value::from(note)), ("changed", Value::from(changed))];
    for name in ["attempts", "retries"] {
        data.extend(result.data.get_attr(name).ok().filter(Value::is_number).map(|count| (name, count)));
    }
    // Named field by field, so that nothing of what is hidden is copied.
    HostResult {
        delegated_to: result.delegated_to.clone(),
        data: mapping(data),
        looped: result.looped,
        elapsed: result.elapsed,
        ..HostResult::of(result.host.clone(), result.status)
    }
}

/// An item as it is shown.
pub(crate) fn item(iteration: &Iteration, label: Value) -> Option<Item> {
    iteration.item.as_ref().map(|_| Item { index: iteration.index, label })
}
