//! The value that `register` stores.

use std::sync::Arc;

use indexmap::IndexMap;
use rplay_contract::{external::DEPRECATED, module_result::NO_TRACEBACK};

use crate::{
    actions::{Effect, TaskResult, entries, text_of},
    plan::{Action, Task},
    run::{steering::variable_of, task::iteration::Attempt},
    vars::{Layer, Lazy, Value, mapping},
};

/// The value of the registered variable. `diff` is what [`diffs::value`](super::diffs::value) makes of the result's.
pub(crate) fn register_value(task: &Task, result: &TaskResult, diff: Option<&Value>, attempt: &Attempt<'_>) -> Value {
    let mut fields = result.data.clone().into_entries();
    // What a module returned in another type stays as it is.
    fields.entry("changed".into()).or_insert_with(|| Value::from(result.changed));
    // Skipped and unreachable results have no `failed`, unless the action itself skipped.
    let has_failed = match &result.skipped {
        None => true,
        Some(why) => !result.raised && !result.data.contains_key("false_condition") && task.action.skip_has_failed(why),
    };
    // What a module says itself changes nothing else.
    let is_lost = result.unreachable && !result.data.contains_key("unreachable");
    if has_failed && !is_lost {
        let has_failed = result.failed && !result.unreachable;
        let failed = fields.entry("failed".into()).or_insert_with(|| Value::from(has_failed));
        if has_failed {
            *failed = Value::from(true);
        }
    }
    if result.unreachable {
        fields.insert("unreachable".into(), Value::from(true));
    }
    // As in ansible-core, items that were not reached have it, too.
    if is_lost && attempt.looped || result.failed && !result.unreachable {
        fields.entry("exception".into()).or_insert_with(|| Value::from(NO_TRACEBACK));
    }
    // Modules and plugins that rplay does not implement provide their own `diff`.
    let is_own = !matches!(task.action, Action::External(_) | Action::Plugin(_));
    if let Some(diff) = diff.filter(|_| is_own || !fields.contains_key("diff")) {
        fields.insert("diff".into(), diff.clone());
    }
    if result.skipped.is_some() {
        fields.insert("skipped".into(), Value::from(true));
        if let Some(why) = result
            .skipped
            .as_ref()
            .filter(|why| !why.is_empty())
            .filter(|_| !["skip_reason", "skipped_reason", "msg"].iter().any(|key| fields.contains_key(*key)))
        {
            fields.insert("msg".into(), Value::from(&**why));
        }
    }
    if result.warnings.iter().any(|warning| !warning.starts_with(DEPRECATED)) {
        let told = result.warnings.iter().filter(|warning| !warning.starts_with(DEPRECATED));
        fields.insert("warnings".into(), told.cloned().map(Value::from).collect());
    }
    for effect in &result.effects {
        let facts: Value = match effect {
            Effect::Facts(facts) => {
                let prefixed = task.action.traits().gathers;
                mapping(facts.iter().map(|(name, value)| (variable_of(name, prefixed), value.clone())))
            }
            Effect::SetFacts { vars, .. } | Effect::IncludeVars(vars) => {
                mapping(vars.iter().filter_map(|(k, v)| Some((k.clone(), v.written()?))))
            }
            _ => continue,
        };
        fields.insert("ansible_facts".into(), facts);
    }
    if task.action.traits().gathers && !result.failed && !result.unreachable && result.skipped.is_none() {
        // A filter may leave none.
        fields.entry("ansible_facts".into()).or_insert_with(|| mapping::<&str, Value>([]));
    }
    add_loop_fields(&mut fields, attempt);
    mapping(fields)
}

/// The variables that `include_vars` read, as part of what is registered: as in ansible-core, they stay templates, which
/// are rendered when they are read.
#[derive(Clone, Debug, Default)]
pub(crate) enum Included {
    #[default]
    None,
    Vars(Arc<Layer>),
    /// Of each item of a loop.
    Items(Arc<[Included]>),
}

impl Included {
    /// Those of a single result.
    pub(crate) fn of(effects: &[Effect]) -> Self {
        let layer = effects.iter().find_map(|effect| match effect {
            Effect::IncludeVars(layer) => Some(layer),
            _ => None,
        });
        layer.map_or(Included::None, |layer| Included::Vars(Arc::new(layer.clone())))
    }

    /// Those of a loop.
    pub(crate) fn of_items(items: Vec<Included>) -> Self {
        match items.iter().all(|item| matches!(item, Included::None)) {
            true => Included::None,
            false => Included::Items(items.into()),
        }
    }

    /// The registered value with them in their places.
    pub(crate) fn within(&self, registered: &Value) -> Lazy {
        let with = |name: &str, inner: Lazy| {
            let mut fields: Layer =
                entries(registered).into_iter().map(|(name, value)| (name, Lazy::Data(value))).collect();
            fields.insert(name.into(), inner);
            Lazy::Map(Arc::new(fields))
        };
        match self {
            Included::None => Lazy::Data(registered.clone()),
            Included::Vars(layer) => with("ansible_facts", Lazy::Map(layer.clone())),
            Included::Items(items) => {
                let results = registered.get_attr("results").unwrap_or_default();
                let results = results.try_iter().into_iter().flatten().zip(&**items);
                with("results", Lazy::List(results.map(|(result, item)| item.within(&result)).collect()))
            }
        }
    }
}

/// Adds the loop variables of an attempt: the item, and what `loop_control` asks for.
pub(crate) fn add_loop_fields(fields: &mut IndexMap<Arc<str>, Value>, attempt: &Attempt<'_>) {
    let Some(item) = &attempt.iteration.item else { return };
    let name = attempt.iteration.top.as_ref().and_then(|top| top.get("ansible_loop_var")).and_then(|lazy| lazy.data());
    let name: Arc<str> = name.map_or_else(|| "item".into(), |value| text_of(&value).into());
    fields.insert(name.clone(), item.clone());
    fields.insert("ansible_loop_var".into(), Value::from(name));
    for extra in ["ansible_index_var", "ansible_loop"] {
        let value = attempt.iteration.top.as_ref().and_then(|top| top.get(extra)).and_then(|lazy| lazy.data());
        if let Some(value) = value {
            if extra == "ansible_index_var" {
                fields.insert(text_of(&value).into(), Value::from(attempt.iteration.index));
            }
            fields.insert(extra.into(), value);
        }
    }
}
