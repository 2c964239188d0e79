//! Errors of encrypted texts and of passwords.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::source::{Span, absolute};

/// An error of an encrypted text or of the passwords.
#[derive(Debug, Error, Diagnostic)]
pub enum VaultError {
    #[error("Attempting to decrypt but no vault secrets found.")]
    #[diagnostic(help(
        "this is encrypted, and no vault password was given: give --vault-password-file FILE, --vault-id NAME@FILE or --ask-vault-password"
    ))]
    NoPassword {
        #[source_code]
        #[label("encrypted")]
        place: Span,
    },

    #[error("Decryption failed (no vault secrets were found that could decrypt).")]
    WrongPassword {
        #[source_code]
        #[label("encrypted{id}")]
        place: Span,
        /// ` with the id NAME`, if the text names one.
        id: String,
        #[help]
        help: String,
    },

    #[error("{message}")]
    Malformed {
        message: String,
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("the decrypted content is not UTF-8 text")]
    NotText {
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("cannot read `{}`: {message}", path.display())]
    Unreadable { path: PathBuf, message: String },

    #[error("The vault password file {} was not found", absolute(path))]
    NoPasswordFile { path: PathBuf },

    #[error("The vault password file provided '{}' can not be a directory", absolute(path))]
    Directory { path: PathBuf },

    #[error("Invalid vault password was provided from {kind} ({})", absolute(path))]
    Empty {
        /// `file` or `script`.
        kind: &'static str,
        path: PathBuf,
    },

    #[error("Vault password script {} returned non-zero ({code}): None", absolute(path))]
    Script { path: PathBuf, code: i32 },

    #[error("Vault password client script {} {failed}: {told}", absolute(path))]
    Client {
        path: PathBuf,
        failed: String,
        /// What it wrote to standard error, as Python shows bytes.
        told: String,
    },

    #[error("vault password {origin}: {message}")]
    Password { origin: String, message: String },

    /// What went wrong at a prompt.
    #[error("{message}")]
    Prompt { message: String },
}
