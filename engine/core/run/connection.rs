//! How a host is reached and as whom: from variables, keywords, the command line and the configuration.

use std::{path::PathBuf, sync::Arc};

use rplay_modules::wire::Become;

use super::conditions::{text, truth_of};
use crate::{
    actions::{Answer, failed_by},
    link::{Connection, Container, Secret, SshOptions, Target},
    plan::Settings,
    template::{self, TemplateError},
    vars::{Scope, Value},
};

/// What holds where neither a variable nor a keyword says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub connection: Option<String>,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub private_key: Option<PathBuf>,
    pub common_args: Vec<String>,
    pub extra_args: Vec<String>,
    pub password: Option<Secret>,
    pub check_host_key: bool,
    /// Seconds.
    pub timeout: u32,
    pub ssh_executable: Option<String>,
    pub become_: bool,
    pub become_method: Option<String>,
    pub become_user: Option<String>,
    pub become_exe: Option<String>,
    pub become_flags: Option<String>,
    pub become_password: Option<Secret>,
}

/// Why it is not known how to reach a host.
#[derive(Debug, thiserror::Error)]
pub(super) enum WayFault {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("the connection type '{kind}' of {host} is not supported; there are ssh, local, docker and podman")]
    UnknownConnection { kind: String, host: String },
    #[error("the port '{text}' of {host} is no number from 0 to 65535")]
    NoPort { text: String, host: String },
}

impl WayFault {
    /// The answer of a task that cannot reach its host.
    pub fn answer(&self) -> Answer {
        match self {
            WayFault::Template(error) => failed_by(error),
            other => Answer::failed(other.to_string()),
        }
    }
}

/// The first of these variables that is set, rendered.
fn variable(names: &[&str], scope: &Arc<Scope>) -> Result<Option<Value>, TemplateError> {
    for name in names {
        if let Some(lazy) = scope.find(name) {
            let value = template::render(&lazy, scope)?;
            if !value.is_none() && !value.is_undefined() && !crate::vars::is_omit(&value) {
                return Ok(Some(value));
            }
        }
    }
    Ok(None)
}

pub(super) fn word(names: &[&str], scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(variable(names, scope)?.map(|value| super::text_of(&value)).filter(|text| !text.is_empty()))
}

/// Where the agent of a host is. `scope` is that of the host which is to be reached; `settings` are the
/// task's, unless the task was delegated.
pub(super) fn target(
    name: &Arc<str>,
    settings: Option<&Settings>,
    keyword_scope: &Arc<Scope>,
    scope: &Arc<Scope>,
    defaults: &Defaults,
) -> Result<Target, WayFault> {
    let keyword = |field: fn(&Settings) -> Option<&crate::plan::Field>| text(settings.and_then(field), keyword_scope);
    let kind = match word(&["ansible_connection"], scope)? {
        Some(kind) => kind,
        None => keyword(|s| s.connection.as_ref())?
            .or_else(|| defaults.connection.clone())
            .unwrap_or_else(|| "ssh".to_owned()),
    };
    let short = kind.rsplit('.').next().unwrap_or(&kind);
    let user = match word(&["ansible_user", "ansible_ssh_user"], scope)? {
        Some(user) => Some(user),
        None => keyword(|s| s.remote_user.as_ref())?.or_else(|| defaults.user.clone()),
    };
    let host = word(&["ansible_host", "ansible_ssh_host"], scope)?.unwrap_or_else(|| name.to_string());
    let connection = match short {
        "local" => Connection::Local,
        "docker" | "podman" => Connection::Container(Container { engine: short.to_owned(), name: host, user }),
        "ssh" | "smart" | "paramiko_ssh" | "paramiko" => {
            let mut ssh = SshOptions::new(host);
            ssh.user = user;
            let port = match word(&["ansible_port", "ansible_ssh_port"], scope)? {
                Some(port) => Some(port),
                None => keyword(|s| s.port.as_ref())?,
            };
            ssh.port = match port {
                Some(text) => match text.trim().parse() {
                    Ok(port) => Some(port),
                    Err(_) => return Err(WayFault::NoPort { text, host: name.to_string() }),
                },
                None => defaults.port,
            };
            ssh.private_key = word(&["ansible_ssh_private_key_file", "ansible_private_key_file"], scope)?
                .map(|path| expand_home(&path))
                .or_else(|| defaults.private_key.clone());
            let mut args = Vec::new();
            match word(&["ansible_ssh_common_args"], scope)? {
                Some(more) => args.extend(split(&more)),
                None => args.extend(defaults.common_args.iter().cloned()),
            }
            match word(&["ansible_ssh_extra_args"], scope)? {
                Some(more) => args.extend(split(&more)),
                None => args.extend(defaults.extra_args.iter().cloned()),
            }
            ssh.args = args;
            ssh.password = word(&["ansible_password", "ansible_ssh_password", "ansible_ssh_pass"], scope)?
                .map(Secret::new)
                .or_else(|| defaults.password.clone());
            let check = variable(&["ansible_host_key_checking", "ansible_ssh_host_key_checking"], scope)?;
            ssh.check_host_key = check.and_then(|value| truth_of(&value)).unwrap_or(defaults.check_host_key);
            let executable = word(&["ansible_ssh_executable"], scope)?.or_else(|| defaults.ssh_executable.clone());
            ssh.executable = executable.unwrap_or(ssh.executable);
            let timeout = word(&["ansible_ssh_timeout", "ansible_timeout"], scope)?.and_then(|text| text.parse().ok());
            ssh.timeout = timeout.unwrap_or(if defaults.timeout > 0 { defaults.timeout } else { ssh.timeout });
            Connection::Ssh(ssh)
        }
        other => return Err(WayFault::UnknownConnection { kind: other.to_owned(), host: name.to_string() }),
    };
    Ok(Target { name: name.to_string(), connection })
}

/// As whom a task runs; `None` is the login user.
pub(super) fn become_user(
    settings: &Settings,
    scope: &Arc<Scope>,
    variables: &Arc<Scope>,
    defaults: &Defaults,
) -> Result<Option<Become>, TemplateError> {
    let wanted = match variable(&["ansible_become"], variables)?.and_then(|value| truth_of(&value)) {
        Some(wanted) => wanted,
        None => super::conditions::flag(settings.become_.as_ref(), scope)?.unwrap_or(defaults.become_),
    };
    if !wanted {
        return Ok(None);
    }
    let pick =
        |names: &[&str], field: Option<&crate::plan::Field>, default: &Option<String>| match word(names, variables)? {
            Some(found) => Ok(Some(found)),
            None => Ok::<_, TemplateError>(text(field, scope)?.or_else(|| default.clone())),
        };
    let method = pick(&["ansible_become_method"], settings.become_method.as_ref(), &defaults.become_method)?;
    let method = method.map_or_else(|| "sudo".to_owned(), |m| m.rsplit('.').next().unwrap_or("sudo").to_owned());
    let user = pick(&["ansible_become_user"], settings.become_user.as_ref(), &defaults.become_user)?;
    let exe = pick(&["ansible_become_exe"], settings.become_exe.as_ref(), &defaults.become_exe)?;
    let flags = pick(&["ansible_become_flags"], settings.become_flags.as_ref(), &defaults.become_flags)?;
    let password = word(
        &["ansible_become_password", "ansible_become_pass", "ansible_sudo_password", "ansible_sudo_pass"],
        variables,
    )?
    .or_else(|| defaults.become_password.as_ref().map(|secret| secret.reveal().to_owned()));
    Ok(Some(Become { method, user: user.unwrap_or_else(|| "root".to_owned()), exe, flags, password }))
}

fn split(text: &str) -> Vec<String> {
    shell_words::split(text).unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect())
}

fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}
