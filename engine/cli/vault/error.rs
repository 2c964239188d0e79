//! Errors of `rplay vault`.

use std::{io, path::PathBuf};

use miette::Diagnostic;
use rplay::{
    source::{Problems, absolute},
    vault::VaultError,
};
use thiserror::Error;

/// Errors of the command, besides those of the vault itself. The words are Ansible's where scripts search for them.
#[derive(Debug, Error, Diagnostic)]
pub(super) enum VaultCommandError {
    #[error("Unable to read source file ({}): {error}", absolute(path))]
    Unreadable { path: PathBuf, error: io::Error },

    #[error("`{}`: {error}", path.display())]
    File { path: PathBuf, error: io::Error },

    #[error("Input is not vault encrypted data. for {name}")]
    NotEncrypted { name: String },

    #[error("input is already encrypted")]
    #[diagnostic(help("{name} is a vault"))]
    Encrypted { name: String },

    #[error("{error} for {name}")]
    Undecryptable {
        name: String,
        error: VaultError,
        #[help]
        help: Option<String>,
    },

    #[error("Did not find a match for --encrypt-vault-id={id} in the known vault-ids [{}]", known.join(", "))]
    #[diagnostic(help("give its password with --vault-id {id}@FILE"))]
    UnknownId { id: String, known: Vec<String> },

    #[error("{} exists, please use 'edit' instead", path.display())]
    Exists { path: PathBuf },

    #[error("encrypting failed: {message}")]
    Cipher { message: String },

    #[error("{0}")]
    Editor(String),

    /// Invalid options, which have their own exit code.
    #[error("{0}")]
    Options(String),
}

/// Why the command ended: `true` if its options are to blame.
pub(super) struct Ended {
    pub problems: Problems,
    pub options: bool,
}

impl From<Problems> for Ended {
    fn from(problems: Problems) -> Self {
        Ended { problems, options: false }
    }
}

impl From<VaultCommandError> for Ended {
    fn from(error: VaultCommandError) -> Self {
        let options = matches!(error, VaultCommandError::Options(_));
        Ended { problems: error.into(), options }
    }
}
