//! Where an agent runs and how to reach it.

use std::path::PathBuf;

/// A host as described by the inventory. Equal targets share one agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The inventory's name, for messages.
    pub name: String,
    pub connection: Connection,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Connection {
    /// This machine, as the current user, in a directory.
    Local(PathBuf),
    Ssh(SshOptions),
    Container(Container),
    /// A connection plugin of Ansible's that is not native. No agent can be started through it.
    Plugin(PluginConnection),
}

/// Options for ssh. Everything else comes from the user's own ssh configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SshOptions {
    /// A name that ssh knows, or an address (`ansible_host`).
    pub host: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    /// `ansible_ssh_private_key_file`.
    pub private_key_file: Option<PathBuf>,
    /// The key itself (`ansible_ssh_private_key`), used in place of the file.
    pub private_key: Option<PrivateKey>,
    /// `ansible_ssh_common_args` and `ansible_ssh_extra_args`, split into words.
    pub args: Vec<String>,
    pub password: Option<Secret>,
    /// False accepts any host key (`ansible_host_key_checking`, `ANSIBLE_HOST_KEY_CHECKING`).
    pub check_host_key: bool,
    /// The ssh program.
    pub executable: String,
    /// Connection timeout in seconds.
    pub timeout: u32,
    /// Number of retries (`ansible_ssh_retries`). Retries because of a busy sshd do not count.
    pub retries: u32,
}

impl SshOptions {
    /// Ansible's defaults: strict host key checking, 10 seconds.
    pub fn new(host: impl Into<String>) -> Self {
        SshOptions {
            host: host.into(),
            port: None,
            user: None,
            private_key_file: None,
            private_key: None,
            args: Vec::new(),
            password: None,
            check_host_key: true,
            executable: "ssh".to_owned(),
            timeout: 10,
            retries: 0,
        }
    }
}

/// A private key that a variable holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrivateKey {
    /// In OpenSSH's own format.
    pub text: Secret,
    pub passphrase: Option<Secret>,
}

/// A running container on this machine, entered with `ENGINE exec`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Container {
    /// `docker` or `podman`, or a path to one of them.
    pub engine: String,
    pub name: String,
    pub user: Option<String>,
}

/// A host that is reached by a connection plugin in Python.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PluginConnection {
    /// The name of the plugin.
    pub kind: String,
    pub host: String,
    pub user: Option<String>,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
