//! The result of a module as an action plugin in Python gets it from `_execute_module`.

use std::sync::Arc;

use rplay_contract::external::DEPRECATED;

use crate::{
    actions::{Effect, TaskResult},
    plan::Action,
    run::{
        steering::variable_of,
        task::{
            diffs,
            messages::{self, Reading},
        },
    },
    vars::{Value, mapping},
};

/// All that the module returned, with the keys that every result has.
pub(super) fn value(action: &Action, reading: Reading, mut result: TaskResult) -> Value {
    if matches!(action, Action::External(_)) {
        messages::read(action, Reading { tells_tracebacks: true, ..reading }, &mut result);
    }
    let mut fields = result.data.into_entries();
    fields.entry("changed".into()).or_insert_with(|| Value::from(result.changed));
    let is_own = matches!(action, Action::Module(_));
    if let Some(diff) = diffs::value(fields.get("diff"), &result.diff).filter(|_| is_own) {
        fields.insert("diff".into(), diff);
    }
    for (name, holds) in [("failed", result.failed), ("unreachable", result.unreachable)] {
        if holds {
            fields.insert(name.into(), Value::from(true));
        }
    }
    if let Some(why) = &result.skipped {
        fields.insert("skipped".into(), Value::from(true));
        fields.entry("msg".into()).or_insert_with(|| Value::from(&**why));
    }
    // Deprecations have a key of their own.
    let told = result.warnings.iter().filter(|warning| !warning.starts_with(DEPRECATED));
    let told: Vec<Value> = told.cloned().map(Value::from).collect();
    if !told.is_empty() {
        fields.insert("warnings".into(), told.into());
    }
    let prefixed = action.traits().gathers;
    for effect in result.effects {
        if let Effect::Facts(facts) = effect {
            let full = |(name, value): (Arc<str>, Value)| (variable_of(&name, prefixed), value);
            fields.insert("ansible_facts".into(), mapping(facts.into_entries().into_iter().map(full)));
        }
    }
    mapping(fields)
}

/// The result of a module that cannot be called.
pub(super) fn failed(msg: &str) -> Value {
    mapping([("failed", Value::from(true)), ("changed", Value::from(false)), ("msg", Value::from(msg))])
}
