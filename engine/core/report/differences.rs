//! The differences that a task has made, as text.

use minijinja::value::{Value, ValueKind};
use rplay_wire::Diff;

use super::{
    layout::Layout,
    result_format::ResultFormat,
    values::{self, IS_BINARY, IS_LARGER},
};
use crate::{
    event::{HostResult, Status},
    secrets::Secrets,
};

/// Reasons in a result why the content of a side is not shown, and the words for them.
const UNSHOWN: [(&str, &str, &str); 4] = [
    ("dst_binary", "destination", IS_BINARY),
    ("src_binary", "source", IS_BINARY),
    ("dst_larger", "destination", IS_LARGER),
    ("src_larger", "source", IS_LARGER),
];

/// The lines of the differences in a result: those of its `diff`, as ansible-core shows them. Single-line secrets are not
/// masked yet. Results that are not changed show none.
pub(super) fn lines(result: &HostResult, format: ResultFormat, context: usize, secrets: &Secrets) -> Vec<String> {
    if !result.shows_diff || result.status != Status::Changed {
        return Vec::new();
    }
    let told = result.data.get_attr("diff").ok().filter(|told| !told.is_undefined());
    let parts: Vec<Value> = match &told {
        Some(told) if told.kind() == ValueKind::Seq => told.try_iter().map(Iterator::collect).unwrap_or_default(),
        Some(told) => vec![told.clone()],
        None => {
            let diffs = result.task_result.diff.iter();
            return diffs.flat_map(|diff| values::difference(diff, context, secrets)).collect();
        }
    };
    parts.iter().flat_map(|part| of_part(part, format, context, secrets)).collect()
}

fn of_part(part: &Value, format: ResultFormat, context: usize, secrets: &Secrets) -> Vec<String> {
    let field = |name: &str| match part.kind() {
        ValueKind::Map => part.get_attr(name).ok().filter(|field| !field.is_undefined()),
        _ => None,
    };
    let unshown = UNSHOWN.iter().filter_map(|(name, side, words)| {
        let size = field(name)?;
        let size = if name.ends_with("larger") { format!(" {size}") } else { String::new() };
        Some(format!("diff skipped: {side} {words}{size}"))
    });
    let mut lines: Vec<String> = unshown.collect();
    if let (Some(before), Some(after)) = (field("before"), field("after")) {
        let (Some(before), Some(after)) = (side(&before, format), side(&after, format)) else { return lines };
        let header = |name: &str| field(name).map(|header| crate::template::text(&header)).unwrap_or_default();
        let diff = Diff { before_header: header("before_header"), after_header: header("after_header"), before, after };
        lines.extend(values::difference(&diff, context, secrets));
    }
    if let Some(prepared) = field("prepared")
        && let Some(text) = prepared.as_str()
    {
        lines.extend(values::prepared_lines(text, secrets));
    }
    lines
}

/// The text of one side; `None` if it is of a type that cannot be compared.
fn side(side: &Value, format: ResultFormat) -> Option<String> {
    match side.kind() {
        ValueKind::None => Some(String::new()),
        ValueKind::String => side.as_str().map(str::to_owned),
        ValueKind::Map => {
            let mut json = values::to_json(side);
            json.sort_all_objects();
            let block = match format {
                ResultFormat::Yaml { pretty: true } => values::pretty_block(json, 4, Some(4), None),
                ResultFormat::Yaml { pretty: false } => values::block(json, 4, None, None),
                _ => return Some(format!("{}\n", Layout::indented(4).write(&json))),
            };
            Some(format!("{}\n\n", block.trim_start_matches('\n')))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{event::TaskResult, vars::from_wire};

    fn shown(diff: serde_json::Value, format: ResultFormat) -> Vec<String> {
        let mut result = HostResult::of(Arc::from("h"), Status::Changed, TaskResult::default());
        result.shows_diff = true;
        result.data = from_wire(json!({ "diff": diff }).into());
        lines(&result, format, 3, &Secrets::default())
    }

    const JSON: ResultFormat = ResultFormat::Json { pretty: false };

    #[test]
    fn sides_that_are_no_text_have_the_format_of_results() {
        let diff = || json!({ "before": { "b": 1, "a": ["x"] }, "after": null });
        let json = ["--- before", "+++ after", "@@ -1,6 +0,0 @@", "-{", "-    \"a\": [", "-        \"x\"", "-    ],"];
        assert_eq!(shown(diff(), JSON)[..7], json);
        let yaml = ["@@ -1,4 +0,0 @@", "-    a:", "-    - x", "-    b: 1", "-", ""];
        assert_eq!(shown(diff(), ResultFormat::Yaml { pretty: true })[2..], yaml);
        assert!(shown(json!({ "before": 1, "after": 2 }), JSON).is_empty());
        assert!(shown(json!({ "before": "alone" }), JSON).is_empty() && shown(json!("text"), JSON).is_empty());
    }

    #[test]
    fn what_is_ready_is_shown_as_it_is_and_what_is_not_shown_is_told() {
        let prepared = json!([{ "prepared": "--- x\n+++ y\n-a\n" }, { "prepared": "P" }]);
        assert_eq!(shown(prepared, JSON), ["--- x", "+++ y", "-a", "P"]);
        assert_eq!(
            shown(json!({ "dst_binary": 1, "src_larger": 200 }), JSON),
            [
                "diff skipped: destination file appears to be binary",
                "diff skipped: source file size is greater than 200"
            ]
        );
        let headers = json!({ "before_header": "f", "before": "a\n", "after": "b\n" });
        assert_eq!(shown(headers, JSON), ["--- before: f", "+++ after", "@@ -1 +1 @@", "-a", "+b", ""]);
    }
}
