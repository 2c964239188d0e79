//! Errors during evaluation, before they have a place in a file.

use std::ops::Range;

use minijinja::Value;

use crate::template::error::TemplateError;

/// The result of an evaluation.
pub(crate) type EvalResult<T = Value> = Result<T, Box<EvalError>>;

/// An error during evaluation.
#[derive(Debug)]
pub(crate) struct EvalError {
    pub cause: Cause,
    /// Byte range in the template's text. It is set by the innermost expression that knows its place.
    pub range: Option<Range<usize>>,
}

#[derive(Debug)]
pub(crate) enum Cause {
    Failed {
        message: String,
        help: Option<String>,
    },
    Syntax {
        message: String,
        help: Option<String>,
    },
    Undefined(Value),
    Omitted,
    /// An error that already has a place.
    Placed(Box<TemplateError>),
}

impl EvalError {
    pub(crate) fn new(message: impl Into<String>) -> Box<Self> {
        Box::new(EvalError { cause: Cause::Failed { message: message.into(), help: None }, range: None })
    }

    pub(crate) fn with_help(message: impl Into<String>, help: impl Into<String>) -> Box<Self> {
        Box::new(EvalError { cause: Cause::Failed { message: message.into(), help: Some(help.into()) }, range: None })
    }

    pub(crate) fn syntax(message: impl Into<String>, help: Option<String>) -> Box<Self> {
        Box::new(EvalError { cause: Cause::Syntax { message: message.into(), help }, range: None })
    }

    pub(crate) fn at(mut self: Box<Self>, range: Range<usize>) -> Box<Self> {
        self.range.get_or_insert(range);
        self
    }
}

impl From<TemplateError> for Box<EvalError> {
    fn from(error: TemplateError) -> Self {
        Box::new(EvalError { cause: Cause::Placed(Box::new(error)), range: None })
    }
}

impl From<Cause> for Box<EvalError> {
    fn from(cause: Cause) -> Self {
        Box::new(EvalError { cause, range: None })
    }
}
