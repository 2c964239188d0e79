//! Errors in inventories and host patterns.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::source::Span;

/// An error in an inventory or a host pattern.
#[derive(Debug, Error, Diagnostic)]
pub enum InventoryError {
    /// `host_pattern_mismatch = error`.
    #[error("{message}")]
    #[diagnostic(help("`host_pattern_mismatch` makes this an error"))]
    PatternMismatch {
        message: String,
        #[source_code]
        #[label]
        at: Span,
    },

    #[error("inventory `{path}` does not exist")]
    #[diagnostic(help("for a host list, add a comma: `-i {path},`"))]
    Missing { path: String },

    #[error("the inventory directory `{path}` contains no inventory files")]
    EmptyDirectory { path: String },

    #[error("cannot read inventory `{}`: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },

    #[error("{message}")]
    Syntax {
        message: String,
        #[source_code]
        #[label]
        place: Span,
        #[help]
        help: Option<String>,
    },

    #[error("inventory `{path}` is in TOML, which is not supported")]
    #[diagnostic(help("write it in YAML or INI"))]
    Toml { path: String },

    /// A message from a plugin, or from ansible-core about it.
    #[error("{message}")]
    Plugin { message: String },

    #[error("{message}")]
    #[diagnostic(help("{help}"))]
    Unavailable { message: String, help: &'static str },

    #[error("Completely failed to parse inventory source {path}")]
    #[diagnostic(help("any_unparsed_is_failed (ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) is set"))]
    Unparsed { path: String },

    #[error("No inventory was parsed, please check your configuration and options.")]
    NoneParsed,

    #[error("{message} ({path})")]
    Script {
        path: String,
        message: String,
        #[help]
        stderr: Option<String>,
    },

    #[error("host pattern `{pattern}` is not a regular expression: {message}")]
    Regex { pattern: String, message: String },

    #[error("No hosts matched the subscripted pattern '{pattern}'")]
    Subscript { pattern: String },

    #[error("cannot read limit file `{path}`: {message}")]
    LimitFile { path: String, message: String },

    #[error("Unable to find limit file b'{path}'")]
    NoLimitFile { path: String },

    #[error("Limit starting with \"@\" must be a file, not a directory: b'{path}'")]
    LimitDirectory { path: String },

    #[error("{message}")]
    Loop { message: String },

    #[error("the group tree is too large to show: more than {most} MiB")]
    #[diagnostic(help("groups with several parents are shown below each of them; `--list` shows each once"))]
    TooLarge { most: usize },

    #[error("Specified inventory, host pattern and/or --limit leaves us with no hosts to target.")]
    #[diagnostic(help("{help}"))]
    NothingLeft { help: String },
}

impl InventoryError {
    pub(super) fn syntax(place: Span, message: impl Into<String>) -> Self {
        InventoryError::Syntax { message: message.into(), place, help: None }
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        if let InventoryError::Syntax { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }
}
