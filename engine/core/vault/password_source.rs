//! Where passwords come from.

use std::path::PathBuf;

use crate::files;

/// The ID of passwords that were given without one.
pub const DEFAULT_ID: &str = "default";

/// Where a vault password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSource {
    pub id: String,
    pub from: PasswordFrom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    /// The user, who is asked for the password of this ID.
    Prompt,
    /// The user, who is asked for the only password (`--ask-vault-password`).
    Ask,
    /// A file that contains the password, or an executable that prints it.
    File(PathBuf),
}

impl PasswordSource {
    /// Parses `NAME@FILE`, `NAME@prompt`, `FILE` or `prompt`, the values of `--vault-id`.
    pub fn parse(text: &str) -> Self {
        let (id, from) = match text.split_once('@') {
            Some((id, from)) if !id.is_empty() => (id, from),
            Some((_, from)) => (DEFAULT_ID, from),
            None => (DEFAULT_ID, text),
        };
        let from = match from {
            "prompt" => PasswordFrom::Prompt,
            "prompt_ask_vault_pass" => PasswordFrom::Ask,
            file => PasswordFrom::File(files::filled_in(file)),
        };
        PasswordSource { id: id.to_owned(), from }
    }

    /// The only password, for which the user is asked.
    pub fn ask() -> Self {
        PasswordSource { id: DEFAULT_ID.to_owned(), from: PasswordFrom::Ask }
    }

    /// A password without an ID, from a file or a program.
    pub fn file(path: &str) -> Self {
        PasswordSource { id: DEFAULT_ID.to_owned(), from: PasswordFrom::File(files::filled_in(path)) }
    }
}
