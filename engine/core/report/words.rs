//! Values for the report: JSON in Ansible's format, and differences between texts.

use minijinja::value::{Value, ValueKind};
use rplay_wire::Diff;
use similar::TextDiff;

use crate::{secrets::Secrets, template};

/// Keys of results that are not shown.
const HIDDEN: &[&str] = &["failed", "skipped", "diff", "exception"];

/// Further keys that `debug` does not show.
const HIDDEN_OF_DEBUG: &[&str] =
    &["ansible_loop_var", "ansible_index_var", "changed", "failed_when_result", "invocation", "skip_reason"];

/// A result without hidden keys and secrets; keys sorted.
fn shown(data: &Value, debug: bool, secrets: &Secrets) -> serde_json::Value {
    let mut value = to_json(data);
    secrets.mask_data(&mut value);
    if let serde_json::Value::Object(map) = &mut value {
        for key in HIDDEN {
            map.shift_remove(*key);
        }
        map.retain(|key, _| !key.starts_with("_ansible_"));
        match debug {
            true if map.contains_key("msg") => map.retain(|key, _| key == "msg"),
            true => map.retain(|key, _| !HIDDEN_OF_DEBUG.contains(&key.as_str())),
            false => {}
        }
    }
    value.sort_all_objects();
    value
}

/// What is shown of a loop's combined result: not the items' results.
pub(super) fn without_results(data: &Value) -> Value {
    let mut value = to_json(data);
    if let serde_json::Value::Object(map) = &mut value {
        map.shift_remove("results");
    }
    crate::vars::from_wire(value.into())
}

/// A result as YAML, starting on its own line (`callback_result_format = yaml`). Pretty is easier to read, but not
/// exact: texts lose trailing spaces, tabs and control characters, and `stdout_lines` is not shown beside `stdout`.
pub(super) fn yaml(data: &Value, debug: bool, pretty: bool, secrets: &Secrets) -> String {
    let mut value = shown(data, debug, secrets);
    if pretty {
        if let serde_json::Value::Object(map) = &mut value {
            for (lines, text) in [("stdout_lines", "stdout"), ("stderr_lines", "stderr")] {
                if map.contains_key(text)
                    && let Some(lines) = map.get_mut(lines)
                {
                    *lines = "<omitted>".into();
                }
            }
        }
        readable(&mut value);
    }
    match template::block_yaml(&crate::vars::from_wire(value.into()), pretty.then_some(4)) {
        Ok(text) => {
            let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("\n    {line}") };
            text.trim_end().lines().map(line).collect()
        }
        Err(error) => error.to_string(),
    }
}

/// Makes all texts of several lines easy to read.
fn readable(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) if text.contains('\n') => {
            let lines = text.trim_end().lines().map(|line| {
                let mut plain = String::new();
                for c in line.chars() {
                    match c {
                        '\t' => plain.push_str(&" ".repeat(8 - plain.chars().count() % 8)),
                        c if c.is_control() => {}
                        c => plain.push(c),
                    }
                }
                plain.trim_end().to_owned()
            });
            *text = lines.collect::<Vec<_>>().join("\n");
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(readable),
        serde_json::Value::Object(map) => map.values_mut().for_each(readable),
        _ => {}
    }
}

/// A result as JSON on one line, or indented by four; keys sorted as in Ansible.
pub(super) fn json(data: &Value, indent: bool, secrets: &Secrets) -> String {
    json_of(data, false, indent, secrets)
}

/// The same; of `debug`, only what it is to show.
pub(super) fn json_of(data: &Value, debug: bool, indent: bool, secrets: &Secrets) -> String {
    let value = shown(data, debug, secrets);
    let mut text = Vec::new();
    let done = match indent {
        true => {
            let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
            serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut text, formatter))
        }
        false => serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut text, Spaced)),
    };
    match done {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// A value as JSON.
pub(super) fn to_json(value: &Value) -> serde_json::Value {
    (&crate::vars::to_wire(value)).into()
}

/// `{"a": 1, "b": 2}`, in Python's format.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// The label of a loop item.
pub(super) fn label(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => crate::template::text(value),
    }
}

/// The lines of a diff, each with its sign; empty if both sides are equal. Single-line secrets are not masked yet.
pub(super) fn difference(diff: &Diff, context: usize, secrets: &Secrets) -> Vec<String> {
    if diff.before == diff.after {
        return Vec::new();
    }
    let header = |word: &str, name: &str| match name.is_empty() {
        true => word.to_owned(),
        false => format!("{word}: {name}"),
    };
    let (before, after) = (secrets.mask_lines(&diff.before), secrets.mask_lines(&diff.after));
    let text = TextDiff::from_lines(&*before, &*after)
        .unified_diff()
        .context_radius(context)
        .header(&header("before", &diff.before_header), &header("after", &diff.after_header))
        .to_string();
    text.lines().map(str::to_owned).collect()
}
