//! Passwords for vaults, logins and privilege escalation, from files, programs or prompts; never from the command line.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use miette::Diagnostic;
use parking_lot::Mutex;
use rplay::{
    config::Config,
    link::Secret,
    secrets::Secrets,
    source::{Problems, absolute},
    vault::{PasswordFrom, PasswordSource, Vault},
};

use crate::{args::common::PasswordArgs, output, prompt};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum PasswordError {
    #[error("The password file {0} was not found")]
    Missing(String),
    #[error("Could not read password file ({path}): {reason}")]
    Unreadable { path: String, reason: String },
    #[error("Empty password was provided from file ({0})")]
    Empty(String),
    #[error(
        "Problem occurred when trying to run the password script {path} ({reason}). If this is not a script, remove the executable bit from the file."
    )]
    NoScript { path: String, reason: String },
    #[error("The password script {path} returned an error (rc={code}): {told}")]
    Script { path: String, code: i32, told: String },
    #[error("no password was given: {0}")]
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
        sources.push(PasswordSource::ask());
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
    let ask = |source: &PasswordSource| {
        let (named, new) = match source.from {
            PasswordFrom::Ask => (String::new(), "New Vault"),
            _ => (format!(" ({})", source.id), "new vault"),
        };
        if purpose != PromptWhen::ToEncrypt {
            return once(&format!("Vault password{named}: "));
        }
        let first = new.replacen('n', "N", 1);
        let typed = once(&format!("{first} password{named}: "))?;
        match prompt::secret(&format!("Confirm {new} password{named}: "))? == typed {
            true => Ok(typed),
            false => Err(std::io::Error::other("Passwords do not match")),
        }
    };
    let warn = |warning: &str| output::aside(&format!("[WARNING]: {warning}\n"));
    Ok(Arc::new(Vault::gather(&sources, *config.vault_id_match, secrets.clone(), ask, warn)?))
}

/// Reads a password from a file, a program or a prompt, if one is given. As in Ansible, a prompt without an answer is none.
pub(crate) fn password(
    file: Option<&Path>,
    ask: bool,
    question: &str,
    secrets: &Secrets,
) -> Result<Option<Secret>, Problems> {
    let text = match (file, ask) {
        (Some(path), _) => Some(from_file(path)?),
        (None, true) => match once(question) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                output::aside("\n");
                None
            }
            answer => Some(answer.map_err(|error| PasswordError::Prompt(error.to_string()))?),
        },
        (None, false) => None,
    };
    Ok(text.map(|text| {
        let text = text.trim_end_matches(['\r', '\n']);
        secrets.add(text);
        Secret::new(text)
    }))
}

/// The password in a file, or what an executable prints. `-` is standard input.
fn from_file(path: &Path) -> Result<String, PasswordError> {
    use std::os::unix::fs::PermissionsExt;
    let shown = || absolute(path);
    let unreadable = |error: std::io::Error| PasswordError::Unreadable { path: shown(), reason: error.to_string() };
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).map_err(unreadable)?
    } else {
        let about = std::fs::metadata(path).map_err(|_| PasswordError::Missing(shown()))?;
        if about.permissions().mode() & 0o111 == 0 {
            rplay::files::read_text(path).map_err(|error| unreadable(std::io::Error::other(error.to_string())))?
        } else {
            let printed = rplay::program::run(Command::new(shown()).stderr(Stdio::piped()));
            let printed =
                printed.map_err(|error| PasswordError::NoScript { path: shown(), reason: error.to_string() })?;
            if !printed.status.success() {
                let told = String::from_utf8_lossy(&printed.stderr).into_owned();
                return Err(PasswordError::Script { path: shown(), code: printed.status.code().unwrap_or(-1), told });
            }
            String::from_utf8_lossy(&printed.stdout).into_owned()
        }
    };
    match text.trim_matches(['\r', '\n']) {
        "" => Err(PasswordError::Empty(shown())),
        password => Ok(password.to_owned()),
    }
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
