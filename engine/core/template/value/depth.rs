//! The depth of nested containers.

use indexmap::IndexMap;
use minijinja::{Value, value::ValueKind};

use crate::{
    limits,
    template::value::{
        containers::{Dict, List, is_container},
        error::EvalResult,
        size::too_deep,
    },
};

/// Rejects a value that is nested too deeply. A loop that repeatedly wraps a value in a list would otherwise create one
/// that cannot be compared, written or dropped.
///
/// Scanning the whole value each time would be too expensive. The first containers are followed each time, and the
/// whole value is scanned at random intervals, which stops a loop early enough.
pub(crate) fn check_depth<'v>(parts: impl IntoIterator<Item = &'v Value>) -> EvalResult<()> {
    let parts: Vec<&Value> = parts.into_iter().filter(|part| is_container(part)).collect();
    let Some(mut value) = parts.first().map(|first| Value::clone(first)) else { return Ok(()) };
    if scans_whole() && parts.iter().any(|part| depth(part) >= limits::depth()) {
        return Err(too_deep());
    }
    for _ in 1..limits::depth() {
        match first_container(&value) {
            Some(next) => value = next,
            None => return Ok(()),
        }
    }
    Err(too_deep())
}

/// Whether to scan the whole value this time: with probability 1/32.
fn scans_whole() -> bool {
    thread_local! {
        static STATE: std::cell::Cell<u32> = const { std::cell::Cell::new(1) };
    }
    // The constants are those of Numerical Recipes; the upper bits are of better quality.
    let state = STATE.with(|state| state.replace(state.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
    state >> 27 == 0
}

/// The depth of nested containers, at most a little more than [`limits::depth`].
pub(crate) fn depth(value: &Value) -> usize {
    /// Only a part of a larger value is scanned.
    const MOST: usize = 100_000;
    let (mut deepest, mut seen) = (0, 0);
    let mut open = vec![(value.clone(), 1)];
    while let Some((value, level)) = open.pop() {
        deepest = deepest.max(level);
        seen += 1;
        if deepest > limits::depth() || seen > MOST {
            break;
        }
        open.extend(containers(&value).into_iter().map(|part| (part, level + 1)));
    }
    deepest
}

/// The first container inside a container.
pub(crate) fn first_container(value: &Value) -> Option<Value> {
    let container = |value: &&Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Map);
    if let Some(items) = value.downcast_object_ref::<Vec<Value>>() {
        items.iter().find(container).cloned()
    } else if let Some(entries) = value.downcast_object_ref::<IndexMap<Value, Value>>() {
        entries.values().find(container).cloned()
    } else if let Some(list) = value.downcast_object_ref::<List>() {
        list.items().iter().find(container).cloned()
    } else if let Some(dict) = value.downcast_object_ref::<Dict>() {
        dict.entries().values().find(container).cloned()
    } else if value.is_tuple() {
        value.try_iter().ok()?.find(|item| container(&item))
    } else {
        None
    }
}

/// The containers inside a container, as far as they are rendered; lazy parts are skipped.
pub(crate) fn containers(value: &Value) -> Vec<Value> {
    fn pick<'v>(parts: impl IntoIterator<Item = &'v Value>) -> Vec<Value> {
        let container = |value: &&Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Map);
        parts.into_iter().filter(container).cloned().collect()
    }
    if let Some(items) = value.downcast_object_ref::<Vec<Value>>() {
        pick(items)
    } else if let Some(entries) = value.downcast_object_ref::<IndexMap<Value, Value>>() {
        pick(entries.values())
    } else if let Some(list) = value.downcast_object_ref::<List>() {
        pick(list.items().iter())
    } else if let Some(dict) = value.downcast_object_ref::<Dict>() {
        pick(dict.entries().values())
    } else if value.is_tuple() {
        pick(&value.try_iter().into_iter().flatten().collect::<Vec<_>>())
    } else {
        vec![]
    }
}
