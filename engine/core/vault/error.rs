//! Errors of encrypted texts and of passwords.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::source::{Span, absolute};

/// An error of an encrypted text or of the passwords.
#[derive(Debug, Error, Diagnostic)]
pub enum VaultError {
    #[error("Attempting to decrypt but no vault secrets found: this is encrypted, and no vault password was given")]
    #[diagnostic(help("give --vault-password-file FILE, --vault-id NAME@FILE or --ask-vault-password"))]
    NoPassword {
        #[source_code]
        #[label]
        place: Span,
    },

    #[error("Decryption failed (no vault secrets were found that could decrypt)")]
    WrongPassword {
        #[source_code]
        #[label("encrypted{id}")]
        place: Span,
        /// ` with the id NAME`, if the text names one.
        id: String,
        #[help]
        help: String,
    },

    #[error("invalid vault text: {message}")]
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

    #[error("vault password {origin}: {message}")]
    Password { origin: String, message: String },
}
