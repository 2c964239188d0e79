//! Values as people read them: JSON as Ansible prints it, differences between texts.

use minijinja::value::{Value, ValueKind};
use rplay_wire::Diff;
use similar::TextDiff;

use crate::secrets::Secrets;

/// Keys that say nothing to a person.
const HIDDEN: &[&str] = &["failed", "skipped", "invocation", "diff", "exception"];

/// A result without what says nothing to a person, and without secrets; keys in order.
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

/// A result as YAML, beginning on a line of its own (`callback_result_format = yaml`). It is read by
/// people only, so it need not follow YAML 1.1 as files do.
pub fn yaml(data: &Value, secrets: &Secrets) -> String {
    match serde_yaml::to_string(&shown(data, secrets)) {
        Ok(text) => text.trim_end().lines().map(|line| format!("\n    {line}")).collect(),
        Err(error) => error.to_string(),
    }
}

/// A result as JSON on one line, or indented by four; keys in order, as Ansible prints it.
pub fn json(data: &Value, indent: bool, secrets: &Secrets) -> String {
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
pub fn to_json(value: &Value) -> serde_json::Value {
    (&crate::vars::to_wire(value)).into()
}

/// `{"a": 1, "b": 2}`, as Python writes it.
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

/// The label of a loop's item.
pub fn label(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => crate::template::text(value),
    }
}

/// Lines of a difference, each with its sign; nothing when both sides are equal. Secrets of one line are still
/// in them.
pub fn difference(diff: &Diff, secrets: &Secrets) -> Vec<String> {
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
