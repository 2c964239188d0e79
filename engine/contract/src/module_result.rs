//! The result of a module or of an action plugin as Ansible reads it, as an outcome.

use rplay_wire::{Diff, Failure, Map, Mode, Outcome, Value, data};

use crate::external::DEPRECATED;

/// Converts a result that a module or a plugin made. Keys that control Ansible itself are dropped; `invocation` is kept
/// from a `verbosity` of three on.
pub fn outcome_of(mut result: Map, mode: Mode, verbosity: i128) -> Outcome {
    strip_internal(&mut result);
    result.values_mut().for_each(plain);
    let mut outcome = Outcome::default();
    outcome.warnings.extend(texts(result.get("warnings")));
    result.shift_remove("warnings");
    outcome.warnings.extend(deprecations(result.get("deprecations")));
    if let Some(Value::Map(facts)) = result.shift_remove("ansible_facts") {
        outcome.facts = facts;
    }
    if verbosity < 3 {
        result.shift_remove("invocation");
    }
    if mode.diff
        && let Some(diff) = result.get("diff")
    {
        outcome.diff = diffs(diff);
    }
    let take = |result: &mut Map, name: &str| result.shift_remove(name).map(|value| is_true(&value));
    outcome.changed = take(&mut result, "changed").unwrap_or(false);
    let failed = take(&mut result, "failed");
    // As in Ansible, the exit code counts if the module does not set `failed`.
    let rc =
        || result.get("rc").is_some_and(|rc| !matches!(rc, Value::Int(0) | Value::Null) && rc.as_str() != Some("0"));
    if failed.unwrap_or_else(rc) {
        let msg = result.shift_remove("msg").map(text);
        outcome.failure =
            Some(Failure::new(msg.unwrap_or_else(|| "Task failed: Action failed: Unknown error.".to_owned())));
    } else if result.get("skipped").is_some_and(is_true) {
        outcome.skipped = Some(result.get("msg").cloned().map_or_else(|| "skipped by the module".to_owned(), text));
        result.shift_remove("skipped");
    }
    outcome.data = result;
    outcome
}

/// Removes keys that control Ansible itself: no module may set them.
fn strip_internal(map: &mut Map) {
    map.retain(|name, _| !name.starts_with("_ansible_"));
    map.values_mut().for_each(strip_value);
}

fn strip_value(value: &mut Value) {
    match value {
        Value::Map(map) => strip_internal(map),
        Value::List(items) => items.iter_mut().for_each(strip_value),
        _ => {}
    }
}

/// Since ansible-core 2.19, modules return warnings, deprecations and errors as typed objects. Playbooks see the format
/// of older versions.
fn plain(value: &mut Value) {
    match value {
        Value::List(items) => items.iter_mut().for_each(plain),
        Value::Map(map) => {
            let kind = map.get("__ansible_type").and_then(Value::as_str).unwrap_or_default().to_owned();
            let event = map.get("event").and_then(Value::as_map);
            let msg = event.and_then(|event| event.get("msg")).cloned().unwrap_or(Value::Null);
            match kind.as_str() {
                "WarningSummary" => *value = msg,
                "ErrorSummary" => {
                    let trace = event.and_then(|event| event.get("formatted_traceback")).cloned();
                    *value = trace.filter(|trace| *trace != Value::Null).unwrap_or(msg);
                }
                "DeprecationSummary" => {
                    let name = |map: &Map| map.get("deprecator")?.as_map()?.get("resolved_name").cloned();
                    let collection = name(map).or_else(|| map.get("collection_name").cloned()).unwrap_or(Value::Null);
                    let mut written = data! { "msg" => msg, "collection_name" => collection };
                    let rest = ["version", "date"].into_iter().filter_map(|name| Some((name, map.get(name)?.clone())));
                    written.extend(
                        rest.filter(|(_, value)| *value != Value::Null).map(|(name, value)| (name.to_owned(), value)),
                    );
                    *value = Value::Map(written);
                }
                _ => map.values_mut().for_each(plain),
            }
        }
        _ => {}
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::List(items)) => items.iter().cloned().map(text).collect(),
        Some(Value::Str(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// Deprecation warnings, one sentence each.
fn deprecations(value: Option<&Value>) -> Vec<String> {
    let Some(items) = value.and_then(Value::as_list) else { return Vec::new() };
    let sentence = |item: &Value| {
        let Value::Map(item) = item else { return text(item.clone()) };
        let word = |name: &str| item.get(name).and_then(Value::as_str);
        let msg = word("msg").unwrap_or_default().trim_end_matches('.');
        let of =
            word("collection_name").map_or_else(|| "ansible-core".to_owned(), |name| format!("collection '{name}'"));
        let when = match (word("version"), word("date")) {
            (Some(version), _) => format!(" This feature will be removed from {of} version {version}."),
            (None, Some(date)) => format!(" This feature will be removed from {of} in a release after {date}."),
            (None, None) => " This feature will be removed in the future.".to_owned(),
        };
        format!("{DEPRECATED}{msg}.{when}")
    };
    items.iter().map(sentence).collect()
}

fn diffs(value: &Value) -> Vec<Diff> {
    match value {
        Value::List(items) => items.iter().flat_map(diffs).collect(),
        Value::Map(map) => {
            let part = |name: &str| map.get(name).cloned().map(shown).unwrap_or_default();
            let (before_header, after_header) = (part("before_header"), part("after_header"));
            let prepared = part("prepared");
            let (before, after) = match prepared.is_empty() {
                true => (part("before"), part("after")),
                false => sides(&prepared),
            };
            vec![Diff { before_header, after_header, before, after }]
        }
        _ => Vec::new(),
    }
}

/// The values before and after, from a diff that the module formatted itself.
fn sides(prepared: &str) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    for line in prepared.split_inclusive('\n').filter(|line| !line.starts_with("--- ") && !line.starts_with("+++ ")) {
        match line.split_at_checked(1) {
            Some(("-", rest)) => before.push_str(rest),
            Some(("+", rest)) => after.push_str(rest),
            Some((" ", rest)) => {
                before.push_str(rest);
                after.push_str(rest);
            }
            _ => {
                before.push_str(line);
                after.push_str(line);
            }
        }
    }
    (before, after)
}

/// One side of a diff: text as it is, everything else as indented JSON.
fn shown(value: Value) -> String {
    match value {
        Value::Map(_) | Value::List(_) => {
            let json = serde_json::to_string_pretty(&serde_json::Value::from(&value)).unwrap_or_default();
            format!("{json}\n")
        }
        Value::Null => String::new(),
        other => text(other),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Str(text) => text,
        other => serde_json::Value::from(&other).to_string(),
    }
}

/// Values that Ansible considers true in a result.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::Int(number) => *number != 0,
        Value::Str(text) => {
            matches!(text.to_ascii_lowercase().as_str(), "y" | "yes" | "on" | "1" | "true" | "t" | "1.0")
        }
        _ => false,
    }
}
