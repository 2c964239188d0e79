//! How a host is reached and as whom: from variables, keywords, the command line and the configuration.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use rplay_modules::wire::Become;

use crate::run::conditions::{self, truth_of};
use crate::run::steering::{self as names, Steering};
use crate::{
    actions::{Answer, failed_by},
    link::{Connection, Container, Secret, SshOptions, Target},
    plan::Settings,
    template::{self, TemplateError},
    vars::{Scope, Value},
};

/// The most that `rplay_max_output` may be. Bytes; a result has to fit into what an agent may send.
const MAX_OUTPUT: u64 = 128 << 20;

/// What holds where neither a variable nor a keyword says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub connection: Option<String>,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub private_key: Option<PathBuf>,
    /// In place of rplay's own for connection sharing.
    pub ssh_args: Vec<String>,
    pub common_args: Vec<String>,
    pub extra_args: Vec<String>,
    pub password: Option<Secret>,
    pub check_host_key: bool,
    /// Seconds.
    pub timeout: u32,
    /// How often connecting is tried again.
    pub retries: u32,
    pub ssh_executable: Option<String>,
    pub pkcs11_provider: Option<String>,
    pub become_: bool,
    pub become_method: Option<String>,
    pub become_user: Option<String>,
    pub become_exe: Option<String>,
    pub become_flags: Option<String>,
    pub become_password: Option<Secret>,
    /// What holds for one way of becoming another user alone, by its name; stronger than what holds for all.
    pub methods: HashMap<&'static str, MethodDefaults>,
}

/// Settings of one become plugin (`ANSIBLE_SUDO_USER`, `[su_become_plugin]` ...).
#[derive(Clone, Debug, Default)]
pub struct MethodDefaults {
    pub user: Option<String>,
    pub exe: Option<String>,
    pub flags: Option<String>,
    pub password: Option<Secret>,
}

/// The variables of a become plugin.
struct BecomeNames {
    user: Steering,
    exe: Steering,
    flags: Steering,
    password: Steering,
}

/// The ways to become another user, and their variables. Others are refused.
const METHODS: [(&str, BecomeNames); 3] = [
    (
        "sudo",
        BecomeNames {
            user: names::SUDO_USER,
            exe: names::SUDO_EXE,
            flags: names::SUDO_FLAGS,
            password: names::SUDO_PASSWORD,
        },
    ),
    (
        "su",
        BecomeNames { user: names::SU_USER, exe: names::SU_EXE, flags: names::SU_FLAGS, password: names::SU_PASSWORD },
    ),
    (
        "doas",
        BecomeNames {
            user: names::DOAS_USER,
            exe: names::DOAS_EXE,
            flags: names::DOAS_FLAGS,
            password: names::DOAS_PASSWORD,
        },
    ),
];

/// Collections whose plugins rplay has some of. One of the same name elsewhere is another one.
const COLLECTIONS: [&str; 5] =
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
fn variable(setting: Steering, scope: &Arc<Scope>) -> Result<Option<Value>, TemplateError> {
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
fn truth(setting: Steering, scope: &Arc<Scope>, host: &str) -> Result<Option<bool>, ConnectionError> {
    let Some(value) = variable(setting, scope)? else { return Ok(None) };
    match truth_of(&value) {
        Some(truth) => Ok(Some(truth)),
        None => {
            let name = setting.names().iter().find(|name| scope.find(name).is_some()).copied().unwrap_or_default();
            let (text, wanted) = (crate::run::text_of(&value), "neither true nor false");
            Err(ConnectionError::WrongVariable { name, text, host: host.to_owned(), wanted })
        }
    }
}

/// A password, which no output may show from now on.
fn password(setting: Steering, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(word(setting, scope)?.inspect(|password| scope.magic.conceal(password)))
}

pub(crate) fn word(setting: Steering, scope: &Arc<Scope>) -> Result<Option<String>, TemplateError> {
    Ok(variable(setting, scope)?.map(|value| crate::run::text_of(&value)).filter(|text| !text.is_empty()))
}

/// Where the agent of a host is. `scope` is that of the host which is to be reached; `settings` are the
/// task's, unless the task was delegated.
pub(crate) fn target(
    name: &Arc<str>,
    settings: Option<&Settings>,
    keyword_scope: &Arc<Scope>,
    scope: &Arc<Scope>,
    defaults: &Defaults,
) -> Result<Target, ConnectionError> {
    let keyword = |keyword| match settings {
        Some(settings) => conditions::text(keyword, settings, keyword_scope),
        None => Ok(None),
    };
    let kind = match word(names::CONNECTION, scope)? {
        Some(kind) => kind,
        None => {
            keyword(conditions::CONNECTION)?.or_else(|| defaults.connection.clone()).unwrap_or_else(|| "ssh".to_owned())
        }
    };
    let short = COLLECTIONS.iter().find_map(|collection| kind.strip_prefix(collection)).unwrap_or(&kind);
    let user = match word(names::USER, scope)? {
        Some(user) => Some(user),
        None => keyword(conditions::REMOTE_USER)?.or_else(|| defaults.user.clone()),
    };
    let host = word(names::HOST, scope)?.unwrap_or_else(|| name.to_string());
    let connection = match short {
        "local" => Connection::Local,
        "docker" | "podman" => Connection::Container(Container { engine: short.to_owned(), name: host, user }),
        "ssh" | "smart" | "paramiko_ssh" | "paramiko" => {
            let mut ssh = SshOptions::new(host);
            ssh.user = user;
            let port = match word(names::PORT, scope)? {
                Some(port) => Some(port),
                None => keyword(conditions::PORT)?,
            };
            ssh.port = match port {
                Some(text) => match text.trim().parse() {
                    Ok(port) => Some(port),
                    Err(_) => return Err(ConnectionError::NoPort { text, host: name.to_string() }),
                },
                None => defaults.port,
            };
            ssh.private_key =
                word(names::KEY_FILE, scope)?.map(|path| expand_home(&path)).or_else(|| defaults.private_key.clone());
            let mut args = Vec::new();
            for (setting, default) in [
                (names::SSH_ARGS, &defaults.ssh_args),
                (names::COMMON_ARGS, &defaults.common_args),
                (names::EXTRA_ARGS, &defaults.extra_args),
            ] {
                match word(setting, scope)? {
                    Some(more) => args.extend(split(&more)),
                    None => args.extend(default.iter().cloned()),
                }
            }
            if let Some(provider) = word(names::PKCS11, scope)?.or_else(|| defaults.pkcs11_provider.clone()) {
                args.extend(["-o".to_owned(), format!("PKCS11Provider={provider}")]);
            }
            ssh.args = args;
            ssh.password = password(names::PASSWORD, scope)?.map(Secret::new).or_else(|| defaults.password.clone());
            ssh.check_host_key = truth(names::CHECK_HOST_KEY, scope, name)?.unwrap_or(defaults.check_host_key);
            let executable = word(names::EXECUTABLE, scope)?.or_else(|| defaults.ssh_executable.clone());
            ssh.executable = executable.unwrap_or(ssh.executable);
            let timeout = match word(names::TIMEOUT, scope)? {
                Some(text) => match text.trim().parse() {
                    Ok(seconds) => Some(seconds),
                    Err(_) => {
                        let wanted = "no whole number of seconds";
                        return Err(ConnectionError::WrongVariable {
                            name: "ansible_ssh_timeout",
                            text,
                            host: name.to_string(),
                            wanted,
                        });
                    }
                },
                None => None,
            };
            ssh.timeout = timeout.unwrap_or(if defaults.timeout > 0 { defaults.timeout } else { ssh.timeout });
            let retries = word(names::RETRIES, scope)?.and_then(|text| text.parse().ok());
            ssh.retries = retries.unwrap_or(defaults.retries);
            Connection::Ssh(ssh)
        }
        _ => return Err(ConnectionError::UnknownConnection { kind, host: name.to_string() }),
    };
    Ok(Target { name: name.to_string(), connection })
}

/// As whom a task runs; `None` is the login user. `variables` are those of the host that does the work.
///
/// # Errors
/// What the keywords and variables say is not to be understood, or cannot be done.
pub(crate) fn become_user(
    settings: &Settings,
    scope: &Arc<Scope>,
    variables: &Arc<Scope>,
    defaults: &Defaults,
    host: &str,
) -> Result<Option<Become>, ConnectionError> {
    let wanted = match truth(names::BECOME, variables, host)? {
        Some(wanted) => wanted,
        None => conditions::flag(conditions::BECOME, settings, scope)?.unwrap_or(defaults.become_),
    };
    if !wanted {
        return Ok(None);
    }
    let pick = |setting: Steering, keyword, default: Option<&String>| match word(setting, variables)? {
        Some(found) => Ok(Some(found)),
        None => Ok::<_, TemplateError>(conditions::text(keyword, settings, scope)?.or_else(|| default.cloned())),
    };
    let method = pick(names::BECOME_METHOD, conditions::BECOME_METHOD, defaults.become_method.as_ref())?;
    let method = method.unwrap_or_else(|| "sudo".to_owned());
    let short = COLLECTIONS.iter().find_map(|collection| method.strip_prefix(collection)).unwrap_or(&method);
    let Some((method, own_names)) = METHODS.iter().find(|(known, _)| *known == short) else {
        return Err(ConnectionError::UnknownMethod { method });
    };
    let own = defaults.methods.get(method);
    let setting = |field: fn(&MethodDefaults) -> Option<&String>| own.and_then(field);
    let user = setting(|own| own.user.as_ref()).or(defaults.become_user.as_ref());
    let user = pick(own_names.user, conditions::BECOME_USER, user)?;
    let exe = setting(|own| own.exe.as_ref()).or(defaults.become_exe.as_ref());
    let exe = pick(own_names.exe, conditions::BECOME_EXE, exe)?;
    let flags = setting(|own| own.flags.as_ref()).or(defaults.become_flags.as_ref());
    let flags = pick(own_names.flags, conditions::BECOME_FLAGS, flags)?;
    let default = own.and_then(|own| own.password.as_ref()).or(defaults.become_password.as_ref());
    let password =
        password(own_names.password, variables)?.or_else(|| default.map(|secret| secret.reveal().to_owned()));
    let user = user.unwrap_or_else(|| "root".to_owned());
    Ok(Some(Become { method: (*method).to_owned(), user, exe, flags, password }))
}

/// How much of what a process prints is kept, from the variable `rplay_max_output`: bytes, or with a K, M or G
/// behind them. 0 where it is not set.
pub(crate) fn max_output(scope: &Arc<Scope>) -> Result<u64, ConnectionError> {
    let Some(text) = word(names::MAX_OUTPUT, scope)? else { return Ok(0) };
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

fn split(text: &str) -> Vec<String> {
    shell_words::split(text).unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect())
}

fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::{Layer, Lazy, Magic};

    struct Nothing;

    impl Magic for Nothing {
        fn get(&self, _: &str) -> Option<Lazy> {
            None
        }

        fn names(&self) -> Vec<Arc<str>> {
            vec![]
        }
    }

    fn scope(vars: &[(&str, &str)]) -> Arc<Scope> {
        let layer: Layer = vars.iter().map(|(name, value)| ((*name).into(), Lazy::Data((*value).into()))).collect();
        Arc::new(Scope::new(vec![Arc::new(layer)], Arc::new(Nothing), Arc::from([])))
    }

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

    /// Who wins where several spellings are given was asked of ansible-core 2.19.
    #[test]
    fn every_spelling_counts_and_the_plugins_own_is_the_strongest() {
        assert_eq!(ssh(&[]).host, "name");
        assert_eq!(ssh(&[("ansible_host", "a")]).host, "a");
        assert_eq!(ssh(&[("ansible_ssh_host", "b")]).host, "b");
        assert_eq!(ssh(&[("ansible_host", "a"), ("ansible_ssh_host", "b")]).host, "b");
        assert_eq!(ssh(&[("ansible_user", "a")]).user.as_deref(), Some("a"));
        assert_eq!(ssh(&[("ansible_user", "a"), ("ansible_ssh_user", "b")]).user.as_deref(), Some("b"));
        assert_eq!(ssh(&[("ansible_port", "1"), ("ansible_ssh_port", "2")]).port, Some(2));
        let key = ssh(&[("ansible_private_key_file", "a"), ("ansible_ssh_private_key_file", "b")]).private_key;
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

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let refused = |vars: &[(&str, &str)]| {
            let scope = scope(vars);
            target(&"name".into(), None, &scope, &scope, &Defaults::default()).unwrap_err().to_string()
        };
        assert!(refused(&[("ansible_connection", "my.own.local")]).contains("'my.own.local' of name"));
        assert!(refused(&[("ansible_connection", "nosuch")]).contains("'nosuch' of name is not supported"));
        assert!(refused(&[("ansible_ssh_port", "x")]).contains("port 'x'"));
        assert!(refused(&[("ansible_ssh_timeout", "x")]).contains("no whole number of seconds"));
        assert!(refused(&[("ansible_ssh_host_key_checking", "x")]).contains("neither true nor false"));
    }

    fn becomes(vars: &[(&str, &str)], defaults: &Defaults) -> Result<Option<Become>, String> {
        let scope = scope(vars);
        become_user(&Settings::default(), &scope, &scope, defaults, "name").map_err(|error| error.to_string())
    }

    #[test]
    fn each_way_of_becoming_has_its_own_names() {
        let defaults = Defaults::default();
        assert_eq!(becomes(&[], &defaults), Ok(None));
        let start = |method| [("ansible_become", "yes"), ("ansible_become_method", method)];
        for method in ["sudo", "su", "doas", "ansible.builtin.sudo", "community.general.doas"] {
            let short = method.rsplit('.').next().unwrap();
            let own = |what: &str| format!("ansible_{short}_{what}");
            let (user, exe, flags, pass) = (own("user"), own("exe"), own("flags"), own("pass"));
            let mut vars = start(method).to_vec();
            vars.extend([("ansible_become_user", "general"), ("ansible_become_password", "general")]);
            assert_eq!(becomes(&vars, &defaults).unwrap().unwrap().user, "general");
            vars.extend([(&*user, "u"), (&*exe, "/e"), (&*flags, "-f"), (&*pass, "p")]);
            let found = becomes(&vars, &defaults).unwrap().unwrap();
            let wanted = Become {
                method: short.into(),
                user: "u".into(),
                exe: Some("/e".into()),
                flags: Some("-f".into()),
                password: Some("p".into()),
            };
            assert_eq!(found, wanted, "{method}");
            // Those of another way do not count.
            let other = if short == "su" { "ansible_sudo_user" } else { "ansible_su_user" };
            let mut vars = start(method).to_vec();
            vars.push((other, "x"));
            assert_eq!(becomes(&vars, &defaults).unwrap().unwrap().user, "root");
        }
        let methods = HashMap::from([("su", MethodDefaults { user: Some("s".into()), ..MethodDefaults::default() })]);
        let defaults = Defaults { become_user: Some("all".into()), methods, ..Defaults::default() };
        assert_eq!(becomes(&start("su"), &defaults).unwrap().unwrap().user, "s");
        assert_eq!(becomes(&start("sudo"), &defaults).unwrap().unwrap().user, "all");
    }

    #[test]
    fn nobody_is_left_who_he_is_in_silence() {
        for method in ["runas", "pbrun", "nosuch", "my.own.sudo"] {
            let vars = [("ansible_become", "yes"), ("ansible_become_method", method)];
            assert!(becomes(&vars, &Defaults::default()).unwrap_err().contains("Invalid become method"), "{method}");
        }
        let vars = [("ansible_become", "no"), ("ansible_become_method", "nosuch")];
        assert_eq!(becomes(&vars, &Defaults::default()), Ok(None));
        assert!(becomes(&[("ansible_become", "maybe")], &Defaults::default()).unwrap_err().contains("neither true"));
    }
}
