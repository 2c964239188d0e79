//! Options that several commands share.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use rplay::vault::PasswordSource;

/// Headings of the help text, each with an example.
pub(crate) const HOSTS: &str = "Hosts (rplay site.yml -i hosts.yml -l 'web:!web3')";
pub(crate) const TASKS: &str = "Tasks and modes (rplay site.yml -t nginx -C -D)";
pub(crate) const LOOK: &str = "Listing without running (rplay site.yml --list-tasks)";
pub(crate) const VARIABLES: &str = "Variables and secrets (rplay site.yml -e version=2 -e @more.yml)";
pub(crate) const CONNECTION: &str = "Connection (rplay site.yml -u admin --private-key ~/.ssh/id_admin)";
pub(crate) const BECOME: &str = "Privilege escalation (rplay site.yml -b -K)";
pub(crate) const OUTPUT: &str = "Output";

/// Sources of hosts, variables and vault passwords, shared by several commands.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SourceArgs {
    /// Inventory file, directory or script, or a comma-separated host list; may be repeated
    #[arg(short, long, alias = "inventory-file", value_name = "SOURCE", help_heading = HOSTS, display_order = 1)]
    pub inventory: Vec<String>,

    /// Extra variables: `key=value ...`, YAML or JSON in braces, or @FILE; may be repeated
    #[arg(short, long, value_name = "VARS", help_heading = VARIABLES)]
    pub extra_vars: Vec<String>,
    #[command(flatten)]
    pub passwords: PasswordArgs,

    /// More verbose output; up to -vvvv
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
}

/// Vault passwords.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PasswordArgs {
    /// File with the vault password, or a program that prints it; may be repeated
    #[arg(long, alias = "vault-pass-file", value_name = "FILE", help_heading = VARIABLES)]
    pub vault_password_file: Vec<String>,
    /// Vault password with an ID: NAME@FILE or NAME@prompt; may be repeated
    #[arg(long, value_name = "NAME@SOURCE", help_heading = VARIABLES)]
    pub vault_id: Vec<String>,
    /// Ask for the vault password
    #[arg(short = 'J', long, alias = "ask-vault-pass", conflicts_with = "vault_password_file", help_heading = VARIABLES)]
    pub ask_vault_password: bool,
}

/// How hosts are reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConnectionArgs {
    /// Connection type [default: ssh]
    #[arg(short, long, value_name = "TYPE", help_heading = CONNECTION)]
    pub connection: Option<String>,
    /// Log in as this user
    #[arg(short, long, value_name = "NAME", help_heading = CONNECTION)]
    pub user: Option<String>,
    /// Log in with this private key
    #[arg(long, alias = "key-file", value_name = "FILE", help_heading = CONNECTION)]
    pub private_key: Option<PathBuf>,
    /// Prompt for the login password
    #[arg(short = 'k', long, conflicts_with = "connection_password_file", help_heading = CONNECTION)]
    pub ask_pass: bool,
    /// File with the login password
    #[arg(long, alias = "conn-pass-file", value_name = "FILE", help_heading = CONNECTION)]
    pub connection_password_file: Option<PathBuf>,
    /// Connection timeout in seconds [default: 10]
    #[arg(short = 'T', long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), help_heading = CONNECTION)]
    pub timeout: Option<u32>,
    /// Arguments for ssh, such as "-o ProxyJump=gate"
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, help_heading = CONNECTION)]
    pub ssh_common_args: Option<String>,
    /// Additional arguments for ssh
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, help_heading = CONNECTION)]
    pub ssh_extra_args: Option<String>,
    /// Arguments for scp; rplay sends files over ssh itself, so nothing changes
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, hide = true)]
    pub scp_extra_args: Option<String>,
    /// The same for sftp
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, hide = true)]
    pub sftp_extra_args: Option<String>,
}

/// How many hosts are worked on at once.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ForksArgs {
    /// Hosts to work on at once
    #[arg(short, long, value_name = "NUMBER", value_parser = forks, allow_negative_numbers = true, help_heading = CONNECTION)]
    pub forks: Option<u32>,
}

impl ForksArgs {
    /// The default number of forks: connections cost the hosts more than us.
    const DEFAULT: u32 = 50;

    /// The number of hosts to work on at once; `configured` is the setting.
    pub(crate) fn number(&self, configured: Option<u32>) -> u32 {
        self.chosen(configured).unwrap_or(Self::DEFAULT)
    }

    /// The number of hosts to work on at once, if it was chosen; `configured` is the setting.
    pub(crate) fn chosen(&self, configured: Option<u32>) -> Option<u32> {
        self.forks.or(configured)
    }
}

fn forks(text: &str) -> Result<u32, String> {
    let number: i64 = text.parse().map_err(|error: std::num::ParseIntError| error.to_string())?;
    let number = u32::try_from(number.min(u32::MAX.into())).ok().filter(|number| *number > 0);
    number.ok_or_else(|| "The number of processes (--forks) must be >= 1".to_owned())
}

/// How tasks run as another user.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct BecomeArgs {
    /// Run tasks as another user (root by default)
    #[arg(short = 'b', long = "become", help_heading = BECOME)]
    pub become_: bool,
    /// User to become [default: root]
    #[arg(long, value_name = "NAME", help_heading = BECOME)]
    pub become_user: Option<String>,
    /// Privilege escalation method [default: sudo]
    #[arg(long, value_name = "METHOD", help_heading = BECOME)]
    pub become_method: Option<String>,
    /// Prompt for the privilege escalation password
    #[arg(short = 'K', long, conflicts_with = "become_password_file", help_heading = BECOME)]
    pub ask_become_pass: bool,
    /// File with the privilege escalation password
    #[arg(long, alias = "become-pass-file", value_name = "FILE", help_heading = BECOME)]
    pub become_password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The sources of vault passwords, in the order in which they are tried. As in Ansible, `--vault-id` comes first.
    pub(crate) fn password_sources(&self) -> Vec<PasswordSource> {
        let mut sources: Vec<PasswordSource> = self.vault_id.iter().map(|text| PasswordSource::parse(text)).collect();
        // File names may contain an @, so these are not parsed.
        sources.extend(self.vault_password_file.iter().map(|file| PasswordSource::file(file)));
        if self.ask_vault_password {
            sources.push(PasswordSource::ask());
        }
        sources
    }
}
