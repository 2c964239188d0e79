//! `when`, `changed_when`, `failed_when`, `until`, `that`: expressions that must yield a boolean.

use std::sync::Arc;

use minijinja::{Value, value::ValueKind};

use crate::{
    source::Span,
    syntax::Style,
    template::{
        error::TemplateError,
        eval::{machine::Machine, render, session::Session},
        library::built_in,
        origin::Origin,
        page::{parsed_template::ParsedTemplate, reading::Reading},
        render::render,
        value::{error::Cause, items, show},
    },
    vars::{Lazy, Lenience, Scope, Template, is_omit, is_trusted},
};

/// Evaluates a condition. Text is a bare expression; as in Ansible, a whole `{{ }}` is accepted. The result must be a
/// boolean: since ansible-core 2.19, values that are merely truthy are errors.
///
/// `at` is the place of the condition.
///
/// # Errors
/// If the expression fails, or is not a boolean.
pub fn condition(expression: &Lazy, at: &Span, scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    evaluate(expression, at, scope).map_err(TemplateError::of_condition)
}

fn evaluate(expression: &Lazy, at: &Span, scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    let (value, origin) = match expression {
        Lazy::Data(value) => match value.as_str().or_else(|| value.is_none().then_some("")) {
            Some(text) if text.trim().is_empty() => return empty(at, scope),
            Some(_) if at.is_unsafe() => return Err(untrusted(at)),
            Some(text) => {
                let template = Arc::new(Template { text: text.into(), span: at.clone(), style: style_of(at) });
                let origin = Arc::new(Origin::Scalar(template));
                (expression_value(text, &origin, scope)?, origin)
            }
            None => (value.clone(), Arc::new(Origin::Nowhere)),
        },
        Lazy::Template(template) => {
            let origin = Arc::new(Origin::Scalar(template.clone()));
            match is_whole_template(&template.text) {
                true => {
                    scope.magic.deprecated(
                        "Conditionals should not be surrounded by templating delimiters such as {{ }} or {% %}. This feature will be \
                         removed from ansible-core version 2.23.",
                        Some(at),
                    );
                    // Spaces around the delimiters are not part of the value.
                    let trimmed = Template { text: template.text.trim().into(), ..Template::clone(template) };
                    let value = render(&Lazy::Template(Arc::new(trimmed)), scope)?;
                    // Text could be an expression, but may come from a host: it is evaluated only if a playbook wrote
                    // it.
                    match value.as_str() {
                        _ if value.is_none() || value.as_str() == Some("") => return empty(at, scope),
                        Some(text) if is_trusted(&value) => (expression_value(text, &origin, scope)?, origin),
                        Some(_) => return Err(untrusted(at)),
                        None => (value, origin),
                    }
                }
                false => (expression_value(&template.text, &origin, scope)?, origin),
            }
        }
        other => (render(other, scope)?, Arc::new(Origin::Nowhere)),
    };
    if value.kind() == ValueKind::Bool {
        return Ok(value.is_true());
    }
    if is_omit(&value) {
        return Err(TemplateError::Omitted { at: at.clone(), via: vec![] });
    }
    let is_text = match expression {
        Lazy::Data(value) => value.as_str().is_some(),
        Lazy::Template(_) => true,
        _ => false,
    };
    if !is_text && !scope.magic.allows(Lenience::BrokenConditionals) {
        let help = Some("write the expression in quotes".to_owned());
        let message = "Conditional expressions must be strings.".to_owned();
        return Err(TemplateError::Failed { message, at: at.clone(), help, via: vec![] });
    }
    let kind = show::type_name(&value);
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
    let holds = items::truth(&value);
    let truth = if holds { "True" } else { "False" };
    if scope.magic.allows(Lenience::BrokenConditionals) {
        let message = format!(
            "Conditional result ({truth}) was derived from value of type '{kind}'. \
             Conditionals must have a boolean result."
        );
        scope.magic.deprecated(&message, Some(&at));
        return Ok(holds);
    }
    Err(TemplateError::NotBoolean { truth, kind, at, help: Some(help.into()) })
}

/// The result of a condition without an expression.
fn empty(at: &Span, scope: &Arc<Scope>) -> Result<bool, TemplateError> {
    if scope.magic.allows(Lenience::BrokenConditionals) {
        let message = "Empty conditional expression was evaluated as True. This feature will be removed from ansible-core version 2.23.";
        scope.magic.deprecated(message, Some(at));
        return Ok(true);
    }
    Err(TemplateError::Failed {
        message: "Empty conditional expressions are not allowed.".into(),
        at: at.clone(),
        help: Some("omit the keyword, or use `true`".into()),
        via: vec![],
    })
}

/// The error of an expression that no playbook wrote, in Ansible's words.
fn untrusted(at: &Span) -> TemplateError {
    TemplateError::Failed {
        message: "Encountered untrusted template or expression.".into(),
        at: at.clone(),
        help: Some(
            "only playbooks and roles contain templates and expressions; the output of a template, and `!unsafe` values, are data"
                .into(),
        ),
        via: vec![],
    }
}

/// Whether delimiters enclose the whole text. `{'a': 1} == x` also begins with a brace, but is an expression.
fn is_whole_template(text: &str) -> bool {
    let text = text.trim();
    [("{{", "}}"), ("{%", "%}")].iter().any(|(start, end)| text.starts_with(start) && text.ends_with(end))
}

/// The value of a condition's expression, of any type.
fn expression_value(text: &str, origin: &Arc<Origin>, scope: &Arc<Scope>) -> Result<Value, TemplateError> {
    let page = ParsedTemplate::of(text, &Reading::CONDITION).map_err(|mut error| {
        if let Cause::Syntax { help, .. } = &mut error.cause
            && text.contains("{{")
        {
            *help = Some("conditions are already expressions: write the name without `{{ }}`".into());
        }
        match error.place(origin, scope, true) {
            TemplateError::Syntax { message, at, help, via, .. } if text.contains("{{") => {
                let kind = "expression. Template delimiters are not supported in expressions";
                TemplateError::Syntax { kind, message, at, help, via }
            }
            error => error,
        }
    })?;
    let session = Session::new(scope, built_in());
    let mut machine = Machine::new(&session, page, origin.clone());
    match machine.run().and_then(|output| render::finish(output, "", false)) {
        Ok(value) => Ok(value),
        Err(error) => Err(machine.place(error)),
    }
}

/// The style of the scalar at a place.
fn style_of(at: &Span) -> Style {
    match at.text().as_bytes().first() {
        Some(b'\'') => Style::Single,
        Some(b'"') => Style::Double,
        Some(b'|') => Style::Literal,
        Some(b'>') => Style::Folded,
        _ => Style::Plain,
    }
}
