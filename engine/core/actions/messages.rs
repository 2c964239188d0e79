//! debug, assert, fail: messages of a playbook.

use minijinja::value::ValueKind;

use super::{Answer, Context, Rendered, Result, flag_arg, int_arg, text_of};
use crate::{
    template,
    vars::{Lazy, Value},
};

pub fn debug(args: Rendered, context: &Context<'_>) -> Result<Answer> {
    let verbosity = int_arg(&args, "verbosity")?.unwrap_or(0);
    if verbosity > i64::from(context.verbosity) {
        let why = "Verbosity threshold not met.";
        return Ok(Answer { skipped: Some(why.to_owned()), ..Answer::default() }.with("skipped_reason", why));
    }
    let mut answer = Answer { verbose_always: true, ..Answer::default() };
    match (args.get("var"), args.get("msg")) {
        (Some(_), Some(_)) => {
            return Err(Box::new(Answer::failed("parameters are mutually exclusive: msg|var")));
        }
        (Some(var), None) => match var.as_str() {
            // What a template yielded may have come from a host: the name of a variable is all it can be.
            Some(name) if is_template(context) && (!is_path(name) || is_literal(context)) => {
                return Err(Box::new(Answer::failed(UNTRUSTED)));
            }
            // `!unsafe` marks it as no expression.
            Some(_) if is_unsafe(context) => return Err(Box::new(Answer::failed(UNTRUSTED))),
            Some(name) => {
                let (value, missing) = template::shown(name, context.span("var"), context.scope)
                    .map_err(|error| Box::new(super::failed_by(&error)))?;
                for (at, why) in missing.iter().enumerate() {
                    let number = at + 1;
                    answer.warnings.push(format!("Encountered 1 template error. error {number} - {why}").into());
                }
                if crate::vars::is_omit(&value) {
                    answer
                        .warnings
                        .push("A template was resolved to an Omit scalar. This could not be omitted here.".into());
                    answer.set(name, "<<Omit>>");
                } else {
                    answer.set(name, value);
                }
            }
            None => {
                let msg = format!(
                    "argument 'var' is of type {} and we were unable to convert to _check_type_str_no_conversion: '{}' \
                     is not a string and conversion is not allowed",
                    python_type(var),
                    template::text(var),
                );
                let mut failed = Answer::failed(msg);
                failed.place = Some(context.span("var"));
                return Err(Box::new(failed));
            }
        },
        (None, Some(msg)) => answer.set("msg", msg.clone()),
        (None, None) => answer.set("msg", "Hello world!"),
    }
    Ok(answer)
}

/// What Ansible says of an expression that no playbook wrote.
pub(super) const UNTRUSTED: &str = "Encountered untrusted template or expression.";

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

fn python_type(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::None => "NoneType",
        _ => "str",
    }
}

pub fn fail(args: &Rendered) -> Result<Answer> {
    let msg = args.get("msg").cloned().unwrap_or_else(|| Value::from("Failed as requested from task"));
    Ok(Answer { failed: true, ..Answer::default() }.with("msg", msg))
}

/// The conditions as written in the task. The output of a template is data and never an expression, since it may come
/// from a
/// host.
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
            other => vec![other.clone()],
        });
    }
    let Some(that) = args.get("that") else {
        return Err(Box::new(Answer::failed("conditional required in \"that\" string")));
    };
    let given = items(that);
    if given.iter().any(|condition| condition.data().is_some_and(|value| value.as_str().is_some())) {
        return Err(Box::new(Answer::failed("conditions must be written in the task itself, under `that`")));
    }
    Ok(given)
}

/// Fails unless the argument is left out, a text or a list of texts.
fn only_text(args: &Rendered, name: &str) -> Result<()> {
    let Some(value) = args.get(name).filter(|value| !value.is_none()) else { return Ok(()) };
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
    let mut answer = Answer::failed(format!(
        "argument '{canonical}' is of type {} and we were unable to convert to str_or_list_of_str: a string or list of \
         strings is required",
        python_type(value)
    ));
    answer.blame = Some(name.to_owned());
    Err(Box::new(answer))
}

pub fn assert(args: Rendered, context: &Context<'_>) -> Result<Answer> {
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
        let held =
            template::condition(&condition, &at, context.scope).map_err(|error| Box::new(super::failed_by(&error)))?;
        if !held {
            let condition = match &condition {
                Lazy::Template(template) => Value::from(template.text.clone()),
                other => other.data().unwrap_or_default(),
            };
            let mut answer = Answer { failed: true, verbose_always: !quiet, ..Answer::default() };
            answer.set("msg", fail_msg.map_or_else(|| Value::from("Assertion failed"), text));
            answer.set("assertion", condition);
            answer.set("evaluated_to", false);
            answer.place = Some(at);
            return Ok(answer);
        }
    }
    let mut answer = Answer { verbose_always: !quiet, ..Answer::default() };
    answer.set(
        "msg",
        args.get("success_msg").filter(|m| !m.is_none()).map_or_else(|| Value::from("All assertions passed"), text),
    );
    Ok(answer)
}
