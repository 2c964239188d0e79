//! A task's arguments: as fields, and validated as far as they are constant.

use std::sync::Arc;

use rplay_contract::wire::Map;

use super::{
    Action, PlanError,
    step::{Argument, Arguments, Task, field},
};
use crate::{
    external::{Missing, Reason},
    source::{Problems, Span, nearest},
    syntax::{self, Word},
    vars::{Lazy, to_wire, to_wire_map},
};

/// The arguments as written in the task.
pub(super) fn of(action: &syntax::Action) -> Arguments {
    let named = action
        .args
        .iter()
        .map(|(name, node)| {
            let argument =
                Argument { value: Lazy::from_node(node), name_span: name.span.clone(), span: node.span.clone() };
            (name.value.clone(), argument)
        })
        .collect();
    Arguments { named, free: action.free.as_ref().map(field), whole: action.whole.as_ref().map(field) }
}

/// Finds errors in a task's arguments before any host is touched.
pub(super) fn check(task: &Task, problems: &mut Problems) {
    let mut known = Map::new();
    let mut later = Vec::new();
    for (name, argument) in &task.args.named {
        match argument.value.data() {
            Some(value) => drop(known.insert(name.to_string(), to_wire(&value))),
            None => later.push(name.to_string()),
        }
    }
    if let Some(free) = &task.args.free {
        let Some(name) = task.action.traits().free_form else {
            problems.push(PlanError::Argument {
                msg: format!("`{}` does not accept free-form text", task.written),
                at: free.span.clone(),
                label: "not a `key=value` pair".to_owned(),
                help: Some(format!(
                    "write its arguments as `name: value` lines below `{}:`; quote values with spaces",
                    task.written
                )),
            });
            return;
        };
        match free.value.data() {
            Some(value) => drop(known.insert(name.to_owned(), to_wire(&value))),
            None => later.push(name.to_owned()),
        }
    }
    // Other arguments may be added later; then only the present names and types can be checked.
    let more_to_come = task.args.whole.is_some() || defaults_exist(task);
    for error in task.action.check(&known, &later) {
        let stands_alone = error.stands_alone();
        let named = error.arg.as_deref().and_then(|name| task.args.named.get_key_value(name));
        let unknown = error.msg.starts_with("unknown argument");
        if named.is_none() && more_to_come {
            continue;
        }
        let args = task.action.args();
        let help = match &error.arg {
            Some(name) if unknown => Some(match nearest(name, names(&args)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("`rplay doc {}` lists its arguments", task.action.name()),
            }),
            Some(name) => error.help.or_else(|| choice(task, name, &known)),
            None => error.help,
        };
        let action = task.action.name();
        problems.push(match named {
            Some((name, _)) if unknown => PlanError::Argument {
                msg: format!("`{action}` has no argument `{name}`"),
                at: task.args.named[name].name_span.clone(),
                label: "unknown argument".to_owned(),
                help,
            },
            Some((name, argument)) => PlanError::Argument {
                msg: match stands_alone {
                    true => format!("`{action}`: {}", error.msg),
                    false => format!("argument `{name}` of `{action}` {}", error.msg),
                },
                at: argument.span.clone(),
                label: "this value".to_owned(),
                help,
            },
            None => PlanError::Argument {
                msg: format!("`{action}`: {}", error.msg),
                at: called_at(task),
                label: "in this task".to_owned(),
                help,
            },
        });
    }
}

/// The arguments of a task that its module does not have, in order.
pub fn unknown<'n>(action: &Action, names: impl Iterator<Item = &'n Arc<str>>) -> Vec<Arc<str>> {
    if !matches!(action, Action::Module(_)) {
        return Vec::new();
    }
    let args = action.args();
    let mut unknown: Vec<Arc<str>> =
        names.filter(|name| !args.iter().any(|arg| arg.is_called(name))).cloned().collect();
    unknown.sort_unstable();
    unknown
}

/// The accepted value closest to a misspelled one.
fn choice(task: &Task, name: &str, known: &Map) -> Option<String> {
    let args = task.action.args();
    let arg = args.iter().find(|arg| arg.is_called(name))?;
    let given = known.get(name)?.as_str()?;
    let near = nearest(given, arg.choices.iter().copied());
    // `dir` is a prefix of `directory`, although its edit distance is large.
    let begun = || arg.choices.iter().copied().find(|choice| choice.starts_with(given) && !given.is_empty());
    near.or_else(begun).map(|near| format!("did you mean `{near}`?"))
}

/// Where the task names its module, or the whole task if it does so in an unusual way.
fn called_at(task: &Task) -> Span {
    let whole = task.span.range();
    let mut at = whole.start;
    for line in task.span.text().split_inclusive('\n') {
        let code = line.trim_start().trim_start_matches("- ").trim_start();
        if code.strip_prefix(&*task.written).is_some_and(|rest| rest.trim_start().starts_with(':')) {
            let start = at + line.len() - code.len();
            return task.span.at(start..start + task.written.len());
        }
        at += line.len();
    }
    task.span.clone()
}

fn names(args: &[rplay_contract::Arg]) -> impl Iterator<Item = &str> {
    args.iter()
        .flat_map(|arg| std::iter::once(arg.name).chain(arg.aliases.iter().copied()))
        .filter(|name| !name.starts_with('_'))
}

/// Whether `module_defaults` may add arguments to this task.
fn defaults_exist(task: &Task) -> bool {
    task.settings.module_defaults.iter().any(|field| match field.value.data() {
        Some(value) => to_wire_map(&value).keys().any(|name| {
            name.starts_with("group/") || name.rsplit('.').next().is_some_and(|short| short == task.action.name())
        }),
        None => true,
    })
}

/// The error for a task whose module is unknown or cannot be used.
pub(super) fn unknown_action(name: &Word, missing: Missing) -> PlanError {
    let nearest = || Action::nearest(name).map(|nearest| format!("did you mean `{nearest}`?"));
    let (label, help) = match missing.reason {
        Reason::Unknown => ("unknown module", nearest().or(missing.help)),
        Reason::Elsewhere => ("not found", missing.help.or_else(nearest)),
        Reason::Refused => {
            let at = name.span.clone();
            return PlanError::Unusable { msg: missing.msg, at, label: "this module", help: missing.help };
        }
    };
    PlanError::Argument { msg: missing.msg, at: name.span.clone(), label: label.to_owned(), help }
}

/// The error for an import without a required argument.
pub(super) fn missing(action: &Word, argument: &str) -> PlanError {
    PlanError::Argument {
        msg: format!("`{}`: missing required arguments: {argument}", action.value),
        at: action.span.clone(),
        label: "in this task".to_owned(),
        help: None,
    }
}
