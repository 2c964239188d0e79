//! Reads names, attributes and items.

use std::ops::Range;

use minijinja::{Value, value::ValueKind};

use crate::{
    template::{
        error::{TemplateError, Via},
        eval::{callable::Bound, lazy, machine::Machine},
        value::{
            containers,
            error::EvalResult,
            number::{self, Number},
            show,
            undefined::{Undefined, UndefinedReason, as_undefined, is_undefined},
        },
    },
    vars::Lazy,
};

impl Machine<'_> {
    /// Looks up a name: set in the template, a variable of the play, or a function of Jinja.
    pub(super) fn var(&mut self, name: &'static str, range: Range<usize>) -> EvalResult {
        for frame in self.frames.iter().rev() {
            if let Some(value) = frame.get(name) {
                return Ok(value);
            }
        }
        if name == "omit" {
            return Ok(crate::vars::omit());
        }
        if self.with_scope
            && let Some(found) = self.session.variable(name)
        {
            self.warn_of_removal(name);
            return self.own(name, found, range);
        }
        if self.session.library.function(name).is_some() {
            return Ok(Value::from_object(Bound { receiver: None, name: name.into() }));
        }
        if self.with_scope {
            if name == "vars" {
                return Ok({
                    let everything =
                        lazy::Everything(self.session.scope.clone(), lazy::Level::now(), self.session.library);
                    Value::from_object(everything)
                });
            }
            self.session.scope.magic.missing(name);
            if let Some(found) = self.session.variable(name) {
                return self.own(name, found, range);
            }
        }
        Ok(self.undefined(UndefinedReason::Variable(name.into()), range))
    }

    /// Warns if a variable will be removed from Ansible.
    pub(crate) fn warn_of_removal(&self, name: &str) {
        let magic = &self.session.scope.magic;
        if let Some(message) = magic.deprecation_of(name) {
            magic.deprecated(message, Some(&self.origin.span(None)));
        }
    }

    /// A variable of the play as this template sees it; an error in it gets one more step.
    fn own(&mut self, name: &'static str, found: Result<Value, TemplateError>, range: Range<usize>) -> EvalResult {
        match found {
            Ok(value) => match as_undefined(&value) {
                Some(Undefined { what: UndefinedReason::Broken(error), .. }) => {
                    Ok(self.broken(name, error.clone(), range))
                }
                _ => Ok(value),
            },
            Err(error) => Ok(self.broken(name, error, range)),
        }
    }

    fn broken(&self, name: &str, error: TemplateError, range: Range<usize>) -> Value {
        let what = match self.session.scope.find(name) {
            Some(Lazy::Template(template)) => format!("variable `{name}` ({})", template.span),
            _ => format!("variable `{name}`"),
        };
        let step = Via { what, at: self.origin.span(Some(range.clone())) };
        self.undefined(UndefinedReason::Broken(error.through(step)), range)
    }

    /// `parent.name`.
    pub(crate) fn attribute(&mut self, parent: &Value, name: &str, range: Range<usize>) -> EvalResult {
        if as_undefined(parent).is_some() {
            return Ok(parent.clone());
        }
        if parent.is_undefined() {
            return Ok(parent.clone());
        }
        if name.starts_with("__") {
            let kind = show::type_name(parent);
            let message = format!("access to attribute '{name}' of '{kind}' object is unsafe.");
            return Ok(self.undefined(UndefinedReason::Message(message), range));
        }
        if (self.session.library.methods.exists)(parent, name) {
            return Ok(Value::from_object(Bound { receiver: Some(parent.clone()), name: name.into() }));
        }
        let found = match parent.kind() {
            ValueKind::Map | ValueKind::Plain => parent.as_object().and_then(|object| object.get_value_by_str(name)),
            ValueKind::Number | ValueKind::Bool => number_part(parent, name),
            _ => parent
                .downcast_object::<containers::Group>()
                .and_then(|group| minijinja::value::Object::get_value(&group, &name.into())),
        };
        Ok(found.unwrap_or_else(|| {
            self.undefined(UndefinedReason::Attribute { parent: parent.clone(), key: name.into() }, range)
        }))
    }

    /// `parent[key]`.
    pub(crate) fn item(&mut self, parent: &Value, key: &Value, range: Range<usize>) -> EvalResult {
        if is_undefined(parent) {
            return Ok(parent.clone());
        }
        let found = match parent.kind() {
            ValueKind::Map => parent.as_object().and_then(|object| object.get_value(key)),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::String => match Number::of(key) {
                Some(Number::Int(at)) => nth(parent, at),
                _ => None,
            },
            _ => None,
        };
        match (found, key.as_str()) {
            (Some(value), _) => Ok(value),
            (None, Some(name))
                if (self.session.library.methods.exists)(parent, name) || !containers::is_map(parent) =>
            {
                self.attribute(parent, name, range)
            }
            (None, _) => {
                Ok(self.undefined(UndefinedReason::Attribute { parent: parent.clone(), key: key.clone() }, range))
            }
        }
    }
}

/// The attributes of numbers.
fn number_part(number: &Value, name: &str) -> Option<Value> {
    match (Number::of(number)?, name) {
        (Number::Int(i), "real" | "numerator") => Some(number::int(i)),
        (Number::Int(_), "imag") => Some(Value::from(0)),
        (Number::Int(_), "denominator") => Some(Value::from(1)),
        (Number::Float(f), "real") => Some(Value::from(f)),
        (Number::Float(_), "imag") => Some(Value::from(0.0)),
        _ => None,
    }
}

fn nth(value: &Value, at: i128) -> Option<Value> {
    let len = || match value.as_str() {
        Some(text) => Some(text.chars().count()),
        None => value.len(),
    };
    let at = if at < 0 { at + len()? as i128 } else { at };
    let at = usize::try_from(at).ok()?;
    match value.as_str() {
        Some(text) => text.chars().nth(at).map(|c| Value::from(c.to_string())),
        None => match value.kind() {
            ValueKind::Iterable => value.try_iter().ok()?.nth(at),
            _ => value.as_object()?.get_value(&Value::from(at)),
        },
    }
}
