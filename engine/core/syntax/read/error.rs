//! Errors in plays, roles and tasks.

use miette::Diagnostic;
use thiserror::Error;

use crate::source::{Problems, Span};

/// An error in a playbook, a task file or a role's metadata, with its place.
#[derive(Debug, Diagnostic, Error)]
pub enum ReadError {
    #[error("'{name}' is not a valid attribute for {place}")]
    UnknownKeyword {
        #[source_code]
        #[label("unknown keyword")]
        at: Span,
        name: String,
        /// With an article, in Ansible's words: `a Play`.
        place: &'static str,
        #[help]
        help: Option<String>,
    },
    #[error(
        "couldn't resolve module/action '{name}'. This often indicates a misspelling, missing collection, or incorrect \
         module path."
    )]
    NeitherKeywordNorModule {
        #[source_code]
        #[label("neither a keyword of {place} nor a module")]
        at: Span,
        name: String,
        place: &'static str,
        #[help]
        help: Option<String>,
    },
    /// Next to a module.
    #[error("conflicting action statements: {names}")]
    UnknownBesideModule {
        #[source_code]
        #[label("neither a keyword of {place} nor a module")]
        at: Span,
        names: String,
        place: &'static str,
        #[help]
        help: Option<String>,
    },
    #[error("no module/action detected in task.")]
    NoAction {
        #[source_code]
        #[label("this task names no module")]
        at: Span,
        #[help]
        help: String,
    },
    #[error("conflicting action statements: {names}")]
    #[diagnostic(help("a task can call only one module; begin another task with `- ` for the second one"))]
    TwoActions {
        names: String,
        #[source_code]
        #[label("first module")]
        first: Span,
        #[label("second module")]
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
        #[label("no longer a {kind}")]
        at: Span,
        name: String,
        /// A keyword, or a module.
        kind: &'static str,
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
    /// A `with_*` that cannot be used.
    #[error("{problem}")]
    Loop {
        problem: String,
        #[source_code]
        #[label("{label}")]
        at: Span,
        label: &'static str,
        #[help]
        help: &'static str,
    },
    #[error("{whose}Invalid variable name '{name}'.")]
    #[diagnostic(help("use letters, digits and underscores, and do not begin with a digit{also}"))]
    VariableName {
        /// The keyword that it belongs to, with a colon.
        whose: &'static str,
        #[source_code]
        #[label("not a variable name")]
        at: Span,
        name: String,
        also: String,
    },
    #[error("tags must be specified as a list")]
    Tags {
        #[source_code]
        #[label("neither text nor a list")]
        at: Span,
    },
    #[error("unclosed quote or template in the arguments of `{module}`")]
    Unbalanced {
        #[source_code]
        #[label("opened here")]
        at: Span,
        module: String,
        #[help]
        help: String,
    },
}

impl ReadError {
    /// Whether ansible-core ends with 1 and not with 4 at this error, as it does at a removed module, a wrong
    /// loop and wrong tags.
    pub fn is_plain(&self) -> bool {
        match self {
            ReadError::Removed { kind, .. } => *kind == "module",
            ReadError::Loop { .. } | ReadError::Tags { .. } => true,
            _ => false,
        }
    }

    /// Whether the first of these problems is a module that does not exist.
    pub fn is_unknown_module(problems: &Problems) -> bool {
        matches!(problems.first_as(), Some(ReadError::NeitherKeywordNorModule { .. }))
    }
}
