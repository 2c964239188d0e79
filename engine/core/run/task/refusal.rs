//! Why a task is not carried out: its arguments are wrong. In the words of ansible-core, which playbooks match.

use std::sync::Arc;

use rplay_contract::ArgError;

use crate::{actions::TaskResult, plan::Action};

/// The result of a task with arguments that its module does not have, in the words of ansible-core. `written` is what the
/// task calls it.
pub(super) fn unsupported(action: &Action, written: &str, names: &[Arc<str>]) -> TaskResult {
    /// What modules of ansible-core are handed by others than the task.
    const HANDED: [(&str, &[&str]); 6] = [
        ("command", &["_raw_params", "_uses_shell"]),
        ("copy", &["_original_basename"]),
        ("file", &["_diff_peek", "_original_basename"]),
        ("script", &["_raw_params"]),
        ("shell", &["_raw_params", "_uses_shell", "expand_argument_vars"]),
        ("template", &["_original_basename"]),
    ];
    // A template is written by copy, which refuses what it does not know.
    let args = match action.name() {
        "template" => crate::plan::module("copy").map(|copy| (copy.args)()).unwrap_or_default(),
        _ => action.args(),
    };
    let is_handed_by_copy = |name: &str| {
        matches!(action.name(), "copy" | "template") && name == "decrypt"
            || action.name() == "script" && name == "decrypt"
    };
    let args: Vec<_> = args.into_iter().filter(|arg| !is_handed_by_copy(arg.name)).collect();
    let mut known: Vec<&str> = args.iter().map(|arg| arg.name).filter(|name| !name.starts_with('_')).collect();
    let near = names.first().and_then(|name| crate::source::nearest(name, known.iter().copied()));
    known.extend(HANDED.iter().filter(|(name, _)| *name == action.name()).flat_map(|(_, handed)| handed.iter()));
    known.sort_unstable();
    let mut aliases: Vec<&str> = args.iter().flat_map(|arg| arg.aliases).copied().collect();
    aliases.sort_unstable();
    let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
    let module = match action.name() {
        "command" | "shell" => "ansible.legacy.command",
        "copy" | "template" => "ansible.legacy.copy",
        "assemble" => "ansible.legacy.assemble",
        "unarchive" => "ansible.legacy.unarchive",
        _ => written,
    };
    if names.iter().any(|name| &**name == "_raw_params") {
        let collection = if action.name().contains('.') { "" } else { "ansible.builtin." };
        let said = format!("Task failed: Action '{collection}{}' does not support raw params.", action.name());
        return TaskResult::failed(said);
    }
    let mut msg = format!("Unsupported parameters for ({module}) module: {}", names.join(", "));
    // The shell expands variables anyway; ansible-core refuses this one before it looks at the others.
    match names.iter().find(|name| action.name() == "shell" && &***name == "expand_argument_vars") {
        Some(name) => msg = format!("Unsupported parameters for (shell) module: {name}"),
        None => msg.push_str(&format!(". Supported parameters include: {}{aliases}.", known.join(", "))),
    }
    let mut result = TaskResult::failed(msg);
    result.blame = names.first().cloned();
    result.help = near.map(|near| format!("did you mean `{near}`?").into());
    result
}

/// The result for a task with invalid arguments.
pub(super) fn refused(action: &Action, error: ArgError) -> TaskResult {
    const LIKE_MODULES: [&str; 8] = ["assemble", "assert", "copy", "debug", "pause", "script", "template", "unarchive"];
    if error.msg.starts_with("unknown argument") && LIKE_MODULES.contains(&action.name()) {
        let names: Vec<Arc<str>> = error.arg.iter().map(|name| name.as_str().into()).collect();
        return match action.name() {
            "template" if error.arg.as_deref() == Some("state") => {
                let mut result = TaskResult::failed("'state' cannot be specified on a template");
                result.blame = error.arg.map(Arc::from);
                result
            }
            _ => unsupported(action, action.name(), &names),
        };
    }
    let msg = match &error.arg {
        Some(name) if error.msg.starts_with("unknown argument") => {
            // Ansible's wording, which playbooks match.
            match action.name() {
                "include_vars" => format!("Task failed: {name} is not a valid option in include_vars"),
                action => format!("Invalid options for {action}: {name}"),
            }
        }
        Some(name) if error.msg.starts_with("missing required") => match action.name() {
            "copy" => format!("{name} is required"),
            "assemble" | "fetch" | "template" => "src and dest are required".to_owned(),
            "unarchive" => "src (or content) and dest are required".to_owned(),
            _ => error.msg.clone(),
        },
        Some(_) if error.stands_alone() => error.msg.clone(),
        Some(name) => format!("argument `{name}` of `{}` {}", action.name(), error.msg),
        None => format!("`{}`: {}", action.name(), error.msg),
    };
    let mut result = TaskResult::failed(msg);
    result.blame = error.arg.map(Arc::from);
    result.help = error.help.map(Arc::from);
    result
}
