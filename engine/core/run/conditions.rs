//! `when`, `changed_when`, `failed_when`, `until`, and the values of keywords.

use std::sync::Arc;

use crate::{
    actions::text_of,
    plan::{Condition, Field, Settings, Task},
    syntax::DEBUGGERS,
    template::{self, TemplateError},
    vars::{Lazy, Scope, Value, is_omit},
};

/// The first condition that does not hold, if there is one.
pub(crate) fn first_false<'c>(
    conditions: &'c [Condition],
    scope: &Arc<Scope>,
) -> Result<Option<&'c Condition>, (TemplateError, &'c Condition)> {
    for condition in conditions {
        if !holds(condition, scope).map_err(|error| (error, condition))? {
            return Ok(Some(condition));
        }
    }
    Ok(None)
}

/// Whether all conditions hold.
pub(crate) fn all_hold(conditions: &[Condition], scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    first_false(conditions, scope).map(|found| found.is_none()).map_err(|(error, _)| error)
}

fn holds(condition: &Condition, scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    template::condition(&condition.value, &condition.span, scope)
}

/// A keyword as playbooks write it, and where it is kept.
pub(crate) type Keyword = (&'static str, fn(&Settings) -> Option<&Field>);

macro_rules! keywords {
    ($($(#[$doc:meta])* $constant:ident = $name:literal $field:ident;)*) => {
        $($(#[$doc])* pub(crate) const $constant: Keyword = ($name, |settings| settings.$field.as_ref());)*
    };
}

keywords! {
    ANY_ERRORS_FATAL = "any_errors_fatal" any_errors_fatal;
    BECOME = "become" become_;
    BECOME_EXE = "become_exe" become_exe;
    BECOME_FLAGS = "become_flags" become_flags;
    BECOME_METHOD = "become_method" become_method;
    BECOME_USER = "become_user" become_user;
    CHECK_MODE = "check_mode" check_mode;
    CONNECTION = "connection" connection;
    DEBUGGER = "debugger" debugger;
    DELEGATE_FACTS = "delegate_facts" delegate_facts;
    DELEGATE_TO = "delegate_to" delegate_to;
    DIFF = "diff" diff;
    IGNORE_ERRORS = "ignore_errors" ignore_errors;
    IGNORE_UNREACHABLE = "ignore_unreachable" ignore_unreachable;
    NO_LOG = "no_log" no_log;
    PORT = "port" port;
    REMOTE_USER = "remote_user" remote_user;
    RUN_ONCE = "run_once" run_once;
    THROTTLE = "throttle" throttle;
    TIMEOUT = "timeout" timeout;
}

/// The value of a keyword, unless it is null, and the field that set it.
fn value<'s>(
    keyword: Keyword,
    settings: &'s Settings,
    scope: &Arc<Scope>,
) -> Result<Option<(Value, &'s Field)>, TemplateError> {
    Ok(set(keyword, settings, scope)?.filter(|(value, _)| !value.is_none() && !value.is_undefined()))
}

/// The value of a keyword and the field that set it. `omit` falls back to the outer value.
fn set<'s>(
    keyword: Keyword,
    settings: &'s Settings,
    scope: &Arc<Scope>,
) -> Result<Option<(Value, &'s Field)>, TemplateError> {
    let mut settings = settings;
    loop {
        let Some(field) = keyword.1(settings) else { return Ok(None) };
        // `delegate_to` is rendered before all keywords, so ansible-core does not name it in the message.
        let value = template::render(&field.value, scope).map_err(|error| match keyword.0 {
            "delegate_to" => error,
            name => error.within(format!("Error processing keyword '{name}'")),
        })?;
        if !is_omit(&value) {
            return Ok(Some((value, field)));
        }
        match &settings.outer {
            Some(outer) => settings = outer,
            None => return Ok(None),
        }
    }
}

/// The error for a keyword with a value of the wrong type.
fn wrong(name: &str, value: &Value, kind: &str, field: &Field) -> TemplateError {
    let shown = template::repr(value);
    let name = kept_as(name);
    let message = format!("Error processing keyword '{name}': The value {shown} could not be converted to '{kind}'.");
    TemplateError::Failed { message, at: field.span.clone(), help: None, via: vec![] }
}

/// A boolean keyword: a boolean, or a word for one.
///
/// # Errors
/// If it cannot be rendered or is not a boolean.
pub(crate) fn flag(keyword: Keyword, settings: &Settings, scope: &Arc<Scope>) -> Result<Option<bool>, TemplateError> {
    let Some((value, field)) = value(keyword, settings, scope)? else { return Ok(None) };
    truth_of(&value).map(Some).ok_or_else(|| wrong(keyword.0, &value, "bool", field))
}

/// A text keyword; a number is converted to text.
///
/// # Errors
/// If it cannot be rendered.
pub(crate) fn text(keyword: Keyword, settings: &Settings, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(value(keyword, settings, scope)?.map(|(value, _)| text_of(&value)))
}

/// The host that a task is delegated to.
///
/// # Errors
/// If it cannot be rendered, or a template for it renders to nothing: the task must not run on its own host instead.
pub(crate) fn delegate(settings: &Settings, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    let Some((value, field)) = set(DELEGATE_TO, settings, scope)? else { return Ok(None) };
    let is_empty = value.is_none() || value.is_undefined() || value.as_str() == Some("");
    match &field.value {
        Lazy::Template(template) if is_empty => Err(TemplateError::Failed {
            message: format!("Empty hostname produced from delegate_to: \"{}\"", template.text),
            at: field.span.clone(),
            help: None,
            via: vec![],
        }),
        _ => Ok((!is_empty).then(|| text_of(&value))),
    }
}

/// A numeric keyword.
///
/// # Errors
/// If it cannot be rendered or is not a number.
pub(crate) fn number(keyword: Keyword, settings: &Settings, scope: &Arc<Scope>) -> Result<Option<f64>, TemplateError> {
    let Some((value, field)) = value(keyword, settings, scope)? else { return Ok(None) };
    parsed(&value).map(Some).ok_or_else(|| wrong(keyword.0, &value, "int", field))
}

/// The time limit of a task in seconds; `None` for no limit.
///
/// # Errors
/// If it cannot be rendered, is not a number, or is outside Ansible's range.
pub(crate) fn timeout(settings: &Settings, scope: &Arc<Scope>) -> Result<Option<f64>, TemplateError> {
    let Some((value, field)) = value(TIMEOUT, settings, scope)? else { return Ok(None) };
    let seconds = parsed(&value).ok_or_else(|| wrong(TIMEOUT.0, &value, "int", field))?;
    if !(0.0..=100_000_000.0).contains(&seconds) {
        let message = format!("Timeout {seconds} is invalid, it must be between 0 and 100000000.");
        return Err(TemplateError::Failed { message, at: field.span.clone(), help: None, via: vec![] });
    }
    Ok((seconds > 0.0).then_some(seconds))
}

fn parsed(value: &Value) -> Option<f64> {
    text_of(value).trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// When the debugger starts. As in ansible-core, only text can be wrong.
///
/// # Errors
/// If it cannot be rendered, or is text that names no moment.
fn debugger(settings: &Settings, scope: &Arc<Scope>) -> Result<(), TemplateError> {
    let Some((value, field)) = value(DEBUGGER, settings, scope)? else { return Ok(()) };
    match value.as_str() {
        Some(word) if !DEBUGGERS.contains(&word) => {
            let message = format!(
                "Error processing keyword 'debugger': '{word}' is not a valid value for debugger. Must be one of {}",
                DEBUGGERS.join(", ")
            );
            Err(TemplateError::Failed { message, at: field.span.clone(), help: None, via: vec![] })
        }
        _ => Ok(()),
    }
}

/// Checks the keywords that are only read after the task, by some tasks, or not at all: as in Ansible, a task with a
/// wrong one does not start, and none of them can read the task's own result.
///
/// # Errors
/// If one of them cannot be rendered or has the wrong type.
pub(crate) fn check(task: &Task, scope: &Arc<Scope>) -> Result<(), TemplateError> {
    let settings = &task.settings;
    for keyword in [ANY_ERRORS_FATAL, BECOME, DELEGATE_FACTS, IGNORE_ERRORS, IGNORE_UNREACHABLE, NO_LOG, RUN_ONCE] {
        flag(keyword, settings, scope)?;
    }
    for keyword in [BECOME_EXE, BECOME_FLAGS, BECOME_METHOD, BECOME_USER, CONNECTION, REMOTE_USER] {
        text(keyword, settings, scope)?;
    }
    debugger(settings, scope)?;
    timeout(settings, scope)?;
    for field in task.notify.iter().chain(&settings.notify) {
        template::render(&field.value, scope).map_err(|error| of_keyword("notify", error))?;
    }
    for keyword in [PORT, THROTTLE] {
        number(keyword, settings, scope)?;
    }
    for (name, field) in
        [("retries", &task.retries), ("delay", &task.delay), ("async", &task.asynchronous), ("poll", &task.poll)]
    {
        own_number(name, field.as_ref(), scope)?;
    }
    Ok(())
}

/// A boolean, or a word for one; otherwise `None`.
pub(crate) fn truth_of(value: &Value) -> Option<bool> {
    use rplay_contract::{args::ArgType, argtypes::Flag};
    match value.is_none() || value.is_undefined() {
        true => None,
        false => Flag::parse(&crate::vars::to_wire(value)).ok().map(|flag| flag.0),
    }
}

/// Like [`flag`], for a field of only a task or its loop.
///
/// # Errors
/// If it cannot be rendered or is not a boolean.
pub(crate) fn own_flag(name: &str, field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<bool>, TemplateError> {
    let Some((value, field)) = own(field, scope).map_err(|error| of_keyword(name, error))? else { return Ok(None) };
    truth_of(&value).map(Some).ok_or_else(|| wrong(name, &value, "bool", field))
}

/// A text field of a task or its loop.
///
/// # Errors
/// If it cannot be rendered.
pub(crate) fn own_text(field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(own(field, scope)?.map(|(value, _)| text_of(&value)))
}

/// A field of a play that is a percentage: a number, with or without a percent sign.
///
/// # Errors
/// If it cannot be rendered or is not a percentage.
pub(crate) fn own_percent(name: &str, field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<f64>, TemplateError> {
    let Some((value, field)) = own(field, scope).map_err(|error| of_keyword(name, error))? else { return Ok(None) };
    let number = Value::from(text_of(&value).trim_end_matches('%'));
    parsed(&number).map(Some).ok_or_else(|| wrong(name, &value, "percent", field))
}

/// A numeric field of a task or its loop.
///
/// # Errors
/// If it cannot be rendered or is not a number.
pub(crate) fn own_number(name: &str, field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<f64>, TemplateError> {
    let Some((value, field)) = own(field, scope).map_err(|error| of_keyword(name, error))? else { return Ok(None) };
    let kind = if matches!(name, "retries" | "poll" | "async" | "gather_timeout") { "int" } else { "float" };
    parsed(&value).map(Some).ok_or_else(|| wrong(name, &value, kind, field))
}

/// The name under which ansible-core keeps a keyword.
fn kept_as(name: &str) -> &str {
    if name == "async" { "async_val" } else { name }
}

/// The error of a keyword, with the name that ansible-core uses for it internally.
fn of_keyword(name: &str, error: TemplateError) -> TemplateError {
    error.within(format!("Error processing keyword '{}'", kept_as(name)))
}

/// The value of a field, if it has one.
///
/// # Errors
/// If it cannot be rendered.
pub(crate) fn own_value(field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<Value>, TemplateError> {
    Ok(own(field, scope)?.map(|(value, _)| value))
}

fn own<'f>(field: Option<&'f Field>, scope: &Arc<Scope>) -> Result<Option<(Value, &'f Field)>, TemplateError> {
    let Some(field) = field else { return Ok(None) };
    let value = template::render(&field.value, scope)?;
    Ok((!value.is_none() && !value.is_undefined() && !is_omit(&value)).then_some((value, field)))
}
