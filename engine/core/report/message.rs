//! The message of a failure, in ansible-core's words.

use crate::{
    event::{HostResult, Status},
    vars::Value,
};

/// Actions that fail by themselves; the failures of others are those of their modules.
const OWN: &[&str] = &[
    "add_host",
    "assert",
    "debug",
    "fail",
    "group_by",
    "include_vars",
    "pause",
    "set_fact",
    "set_stats",
    "validate_argument_spec",
];

/// What failed: `Task failed: Module failed: non-zero return code`.
pub(super) fn message(result: &HostResult, action: &str) -> String {
    let field = |name: &str| result.data.get_attr(name).ok().filter(|value| !value.is_undefined() && !value.is_none());
    let msg = field("msg").map(|msg| super::words::label(&msg)).unwrap_or_default();
    // A condition that could not be evaluated.
    for name in ["failed_when_result", "changed_when_result"] {
        if let Some(why) = field(name).as_ref().and_then(|why| why.as_str()) {
            return format!("Task failed: {why}");
        }
    }
    if msg.starts_with("Task failed") {
        return msg;
    }
    if matches!(result.status, Status::Unreachable | Status::UnreachableIgnored) {
        return format!("Task failed: {msg}");
    }
    let short = action.rsplit('.').next().unwrap_or(action);
    // The module itself had succeeded.
    let by_condition = field("failed_when_result").is_some_and(|value| value.is_true())
        && field("rc").is_none_or(|rc| rc == Value::from(0));
    let whose = if OWN.contains(&short) || by_condition { "Action" } else { "Module" };
    match msg.is_empty() {
        true => format!("Task failed: {whose} failed."),
        false => format!("Task failed: {whose} failed: {msg}"),
    }
}

/// Whether a warning says what a later version of Ansible no longer has.
pub(super) fn is_deprecation(message: &str) -> bool {
    message.contains("will be removed from ansible-core version ")
}

/// The reason without what ansible-core says before it: the place is shown with it.
pub(super) fn reason(msg: &str) -> &str {
    let mut rest = msg.strip_prefix("Task failed: ").unwrap_or(msg);
    for (start, end) in [
        ("Finalization of task args for '", "' failed: "),
        ("Error while resolving value for '", "': "),
        ("Error while evaluating conditional", ": "),
        ("Action failed", ": "),
        ("Module failed", ": "),
    ] {
        let after = rest.strip_prefix(start).and_then(|rest| rest.split_once(end));
        rest = after.map_or(rest, |(_, reason)| reason);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::TaskResult, vars::mapping};

    /// Recorded from ansible-core 2.19.
    #[test]
    fn a_failure_names_who_failed() {
        let told = |action: &str, data: Vec<(&str, Value)>| {
            let data = mapping(data);
            message(&HostResult { data, ..HostResult::of("a".into(), Status::Failed, TaskResult::default()) }, action)
        };
        let msg = |text: &str| ("msg", Value::from(text));
        let failed_when = ("failed_when_result", Value::from(true));
        for (action, data, expected) in [
            ("fail", vec![msg("no")], "Task failed: Action failed: no"),
            (
                "command",
                vec![msg("non-zero return code"), ("rc", 1.into())],
                "Task failed: Module failed: non-zero return code",
            ),
            ("command", vec![msg(""), ("rc", 0.into()), failed_when.clone()], "Task failed: Action failed."),
            ("ansible.builtin.debug", vec![msg("x"), failed_when], "Task failed: Action failed: x"),
            ("file", vec![msg("value of state")], "Task failed: Module failed: value of state"),
            ("debug", vec![msg("Task failed: Finalization of")], "Task failed: Finalization of"),
        ] {
            assert_eq!(told(action, data), expected);
        }
        let unreachable = HostResult {
            data: mapping([msg("no way")]),
            ..HostResult::of("a".into(), Status::Unreachable, TaskResult::default())
        };
        assert_eq!(message(&unreachable, "ping"), "Task failed: no way");
        assert_eq!(
            reason("Task failed: Finalization of task args for 'x' failed: Error while resolving value for 'y': z"),
            "z"
        );
    }
}
