//! Converts the output of a module to an outcome.

use rplay_contract::external::DEPRECATED;
use rplay_wire::{Diff, Failure, Map, Mode, Outcome, Value, data};

use super::{Ended, Order};

/// Values in one result. The controller takes more of a reply, but others of the call are in there, too.
const MOST_VALUES: usize = 1_000_000;

/// Number of characters of junk around the JSON that a warning shows.
const SHOWN: usize = 200;

/// Parses the JSON object that a module printed. Like Ansible, ignores lines before and after it.
pub(super) fn outcome(order: &Order, mode: Mode, ended: Ended) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.warnings.extend(ended.excess.clone());
    let parsed = object(&ended.stdout);
    let (mut result, junk) = match parsed {
        Ok(parsed) => parsed,
        Err(wrong) => {
            let msg = format!("Module result deserialization failed: {wrong}");
            let mut failure = Failure::new(match ended.rc {
                code if code < 0 => format!("{msg} (the module was ended by signal {})", -code),
                _ => msg,
            });
            failure.data.insert("module_stdout".into(), ended.stdout.into());
            failure.data.insert("module_stderr".into(), ended.stderr.into());
            failure.data.insert("rc".into(), ended.rc.into());
            outcome.fail(failure.help(format!("the module {} has to print one JSON object", order.name)));
            return outcome;
        }
    };
    if let Some(junk) = junk {
        let shown: String = junk.chars().take(SHOWN).collect();
        outcome.warnings.push(format!("Module invocation had junk after the JSON data: {shown}"));
    }
    strip_internal(&mut result);
    result.values_mut().for_each(plain);
    outcome.warnings.extend(texts(result.get("warnings")));
    result.shift_remove("warnings");
    outcome.warnings.extend(deprecations(result.get("deprecations")));
    if let Some(Value::Map(facts)) = result.shift_remove("ansible_facts") {
        outcome.facts = facts;
    }
    if order.settings.get("verbosity").is_none_or(|level| matches!(level, Value::Int(..3))) {
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

/// The object, and the text after it.
fn object(stdout: &str) -> Result<(Map, Option<String>), String> {
    let lines: Vec<&str> = stdout.lines().collect();
    let first =
        lines.iter().position(|line| line.trim_start().starts_with('{')).ok_or("No start of json char found")?;
    let end = lines.iter().rposition(|line| line.trim_end().ends_with('}')).filter(|end| *end >= first);
    let (json, junk) = match end {
        Some(end) => lines.split_at(end + 1),
        None => (lines.as_slice(), &[][..]),
    };
    let json = json.get(first..).unwrap_or_default().join("\n");
    let junk = junk.join("\n");
    let values = values(&json);
    if values > MOST_VALUES {
        return Err(format!("it contains {values} values or more; at most {MOST_VALUES} are allowed"));
    }
    let parsed = match has_long_number(&json) {
        true => serde_json::from_str(&as_others_read(&json)),
        false => serde_json::from_str::<serde_json::Value>(&json)
            .or_else(|error| serde_json::from_str(&as_others_read(&json)).map_err(|_| error)),
    };
    match parsed.map_err(|error| error.to_string())? {
        serde_json::Value::Object(map) => {
            let mut map: Map = map.into_iter().map(|(name, value)| (name, value.into())).collect();
            map.values_mut().for_each(restore_numbers);
            Ok((map, Some(junk).filter(|junk| !junk.trim().is_empty())))
        }
        _ => Err("it is not a JSON object".to_owned()),
    }
}

/// The approximate number of values in a JSON text, at least a sixth of the true number.
fn values(json: &str) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    json.bytes()
        .filter(|byte| {
            let counts = !quoted && matches!(byte, b',' | b'[' | b'{');
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => {}
            }
            counts
        })
        .count()
}

/// From this number of digits on, an integer may not fit into 64 bits.
const LONG: usize = 19;

/// Prefix of the digits of a long integer while it is a string.
const NUMBER: &str = "\0number:";

/// Whether there is an integer of many digits, or a string that contains as many.
fn has_long_number(json: &str) -> bool {
    let mut digits = 0;
    json.bytes().any(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits >= LONG
    })
}

/// Restores integers of any length; beyond 128 bits they stay strings.
fn restore_numbers(value: &mut Value) {
    match value {
        Value::Str(text) => {
            if let Some(digits) = text.strip_prefix(NUMBER) {
                *value = digits.parse().map_or_else(|_| Value::Str(digits.to_owned()), Value::Int);
            }
        }
        Value::List(items) => items.iter_mut().for_each(restore_numbers),
        Value::Map(map) => map.values_mut().for_each(restore_numbers),
        _ => {}
    }
}

/// The length of the integer at the start of a text, if it is a long one.
fn long_number(text: &str) -> Option<usize> {
    let sign = usize::from(text.starts_with('-'));
    let digits = text.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    let is_integer = !text.get(sign + digits..)?.starts_with(['.', 'e', 'E']);
    (digits >= LONG && is_integer).then_some(sign + digits)
}

/// Python's JSON allows lone surrogates (file names that are not UTF-8), NaN and infinity, and integers of any length.
fn as_others_read(json: &str) -> String {
    let mut done = String::with_capacity(json.len());
    let mut rest = json;
    let mut quoted = false;
    let code = |text: &str| {
        text.strip_prefix("\\u").and_then(|hex| hex.get(..4)).and_then(|hex| u32::from_str_radix(hex, 16).ok())
    };
    while let Some(first) = rest.chars().next() {
        if !quoted
            && (first == '-' || first.is_ascii_digit())
            && !done.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
            && let Some(length) = long_number(rest)
        {
            let (number, tail) = rest.split_at(length);
            done.push_str(&format!("\"\\u0000{}{number}\"", NUMBER.trim_start_matches('\0')));
            rest = tail;
            continue;
        }
        let (taken, written) = match first {
            '\\' => match (code(rest), rest.get(6..).and_then(code)) {
                (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => (12, None),
                (Some(0xD800..0xE000), _) => (6, Some("\\ufffd")),
                _ => (1 + rest.chars().nth(1).map_or(0, char::len_utf8), None),
            },
            '"' => {
                quoted = !quoted;
                (1, None)
            }
            _ if quoted => (first.len_utf8(), None),
            _ => match ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word)) {
                Some(word) => (word.len(), Some("null")),
                None => (first.len_utf8(), None),
            },
        };
        let (head, tail) = rest.split_at(taken.min(rest.len()));
        done.push_str(written.unwrap_or(head));
        rest = tail;
    }
    done
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::external::Style;

    fn order() -> Order {
        Order {
            name: "mine".into(),
            style: Style::Json,
            content: Value::Null,
            base: None,
            package: String::new(),
            interpreter: None,
            candidates: Vec::new(),
            args: Map::new(),
            settings: data! { "verbosity" => 0 },
            remote_tmp: None,
        }
    }

    fn of(stdout: &str) -> Outcome {
        let mode = Mode { diff: true, ..Mode::default() };
        outcome(&order(), mode, Ended { rc: 0, stdout: stdout.into(), stderr: "e".into(), excess: None })
    }

    fn failure(stdout: &str) -> String {
        of(stdout).failure.unwrap().msg
    }

    #[test]
    fn what_surrounds_the_object_is_passed_over() {
        let outcome = of("Welcome!\n  {\"changed\": true,\n \"x\": [1]}\nbye\n");
        assert!(outcome.changed && outcome.failure.is_none());
        assert_eq!(outcome.data, data! { "x" => vec![1] });
        assert_eq!(outcome.warnings, ["Module invocation had junk after the JSON data: bye"]);
    }

    #[test]
    fn what_is_no_object_is_a_failure_with_all_that_was_printed() {
        assert_eq!(failure("nothing"), "Module result deserialization failed: No start of json char found");
        assert!(failure("{\"a\": 1}\n{\"b\": 2}").starts_with("Module result deserialization failed: trailing"));
        assert!(failure("{\"a\": ").contains("EOF"));
        let outcome = of("oops");
        assert_eq!(outcome.data, data! { "module_stdout" => "oops", "module_stderr" => "e", "rc" => 0 });
    }

    #[test]
    fn nesting_and_number_of_values_are_bounded() {
        let deep = format!("{{\"x\": {}{}}}", "[".repeat(500), "]".repeat(500));
        assert!(failure(&deep).contains("recursion limit"), "{}", failure(&deep));
        let many = format!("{{\"x\": [{}0]}}", "0,".repeat(MOST_VALUES));
        assert!(failure(&many).contains("values or more"));
        assert!(of(&format!("{{\"x\": \"{}\"}}", ",".repeat(MOST_VALUES + 1))).failure.is_none());
    }

    #[test]
    fn json_as_python_writes_it_is_read() {
        let outcome = of(r#"{"x": "a\udc80b\ud83d\ude00 NaN \\", "y": NaN, "z": [-Infinity, 1e999]}"#);
        assert_eq!(outcome.data.get("x"), None, "1e999 is out of range for any reader");
        let outcome = of(r#"{"x": "a\udc80b\ud83d\ude00 NaN \\", "y": NaN, "z": [-Infinity]}"#);
        assert_eq!(outcome.data["x"], "a\u{fffd}b😀 NaN \\".into());
        assert_eq!((&outcome.data["y"], &outcome.data["z"]), (&Value::Null, &Value::List(vec![Value::Null])));
    }

    #[test]
    fn integers_of_any_length_keep_their_digits() {
        let long = "7".repeat(600);
        let outcome = of(&format!(
            "{{\"a\": 123456789012345678901234567890, \"b\": [-{long}], \"c\": \"{long}\", \"d\": 1.{long}, \"e\": {{\"f\": 1}}}}"
        ));
        assert_eq!(outcome.data["a"], Value::Int(123456789012345678901234567890));
        assert_eq!(outcome.data["b"], Value::List(vec![format!("-{long}").into()]));
        assert_eq!(outcome.data["c"], long.as_str().into());
        assert!(matches!(outcome.data["d"], Value::Float(number) if number > 1.7 && number < 1.8));
        assert_eq!(outcome.data["e"], Value::from(data! { "f" => 1 }));
    }

    #[test]
    fn a_result_says_what_ansible_reads_in_it() {
        let rc = of(r#"{"rc": 4, "stdout": "x"}"#);
        assert_eq!(rc.failure.unwrap().msg, "Task failed: Action failed: Unknown error.");
        assert!(of(r#"{"rc": 4, "failed": false}"#).failure.is_none() && of(r#"{"rc": "0"}"#).failure.is_none());
        let skipped = of(r#"{"skipped": true, "msg": "no check mode", "changed": "no"}"#);
        assert_eq!((skipped.skipped.as_deref(), skipped.changed), (Some("no check mode"), false));
        let all = of(r#"{"_ansible_x": 1, "a": {"_ansible_y": 2, "b": 3}, "ansible_facts": {"n": 1}, "invocation": {},
            "warnings": ["w"], "deprecations": [{"msg": "d", "version": "3.0", "collection_name": "a.b"}, {"msg": "e."}]}"#);
        assert_eq!(all.data["a"], Value::from(data! { "b" => 3 }));
        assert!(!all.data.contains_key("_ansible_x") && !all.data.contains_key("invocation"));
        assert_eq!(all.facts, data! { "n" => 1 });
        assert_eq!(
            all.warnings,
            [
                "w",
                "[DEPRECATED] d. This feature will be removed from collection 'a.b' version 3.0.",
                "[DEPRECATED] e. This feature will be removed in the future."
            ]
        );
    }

    #[test]
    fn objects_of_newer_versions_are_written_as_older_ones_did() {
        let outcome = of(
            r#"{"warnings": [{"event": {"msg": "w", "__ansible_type": "Event"}, "__ansible_type": "WarningSummary"}],
            "deprecations": [{"event": {"msg": "d"}, "version": "3.0", "date": null, "deprecator": {"resolved_name": "a.b"},
            "__ansible_type": "DeprecationSummary"}], "failed": true, "msg": "no",
            "exception": {"event": {"msg": "e", "formatted_traceback": null}, "__ansible_type": "ErrorSummary"}}"#,
        );
        assert_eq!(
            outcome.warnings,
            ["w", "[DEPRECATED] d. This feature will be removed from collection 'a.b' version 3.0."]
        );
        assert_eq!(outcome.data["exception"], "e".into());
        assert_eq!(
            outcome.data["deprecations"],
            Value::List(vec![Value::Map(data! { "msg" => "d", "collection_name" => "a.b", "version" => "3.0" })])
        );
    }

    #[test]
    fn differences_come_as_texts_mappings_or_ready_made() {
        let diffs = of(
            r#"{"diff": [{"before": "a\n", "after": "b\n", "before_header": "f"}, {"before": {"x": 1}, "after": null},
            {"prepared": "--- a\n+++ b\n same\n-old\n+new\n"}]}"#,
        );
        let sides: Vec<_> = diffs.diff.iter().map(|diff| (diff.before.as_str(), diff.after.as_str())).collect();
        assert_eq!(sides, [("a\n", "b\n"), ("{\n  \"x\": 1\n}\n", ""), ("same\nold\n", "same\nnew\n")]);
        assert_eq!(diffs.diff[0].before_header, "f");
    }
}
