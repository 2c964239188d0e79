//! The variables that determine how a host is reached and which user a task runs as, read for one task.

use std::sync::Arc;

use crate::{
    actions::{TaskResult, text_of},
    run::{conditions, steering},
    template::{self, TemplateError},
    vars::{Scope, Value},
};

/// Collections with plugins that rplay implements. A plugin of the same name in another collection is a different one.
pub(crate) const COLLECTIONS: [&str; 5] =
    ["ansible.builtin.", "ansible.legacy.", "community.general.", "community.docker.", "containers.podman."];

/// Variables of Ansible's ssh, sudo and su plugins that affect tasks and that rplay does not support.
pub(crate) const NOT_FOLLOWED: &[&str] = &[
    "ansible_local_become_strip_preamble",
    "ansible_local_become_success_timeout",
    "ansible_scp_executable",
    "ansible_scp_extra_args",
    "ansible_sftp_batch_mode",
    "ansible_sftp_executable",
    "ansible_sftp_extra_args",
    "ansible_ssh_password_mechanism",
    "ansible_ssh_transfer_method",
    "ansible_ssh_use_tty",
    "ansible_ssh_verbosity",
    "ansible_sshpass_prompt",
];

/// Why the connection to a host cannot be determined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("the connection plugin '{kind}' was not found")]
    NoPlugin { kind: String, why: String },
    #[error("A non-empty plugin name is required.")]
    NoKind,
    #[error(
        "Invalid become method specified, could not find matching plugin: '{method}'. Use `ansible-doc -t become -l` to \
         list available plugins."
    )]
    UnknownMethod { method: String },
    #[error("the become method '{method}' cannot be used: {why}")]
    FailedMethod { method: String, why: String },
    #[error("the variable `{name}` of {host} is '{text}', which is {wanted}")]
    WrongVariable { name: &'static str, text: String, host: String, wanted: &'static str },
    #[error("`rplay_max_output` is '{0}', which is not a number of bytes from 1 to 128M")]
    NoBytes(String),
    /// A setting for which ansible-core has a keyword, too, and names that.
    #[error("Error processing keyword '{keyword}': The value '{text}' could not be converted to 'int'.")]
    NoNumber { keyword: &'static str, text: String },
}

impl ConnectionError {
    /// The result for a task that cannot reach its host.
    pub(crate) fn result(&self) -> TaskResult {
        match self {
            ConnectionError::Template(error) => TaskResult::of_error(error),
            other => {
                let mut result = TaskResult::failed(format!("Task failed: {other}"));
                result.help = other.help().map(Into::into);
                result
            }
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            ConnectionError::NoPlugin { why, .. } => Some(format!(
                "ssh, local, docker and podman need no plugin; other connections need ansible-core on the controller: {why}"
            )),
            ConnectionError::UnknownMethod { .. } => Some("sudo, su and doas need no plugin".to_owned()),
            _ => None,
        }
    }
}

/// The keyword that sets the same as a variable, by ansible-core's own name for it.
fn keyword_of(setting: steering::Steering) -> Option<&'static str> {
    setting.names().iter().find_map(|name| match *name {
        "ansible_connection" => Some("connection"),
        "ansible_host" => Some("remote_addr"),
        "ansible_port" => Some("port"),
        "ansible_user" => Some("remote_user"),
        _ => None,
    })
}

/// The rendered value of the first variable of a setting that is set.
pub(crate) fn variable(setting: steering::Steering, scope: &Arc<Scope>) -> Result<Option<Value>, TemplateError> {
    for name in setting.names() {
        if let Some(lazy) = scope.find(name) {
            let value = template::render(&lazy, scope).map_err(|error| match keyword_of(setting) {
                Some(keyword) => error.within(format!("Error processing keyword '{keyword}'")),
                None => error,
            })?;
            if !value.is_none() && !value.is_undefined() && !crate::vars::is_omit(&value) {
                return Ok(Some(value));
            }
        }
    }
    Ok(None)
}

/// The first variable of a setting that is set, as a boolean.
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
            let (text, wanted) = (text_of(&value), "not a boolean");
            Err(ConnectionError::WrongVariable { name, text, host: host.to_owned(), wanted })
        }
    }
}

/// A password; registered as a secret.
pub(crate) fn password(setting: steering::Steering, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(word(setting, scope)?.inspect(|password| scope.magic.conceal(password)))
}

pub(crate) fn word(setting: steering::Steering, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(variable(setting, scope)?.map(|value| text_of(&value)).filter(|text| !text.is_empty()))
}

/// Maximum of `rplay_max_output` in bytes: a result must fit into what an agent may send.
const MAX_OUTPUT: u64 = 128 << 20;

/// Number of bytes of a process's output that are kept, from the variable `rplay_max_output`; it accepts the suffixes
/// K, M and G. 0 if not set.
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
