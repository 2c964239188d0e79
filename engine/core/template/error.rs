//! Errors in templates, with their places.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// Why a template has no value. One span serves as both source and label.
#[derive(Clone, Debug, Error, Diagnostic)]
pub enum TemplateError {
    /// The text is not a valid template.
    #[error("Syntax error in {kind}: {message}")]
    Syntax {
        /// `template` or `expression`.
        kind: &'static str,
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
    #[error("Recursive loop detected in template: {chain}")]
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
    #[error("A template was resolved to an Omit scalar.")]
    Omitted {
        #[source_code]
        #[label("yields `omit`")]
        at: Span,
        #[related]
        via: Vec<Via>,
    },
    /// A condition that is not a boolean.
    #[error(
        "Conditional result ({truth}) was derived from value of type '{kind}' at '{}'. Conditionals must have a boolean \
         result.",
        at.origin()
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
    /// An error with what was being evaluated when it happened, such as a keyword or an argument of a task.
    #[error("{context}: {error}")]
    #[diagnostic(forward(error))]
    Within { context: String, error: Box<TemplateError> },
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
            TemplateError::Within { error, .. } => error.undefined(),
            _ => None,
        }
    }

    /// The place of the error.
    pub fn at(&self) -> &Span {
        match self {
            TemplateError::Syntax { at, .. }
            | TemplateError::Undefined { at, .. }
            | TemplateError::Recursive { at, .. }
            | TemplateError::Omitted { at, .. }
            | TemplateError::NotBoolean { at, .. }
            | TemplateError::Failed { at, .. } => at,
            TemplateError::Within { error, .. } => error.at(),
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
            TemplateError::Within { error, .. } => error.via(),
            TemplateError::NotBoolean { .. } => &[],
        }
    }

    /// Adds what was being evaluated; the message then begins with it.
    #[must_use]
    pub fn within(self, context: impl Into<String>) -> Self {
        TemplateError::Within { context: context.into(), error: Box::new(self) }
    }

    /// The same error, worded as that of a condition. Syntax errors and results that are not booleans already say so;
    /// an operator's error says that it comes from an expression.
    #[must_use]
    pub(super) fn of_condition(self) -> Self {
        match self {
            TemplateError::Undefined { .. } => self.within("Error while evaluating conditional"),
            other => other,
        }
    }

    /// The innermost error, without what was being evaluated.
    pub fn innermost(&self) -> &Self {
        match self {
            TemplateError::Within { error, .. } => error.innermost(),
            own => own,
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
            TemplateError::Within { error, .. } => **error = (**error).clone().through(step),
            TemplateError::NotBoolean { .. } => {}
        }
        self
    }
}
