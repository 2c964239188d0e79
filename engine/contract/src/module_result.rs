//! The result of a module or of an action plugin as Ansible reads it, as an outcome.

use rplay_wire::{Diff, Failure, Map, Outcome, Value, data};

use crate::external::DEPRECATED;

/// What stands for the traceback of a failure if there is none.
pub const NO_TRACEBACK: &str = "(traceback unavailable)";

/// What stands for the value of a secret argument, and for a value in a result that is the same.
pub const NO_LOG_VALUE: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// What a failure says if the module gives no reason.
pub const UNKNOWN_ERROR: &str = "Task failed: Action failed: Unknown error.";

/// Converts a result that a module or a plugin made. Keys that control Ansible itself are dropped, and the arguments
/// (`invocation`) unless something shows them.
pub fn outcome_of(mut result: Map, shows_invocation: bool) -> Outcome {
    strip_internal(&mut result);
    let sentences = deprecations(result.get("deprecations"));
    if !result.contains_key("msg")
        && let Some(reasons) = reasons(result.get("exception"))
    {
        result.insert("msg".into(), format!("Task failed: Module failed: {reasons}").into());
    }
    result.values_mut().for_each(plain);
    let mut outcome = Outcome::default();
    outcome.warnings.extend(texts(result.get("warnings")));
    result.shift_remove("warnings");
    // A plugin passes on what its modules have told, with the sentences among the warnings.
    let told = |about: &str| outcome.warnings.iter().any(|known| known.starts_with(about));
    let fresh: Vec<String> =
        sentences.into_iter().filter(|(about, _)| !told(about)).map(|(about, rest)| about + &rest).collect();
    outcome.warnings.extend(fresh);
    if let Some(Value::Map(facts)) = result.shift_remove("ansible_facts") {
        outcome.facts = facts;
    }
    if !shows_invocation {
        result.shift_remove("invocation");
    }
    if let Some(diff) = result.get("diff") {
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
        outcome.failure = Some(Failure::new(msg.unwrap_or_else(|| UNKNOWN_ERROR.to_owned())));
    } else if result.get("skipped").is_some_and(is_true) {
        outcome.skipped = Some(result.get("msg").cloned().map_or_else(|| "skipped by the module".to_owned(), text));
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
                    *value = trace.filter(|trace| *trace != Value::Null).unwrap_or_else(|| NO_TRACEBACK.into());
                }
                "DeprecationSummary" => {
                    let name = |map: &Map| map.get("deprecator")?.as_map()?.get("resolved_name").cloned();
                    let collection = name(map).or_else(|| map.get("collection_name").cloned()).unwrap_or(Value::Null);
                    // The full name of a plugin begins with that of its collection.
                    let collection = match collection.as_str().map(|full| full.splitn(3, '.').collect::<Vec<_>>()) {
                        Some(words) if words.len() == 3 => words[..2].join(".").into(),
                        _ => collection,
                    };
                    let mut written = data! { "msg" => msg, "collection_name" => collection };
                    // By a date or by a version, which may be unknown.
                    let date = map.get("date").filter(|date| **date != Value::Null);
                    let (name, when) = match date {
                        Some(date) => ("date", date.clone()),
                        None => ("version", map.get("version").cloned().unwrap_or_default()),
                    };
                    written.insert(name.to_owned(), when);
                    if let Some(Value::Map(by)) = map.get("deprecator") {
                        let of = |name: &str| by.get(name).cloned().unwrap_or_default();
                        let kind = match of("type") {
                            Value::Map(kind) => kind.get("value").cloned().unwrap_or_default(),
                            kind => kind,
                        };
                        let by = data! { "resolved_name" => of("resolved_name"), "type" => kind };
                        written.insert("deprecator".to_owned(), by.into());
                    }
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

/// Deprecation warnings: for each what is deprecated, and what will become of it.
fn deprecations(value: Option<&Value>) -> Vec<(String, String)> {
    let Some(items) = value.and_then(Value::as_list) else { return Vec::new() };
    let sentence = |item: &Value| {
        let Value::Map(item) = item else { return (text(item.clone()), String::new()) };
        let word = |name: &str| item.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
        let event = item.get("event").and_then(Value::as_map).unwrap_or(item);
        let of_event = |name: &str| event.get(name).and_then(Value::as_str);
        let msg = of_event("msg").unwrap_or_default().trim();
        let end = if msg.ends_with(['.', '!', '?']) { "" } else { "." };
        let when = match (deprecator(item), word("version"), word("date")) {
            (None, ..) => "in the future".to_owned(),
            (Some(of), Some(version), _) => format!("from {of} version {version}"),
            (Some(of), None, Some(date)) => format!("from {of} in a release after {date}"),
            (Some(of), None, None) => format!("from {of} in a future release"),
        };
        let help = of_event("help_text").map(|help| format!(" {help}")).unwrap_or_default();
        (format!("{DEPRECATED}{msg}{end}"), format!(" This feature will be removed {when}.{help}"))
    };
    items.iter().map(sentence).collect()
}

/// Who deprecates, in words; `None` if nobody says.
fn deprecator(item: &Map) -> Option<String> {
    let who = item.get("deprecator").and_then(Value::as_map);
    let name = who.map_or_else(|| item.get("collection_name"), |who| who.get("resolved_name"))?.as_str()?;
    let kind = who.and_then(|who| who.get("type")).map(|kind| match kind {
        Value::Map(kind) => kind.get("value").and_then(Value::as_str).unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    });
    let mut words = name.splitn(3, '.');
    let collection = match (words.next()?, words.next()?) {
        ("ansible", "builtin") => "ansible-core".to_owned(),
        (namespace, name) => format!("collection '{namespace}.{name}'"),
    };
    Some(match (words.next(), kind.unwrap_or_default()) {
        (Some(plugin), "module") => format!("module '{plugin}' in {collection}"),
        (Some(plugin), "") => format!("plugin '{plugin}' in {collection}"),
        (Some(plugin), kind) => format!("{kind} plugin '{plugin}' in {collection}"),
        (None, _) => collection,
    })
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

#[cfg(test)]
mod tests {
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
    fn a_deprecation_says_what_becomes_of_what() {
        let typed = |deprecator: serde_json::Value, more: serde_json::Value| {
            let mut told = serde_json::json!({"__ansible_type": "DeprecationSummary", "event": {"msg": "old!",
                "help_text": "Use new."}, "deprecator": deprecator});
            told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            told
        };
        let by = |name: &str, kind: serde_json::Value| serde_json::json!({"resolved_name": name, "type": kind});
        let none = || serde_json::json!({});
        let version = || serde_json::json!({"version": "2"});
        let module = serde_json::json!({"value": "module", "__ansible_type": "PluginType"});
        for (told, want) in [
            (
                typed(by("a.b.c", module.clone()), version()),
                "old! This feature will be removed from module 'c' in collection 'a.b' version 2. Use new.",
            ),
            (
                typed(by("a.b.c", "lookup".into()), none()),
                "old! This feature will be removed from lookup plugin 'c' in collection 'a.b' in a future release. Use new.",
            ),
            (
                typed(by("ansible.builtin", ().into()), version()),
                "old! This feature will be removed from ansible-core version 2. Use new.",
            ),
            (
                typed(by("ansible.builtin.copy", module), serde_json::json!({"date": "2030-01-01"})),
                "old! This feature will be removed from module 'copy' in ansible-core in a release after 2030-01-01. Use new.",
            ),
            (typed(().into(), version()), "old! This feature will be removed in the future. Use new."),
            (
                serde_json::json!({"msg": "old. ", "collection_name": "a.b", "version": "2"}),
                "old. This feature will be removed from collection 'a.b' version 2.",
            ),
            (serde_json::json!({"msg": "old", "version": "2"}), "old. This feature will be removed in the future."),
        ] {
            let warnings = of(serde_json::json!({"deprecations": [told]})).warnings;
            assert_eq!(warnings, [format!("{DEPRECATED}{want}")]);
        }
        // Told already, by the module that a plugin ran.
        let told =
            of(serde_json::json!({"warnings": [format!("{DEPRECATED}old. Gone.")], "deprecations": [{"msg": "old"}]}));
        assert_eq!(told.warnings.len(), 1);
    }

    #[test]
    fn who_deprecates_is_a_collection() {
        let by = |name: &str| {
            serde_json::json!({"__ansible_type": "DeprecationSummary", "event": {"msg": "old"}, "version": "2",
            "date": null, "deprecator": {"resolved_name": name}})
        };
        let outcome = of(serde_json::json!({"deprecations": [by("a.b.c.d"), by("a.b")]}));
        let told = |name: &str| {
            let by = data! { "resolved_name" => name, "type" => Value::Null };
            Value::Map(
                data! { "msg" => "old", "collection_name" => "a.b", "version" => "2", "deprecator" => Value::Map(by) },
            )
        };
        assert_eq!(outcome.data["deprecations"], Value::List(vec![told("a.b.c.d"), told("a.b")]));
    }
}
