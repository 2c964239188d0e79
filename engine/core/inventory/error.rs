//! What can be wrong with an inventory or a host pattern.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::{Inventory, graph::Snapshot};
use crate::source::{Problems, Span};

/// What can be wrong with an inventory or a host pattern.
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
    #[diagnostic(help("a list of hosts needs a comma: `-i {path},`"))]
    Missing { path: String },

    #[error("the inventory folder `{path}` contains no inventory files")]
    EmptyFolder { path: String },

    #[error("inventory `{}` cannot be read: {error}", path.display())]
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

    /// What a plugin says, or ansible-core of it.
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

    #[error("inventory script `{path}` failed: {message}")]
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

    #[error("limit file `{path}` cannot be read: {message}")]
    LimitFile { path: String, message: String },

    #[error("{message}")]
    Loop { message: String },

    #[error("the tree of groups is too large to be shown: more than {most} MiB")]
    #[diagnostic(help("groups with several parents are shown below each of them; `--list` shows each once"))]
    TooLarge { most: usize },

    #[error("no host is left by --limit")]
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

/// The faults of one source. What the source says after the first one is read for more faults, but does not count.
#[derive(Default)]
pub(super) struct InventoryErrors {
    problems: Problems,
    before: Option<Snapshot>,
}

impl InventoryErrors {
    pub fn push(&mut self, inventory: &Inventory, fault: InventoryError) {
        self.before.get_or_insert_with(|| inventory.snapshot());
        self.problems.push(fault);
    }

    /// Ends the reading of the source: after a fault, hosts and groups are again as they were before it.
    pub fn end(self, inventory: &mut Inventory) -> Result<(), Problems> {
        if let Some(before) = self.before {
            inventory.restore(before);
        }
        self.problems.unless_any(())
    }
}
