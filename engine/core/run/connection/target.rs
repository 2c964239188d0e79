//! How a host is reached: from variables, keywords, the command line and the configuration.

use std::{path::PathBuf, sync::Arc};

use rplay_contract::system::expand;

use crate::{
    actions::text_of,
    link::{Connection, Container, PluginConnection, PrivateKey, Secret, SshOptions, Target},
    plan::Settings,
    run::{
        conditions,
        connection::variables::{COLLECTIONS, ConnectionError, password, truth, variable, word},
        options::Defaults,
        steering,
    },
    vars::Scope,
};

/// The target of a host. `scope` is that of the host to reach; `settings` are the task's, unless it is delegated.
pub(crate) fn target(
    name: &Arc<str>,
    settings: Option<&Settings>,
    keyword_scope: &Arc<Scope>,
    scope: &Arc<Scope>,
    defaults: &Defaults,
) -> Result<Target, ConnectionError> {
    let kind = kind(settings, keyword_scope, scope, defaults)?;
    let short = COLLECTIONS.iter().find_map(|collection| kind.strip_prefix(collection)).unwrap_or(&kind);
    let user = user(settings, keyword_scope, scope, defaults)?;
    let host = word(steering::HOST, scope)?.unwrap_or_else(|| name.to_string());
    let connection = match short {
        "local" => Connection::Local(playbook_dir(keyword_scope)),
        "docker" | "podman" => Connection::Container(Container { engine: short.to_owned(), name: host, user }),
        "ssh" | "smart" | "paramiko_ssh" | "paramiko" => {
            let mut ssh = SshOptions::new(host);
            ssh.user = user;
            let port = match word(steering::PORT, scope)? {
                Some(port) => Some(port),
                None => keyword(conditions::PORT, settings, keyword_scope)?,
            };
            ssh.port = match port {
                Some(text) => match text.trim().parse() {
                    Ok(port) => Some(port),
                    Err(_) => return Err(ConnectionError::NoNumber { keyword: "port", text }),
                },
                None => defaults.port,
            };
            ssh.private_key_file = word(steering::KEY_FILE, scope)?
                .map(|path| PathBuf::from(expand::home(&path, &expand::own_environment)))
                .or_else(|| defaults.private_key_file.clone());
            let secret = |setting, default: &Option<Secret>| -> Result<Option<Secret>, ConnectionError> {
                Ok(password(setting, scope)?.map(Secret::new).or_else(|| default.clone()))
            };
            ssh.private_key = match secret(steering::KEY, &defaults.private_key)? {
                Some(text) => {
                    Some(PrivateKey { text, passphrase: secret(steering::KEY_PASSPHRASE, &defaults.key_passphrase)? })
                }
                None => None,
            };
            let mut args = Vec::new();
            for (setting, default) in [
                (steering::SSH_ARGS, &defaults.ssh_args),
                (steering::COMMON_ARGS, &defaults.common_args),
                (steering::EXTRA_ARGS, &defaults.extra_args),
            ] {
                match word(setting, scope)? {
                    Some(more) => args.extend(split(&more)),
                    None => args.extend(default.iter().cloned()),
                }
            }
            if let Some(provider) = word(steering::PKCS11, scope)?.or_else(|| defaults.pkcs11_provider.clone()) {
                args.extend(["-o".to_owned(), format!("PKCS11Provider={provider}")]);
            }
            ssh.args = args;
            ssh.password = secret(steering::PASSWORD, &defaults.password)?;
            ssh.check_host_key = truth(steering::CHECK_HOST_KEY, scope, name)?.unwrap_or(defaults.check_host_key);
            let executable = word(steering::EXECUTABLE, scope)?.or_else(|| defaults.ssh_executable.clone());
            ssh.executable = executable.unwrap_or(ssh.executable);
            let timeout = match word(steering::TIMEOUT, scope)? {
                Some(text) => match text.trim().parse() {
                    Ok(seconds) => Some(seconds),
                    Err(_) => return Err(ConnectionError::NoNumber { keyword: "timeout", text }),
                },
                None => None,
            };
            ssh.timeout = timeout.unwrap_or(if defaults.timeout > 0 { defaults.timeout } else { ssh.timeout });
            let retries = word(steering::RETRIES, scope)?.and_then(|text| text.parse().ok());
            ssh.retries = retries.unwrap_or(defaults.retries);
            Connection::Ssh(ssh)
        }
        _ => Connection::Plugin(PluginConnection { kind, host, user }),
    };
    Ok(Target { name: name.to_string(), connection })
}

/// A keyword of the task, if its keywords count.
fn keyword(
    keyword: conditions::Keyword,
    settings: Option<&Settings>,
    scope: &Arc<Scope>,
) -> Result<Option<String>, ConnectionError> {
    Ok(settings.map(|settings| conditions::text(keyword, settings, scope)).transpose()?.flatten())
}

/// The kind of connection, as it is written.
pub(crate) fn kind(
    settings: Option<&Settings>,
    keyword_scope: &Arc<Scope>,
    scope: &Arc<Scope>,
    defaults: &Defaults,
) -> Result<String, ConnectionError> {
    let kind = match variable(steering::CONNECTION, scope)?.map(|value| text_of(&value)) {
        Some(kind) if kind.is_empty() => return Err(ConnectionError::NoKind),
        Some(kind) => Some(kind),
        None => keyword(conditions::CONNECTION, settings, keyword_scope)?.or_else(|| defaults.connection.clone()),
    };
    Ok(kind.unwrap_or_else(|| "ssh".to_owned()))
}

/// The user to log in as, if anything names one.
pub(crate) fn user(
    settings: Option<&Settings>,
    keyword_scope: &Arc<Scope>,
    scope: &Arc<Scope>,
    defaults: &Defaults,
) -> Result<Option<String>, ConnectionError> {
    match word(steering::USER, scope)? {
        Some(user) => Ok(Some(user)),
        None => Ok(keyword(conditions::REMOTE_USER, settings, keyword_scope)?.or_else(|| defaults.user.clone())),
    }
}

/// This machine, for what the controller does for a host.
pub(crate) fn controller(scope: &Scope) -> Target {
    Target { name: "localhost".to_owned(), connection: Connection::Local(playbook_dir(scope)) }
}

/// The directory of the play's file, where commands on the controller begin, as under ansible-core.
fn playbook_dir(scope: &Scope) -> PathBuf {
    let written = scope.get("playbook_dir").and_then(|dir| dir.data()).unwrap_or_default();
    std::path::absolute(written.as_str().unwrap_or(".")).unwrap_or_default()
}

fn split(text: &str) -> Vec<String> {
    shell_words::split(text).unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::sample::scope;

    fn ssh(vars: &[(&str, &str)]) -> SshOptions {
        let defaults = Defaults {
            ssh_args: vec!["-C".into()],
            common_args: vec!["-o".into(), "Common=1".into()],
            extra_args: vec!["-q".into()],
            check_host_key: true,
            timeout: 10,
            ..Defaults::default()
        };
        let scope = scope(vars);
        match target(&"name".into(), None, &scope, &scope, &defaults).unwrap().connection {
            Connection::Ssh(options) => options,
            other => panic!("{other:?}"),
        }
    }

    /// The precedence of the spellings is that of ansible-core 2.19, found by running it.
    #[test]
    fn every_spelling_counts_and_the_plugins_own_is_the_strongest() {
        assert_eq!(ssh(&[]).host, "name");
        assert_eq!(ssh(&[("ansible_host", "a")]).host, "a");
        assert_eq!(ssh(&[("ansible_ssh_host", "b")]).host, "b");
        assert_eq!(ssh(&[("ansible_host", "a"), ("ansible_ssh_host", "b")]).host, "b");
        assert_eq!(ssh(&[("ansible_user", "a")]).user.as_deref(), Some("a"));
        assert_eq!(ssh(&[("ansible_user", "a"), ("ansible_ssh_user", "b")]).user.as_deref(), Some("b"));
        assert_eq!(ssh(&[("ansible_port", "1"), ("ansible_ssh_port", "2")]).port, Some(2));
        let key = ssh(&[("ansible_private_key_file", "a"), ("ansible_ssh_private_key_file", "b")]).private_key_file;
        assert_eq!(key, Some(PathBuf::from("b")));
        assert_eq!(ssh(&[("ansible_ssh_timeout", "3")]).timeout, 3);
        for name in ["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"] {
            assert_eq!(ssh(&[(name, "s")]).password.unwrap().reveal(), "s", "{name}");
        }
        for name in ["ansible_host_key_checking", "ansible_ssh_host_key_checking"] {
            assert!(!ssh(&[(name, "no")]).check_host_key, "{name}");
        }
    }

    #[test]
    fn arguments_of_one_kind_replace_those_of_their_kind_alone() {
        assert_eq!(ssh(&[]).args, ["-C", "-o", "Common=1", "-q"]);
        assert_eq!(ssh(&[("ansible_ssh_args", "-v")]).args, ["-v", "-o", "Common=1", "-q"]);
        assert_eq!(ssh(&[("ansible_ssh_common_args", "-J x")]).args, ["-C", "-J", "x", "-q"]);
        assert_eq!(ssh(&[("ansible_ssh_extra_args", "-4")]).args, ["-C", "-o", "Common=1", "-4"]);
        assert_eq!(ssh(&[("ansible_ssh_pkcs11_provider", "/p.so")]).args[4..], ["-o", "PKCS11Provider=/p.so"]);
    }

    /// A plugin of another collection is another one.
    #[test]
    fn what_is_not_native_is_a_plugin() {
        for (kind, is_native) in [("docker", true), ("community.docker.docker", true), ("my.own.local", false)] {
            let scope = scope(&[("ansible_connection", kind), ("ansible_user", "u")]);
            let found = target(&"name".into(), None, &scope, &scope, &Defaults::default()).unwrap().connection;
            let plugin = PluginConnection { kind: kind.into(), host: "name".into(), user: Some("u".into()) };
            assert_eq!(found != Connection::Plugin(plugin), is_native, "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let refused = |vars: &[(&str, &str)]| {
            let scope = scope(vars);
            target(&"name".into(), None, &scope, &scope, &Defaults::default()).unwrap_err().to_string()
        };
        assert!(refused(&[("ansible_ssh_port", "x")]).contains("keyword 'port'"));
        assert!(refused(&[("ansible_ssh_timeout", "x")]).contains("keyword 'timeout'"));
        assert!(refused(&[("ansible_ssh_host_key_checking", "x")]).contains("not a boolean"));
    }
}
