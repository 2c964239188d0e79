//! A task's result on a host once the task's conditions were applied, for one item or for all.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;
use minijinja::value::ValueKind;

use crate::{
    actions::{Effect, entries},
    event::{HostResult, Item, Status},
    plan::Task,
    run::{
        state::host::HostState,
        task::{iteration::Iteration, register::Included},
    },
    source::Span,
    task_result::TaskResult,
    vars::{Lazy, Value, mapping},
};

/// A result with what its task says of it: how it counts, what is registered, and what the run does next.
pub(crate) struct Evaluated {
    /// As reported in the event.
    pub report: HostResult,
    pub item: Option<Item>,
    /// The value that `register` stores.
    pub registered: Value,
    /// What of it is rendered only when it is read.
    pub included: Included,
    pub no_log: bool,
    pub ignore_errors: bool,
    pub ignore_unreachable: bool,
    pub retry: Option<Retry>,
    /// Whether `break_when` holds, so that no items follow.
    pub stop: bool,
    /// What becomes of the whole task if `break_when` cannot be evaluated: the value to register, and the result.
    pub broken: Option<Box<(Value, TaskResult)>>,
    /// Rendered names to notify.
    pub notify: Vec<(String, Span)>,
}

/// Another attempt is due.
pub(crate) struct Retry {
    pub left: u32,
    pub delay: Duration,
}

impl Evaluated {
    pub(crate) fn result(&self) -> &TaskResult {
        &self.report.task_result
    }

    fn result_mut(&mut self) -> &mut TaskResult {
        Arc::make_mut(&mut self.report.task_result)
    }

    /// Takes the effects, which are applied once.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.result_mut().effects)
    }

    /// The value that `register` stores, with what is rendered when it is read.
    pub(crate) fn variable(&self) -> Lazy {
        self.included.within(&self.registered)
    }

    /// Sets `changed`, once it is known whether the inventory changed.
    pub(crate) fn note_new(&mut self, task: &Task, new: bool) {
        if new || self.report.status != Status::Changed || !task.changed_when.is_empty() {
            return;
        }
        self.result_mut().changed = false;
        self.report.status = Status::Ok;
        let mut data = entries(&self.registered);
        data.insert("changed".into(), Value::from(false));
        self.registered = mapping(data);
        self.report.data = self.registered.clone();
        self.notify.clear();
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

/// How a result counts.
pub(crate) fn status(result: &TaskResult) -> Status {
    match () {
        () if result.unreachable => Status::Unreachable,
        () if result.failed => Status::Failed,
        () if result.skipped.is_some() => Status::Skipped,
        () if result.changed => Status::Changed,
        () => Status::Ok,
    }
}

/// The combined result of all items.
pub(crate) fn sum(host: &Arc<HostState>, mut parts: Vec<Evaluated>) -> Evaluated {
    if let Some(broken) = parts.last_mut().and_then(|part| part.broken.take()) {
        let (registered, result) = *broken;
        return Evaluated {
            report: HostResult {
                data: registered.clone(),
                ..HostResult::of(host.name.clone(), Status::Failed, result)
            },
            item: None,
            registered,
            included: Included::None,
            no_log: parts.iter().any(|part| part.no_log),
            ignore_errors: parts.iter().all(|part| part.ignore_errors),
            ignore_unreachable: false,
            retry: None,
            stop: false,
            broken: None,
            notify: Vec::new(),
        };
    }
    let any = |is: fn(&TaskResult) -> bool| parts.iter().any(|part| is(part.result()));
    let first_bad = parts.iter().find(|part| part.result().failed);
    let mut whole = TaskResult {
        changed: any(|part| part.changed),
        skipped: parts.iter().all(|part| part.report.status == Status::Skipped).then(Arc::default),
        failed: any(|part| part.failed && !part.unreachable),
        unreachable: any(|part| part.unreachable),
        place: first_bad.and_then(|part| part.result().place.clone()),
        help: first_bad.and_then(|part| part.result().help.clone()),
        ..TaskResult::default()
    };
    let skipped = whole.skipped.is_some();
    let mut told = Told::default();
    let included = Included::of_items(parts.iter().map(|part| part.included.clone()).collect());
    let results: Value = parts.iter().map(|part| told.take(&part.registered)).collect();
    let mut fields: Vec<(&str, Value)> = vec![("results", results), ("changed", Value::from(whole.changed))];
    let msg = match () {
        () if whole.failed => "One or more items failed",
        () if skipped => "All items skipped",
        () => "All items completed",
    };
    if whole.failed {
        fields.push(("failed", Value::from(true)));
    }
    if whole.unreachable {
        fields.push(("unreachable", Value::from(true)));
    }
    fields.push(("skipped", Value::from(skipped)));
    match parts.is_empty() {
        true => fields.push(("skipped_reason", Value::from("No items in the list"))),
        false => fields.push(("msg", Value::from(msg))),
    }
    fields.extend(told.0.into_iter().map(|(name, all)| (name, Value::from(all))));
    let data = mapping(fields);
    // As in Ansible, an item that did not begin does not count where `failed_when` decided about another one.
    let decided = parts.iter().filter_map(|part| part.registered.get_attr("failed_when_result").ok());
    let decided: Vec<bool> = decided.filter(|value| !value.is_undefined()).map(|value| value.is_true()).collect();
    whole.failed &= decided.is_empty() || decided.contains(&true);
    Evaluated {
        report: HostResult {
            data: data.clone(),
            looped: !parts.is_empty() && !whole.unreachable,
            ..HostResult::of(host.name.clone(), status(&whole), whole)
        },
        item: None,
        registered: data,
        included,
        no_log: parts.iter().any(|part| part.no_log),
        ignore_errors: parts.iter().all(|part| part.ignore_errors) && !parts.is_empty(),
        ignore_unreachable: parts.iter().all(|part| part.ignore_unreachable) && !parts.is_empty(),
        retry: None,
        stop: false,
        broken: None,
        notify: parts.into_iter().flat_map(|part| part.notify).collect(),
    }
}

/// Warnings and deprecations of the items: as in ansible-core, the result of the loop has them, those of the items do not.
#[derive(Default)]
struct Told(IndexMap<&'static str, Vec<Value>>);

impl Told {
    /// The registered result of an item without them.
    fn take(&mut self, registered: &Value) -> Value {
        let list = |name: &str| registered.get_attr(name).ok().filter(|value| value.kind() == ValueKind::Seq);
        let found: Vec<(&'static str, Value)> =
            ["warnings", "deprecations"].into_iter().filter_map(|name| Some((name, list(name)?))).collect();
        if found.is_empty() {
            return registered.clone();
        }
        let mut data = entries(registered);
        for (name, all) in found {
            data.shift_remove(name);
            self.0.entry(name).or_default().extend(all.try_iter().into_iter().flatten());
        }
        mapping(data)
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
        ..HostResult::of(result.host.clone(), result.status, TaskResult::default())
    }
}

/// An item as it is shown.
pub(crate) fn item(iteration: &Iteration, label: Value) -> Option<Item> {
    iteration.item.as_ref().map(|_| Item { index: iteration.index, label })
}
