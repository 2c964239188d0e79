//! Why a task is not carried out: its arguments are wrong. In the words of ansible-core, which playbooks match.

use std::sync::Arc;

use rplay_contract::ArgError;

use crate::{
    actions::TaskResult,
    plan::{self, Action},
    source::nearest,
};

/// The result of a task with arguments that its module does not have. `written` is what the task calls it.
pub(super) fn unsupported(action: &Action, written: &str, names: &[Arc<str>]) -> TaskResult {
    if names.iter().any(|name| &**name == "_raw_params") {
        let collection = if action.name().contains('.') { "" } else { "ansible.builtin." };
        let said = format!("Task failed: Action '{collection}{}' does not support raw params.", action.name());
        return TaskResult::failed(said);
    }
    let wording = action.traits().wording;
    let mut args = match wording.args_of {
        Some(name) => plan::module(name).map(|module| (module.args)()).unwrap_or_default(),
        None => action.args(),
    };
    args.retain(|arg| !wording.removed.contains(&arg.name));
    let mut known: Vec<&str> = args.iter().map(|arg| arg.name).filter(|name| !name.starts_with('_')).collect();
    let near = names.first().and_then(|name| nearest(name, known.iter().copied()));
    let msg = match names.iter().find(|name| wording.refused_first == Some(&***name)) {
        Some(name) => format!("Unsupported parameters for ({}) module: {name}", action.name()),
        None => {
            known.extend(wording.internal);
            known.sort_unstable();
            let mut aliases: Vec<&str> = args.iter().flat_map(|arg| arg.aliases).copied().collect();
            aliases.sort_unstable();
            let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
            format!(
                "Unsupported parameters for ({}) module: {}. Supported parameters include: {}{aliases}.",
                wording.module.unwrap_or(written),
                names.join(", "),
                known.join(", ")
            )
        }
    };
    let mut result = TaskResult::failed(msg);
    result.blame = names.first().cloned();
    result.help = near.map(|near| format!("did you mean `{near}`?").into());
    result
}

/// The result for a task with invalid arguments.
pub(super) fn refused(action: &Action, error: ArgError) -> TaskResult {
    let wording = action.traits().wording;
    let is_unknown = error.msg.starts_with("unknown argument");
    let of_its_own = wording.refused.iter().find(|(name, _)| error.arg.as_deref() == Some(*name));
    let msg = match (&error.arg, of_its_own) {
        (Some(_), Some((_, msg))) if is_unknown => (*msg).to_owned(),
        (Some(name), None) if is_unknown && wording.like_module => {
            return unsupported(action, action.name(), &[name.as_str().into()]);
        }
        (Some(name), _) if is_unknown => match wording.unknown {
            Some(msg) => msg.replace("{}", name),
            None => format!("Invalid options for {}: {name}", action.name()),
        },
        (Some(name), _) if error.msg.starts_with("missing required") => match wording.missing {
            Some(msg) => msg.replace("{}", name),
            None => error.msg.clone(),
        },
        (Some(_), _) if error.stands_alone() => error.msg.clone(),
        (Some(name), _) => format!("argument `{name}` of `{}` {}", action.name(), error.msg),
        (None, _) => format!("`{}`: {}", action.name(), error.msg),
    };
    let mut result = TaskResult::failed(msg);
    result.blame = error.arg.map(Arc::from);
    result.help = error.help.map(Arc::from);
    result
}
