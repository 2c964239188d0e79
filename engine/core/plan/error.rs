//! Errors in plays that are found before the run.

use miette::Diagnostic;

use crate::{
    inventory::InventoryError,
    source::{Problems, Span},
    syntax::ReadError,
    vault::VaultError,
};

/// Ansible's exit code for a run that a person ends.
const INTERRUPTED: u8 = 99;

/// Ansible's exit code for a run that ends before its first task: 1 if something is missing (a file, a role, an
/// inventory, a vault password) or was removed (a module), 4 if a file exists but is invalid. The first
/// problem decides. Errors in variables of hosts and groups always give 4.
pub fn exit_code(problems: &Problems) -> u8 {
    if problems.is_empty() {
        return 0;
    }
    let missing = match problems.first_as() {
        Some(PlanError::Interrupted) => return INTERRUPTED,
        Some(
            PlanError::RoleNotFound { .. }
            | PlanError::Missing { .. }
            | PlanError::NoFile { .. }
            | PlanError::NoPlaybook { .. }
            | PlanError::Unusable { .. }
            | PlanError::EndsRun { .. },
        ) => true,
        Some(PlanError::NotConstant { name, .. }) => matches!(*name, "import_role" | "role" | "tags"),
        Some(_) => false,
        None => {
            problems.first_as::<ReadError>().is_some_and(ReadError::is_plain)
                || problems.first_as::<InventoryError>().is_some()
                || problems.first_as::<VaultError>().is_some()
        }
    };
    if missing { 1 } else { 4 }
}

impl PlanError {
    /// An error about something in a collection that cannot be used; the message says why.
    pub fn unusable(msg: String, at: &Span) -> Self {
        PlanError::Unusable { msg, at: at.clone(), label: "named here", help: None }
    }
}

impl PlanError {
    /// An error about something in the wrong place; the message says what.
    pub fn misplaced(msg: String, at: &Span) -> Self {
        PlanError::Argument { msg, at: at.clone(), label: "not possible here".to_owned(), help: None }
    }
}

/// An error in how plays, roles and files fit together.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PlanError {
    /// It exists, or existed, but cannot be used.
    #[error("{msg}")]
    Unusable {
        msg: String,
        #[source_code]
        #[label("{label}")]
        at: Span,
        label: &'static str,
        #[help]
        help: Option<String>,
    },
    /// A person ends the run (`debugger`).
    #[error("User interrupted execution")]
    Interrupted,
    /// Found while tasks run, but not a failure of a host.
    #[error("{msg}")]
    EndsRun {
        msg: String,
        #[source_code]
        #[label("here")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("the role '{name}' was not found")]
    RoleNotFound {
        name: String,
        /// The directories, with colons between them.
        searched: String,
        #[source_code]
        #[label("no role directory of this name")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("cannot read {path}: no such file")]
    Missing {
        path: String,
        #[source_code]
        #[label("named here")]
        at: Span,
    },
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        path: String,
        reason: String,
        #[source_code]
        #[label("named here")]
        at: Span,
    },
    #[error("the playbook: {path} {why}")]
    NoPlaybook { path: String, why: &'static str },
    #[error("cannot read {path}: {reason}")]
    NoFile { path: String, reason: String },
    #[error("Could not find specified file in role: {kind}/{file}")]
    NotInRole {
        kind: &'static str,
        file: String,
        #[source_code]
        #[label("the role has no such file")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("{msg}")]
    Argument {
        msg: String,
        #[source_code]
        #[label("{label}")]
        at: Span,
        label: String,
        #[help]
        help: Option<String>,
    },
    #[error("`{name}` must be known before the run")]
    NotConstant {
        name: &'static str,
        reason: String,
        #[source_code]
        #[label("{reason}")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("Error processing keyword '{name}': {reason}")]
    Keyword {
        name: &'static str,
        reason: String,
        #[source_code]
        #[label("here")]
        at: Span,
    },
    #[error("{file} imports itself")]
    Endless {
        file: String,
        #[source_code]
        #[label("this leads back to the same file")]
        at: Span,
    },
    #[error("recursive loop detected: includes are nested more than {most} levels deep")]
    TooDeep {
        most: usize,
        #[source_code]
        #[label("may include itself")]
        at: Span,
        #[help]
        help: Option<String>,
    },
    #[error("`{what}` is not supported")]
    Unsupported {
        what: String,
        #[source_code]
        #[label("not supported yet")]
        at: Span,
        #[help]
        help: Option<String>,
    },
}
