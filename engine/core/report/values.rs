//! Values for the report: JSON in Ansible's format, and differences between texts.

use minijinja::value::{Value, ValueKind};
use rplay_contract::{
    external::DEPRECATED,
    system::place::{Unshown, is_prepared},
};
use rplay_wire::Diff;
use similar::TextDiff;

use super::layout::Layout;
use crate::{
    event::{HostResult, Status, TaskStarted},
    secrets::Secrets,
    source::Span,
    template,
    vars::{Layer, Lazy},
};

/// Keys of results that are not shown.
const HIDDEN: &[&str] = &["failed", "skipped", "diff", "exception", "warnings", "deprecations"];

/// Further keys that `debug` does not show.
const HIDDEN_OF_DEBUG: &[&str] = &[
    "ansible_loop",
    "ansible_loop_var",
    "ansible_index_var",
    "changed",
    "failed_when_result",
    "invocation",
    "skip_reason",
];

/// A result without hidden keys and secrets; keys sorted.
pub(super) fn shown(data: &Value, secrets: &Secrets) -> serde_json::Value {
    shown_of(data, false, secrets)
}

/// The same; for `debug`, only its message or variable.
pub(super) fn shown_of(data: &Value, debug: bool, secrets: &Secrets) -> serde_json::Value {
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

/// A result without one of its keys.
pub(super) fn without(data: &Value, key: &str) -> Value {
    let mut value = to_json(data);
    if let serde_json::Value::Object(map) = &mut value {
        map.shift_remove(key);
    }
    crate::vars::from_wire(value.into())
}

/// Data as indented YAML, starting on its own line, easier to read, but not exact: texts lose trailing spaces, tabs and
/// control characters, and `stdout_lines` is not shown beside `stdout`.
pub(super) fn pretty_block(
    mut data: serde_json::Value,
    margin: usize,
    indent: Option<i32>,
    width: Option<i32>,
) -> String {
    if let serde_json::Value::Object(map) = &mut data {
        for (lines, text) in [("stdout_lines", "stdout"), ("stderr_lines", "stderr")] {
            if map.contains_key(text)
                && let Some(lines) = map.get_mut(lines)
            {
                *lines = "<omitted>".into();
            }
        }
    }
    yaml(data, margin, indent, width, Some(readable))
}

/// Data as YAML, starting on its own line: `margin` spaces before each line, `indent` for each level.
pub(super) fn block(data: serde_json::Value, margin: usize, indent: Option<i32>, width: Option<i32>) -> String {
    yaml(data, margin, indent, width, None)
}

fn yaml(
    data: serde_json::Value,
    margin: usize,
    indent: Option<i32>,
    width: Option<i32>,
    reworded: Option<fn(&str) -> String>,
) -> String {
    match template::block_yaml(&crate::vars::from_wire(data.into()), indent, width, reworded) {
        Ok(text) => {
            let line = |line: &str| match line.is_empty() {
                true => "\n".to_owned(),
                false => format!("\n{:margin$}{line}", ""),
            };
            text.trim_end().lines().map(line).collect()
        }
        Err(error) => error.to_string(),
    }
}

/// A multi-line string that is easy to read.
fn readable(text: &str) -> String {
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
    lines.collect::<Vec<_>>().join("\n")
}

/// A result as JSON on one line, or indented by four; keys sorted as in Ansible.
pub(super) fn json(data: &Value, indent: bool, secrets: &Secrets) -> String {
    let layout = if indent { Layout::indented(4) } else { Layout::LINE };
    layout.write(&shown(data, secrets))
}

/// Data on one line with the indentation of several lines, as in custom statistics.
pub(super) fn narrow(data: &Value, secrets: &Secrets) -> String {
    Layout::indented(1).write(&shown(data, secrets)).replace('\n', "")
}

/// A result as text with a line for each value, as in `junit`.
pub(super) fn result(result: &HostResult, secrets: &Secrets) -> String {
    let layout = Layout::indented(if result.task_result.verbose_always { 4 } else { 0 });
    layout.write(&with_changed(shown(&result.data, secrets), result))
}

/// A result after which a task is tried again.
pub(super) fn retried(result: &HostResult, secrets: &Secrets) -> String {
    Layout::indented(4).write(&with_changed(shown(&result.data, secrets), result))
}

/// Data with `changed`, which the default output does not show for every action.
pub(super) fn with_changed(mut data: serde_json::Value, result: &HostResult) -> serde_json::Value {
    if let serde_json::Value::Object(data) = &mut data
        && !data.contains_key("changed")
        && !data.contains_key("censored")
    {
        data.insert("changed".to_owned(), matches!(result.status, Status::Changed).into());
        data.sort_keys();
    }
    data
}

/// A result on one line, as in `oneline`.
pub(super) fn one_line(result: &HostResult, secrets: &Secrets) -> String {
    self::result(result, secrets).replace('\n', "")
}

/// A result as callbacks receive it, including its differences and warnings. Not masked yet.
pub(super) fn whole(result: &HostResult) -> serde_json::Value {
    let mut data = to_json(&result.data);
    if let serde_json::Value::Object(data) = &mut data {
        // Only `register` has these keys if they are false.
        for name in ["failed", "skipped"] {
            let is_false = |value: &serde_json::Value| {
                value.is_null() || *value == false || value.as_f64() == Some(0.0) || value.as_str() == Some("")
            };
            if data.get(name).is_some_and(is_false) {
                data.shift_remove(name);
            }
        }
        if !result.task_result.diff.is_empty() && !data.contains_key("diff") {
            let diffs = result.task_result.diff.iter().map(|diff| {
                serde_json::json!({ "before": diff.before, "after": diff.after, "before_header": diff.before_header,
                    "after_header": diff.after_header })
            });
            data.insert("diff".to_owned(), diffs.collect());
        }
        // Deprecations have a key of their own.
        let warnings = result.task_result.warnings.iter().filter(|warning| !warning.starts_with(DEPRECATED));
        let warnings: Vec<serde_json::Value> = warnings.map(|warning| serde_json::Value::from(&**warning)).collect();
        if !warnings.is_empty() && !data.contains_key("warnings") {
            data.insert("warnings".to_owned(), warnings.into());
        }
    }
    data
}

/// `FILE:LINE`, the format of places for callbacks.
pub(super) fn place(span: &Span) -> String {
    format!("{}:{}", file(span), span.line_column().0)
}

/// The absolute path of a place's file; the name if it is not a file.
pub(super) fn file(span: &Span) -> String {
    span.source.path.as_deref().map_or_else(|| span.source.name.clone(), crate::source::absolute)
}

/// A value as JSON.
pub(super) fn to_json(value: &Value) -> serde_json::Value {
    (&crate::vars::to_wire(value)).into()
}

/// A task's name without its role's.
pub(super) fn own_name(task: &TaskStarted) -> &str {
    let rest = task.about.role.as_ref().and_then(|(role, _)| task.name.strip_prefix(&**role)?.strip_prefix(" : "));
    rest.unwrap_or(&task.name).trim()
}

/// Values as written.
pub(super) fn written(layer: &Layer) -> serde_json::Value {
    fn of(value: &Lazy) -> serde_json::Value {
        match value {
            Lazy::Data(data) => to_json(data),
            Lazy::Template(template) => serde_json::Value::from(&*template.text),
            Lazy::Vaulted(_) => serde_json::Value::from("********"),
            Lazy::List(items) => items.iter().map(of).collect(),
            Lazy::Map(entries) => entries.iter().map(|(key, value)| (key.to_string(), of(value))).collect(),
        }
    }
    serde_json::Value::Object(layer.iter().map(|(name, value)| (name.to_string(), of(value))).collect())
}

/// The label of a loop item.
pub(super) fn label(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => crate::template::text(value),
    }
}

/// Why a side of a difference is not shown, in the words of ansible-core.
pub(super) const IS_BINARY: &str = "file appears to be binary";
/// The limit follows.
pub(super) const IS_LARGER: &str = "file size is greater than";

/// The lines of a difference that a program formatted.
pub(super) fn prepared_lines(text: &str, secrets: &Secrets) -> Vec<String> {
    secrets.mask_lines(text).lines().map(str::to_owned).collect()
}

/// The lines of a diff, each with its sign, and an empty one at its end; none if both sides are equal. Of content that is
/// not shown, one line says why, in the words of ansible-core. Single-line secrets are not masked yet.
pub(super) fn difference(diff: &Diff, context: usize, secrets: &Secrets) -> Vec<String> {
    let unshown = |word: &str, header: &str| match Unshown::of(header)? {
        Unshown::Binary => Some(format!("diff skipped: {word} {IS_BINARY}")),
        Unshown::Long(most) => Some(format!("diff skipped: {word} {IS_LARGER} {most}")),
    };
    let (destination, source) = (unshown("destination", &diff.before_header), unshown("source", &diff.after_header));
    if destination.is_some() || source.is_some() {
        return destination.into_iter().chain(source).collect();
    }
    if is_prepared(diff) {
        return prepared_lines(&diff.after, secrets);
    }
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
    text.lines().map(str::to_owned).chain([String::new()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::mapping;

    #[test]
    fn content_that_is_not_shown_is_told_of() {
        let lines = |before: &str, after: &str| {
            let headers = (before.to_owned(), after.to_owned());
            let diff = Diff { before_header: headers.0, after_header: headers.1, ..Diff::text("", "a\n", "") };
            difference(&diff, 3, &Secrets::default())
        };
        assert_eq!(lines("/f", &Unshown::Binary.header()), ["diff skipped: source file appears to be binary"]);
        let long = Unshown::Long(104_448).header();
        assert_eq!(lines(&long, "/f"), ["diff skipped: destination file size is greater than 104448"]);
        assert_eq!(lines("/f", "/f").last().unwrap(), "");
        let prepared = rplay_contract::system::place::prepared("a\n".to_owned());
        assert_eq!(difference(&prepared, 3, &Secrets::default()), ["a"]);
    }

    #[test]
    fn narrow_data_keeps_its_indentation_on_one_line() {
        let inner = mapping([("x", Value::from("y\nz"))]);
        let list = mapping([("c", Value::from(vec![Value::from(1), inner]))]);
        let data = mapping([("a", list), ("b", Value::from(Vec::<Value>::new()))]);
        let text = narrow(&data, &Secrets::default());
        assert_eq!(text, r#"{ "a": {  "c": [   1,   {    "x": "y\nz"   }  ] }, "b": []}"#);
    }
}
