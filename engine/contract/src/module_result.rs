//! The result of a module or of an action plugin as Ansible reads it, as an outcome.

use rplay_wire::{Diff, Failure, Map, Outcome, Value, number::unmarked};

use crate::system::{attributes::state_text, place};

/// What stands for the traceback of a failure if there is none.
pub const NO_TRACEBACK: &str = "(traceback unavailable)";

/// What stands for the value of a secret argument, and for a value in a result that is the same.
pub const NO_LOG_VALUE: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// What a failure says if the module gives no reason.
pub const UNKNOWN_ERROR: &str = "Task failed: Action failed: Unknown error.";

/// How the message begins if what a module printed is not one JSON object.
pub const UNREADABLE: &str = "Module result deserialization failed: ";

/// What a failure says if the module gives no reason, but says that it failed.
pub const UNKNOWN_MODULE_ERROR: &str = "Task failed: Module failed: Unknown error.";

/// Converts a result that a module or a plugin made. Keys that control Ansible itself are dropped, except at the top,
/// and so are the arguments (`invocation`) unless something shows them. What only the controller needs stays as it came:
/// deprecations, and values of the wrong type.
pub fn outcome_of(mut result: Map, shows_invocation: bool) -> Outcome {
    result.values_mut().for_each(strip_value);
    if !result.contains_key("msg")
        && let Some(reasons) = reasons(result.get("exception"))
    {
        result.insert("msg".into(), format!("Task failed: Module failed: {reasons}").into());
    }
    for (name, value) in &mut result {
        if name != "deprecations" {
            plain(value);
        }
    }
    let mut outcome = Outcome::default();
    if let Some(Value::List(told)) = result.get("warnings")
        && let Some(told) = told.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    {
        outcome.warnings = told;
        result.shift_remove("warnings");
    }
    if let Some(facts @ Value::Map(_)) = result.get_mut("ansible_facts") {
        if let Value::Map(facts) = std::mem::take(facts) {
            outcome.facts = facts;
        }
        result.shift_remove("ansible_facts");
    }
    if !shows_invocation {
        result.shift_remove("invocation");
    }
    if let Some(diff) = result.get("diff") {
        outcome.diff = diffs(diff);
    }
    outcome.changed = result.get("changed").is_some_and(is_true);
    let failed = result.get("failed").map(is_true);
    // As in Ansible, the exit code counts if the module does not set `failed`.
    let is_zero = |rc: &Value| match rc {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => !is_true(rc),
        other => other.as_str() == Some("0"),
    };
    let fails = failed.unwrap_or_else(|| result.get("rc").is_some_and(|rc| !is_zero(rc)));
    // Others are registered as they came.
    for (name, shown) in [("changed", false), ("failed", fails)] {
        if shown || matches!(result.get(name), Some(Value::Bool(_))) {
            result.shift_remove(name);
        }
    }
    if fails {
        let unknown = if failed.is_some() { UNKNOWN_MODULE_ERROR } else { UNKNOWN_ERROR };
        let msg = result.get("msg").cloned().map_or_else(|| unknown.to_owned(), text);
        if result.get("msg").is_some_and(|msg| msg.as_str().is_some()) {
            result.shift_remove("msg");
        }
        outcome.failure = Some(Failure::new(msg));
    } else if result.get("skipped").is_some_and(is_true) {
        outcome.skipped = Some(result.get("msg").cloned().map(text).unwrap_or_default());
        result.shift_remove("skipped");
    }
    outcome.data = result;
    outcome
}

/// What an error and those that caused it say, if it is a typed object.
fn reasons(exception: Option<&Value>) -> Option<String> {
    let error = exception?.as_map()?;
    if error.get("__ansible_type")?.as_str()? != "ErrorSummary" {
        return None;
    }
    let mut said: Vec<&str> = Vec::new();
    let mut event = error.get("event").and_then(Value::as_map);
    while let Some(told) = event {
        let text = told.get("msg").and_then(Value::as_str).unwrap_or_default();
        if !said.iter().any(|earlier| earlier.ends_with(text)) {
            said.push(text);
        }
        let chain = told.get("chain").and_then(Value::as_map);
        let follows = |chain: &&Map| !matches!(chain.get("follow"), Some(Value::Bool(false)));
        event = chain.filter(follows).and_then(|chain| chain.get("event")?.as_map());
    }
    (!said.is_empty()).then(|| said.join(": "))
}

/// Removes keys that control Ansible itself: no module may set them.
fn strip_value(value: &mut Value) {
    match value {
        Value::Map(map) => {
            map.retain(|name, _| !name.starts_with("_ansible_"));
            map.values_mut().for_each(strip_value);
        }
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
                    *value = trace.filter(|trace| *trace != Value::Null).unwrap_or_else(|| NO_TRACEBACK.into());
                }
                _ => map.values_mut().for_each(plain),
            }
        }
        _ => {}
    }
}

fn diffs(value: &Value) -> Vec<Diff> {
    match value {
        Value::List(items) => items.iter().flat_map(diffs).collect(),
        Value::Map(map) => {
            let part = |name: &str| map.get(name).cloned().map(shown).unwrap_or_default();
            let (before_header, after_header) = (part("before_header"), part("after_header"));
            let prepared = part("prepared");
            vec![match prepared.is_empty() {
                true => Diff { before_header, after_header, before: part("before"), after: part("after") },
                false => place::prepared(prepared),
            }]
        }
        _ => Vec::new(),
    }
}

/// One side of a diff: text as it is, everything else as indented JSON.
fn shown(value: Value) -> String {
    match value {
        Value::Map(map) => unmarked(&state_text(&map)).into_owned(),
        Value::List(_) => {
            let json = serde_json::to_string_pretty(&serde_json::Value::from(&value)).unwrap_or_default();
            format!("{}\n", unmarked(&json))
        }
        Value::Null => String::new(),
        other => text(other),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Str(text) => text,
        other => unmarked(&serde_json::Value::from(&other).to_string()).into_owned(),
    }
}

/// Python's truth.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Int(number) => *number != 0,
        Value::Float(number) => *number != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        Value::Bytes(_) | Value::Blob(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;

    fn of(json: serde_json::Value) -> Outcome {
        let Value::Map(result) = Value::from(json) else { panic!("not a mapping") };
        outcome_of(result, false)
    }

    #[test]
    fn an_error_without_message_says_what_led_to_it() {
        let event = |msg: &str, chain: serde_json::Value| serde_json::json!({"msg": msg, "formatted_traceback": null, "chain": chain});
        let chain = |event: serde_json::Value| serde_json::json!({"follow": true, "event": event});
        let none = serde_json::Value::Null;
        let inner = event("ends with two", chain(event("two", chain(event("three", none)))));
        let error = serde_json::json!({"__ansible_type": "ErrorSummary", "event": inner});
        let outcome = of(serde_json::json!({"failed": true, "exception": error}));
        assert_eq!(outcome.failure.unwrap().msg, "Task failed: Module failed: ends with two: three");
        assert_eq!(outcome.data, data! { "exception" => NO_TRACEBACK });
        let told = of(serde_json::json!({"failed": true, "msg": "own", "exception": error}));
        assert_eq!(told.failure.unwrap().msg, "own");
    }

    #[test]
    fn states_have_pythons_truth_and_odd_values_stay() {
        let odd = of(serde_json::json!({"changed": "no", "failed": 0, "rc": 4}));
        assert!(odd.changed && odd.failure.is_none());
        assert_eq!(odd.data, data! { "changed" => "no", "failed" => 0, "rc" => 4 });
        let failed = of(serde_json::json!({"failed": "no", "msg": {"a": 1}, "rc": 4}));
        assert_eq!(failed.failure.unwrap().msg, r#"{"a":1}"#);
        assert_eq!(failed.data, data! { "msg" => data! { "a" => 1 }, "rc" => 4 });
        assert_eq!(of(serde_json::json!({"failed": true})).failure.unwrap().msg, UNKNOWN_MODULE_ERROR);
        assert_eq!(of(serde_json::json!({"rc": "1"})).failure.unwrap().msg, UNKNOWN_ERROR);
        for rc in [serde_json::json!(0.0), false.into(), "0".into(), 0.into()] {
            assert!(of(serde_json::json!({ "rc": rc })).failure.is_none());
        }
        for rc in [serde_json::Value::Null, "".into(), true.into(), serde_json::json!([])] {
            assert_eq!(of(serde_json::json!({ "rc": rc })).failure.unwrap().msg, UNKNOWN_ERROR);
        }
        for wrong in [serde_json::json!({"warnings": "x"}), serde_json::json!({"ansible_facts": "x"})] {
            assert_eq!(Value::Map(of(wrong.clone()).data), wrong.into());
        }
    }
}
