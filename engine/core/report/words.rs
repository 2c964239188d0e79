//! Values for the report: JSON in Ansible's format, and differences between texts.

use minijinja::value::{Value, ValueKind};
use rplay_wire::Diff;
use similar::TextDiff;

use crate::secrets::Secrets;

/// Keys of results that are not shown.
const HIDDEN: &[&str] = &["failed", "skipped", "diff", "exception"];

/// A result without hidden keys and secrets; keys sorted.
fn shown(data: &Value, secrets: &Secrets) -> serde_json::Value {
    let mut value = to_json(data);
    secrets.mask_data(&mut value);
    if let serde_json::Value::Object(map) = &mut value {
        for key in HIDDEN {
            map.shift_remove(*key);
        }
        map.retain(|key, _| !key.starts_with("_ansible_"));
    }
    value.sort_all_objects();
    value
}

/// A result as YAML, starting on its own line (`callback_result_format = yaml`). It is only read by people, so it need
/// not follow YAML 1.1.
pub(super) fn yaml(data: &Value, secrets: &Secrets) -> String {
    match serde_yaml::to_string(&shown(data, secrets)) {
        Ok(text) => text.trim_end().lines().map(|line| format!("\n    {line}")).collect(),
        Err(error) => error.to_string(),
    }
}

/// A result as JSON on one line, or indented by four; keys sorted as in Ansible.
pub(super) fn json(data: &Value, indent: bool, secrets: &Secrets) -> String {
    let value = shown(data, secrets);
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
pub(super) fn difference(diff: &Diff, secrets: &Secrets) -> Vec<String> {
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
        .context_radius(3)
        .header(&header("before", &diff.before_header), &header("after", &diff.after_header))
        .to_string();
    text.lines().map(str::to_owned).collect()
}
