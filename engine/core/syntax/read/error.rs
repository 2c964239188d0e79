//! What can be wrong with a play, a role or a task.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// A fault of a playbook, a task file or a role's metadata at its place.
#[derive(Debug, Diagnostic, Error)]
pub enum ReadError {
    #[error("`{name}` is not a keyword of {place}")]
    UnknownKeyword {
        #[source_code]
        #[label("unknown keyword")]
        at: Span,
        name: String,
        /// With its article: `a play`.
        place: &'static str,
        #[help]
        help: Option<String>,
    },
    #[error("`{name}` is neither a keyword of {place} nor a module")]
    NeitherKeywordNorModule {
        #[source_code]
        #[label("unknown name")]
        at: Span,
        name: String,
        place: &'static str,
        #[help]
        help: Option<String>,
    },
    #[error("no module/action detected in task")]
    NoAction {
        #[source_code]
        #[label("this task says no module")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("conflicting action statements: {names}")]
    #[diagnostic(help("a task calls one module; begin another task with `- ` for the second one"))]
    TwoActions {
        names: String,
        #[source_code]
        #[label("one module")]
        first: Span,
        #[label("and another one")]
        second: Span,
    },
    #[error("`{name}` is not supported")]
    Unsupported {
        #[source_code]
        #[label("not supported")]
        at: Span,
        name: String,
        #[help]
        help: Option<String>,
    },
    #[error("`{name}` was removed from Ansible")]
    Removed {
        #[source_code]
        #[label("no longer a keyword")]
        at: Span,
        name: String,
        #[help]
        help: &'static str,
    },
    #[error("{name} must be {expected}")]
    WrongType {
        /// A keyword in backquotes, or a phrase.
        name: String,
        expected: &'static str,
        found: &'static str,
        #[source_code]
        #[label("this is {found}")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("{problem}")]
    Other {
        problem: String,
        label: &'static str,
        #[source_code]
        #[label("{label}")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("Invalid variable name `{name}`")]
    #[diagnostic(help("letters, digits and underscores, not beginning with a digit{also}"))]
    VariableName {
        #[source_code]
        #[label("not a variable name")]
        at: Span,
        name: String,
        also: String,
    },
    #[error("a quote or template in the arguments of `{module}` is not closed")]
    Unbalanced {
        #[source_code]
        #[label("opened here")]
        at: Span,
        module: String,
        #[help]
        help: String,
    },
}
