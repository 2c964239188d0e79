//! The command line of `rplay pull`, which is that of `ansible-pull`.

use std::path::PathBuf;

use clap::Args;

use crate::args::common::{ConnectionArgs, SourceArgs};

/// `rplay pull`
#[derive(Clone, Debug, Args)]
pub(crate) struct PullArgs {
    /// Playbooks of the repository [default: FQDN.yml, HOSTNAME.yml or local.yml]
    #[arg(value_name = "PLAYBOOK")]
    pub playbooks: Vec<String>,
    /// The repository
    #[arg(short = 'U', long, value_name = "URL")]
    pub url: Option<String>,
    /// The directory to fetch it into [default: ~/.ansible/pull/HOSTNAME]
    #[arg(short, long, value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// The branch, tag or commit
    #[arg(short = 'C', long, value_name = "VERSION")]
    pub checkout: Option<String>,
    /// Fetch all history rather than the newest commit
    #[arg(long)]
    pub full: bool,
    /// The module that fetches: git or subversion
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
    /// Wait for a random time first, of at most so many seconds
    #[arg(short, long, value_name = "SECONDS")]
    pub sleep: Option<u64>,
    /// Trust the key of the repository's host when it is not known yet
    #[arg(long)]
    pub accept_host_key: bool,
    /// End with an error unless the commit's signature is good
    #[arg(long)]
    pub verify_commit: bool,
    /// Submodules follow their branches
    #[arg(long)]
    pub track_subs: bool,

    /// Only these of the play's hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Only tasks with one of these tags
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// No tasks with one of these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub skip_tags: Vec<String>,
    /// Change nothing, only say what would change
    #[arg(long)]
    pub check: bool,
    /// Show how files change
    #[arg(long)]
    pub diff: bool,
    /// Only show the hosts
    #[arg(long)]
    pub list_hosts: bool,
    /// Directories with modules, before the configured ones; colons between
    #[arg(short = 'M', long, value_name = "PATH")]
    pub module_path: Vec<String>,
    /// Forget the facts that were kept of all hosts
    #[arg(long)]
    pub flush_cache: bool,
    /// Ask for the password that becoming another user takes
    #[arg(short = 'K', long, conflicts_with = "become_password_file")]
    pub ask_become_pass: bool,
    /// File with that password
    #[arg(long, alias = "become-pass-file", value_name = "FILE")]
    pub become_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub sources: SourceArgs,
}
