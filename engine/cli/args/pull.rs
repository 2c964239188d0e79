//! The command line of `rplay pull`, which is that of `ansible-pull`.

use std::path::PathBuf;

use clap::Args;

use crate::args::common::{ConnectionArgs, SourceArgs};

/// `rplay pull`
#[derive(Clone, Debug, Args)]
pub(crate) struct PullArgs {
    /// Playbooks in the repository [default: FQDN.yml, HOSTNAME.yml or local.yml]
    #[arg(value_name = "PLAYBOOK")]
    pub playbooks: Vec<String>,
    /// URL of the repository
    #[arg(short = 'U', long, value_name = "URL")]
    pub url: Option<String>,
    /// Directory to fetch it into [default: ~/.ansible/pull/HOSTNAME]
    #[arg(short, long, value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Branch, tag or commit to fetch
    #[arg(short = 'C', long, value_name = "VERSION")]
    pub checkout: Option<String>,
    /// Fetch the whole history, not only the newest commit
    #[arg(long)]
    pub full: bool,
    /// Module that fetches: git or subversion
    #[arg(short, long, value_name = "MODULE", default_value = "git")]
    pub module_name: String,
    /// Run the playbook only if the repository has changed
    #[arg(short = 'o', long)]
    pub only_if_changed: bool,
    /// Run the playbook even if the repository cannot be fetched
    #[arg(short, long)]
    pub force: bool,
    /// Remove the directory after the run
    #[arg(long)]
    pub purge: bool,
    /// Discard changes of files in the directory
    #[arg(long)]
    pub clean: bool,
    /// First wait for a random time of at most this many seconds
    #[arg(short, long, value_name = "SECONDS")]
    pub sleep: Option<String>,
    /// Accept the key of the repository's host if it is not known yet
    #[arg(long)]
    pub accept_host_key: bool,
    /// Fail unless the commit's signature is good
    #[arg(long)]
    pub verify_commit: bool,
    /// Update submodules to the newest commit of their branches
    #[arg(long)]
    pub track_subs: bool,

    /// Only these hosts of the plays
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Only tasks with any of these tags
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Skip tasks with any of these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub skip_tags: Vec<String>,
    /// Do not change anything; show what would change
    #[arg(long)]
    pub check: bool,
    /// Show the differences in changed files
    #[arg(long)]
    pub diff: bool,
    /// Only list the hosts
    #[arg(long)]
    pub list_hosts: bool,
    /// Directories with modules, before the configured ones; separated by colons
    #[arg(short = 'M', long, value_name = "PATH")]
    pub module_path: Vec<String>,
    /// Forget the cached facts of all hosts
    #[arg(long)]
    pub flush_cache: bool,
    /// Prompt for the privilege escalation password
    #[arg(short = 'K', long, conflicts_with = "become_password_file")]
    pub ask_become_pass: bool,
    /// File with the privilege escalation password
    #[arg(long, alias = "become-pass-file", value_name = "FILE")]
    pub become_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub sources: SourceArgs,
}
