//! Converts the output of a module to an outcome.

use rplay_contract::module_result::{UNREADABLE, outcome_of};
use rplay_wire::{
    Failure, Map, Outcome, Value,
    number::{MARK, marked},
};

use super::{Ended, Order};

/// Values in one result. The controller takes more of a reply, but others of the call are in there, too.
const MOST_VALUES: usize = 1_000_000;

/// Number of characters of junk around the JSON that a warning shows.
const SHOWN: usize = 200;

/// Parses the JSON object that a module printed. Like Ansible, ignores lines before and after it.
pub(super) fn outcome(order: &Order, ended: Ended) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.warnings.extend(ended.excess.clone());
    let parsed = object(&ended.stdout);
    let (result, junk) = match parsed {
        Ok(parsed) => parsed,
        Err(wrong) => {
            let mut failure = Failure::new(format!("{UNREADABLE}{wrong}"));
            if tells_tracebacks(order) && ended.stderr.contains("Traceback") {
                failure.data.insert("exception".into(), ended.stderr.clone().into());
            }
            failure.data.insert("module_stdout".into(), ended.stdout.into());
            failure.data.insert("module_stderr".into(), ended.stderr.into());
            // As a shell tells of a signal.
            let rc = if ended.rc < 0 { 128 - ended.rc } else { ended.rc };
            failure.data.insert("rc".into(), rc.into());
            outcome.fail(failure.help(match ended.rc {
                code if code < 0 => format!("the module {} was ended by signal {}", order.name, -code),
                _ => format!("the module {} has to print one JSON object", order.name),
            }));
            return outcome;
        }
    };
    if let Some(junk) = junk {
        let shown: String = junk.chars().take(SHOWN).collect();
        outcome.warnings.push(format!("Module invocation had junk after the JSON data: {shown}"));
    }
    let warnings = std::mem::take(&mut outcome.warnings);
    let mut outcome = outcome_of(result, order.shows_invocation);
    outcome.warnings.splice(0..0, warnings);
    outcome
}

/// Whether the traceback of an error is wanted (`display_traceback`).
fn tells_tracebacks(order: &Order) -> bool {
    let events = order.settings.get("tracebacks_for").and_then(Value::as_list).unwrap_or_default();
    events.iter().any(|event| event.as_str() == Some("error"))
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

/// Whether there is an integer of many digits, or a string that contains as many.
fn has_long_number(json: &str) -> bool {
    let mut digits = 0;
    json.bytes().any(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits >= LONG
    })
}

/// Restores integers and floats; integers beyond 128 bits keep their mark.
fn restore_numbers(value: &mut Value) {
    match value {
        Value::Str(text) => {
            if let Some(number) = text.strip_prefix(MARK) {
                if let Ok(number) = number.parse() {
                    *value = Value::Int(number);
                } else if let (true, Ok(number)) = (number.contains(is_of_float), number.parse()) {
                    *value = Value::Float(number);
                }
            }
        }
        Value::List(items) => items.iter_mut().for_each(restore_numbers),
        Value::Map(map) => map.values_mut().for_each(restore_numbers),
        _ => {}
    }
}

/// Characters of floats that integers do not have; `N` and `I` begin `NaN` and `Infinity`.
fn is_of_float(c: char) -> bool {
    matches!(c, '.' | 'e' | 'E' | 'N' | 'I')
}

/// The length of the number at the start of a text that serde_json does not read: a long integer, an exponent.
fn odd_number(text: &str) -> Option<usize> {
    let length = text.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).unwrap_or(text.len());
    let number = text.get(..length)?;
    (number.contains(['e', 'E']) || length >= LONG && !number.contains('.')).then_some(length)
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
        let odd = || match first {
            '-' | '0'..='9' if !done.ends_with(|c: char| matches!(c, '.' | '-' | '0'..='9')) => odd_number(rest),
            _ => None,
        };
        let word = || ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word)).map(str::len);
        if !quoted && let Some(length) = word().or_else(odd) {
            let (number, tail) = rest.split_at(length);
            done.push_str(&marked(number));
            rest = tail;
            continue;
        }
        let (taken, written) = match first {
            '\\' => match (code(rest), rest.get(6..).and_then(code)) {
                (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => (12, None),
                // The controller says which byte it was, by a character that nobody uses.
                (Some(0xDC80..0xDD00), _) => {
                    done.push_str("\\udbf7");
                    (6, None)
                }
                (Some(0xD800..0xE000), _) => (6, Some("\\ufffd")),
                _ => (1 + rest.chars().nth(1).map_or(0, char::len_utf8), None),
            },
            '"' => {
                quoted = !quoted;
                (1, None)
            }
            _ => (first.len_utf8(), None),
        };
        let (head, tail) = rest.split_at(taken.min(rest.len()));
        done.push_str(written.unwrap_or(head));
        rest = tail;
    }
    done
}

#[cfg(test)]
mod tests {
    use rplay_contract::system::place;
    use rplay_wire::data;

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
            shows_invocation: false,
            remote_tmp: None,
        }
    }

    fn of(stdout: &str) -> Outcome {
        outcome(&order(), Ended { rc: 0, stdout: stdout.into(), stderr: "e".into(), excess: None })
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
        let outcome =
            of(r#"{"x": "a\udc80b\ud83d\ude00\ud800 NaN 1e9 \\", "y": NaN, "z": [-Infinity, 1e999, -1.5E-2, 1e0]}"#);
        assert_eq!(outcome.data["x"], "a\u{10dc80}b😀\u{fffd} NaN 1e9 \\".into());
        assert!(matches!(outcome.data["y"], Value::Float(number) if number.is_nan()));
        let floats = [f64::NEG_INFINITY, f64::INFINITY, -0.015, 1.0].map(Value::Float);
        assert_eq!(outcome.data["z"], Value::List(floats.to_vec()));
    }

    #[test]
    fn integers_of_any_length_keep_their_digits() {
        let long = "7".repeat(600);
        let outcome = of(&format!(
            "{{\"a\": 123456789012345678901234567890, \"b\": [-{long}], \"c\": \"{long}\", \"d\": 1.{long}, \"e\": {{\"f\": 1}}}}"
        ));
        assert_eq!(outcome.data["a"], Value::Int(123456789012345678901234567890));
        assert_eq!(outcome.data["b"], Value::List(vec![format!("{MARK}-{long}").into()]));
        assert_eq!(outcome.data["c"], long.as_str().into());
        assert!(matches!(outcome.data["d"], Value::Float(number) if number > 1.7 && number < 1.8));
        assert_eq!(outcome.data["e"], Value::from(data! { "f" => 1 }));
    }

    #[test]
    fn a_result_says_what_ansible_reads_in_it() {
        let rc = of(r#"{"rc": 4, "stdout": "x"}"#);
        assert_eq!(rc.failure.unwrap().msg, "Task failed: Action failed: Unknown error.");
        assert!(of(r#"{"rc": 4, "failed": false}"#).failure.is_none() && of(r#"{"rc": "0"}"#).failure.is_none());
        let skipped = of(r#"{"skipped": true, "msg": "no check mode", "changed": false}"#);
        assert_eq!((skipped.skipped.as_deref(), skipped.changed), (Some("no check mode"), false));
        let all = of(
            r#"{"_ansible_x": 1, "a": {"_ansible_y": 2, "b": 3}, "ansible_facts": {"n": 1}, "invocation": {}, "warnings": ["w"]}"#,
        );
        assert_eq!(all.data, data! { "_ansible_x" => 1, "a" => data! { "b" => 3 } });
        assert_eq!((all.facts, all.warnings), (data! { "n" => 1 }, vec!["w".to_owned()]));
    }

    #[test]
    fn objects_of_newer_versions_are_written_as_older_ones_did() {
        let outcome = of(
            r#"{"warnings": [{"event": {"msg": "w", "__ansible_type": "Event"}, "__ansible_type": "WarningSummary"}],
            "failed": true, "msg": "no",
            "exception": {"event": {"msg": "e", "formatted_traceback": null}, "__ansible_type": "ErrorSummary"}}"#,
        );
        assert_eq!(outcome.warnings, ["w"]);
        assert_eq!(outcome.data["exception"], "(traceback unavailable)".into());
    }

    #[test]
    fn differences_come_as_texts_mappings_or_ready_made() {
        let diffs = of(
            r#"{"diff": [{"before": "a\n", "after": "b\n", "before_header": "f"}, {"before": {"x": 1}, "after": null},
            {"prepared": "--- a\n+++ b\n same\n-old\n+new\n"}]}"#,
        );
        let sides: Vec<_> = diffs.diff.iter().map(|diff| (diff.before.as_str(), diff.after.as_str())).collect();
        assert_eq!(sides, [("a\n", "b\n"), ("{\n    \"x\": 1\n}\n", ""), ("", "--- a\n+++ b\n same\n-old\n+new\n")]);
        assert_eq!(diffs.diff[0].before_header, "f");
        assert!(place::is_prepared(&diffs.diff[2]));
    }
}
