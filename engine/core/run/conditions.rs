//! `when`, `changed_when`, `failed_when`, `until`, and keywords that are true or false.

use std::sync::Arc;

use crate::{
    plan::{Condition, Field},
    template::{self, TemplateError},
    vars::{Scope, Value},
};

/// The first condition that does not hold, if there is one.
pub(super) fn first_false<'c>(
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
pub(super) fn all_hold(conditions: &[Condition], scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    first_false(conditions, scope).map(|found| found.is_none()).map_err(|(error, _)| error)
}

fn holds(condition: &Condition, scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    template::condition(&condition.value, &condition.span, scope)
}

/// A keyword that is true or false: a boolean, or a word for one.
pub(super) fn flag(field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<bool>, TemplateError> {
    let Some(field) = field else { return Ok(None) };
    Ok(truth_of(&template::render(&field.value, scope)?))
}

/// A boolean, or a word for one; `None` for null and for what is neither.
pub(super) fn truth_of(value: &Value) -> Option<bool> {
    use rplay_modules::{args::ArgType, argtypes::Flag};
    match value.is_none() || value.is_undefined() {
        true => None,
        false => Flag::parse(&crate::vars::to_wire(value)).ok().map(|flag| flag.0),
    }
}

/// A keyword that is text, or a number written as text.
pub(super) fn text(field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    let Some(field) = field else { return Ok(None) };
    let value = template::render(&field.value, scope)?;
    Ok((!value.is_none() && !crate::vars::is_omit(&value)).then(|| super::text_of(&value)))
}

/// A keyword that is a number.
pub(super) fn number(field: Option<&Field>, scope: &Arc<Scope>) -> Result<Option<f64>, TemplateError> {
    Ok(text(field, scope)?.and_then(|text| text.trim().parse().ok()))
}
