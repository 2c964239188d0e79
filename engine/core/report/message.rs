//! The message of a failure, in ansible-core's words.

use crate::{
    event::{HostResult, Status},
    vars::Value,
};

/// Actions that report failures of their own; the failures of all others come from their modules.
const OWN: &[&str] = &[
    "add_host",
    "assert",
    "debug",
    "fail",
    "group_by",
    "include_vars",
    "pause",
    "raw",
    "reboot",
    "set_fact",
    "set_stats",
    "validate_argument_spec",
    "wait_for_connection",
];

/// Actions that prepare the call of a module, and may fail before it.
const SENDERS: &[&str] = &["assemble", "copy", "fetch", "script", "template", "unarchive", "uri"];

/// How messages about refused arguments and files begin.
const REFUSALS: &[&str] = &[
    "Could not find or access ",
    "This action (",
    "Invalid options for ",
    "No key/value pairs provided",
    "Unexpected AnsibleActionFail error: ",
    "Unsupported parameters for (",
    "argument '",
    "could not find src=",
    "missing required arguments: ",
    "one of the following is required: ",
    "parameters are mutually exclusive: ",
    "parameters are required together: ",
    "src (or content) and dest are required",
    "src and dest are required",
    "value of ",
];

fn is_refusal(msg: &str) -> bool {
    REFUSALS.iter().any(|start| msg.starts_with(start))
}

/// Why an include failed, if it did; it has no other message.
pub(super) fn reason_of_include(result: &HostResult) -> Option<String> {
    let field = |name: &str| result.data.get_attr(name).ok().filter(|value| !value.is_undefined());
    match field("msg") {
        Some(_) => None,
        None => field("reason").map(|reason| super::values::label(&reason)),
    }
}

/// Whether the message is from an error while the task was prepared or its result evaluated.
pub(super) fn has_causes(msg: &str) -> bool {
    msg.strip_prefix("Task failed: ")
        .is_some_and(|rest| !rest.starts_with("Action failed") && !rest.starts_with("Module failed"))
}

/// A failure's messages as ansible-core lists them: the whole message, then that of the cause alone.
pub(super) fn causes(msg: &str) -> Vec<&str> {
    let rest = msg.strip_prefix("Task failed: ").unwrap_or(msg);
    let rest = match rest.strip_prefix("Finalization of task args for ").and_then(|rest| rest.split_once("' failed: "))
    {
        Some((_, cause)) => cause,
        None => rest,
    };
    match rest.strip_prefix("Error processing keyword '").and_then(|rest| rest.split_once("': ")) {
        Some((_, cause)) if cause.contains(" could not be converted to ") => vec![rest, cause],
        _ => vec![rest],
    }
}

/// Whether a module says itself that its host is unreachable: ansible-core explains nothing then.
pub(super) fn is_told_by_module(result: &HostResult) -> bool {
    matches!(result.status, Status::Unreachable | Status::UnreachableIgnored)
        && result.task_result.data.contains_key("unreachable")
}

/// What failed: `Task failed: Module failed: non-zero return code`.
pub(super) fn message(result: &HostResult, action: &str) -> String {
    let field = |name: &str| result.data.get_attr(name).ok().filter(|value| !value.is_undefined() && !value.is_none());
    let msg = field("msg").map(|msg| super::values::label(&msg)).unwrap_or_default();
    // A condition that could not be evaluated.
    for name in ["failed_when_result", "changed_when_result"] {
        if let Some(why) = field(name).as_ref().and_then(|why| why.as_str()) {
            return format!("Task failed: {why}");
        }
    }
    if result.task_result.unbegun || msg.starts_with("Task failed") {
        return msg;
    }
    let is_raised = result.task_result.raised && !msg.is_empty();
    if is_raised || matches!(result.status, Status::Unreachable | Status::UnreachableIgnored) {
        return format!("Task failed: {msg}");
    }
    let short = action.rsplit('.').next().unwrap_or(action);
    // The module itself had succeeded.
    let succeeded = field("rc").map(|rc| rc == Value::from(0));
    let by_condition = field("failed_when_result").is_some_and(|value| value.is_true()) && succeeded != Some(false)
        || field("attempts").is_some() && succeeded == Some(true);
    let is_own = OWN.contains(&short) || result.task_result.by_action;
    let whose = if is_own || by_condition { "Action" } else { "Module" };
    match msg.is_empty() {
        // An action rejects its arguments before it acts.
        false if (whose == "Action" || SENDERS.contains(&short)) && is_refusal(&msg) => format!("Task failed: {msg}"),
        true => format!("Task failed: {whose} failed."),
        false => format!("Task failed: {whose} failed: {msg}"),
    }
}

/// The reason without ansible-core's introduction: the place is shown with it.
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
        // Those of plugins, whose names say nothing.
        for (raised, by_action, expected) in [
            (false, false, "Task failed: Module failed: no"),
            (false, true, "Task failed: Action failed: no"),
            (true, false, "Task failed: no"),
        ] {
            let result = TaskResult { raised, by_action, ..TaskResult::default() };
            let failed =
                HostResult { data: mapping([msg("no")]), ..HostResult::of("a".into(), Status::Failed, result) };
            assert_eq!(message(&failed, "mine"), expected);
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
