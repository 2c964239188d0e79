//! assert: fails unless conditions hold.

use minijinja::value::ValueKind;
use rplay_contract::{args, argtypes::Flag, wire};

use super::{Context, Rendered, Result, TaskResult, flag_arg, text_of};
use crate::{
    template,
    vars::{Lazy, Value, is_trusted},
};

args! {
    /// Fails unless all conditions are true.
    pub struct Assert {
        /// The conditions.
        that: wire::Value,
        /// The message if a condition is false.
        fail_msg: Option<wire::Value> | "msg",
        /// The message if all conditions are true.
        success_msg: Option<wire::Value>,
        /// Show only failed conditions.
        quiet: Flag = Flag(false),
    }
}

pub(super) fn assert(args: Rendered, context: &Context<'_>) -> Result<TaskResult> {
    let quiet = flag_arg(&args, "quiet")?.unwrap_or(false);
    let conditions = conditions(&args, context)?;
    let text = |value: &Value| match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.clone(),
        _ => Value::from(text_of(value)),
    };
    for name in ["fail_msg", "msg", "success_msg"] {
        only_text(&args, name)?;
    }
    let fail_msg = args.get("fail_msg").or_else(|| args.get("msg")).filter(|msg| !msg.is_none());
    let at = context.span("that");
    for condition in conditions {
        let held = template::condition(&condition, &at, context.scope)
            .map_err(|error| Box::new(TaskResult::of_error(&error)))?;
        if !held {
            let condition = match &condition {
                Lazy::Template(template) => Value::from(template.text.clone()),
                other => other.data().unwrap_or_default(),
            };
            let mut result = TaskResult { failed: true, verbose_always: !quiet, ..TaskResult::default() };
            result.set("msg", fail_msg.map_or_else(|| Value::from("Assertion failed"), text));
            result.set("assertion", condition);
            result.set("evaluated_to", false);
            result.place = Some(at);
            return Ok(result);
        }
    }
    let mut result = TaskResult { verbose_always: !quiet, ..TaskResult::default() };
    result.set(
        "msg",
        args.get("success_msg").filter(|m| !m.is_none()).map_or_else(|| Value::from("All assertions passed"), text),
    );
    Ok(result)
}

/// The conditions as written in the task. The output of a template is data and never an expression, since it may come
/// from a host.
fn conditions(args: &Rendered, context: &Context<'_>) -> Result<Vec<Lazy>> {
    let items = |value: &Value| -> Vec<Lazy> {
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => value.try_iter().into_iter().flatten().map(Lazy::Data).collect(),
            _ => vec![Lazy::Data(value.clone())],
        }
    };
    if let Some(written) = context.task.args.named.get("that") {
        return Ok(match &written.value {
            Lazy::List(items) => items.to_vec(),
            Lazy::Data(value) => items(value),
            // The list of conditions may be a variable, and they may be templates there.
            Lazy::Template(template) => {
                if let Some(conditions) = variable(&template.text, context) {
                    return trusted_only(conditions);
                }
                let list = template::render(&written.value, context.scope).ok().filter(|value| {
                    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::None) || is_trusted(value)
                });
                match list {
                    Some(list) => trusted_only(items(&list))?,
                    None => vec![written.value.clone()],
                }
            }
            other => vec![other.clone()],
        });
    }
    let Some(that) = args.get("that") else {
        return Err(Box::new(TaskResult::failed("missing required arguments: that")));
    };
    trusted_only(items(that))
}

/// The conditions of a template that is nothing but the name of a list with templates.
fn variable(text: &str, context: &Context<'_>) -> Option<Vec<Lazy>> {
    let name = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    match context.scope.find(name)? {
        Lazy::List(items) => Some(items.to_vec()),
        _ => None,
    }
}

/// Refuses texts that no playbook wrote: what a template yields may have come from a host.
fn trusted_only(conditions: Vec<Lazy>) -> Result<Vec<Lazy>> {
    let is_data = |condition: &Lazy| {
        condition.data().is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()) && !is_trusted(&value))
    };
    match conditions.iter().any(is_data) {
        true => Err(Box::new(TaskResult::failed("Task failed: Encountered untrusted template or expression."))),
        false => Ok(conditions),
    }
}

/// Fails unless the argument is left out, a text or a list of texts.
fn only_text(args: &Rendered, name: &str) -> Result<()> {
    let Some(value) = args.get(name) else { return Ok(()) };
    let is_text = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().into_iter().flatten().all(|item| item.as_str().is_some())
        }
        _ => value.as_str().is_some(),
    };
    if is_text {
        return Ok(());
    }
    let canonical = if name == "msg" { "fail_msg" } else { name };
    let mut result = TaskResult::failed(format!(
        "argument '{canonical}' is of type {} and we were unable to convert to str_or_list_of_str: a string or list of \
         strings is required",
        template::type_name(value)
    ));
    result.blame = Some(name.into());
    Err(Box::new(result))
}
