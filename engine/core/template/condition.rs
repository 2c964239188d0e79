//! `when`, `changed_when`, `failed_when`, `until`, `that`: expressions that must yield a boolean.

use std::sync::Arc;

use minijinja::{Value, value::ValueKind};

use super::{
    TemplateError,
    fault::Cause,
    machine::{Machine, Session},
    origin::Origin,
    page::{Page, Reading},
    python, render,
};
use crate::{
    source::Span,
    syntax::Style,
    vars::{Lazy, Scope, Template},
};

/// Whether a condition holds. Text is a bare expression; a whole `{{ }}` is accepted, as in Ansible. The result
/// must be a boolean: what merely counts as true is an error since ansible-core 2.19.
///
/// `at` is the place of the condition.
pub fn condition(expression: &Lazy, at: &Span, scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    let (value, origin) = match expression {
        // `when:` with nothing behind it.
        Lazy::Data(value) if value.is_none() => return Ok(true),
        Lazy::Data(value) => match value.as_str() {
            Some(text) if text.trim().is_empty() => {
                return Err(TemplateError::Syntax {
                    message: "empty conditional expressions are not allowed".into(),
                    at: at.clone(),
                    help: Some("leave the keyword out, or write `true`".into()),
                    via: vec![],
                });
            }
            Some(text) => {
                let template = Arc::new(Template { text: text.into(), span: at.clone(), style: style_of(at) });
                let origin = Arc::new(Origin::Scalar(template));
                (expression_value(text, &origin, scope)?, origin)
            }
            None => (value.clone(), Arc::new(Origin::Nowhere)),
        },
        Lazy::Template(template) => {
            // `'{{' in x` is no template but a bare expression.
            let origin = Arc::new(Origin::Scalar(template.clone()));
            match template.text.trim_start().starts_with('{') {
                true => (render(expression, scope)?, origin),
                false => (expression_value(&template.text, &origin, scope)?, origin),
            }
        }
        other => (render(other, scope)?, Arc::new(Origin::Nowhere)),
    };
    if value.kind() == ValueKind::Bool {
        return Ok(value.is_true());
    }
    let kind = python::type_name(&value);
    let help = match &*kind {
        "str" => "compare it, as in `x == 'yes'`, test `x | length > 0`, or convert it: `x | bool`",
        "list" | "dict" => "write `x | length > 0`",
        "NoneType" => "write `x is not none`",
        _ => "compare it, as in `x != 0`, or convert it: `x | bool`",
    };
    let at = match &*origin {
        Origin::Nowhere => at.clone(),
        origin => origin.span(None),
    };
    let truth = if python::truth(&value) { "True" } else { "False" };
    Err(TemplateError::NotBoolean { truth, kind, at, help: Some(help.into()) })
}

/// The value of a bare expression, of any type: `loop: users` and the like.
fn expression_value(text: &str, origin: &Arc<Origin>, scope: &Arc<Scope>) -> Result<Value, TemplateError> {
    let page = Page::of(text, &Reading::BARE).map_err(|mut fault| {
        if let Cause::Syntax { help, .. } = &mut fault.cause
            && text.contains("{{")
        {
            *help = Some("a condition is an expression already: write the name without `{{ }}`".into());
        }
        fault.place(origin, scope)
    })?;
    let session = Session::new(scope);
    let mut machine = Machine::new(&session, page, origin.clone());
    match machine.run().and_then(|output| render::finish(output, "", false)) {
        Ok(value) => Ok(value),
        Err(fault) => Err(machine.place(fault)),
    }
}

/// How the scalar at a place is written.
fn style_of(at: &Span) -> Style {
    match at.text().as_bytes().first() {
        Some(b'\'') => Style::Single,
        Some(b'"') => Style::Double,
        Some(b'|') => Style::Literal,
        Some(b'>') => Style::Folded,
        _ => Style::Plain,
    }
}
