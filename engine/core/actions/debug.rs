//! debug: shows a message or a variable.

use rplay_contract::{args, wire};

use super::{Context, Rendered, Result, TaskResult, int_arg};
use crate::{
    template,
    vars::{Lazy, is_trusted},
};

args! {
    /// Shows a message or a variable.
    pub struct Debug {
        /// The message.
        msg: Option<wire::Value>,
        /// The name of a variable, or an expression.
        var: Option<wire::Value>,
        /// The minimum verbosity (number of `-v`) at which it is shown.
        verbosity: i64 = 0,
    }
}

pub(super) fn debug(args: Rendered, context: &Context<'_>) -> Result<TaskResult> {
    let verbosity = int_arg(&args, "verbosity")?.unwrap_or(0);
    if verbosity > i64::from(context.verbosity) {
        let why = "Verbosity threshold not met.";
        return Ok(TaskResult::skipped(why).with("skipped_reason", why));
    }
    let mut result = TaskResult { verbose_always: true, ..TaskResult::default() };
    match (args.get("var"), args.get("msg")) {
        // Unlike a `msg`, a `var` of null is none.
        (Some(var), None) if var.is_none() => result.set("msg", "Hello world!"),
        (Some(_), Some(_)) => {
            return Err(Box::new(TaskResult::failed("parameters are mutually exclusive: msg|var")));
        }
        (Some(var), None) => match var.as_str() {
            // What a template yielded may have come from a host: the name of a variable is all it can be.
            Some(name) if is_template(context) && !is_trusted(var) && (!is_path(name) || is_literal(context)) => {
                return Err(Box::new(TaskResult::failed(format!("Task failed: {RESOLVING}: {UNTRUSTED}"))));
            }
            // `!unsafe` marks it as no expression.
            Some(_) if is_unsafe(context) => {
                return Err(Box::new(TaskResult::failed(format!("Task failed: {RESOLVING}: {UNTRUSTED}"))));
            }
            Some(name) => {
                let (value, missing) = template::shown(name, context.span("var"), context.scope)
                    .map_err(|error| Box::new(TaskResult::of_error(&error.within(RESOLVING))))?;
                result.warnings.extend(template::noted(&missing).map(Into::into));
                if crate::vars::is_omit(&value) {
                    result
                        .warnings
                        .push("A template was resolved to an Omit scalar. This could not be omitted here.".into());
                    result.set(name, "<<Omit>>");
                } else {
                    result.set(name, value);
                }
            }
            None => {
                let msg = format!(
                    "argument 'var' is of type {} and we were unable to convert to _check_type_str_no_conversion: '{}' \
                     is not a string and conversion is not allowed",
                    template::type_name(var),
                    template::text(var),
                );
                let mut failed = TaskResult::failed(msg);
                failed.place = Some(context.span("var"));
                return Err(Box::new(failed));
            }
        },
        (None, Some(msg)) => result.set("msg", msg.clone()),
        (None, None) => result.set("msg", "Hello world!"),
    }
    Ok(result)
}

/// What Ansible was doing when it reports that `var` is wrong.
const RESOLVING: &str = "Error while resolving `var` expression";

/// Ansible's message about an expression that comes from no playbook.
const UNTRUSTED: &str = "Encountered untrusted template or expression.";

/// Whether `var` was written as `!unsafe`.
fn is_unsafe(context: &Context<'_>) -> bool {
    context.task.args.named.get("var").is_some_and(|argument| argument.span.is_unsafe())
}

/// Whether `var` was written as a template.
fn is_template(context: &Context<'_>) -> bool {
    context.task.args.named.get("var").is_none_or(|argument| argument.value.data().is_none())
}

/// Whether `var` is a template that makes its text itself instead of reading it from a variable.
fn is_literal(context: &Context<'_>) -> bool {
    let written = context.task.args.named.get("var").map(|argument| &argument.value);
    matches!(written, Some(Lazy::Template(template)) if template.text.contains(['\'', '"']))
}

/// `a`, `a.b`, `a.0.b`: names and nothing that could be called.
fn is_path(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}
