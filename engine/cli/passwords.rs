//! Passwords for vaults, logins and privilege escalation, from files, programs or prompts; never from the command line.

use std::{path::Path, sync::Arc};

use miette::Diagnostic;
use parking_lot::Mutex;
use rplay::{
    config::Config,
    link::Secret,
    secrets::Secrets,
    source::Problems,
    vault::{PasswordSource, Vault},
};

use crate::{args::common::PasswordArgs, output, prompt};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum PasswordError {
    #[error("cannot read the password file {path}: {reason}")]
    File { path: String, reason: String },
    #[error("no password was given: {0}")]
    #[diagnostic(help(
        "pass it in a file (--become-password-file, --connection-password-file) or as a vaulted variable"
    ))]
    Prompt(String),
}

/// When to prompt for a vault password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptWhen {
    /// Only if an option or a setting requests it.
    IfRequested,
    /// To decrypt; prompts if there is no other password.
    ToDecrypt,
    /// To encrypt; prompts twice if there is no other password.
    ToEncrypt,
}

/// The vault with all passwords that the command line and the configuration name.
pub(crate) fn vault(args: &PasswordArgs, config: &Config, secrets: &Arc<Secrets>) -> Result<Arc<Vault>, Problems> {
    vault_for(args, config, secrets, PromptWhen::IfRequested)
}

/// The same for a purpose.
pub(crate) fn vault_for(
    args: &PasswordArgs,
    config: &Config,
    secrets: &Arc<Secrets>,
    purpose: PromptWhen,
) -> Result<Arc<Vault>, Problems> {
    let mut sources = config.vault_identity_list.0.clone();
    sources.extend(args.password_sources());
    if let Some(file) = &config.vault_password_file.value {
        sources.push(PasswordSource::file(&file.display().to_string()));
    }
    let ask = *config.ask_vault_pass && !args.ask_vault_password || purpose != PromptWhen::IfRequested;
    if ask && sources.is_empty() {
        sources.push(PasswordSource::parse("prompt"));
    }
    gather(&sources, config, secrets, purpose)
}

/// The passwords of these sources. A file without one is only a warning if another source has one.
pub(crate) fn gather(
    sources: &[PasswordSource],
    config: &Config,
    secrets: &Arc<Secrets>,
    purpose: PromptWhen,
) -> Result<Arc<Vault>, Problems> {
    // Passwords without an ID have that of the settings.
    let identity = |source: &PasswordSource| match &*source.id {
        rplay::vault::DEFAULT_ID => PasswordSource { id: config.vault_identity.value.clone(), ..source.clone() },
        _ => source.clone(),
    };
    let sources: Vec<PasswordSource> = sources.iter().map(identity).collect();
    let ask = |id: &str| {
        let named = match id {
            rplay::vault::DEFAULT_ID => String::new(),
            id => format!(" ({id})"),
        };
        let new = if purpose == PromptWhen::ToEncrypt { "New Vault" } else { "Vault" };
        let typed = once(&format!("{new} password{named}: "))?;
        if purpose == PromptWhen::ToEncrypt && prompt::secret(&format!("Confirm new vault password{named}: "))? != typed
        {
            return Err(std::io::Error::other("Passwords do not match"));
        }
        Ok(typed)
    };
    let warn = |warning: &str| output::aside(&format!("[WARNING]: {warning}\n"));
    Ok(Arc::new(Vault::gather(&sources, *config.vault_id_match, secrets.clone(), ask, warn)?))
}

/// Reads a password from a file or a prompt, if one is given.
pub(crate) fn password(
    file: Option<&Path>,
    ask: bool,
    question: &str,
    secrets: &Secrets,
) -> Result<Option<Secret>, Problems> {
    let text = match (file, ask) {
        (Some(path), _) => Some(
            rplay::files::read_text(path)
                .map_err(|error| PasswordError::File { path: path.display().to_string(), reason: error.to_string() })?,
        ),
        (None, true) => Some(once(question).map_err(|error| PasswordError::Prompt(error.to_string()))?),
        (None, false) => None,
    };
    Ok(text.map(|text| {
        let text = text.trim_end_matches(['\r', '\n']);
        secrets.add(text);
        Secret::new(text)
    }))
}

/// Asks each question once per process: `rplay console` and `rplay pull` run several plays.
fn once(question: &str) -> std::io::Result<String> {
    static ANSWERS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
    let mut answers = ANSWERS.lock();
    if let Some((_, answer)) = answers.iter().find(|(asked, _)| asked == question) {
        return Ok(answer.clone());
    }
    let answer = prompt::secret(question)?;
    answers.push((question.to_owned(), answer.clone()));
    Ok(answer)
}
