//! Undefined values.

use std::{ops::Range, sync::Arc};

use minijinja::{Value, value::Object};

use crate::template::{
    error::TemplateError,
    origin::Origin,
    value::error::{Cause, EvalError, EvalResult},
};

/// An undefined value. It may be stored, passed and tested, but not used.
#[derive(Debug)]
pub(crate) struct Undefined {
    pub what: UndefinedReason,
    /// Where the name is.
    pub origin: Arc<Origin>,
    pub range: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum UndefinedReason {
    Variable(Arc<str>),
    Attribute {
        parent: Value,
        key: Value,
    },
    /// `undef(hint=...)` and the like.
    Message(String),
    /// The variable exists, but rendering it failed. It counts as undefined only if the cause was an undefined value.
    Broken(TemplateError),
}

impl Object for Undefined {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("undefined")
    }
}

impl Undefined {
    /// Python's name of the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.what {
            UndefinedReason::Broken(error) if error.undefined().is_none() => {
                match error.to_string().contains("decrypt") {
                    true => "VaultExceptionMarker",
                    false => "CapturedExceptionMarker",
                }
            }
            _ => "UndefinedMarker",
        }
    }

    /// Whether `default()` may replace it.
    pub(crate) fn undefined(&self) -> bool {
        !matches!(&self.what, UndefinedReason::Broken(error) if error.undefined().is_none())
    }
}

/// The undefined value, if the value is one.
pub(crate) fn as_undefined(value: &Value) -> Option<&Undefined> {
    value.downcast_object_ref::<Undefined>()
}

/// Whether `is defined` is false.
pub(crate) fn is_undefined(value: &Value) -> bool {
    value.is_undefined() || as_undefined(value).is_some()
}

/// The value, unless it is undefined.
pub(crate) fn present(value: Value) -> EvalResult {
    if as_undefined(&value).is_some() {
        return Err(Box::new(EvalError { cause: Cause::Undefined(value), range: None }));
    }
    if value.is_undefined() {
        return Err(EvalError::new("the value is undefined"));
    }
    Ok(value)
}
