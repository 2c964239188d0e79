//! What can be wrong with a template, and where.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// Why a template gave no value. One span serves as source and as label.
#[derive(Clone, Debug, Error, Diagnostic)]
pub enum TemplateError {
    /// The text is no template.
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
    /// Something that has no value was used. The message is in the words people search for.
    #[error("{message}")]
    Undefined {
        /// The variable or attribute that is missing.
        name: String,
        message: String,
        #[source_code]
        #[label("has no value")]
        at: Span,
        #[help]
        help: Option<String>,
        #[related]
        via: Vec<Via>,
    },
    /// A variable that needs itself.
    #[error("recursive loop detected in template: {chain}")]
    Recursive {
        /// The names, from the first to its repetition: `a -> b -> a`.
        chain: String,
        #[source_code]
        #[label("needs itself")]
        at: Span,
        #[related]
        via: Vec<Via>,
    },
    /// `omit` where a value is needed.
    #[error("a template was resolved to `omit`")]
    Omitted {
        #[source_code]
        #[label("yields `omit`")]
        at: Span,
        #[related]
        via: Vec<Via>,
    },
    /// A condition that is no boolean.
    #[error(
        "conditional result ({truth}) was derived from value of type '{kind}'; conditionals must have a boolean result"
    )]
    NotBoolean {
        /// What it would count as, `True` or `False`.
        truth: &'static str,
        /// Its type, as Python names it.
        kind: String,
        #[source_code]
        #[label("this is of type {kind}")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    /// A filter, a test, a lookup or an operator refused its input.
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

/// One step on the way to an error: a variable whose value is a template, or a file that was included.
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

/// So many steps on the way to an error are shown.
const MOST_STEPS: usize = 12;

impl TemplateError {
    /// The name that has no value, if that is what went wrong.
    pub fn undefined(&self) -> Option<&str> {
        match self {
            TemplateError::Undefined { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Where it went wrong.
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

    /// The steps that led there, the innermost first.
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

    /// The same error, seen through one more variable or file.
    pub(super) fn through(mut self, step: Via) -> Self {
        match &mut self {
            TemplateError::Syntax { via, .. }
            | TemplateError::Undefined { via, .. }
            | TemplateError::Recursive { via, .. }
            | TemplateError::Omitted { via, .. }
            | TemplateError::Failed { via, .. } => {
                // Of a recursion the innermost steps say all that there is to say.
                if via.len() < MOST_STEPS {
                    via.push(step);
                }
            }
            TemplateError::NotBoolean { .. } => {}
        }
        self
    }
}
