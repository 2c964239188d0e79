//! Errors in templates, with their locations.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// Why a template has no value. One span serves as both source and label.
#[derive(Clone, Debug, Error, Diagnostic)]
pub enum TemplateError {
    /// The text is not a valid template.
    #[error("syntax error in template: {message}")]
    Syntax {
        message: String,
        #[source_code]
        #[label("here")]
        at: Span,
        #[help]
        help: Option<String>,
        #[related]
        via: Vec<Via>,
    },
    /// An undefined value was used. The message is in the words that users search for.
    #[error("{message}")]
    Undefined {
        /// The undefined variable or attribute.
        name: String,
        message: String,
        #[source_code]
        #[label("undefined")]
        at: Span,
        #[help]
        help: Option<String>,
        #[related]
        via: Vec<Via>,
    },
    /// A variable that refers to itself.
    #[error("recursive loop detected in template: {chain}")]
    Recursive {
        /// The names, up to the first repetition: `a -> b -> a`.
        chain: String,
        #[source_code]
        #[label("refers to itself")]
        at: Span,
        #[related]
        via: Vec<Via>,
    },
    /// `omit` where a value is required.
    #[error("a template was resolved to `omit`")]
    Omitted {
        #[source_code]
        #[label("yields `omit`")]
        at: Span,
        #[related]
        via: Vec<Via>,
    },
    /// A condition that is not a boolean.
    #[error(
        "conditional result ({truth}) was derived from value of type '{kind}'; conditionals must have a boolean result"
    )]
    NotBoolean {
        /// Its truth value, `True` or `False`.
        truth: &'static str,
        /// Its Python type.
        kind: String,
        #[source_code]
        #[label("this is of type {kind}")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    /// A filter, test, lookup or operator failed.
    #[error("{message}")]
    Failed {
        message: String,
        #[source_code]
        #[label("here")]
        at: Span,
        #[help]
        help: Option<String>,
        #[related]
        via: Vec<Via>,
    },
}

/// One step on the way to an error: a variable whose value is a template, or an included file.
#[derive(Clone, Debug, Error, Diagnostic)]
#[error("while rendering {what}")]
#[diagnostic(severity(Advice))]
pub struct Via {
    /// "variable `a`" or "template `x.j2`".
    pub what: String,
    #[source_code]
    #[label("{what}")]
    pub at: Span,
}

/// Maximum number of steps that are shown.
const MOST_STEPS: usize = 12;

impl TemplateError {
    /// The undefined name, if that was the cause.
    pub fn undefined(&self) -> Option<&str> {
        match self {
            TemplateError::Undefined { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The location of the error.
    pub fn at(&self) -> &Span {
        match self {
            TemplateError::Syntax { at, .. }
            | TemplateError::Undefined { at, .. }
            | TemplateError::Recursive { at, .. }
            | TemplateError::Omitted { at, .. }
            | TemplateError::NotBoolean { at, .. }
            | TemplateError::Failed { at, .. } => at,
        }
    }

    /// The steps that led there, innermost first.
    pub fn via(&self) -> &[Via] {
        match self {
            TemplateError::Syntax { via, .. }
            | TemplateError::Undefined { via, .. }
            | TemplateError::Recursive { via, .. }
            | TemplateError::Omitted { via, .. }
            | TemplateError::Failed { via, .. } => via,
            TemplateError::NotBoolean { .. } => &[],
        }
    }

    /// The same error with one more step.
    pub(super) fn through(mut self, step: Via) -> Self {
        match &mut self {
            TemplateError::Syntax { via, .. }
            | TemplateError::Undefined { via, .. }
            | TemplateError::Recursive { via, .. }
            | TemplateError::Omitted { via, .. }
            | TemplateError::Failed { via, .. } => {
                // For a recursion, the innermost steps are enough.
                if via.len() < MOST_STEPS {
                    via.push(step);
                }
            }
            TemplateError::NotBoolean { .. } => {}
        }
        self
    }
}
