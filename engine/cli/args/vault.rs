//! The command line of `rplay vault`, which is that of `ansible-vault`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use crate::args::common::PasswordArgs;

/// `rplay vault`
#[derive(Clone, Debug, Args)]
pub(crate) struct VaultArgs {
    #[command(subcommand)]
    pub action: VaultAction,
    /// Say more
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum VaultAction {
    /// Create an encrypted file with an editor
    Create(CreateArgs),
    /// Decrypt files in place; without files, standard input to standard output
    Decrypt(VaultFiles),
    /// Edit encrypted files
    Edit(VaultFiles),
    /// Show the content of encrypted files
    View(VaultFiles),
    /// Encrypt files in place; without files, standard input to standard output
    Encrypt(VaultFiles),
    /// Encrypt values, for use in YAML
    #[command(name = "encrypt_string", alias = "encrypt-string")]
    EncryptString(StringArgs),
    /// Encrypt files with another password
    Rekey(RekeyArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct VaultFiles {
    /// Files; `-` is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub with: EncryptArgs,
    /// Write to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CreateArgs {
    /// The new file
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub with: EncryptArgs,
    /// Start the editor even if standard output is not a terminal
    #[arg(long)]
    pub skip_tty_check: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RekeyArgs {
    /// Files to encrypt again
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub with: EncryptArgs,
    /// File with the new password, or a program that prints it
    #[arg(long, value_name = "FILE", conflicts_with = "new_vault_id")]
    pub new_vault_password_file: Option<PathBuf>,
    /// New password with an ID: NAME@FILE or NAME@prompt
    #[arg(long, value_name = "NAME@SOURCE")]
    pub new_vault_id: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StringArgs {
    /// Values; `-` is standard input, which is also read if there are none
    #[arg(value_name = "STRING")]
    pub values: Vec<String>,
    /// Name of the variable, written before the value; may be repeated
    #[arg(short, long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Name of the variable for the value from standard input
    #[arg(long, value_name = "NAME")]
    pub stdin_name: Option<String>,
    /// Ask for the value
    #[arg(short, long)]
    pub prompt: bool,
    /// Show the value while it is typed
    #[arg(long)]
    pub show_input: bool,
    /// Write to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub with: EncryptArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct EncryptArgs {
    /// Encrypt with the password that has this ID
    #[arg(long, value_name = "NAME")]
    pub encrypt_vault_id: Option<String>,
    #[command(flatten)]
    pub passwords: PasswordArgs,
}
