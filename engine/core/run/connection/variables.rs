//! The variables that say how a host is reached and as whom, read for one task.

use std::sync::Arc;

use crate::{
    actions::{Answer, failed_by, text_of},
    run::{conditions, steering},
    template::{self, TemplateError},
    vars::{Scope, Value},
};

/// Collections whose plugins rplay has some of. One of the same name elsewhere is another one.
pub(crate) const COLLECTIONS: [&str; 5] =
    ["ansible.builtin.", "ansible.legacy.", "community.general.", "community.docker.", "containers.podman."];

/// Variables of Ansible's ssh, sudo and su that change what a task does and that rplay does not follow.
pub(crate) const NOT_FOLLOWED: &[&str] = &[
    "ansible_local_become_strip_preamble",
    "ansible_local_become_success_timeout",
    "ansible_private_key",
    "ansible_private_key_passphrase",
    "ansible_scp_executable",
    "ansible_scp_extra_args",
    "ansible_sftp_batch_mode",
    "ansible_sftp_executable",
    "ansible_sftp_extra_args",
    "ansible_ssh_password_mechanism",
    "ansible_ssh_private_key",
    "ansible_ssh_private_key_passphrase",
    "ansible_ssh_retries",
    "ansible_ssh_transfer_method",
    "ansible_ssh_use_tty",
    "ansible_ssh_verbosity",
    "ansible_sshpass_prompt",
    "ansible_su_prompt_l10n",
    "ansible_sudo_chdir",
];

/// Why it is not known how to reach a host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("the connection type '{kind}' of {host} is not supported; there are ssh, local, docker and podman")]
    UnknownConnection { kind: String, host: String },
    #[error(
        "Invalid become method specified, could not find matching plugin: '{method}'. There are sudo, su and doas."
    )]
    UnknownMethod { method: String },
    #[error("the variable `{name}` of {host} is '{text}', which is {wanted}")]
    WrongVariable { name: &'static str, text: String, host: String, wanted: &'static str },
    #[error("`rplay_max_output` is '{0}', which is no number of bytes from 1 to 128M")]
    NoBytes(String),
    #[error("the port '{text}' of {host} is no number from 0 to 65535")]
    NoPort { text: String, host: String },
}

impl ConnectionError {
    /// The answer of a task that cannot reach its host.
    pub fn answer(&self) -> Answer {
        match self {
            ConnectionError::Template(error) => failed_by(error),
            other => Answer::failed(other.to_string()),
        }
    }
}

/// The first variable of a setting that is set, rendered.
pub(crate) fn variable(setting: steering::Steering, scope: &Arc<Scope>) -> Result<Option<Value>, TemplateError> {
    for name in setting.names() {
        if let Some(lazy) = scope.find(name) {
            let value = template::render(&lazy, scope)?;
            if !value.is_none() && !value.is_undefined() && !crate::vars::is_omit(&value) {
                return Ok(Some(value));
            }
        }
    }
    Ok(None)
}

/// The first variable of a setting that is set, as true or false.
pub(crate) fn truth(
    setting: steering::Steering,
    scope: &Arc<Scope>,
    host: &str,
) -> Result<Option<bool>, ConnectionError> {
    let Some(value) = variable(setting, scope)? else { return Ok(None) };
    match conditions::truth_of(&value) {
        Some(truth) => Ok(Some(truth)),
        None => {
            let name = setting.names().iter().find(|name| scope.find(name).is_some()).copied().unwrap_or_default();
            let (text, wanted) = (text_of(&value), "neither true nor false");
            Err(ConnectionError::WrongVariable { name, text, host: host.to_owned(), wanted })
        }
    }
}

/// A password, which no output may show from now on.
pub(crate) fn password(setting: steering::Steering, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(word(setting, scope)?.inspect(|password| scope.magic.conceal(password)))
}

pub(crate) fn word(setting: steering::Steering, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(variable(setting, scope)?.map(|value| text_of(&value)).filter(|text| !text.is_empty()))
}

/// The most that `rplay_max_output` may be. Bytes; a result has to fit into what an agent may send.
const MAX_OUTPUT: u64 = 128 << 20;

/// How much of what a process prints is kept, from the variable `rplay_max_output`: bytes, or with a K, M or G
/// behind them. 0 where it is not set.
pub(crate) fn max_output(scope: &Arc<Scope>) -> Result<u64, ConnectionError> {
    let Some(text) = word(steering::MAX_OUTPUT, scope)? else { return Ok(0) };
    let trimmed = text.trim().trim_end_matches(['b', 'B']).trim_end_matches('i');
    let (digits, factor) = match trimmed.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&trimmed[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&trimmed[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&trimmed[..at], 1 << 30),
        _ => (trimmed, 1),
    };
    let bytes = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.filter(|bytes| (1..=MAX_OUTPUT).contains(bytes)).ok_or(ConnectionError::NoBytes(text))
}
