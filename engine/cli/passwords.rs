//! Passwords: of vaults, of logins, of becoming another user. From files, programs or a question; never
//! from the command line.

use std::{path::Path, sync::Arc};

use miette::Diagnostic;
use rplay::{
    config::Config,
    link::Secret,
    secrets::Secrets,
    source::Problems,
    vault::{PasswordSource, Vault},
};

use crate::{args::PasswordArgs, prompt};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum PasswordError {
    #[error("the password file {path} cannot be read: {reason}")]
    File { path: String, reason: String },
    #[error("no password was given: {0}")]
    #[diagnostic(help(
        "give it in a file (--become-password-file, --connection-password-file) or as a variable from a vault"
    ))]
    Asked(String),
}

/// The vault with all passwords that the command line and the configuration name.
pub fn vault(args: &PasswordArgs, config: &Config, secrets: &Arc<Secrets>) -> Result<Arc<Vault>, Problems> {
    let mut sources = config.vault_identity_list.0.clone();
    sources.extend(args.password_sources());
    if let Some(file) = &config.vault_password_file.value {
        sources.push(PasswordSource::file(&file.display().to_string()));
    }
    if *config.ask_vault_pass && !args.ask_vault_password && sources.is_empty() {
        sources.push(PasswordSource::parse("prompt"));
    }
    let ask = |id: &str| match id {
        rplay::vault::DEFAULT_ID => prompt::secret("Vault password: "),
        id => prompt::secret(&format!("Vault password ({id}): ")),
    };
    Ok(Arc::new(Vault::gather(&sources, *config.vault_id_match, secrets.clone(), ask)?))
}

/// A password from a file, from a question, or none.
pub fn password(file: Option<&Path>, ask: bool, question: &str, secrets: &Secrets) -> Result<Option<Secret>, Problems> {
    let text = match (file, ask) {
        (Some(path), _) => Some(
            rplay::files::read_text(path)
                .map_err(|error| PasswordError::File { path: path.display().to_string(), reason: error.to_string() })?,
        ),
        (None, true) => Some(prompt::secret(question).map_err(|error| PasswordError::Asked(error.to_string()))?),
        (None, false) => None,
    };
    Ok(text.map(|text| {
        let text = text.trim_end_matches(['\r', '\n']);
        secrets.add(text);
        Secret::new(text)
    }))
}
