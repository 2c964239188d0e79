//! The command line of `rplay adhoc`, which is that of `ansible`.

use std::path::PathBuf;

use clap::Args;

use crate::{
    args::common::{BecomeArgs, ConnectionArgs, ForksArgs, SourceArgs},
    args::run::RunArgs,
};

/// `rplay adhoc`
#[derive(Clone, Debug, Args)]
pub(crate) struct AdhocArgs {
    /// Host pattern
    #[arg(value_name = "PATTERN")]
    pub pattern: String,
    /// The module to run [default: command]
    #[arg(short, long, value_name = "MODULE")]
    pub module_name: Option<String>,
    /// Its arguments: `key=value ...`, or YAML or JSON in braces
    #[arg(short, long, value_name = "ARGS", allow_hyphen_values = true)]
    pub args: Option<String>,
    /// Run the module in the background, for at most this many seconds
    #[arg(short = 'B', long, value_name = "SECONDS")]
    pub background: Option<u32>,
    /// Seconds between polls of a background job; 0 does not wait for it [default: 15]
    #[arg(short = 'P', long, value_name = "SECONDS")]
    pub poll: Option<u32>,
    /// Write each host's result to a file with its name in this directory
    #[arg(short, long, value_name = "DIRECTORY")]
    pub tree: Option<PathBuf>,
    /// Show each result on one line
    #[arg(short, long)]
    pub one_line: bool,
    #[command(flatten)]
    pub run: ModuleRunArgs,
}

/// Options about hosts and modules that `rplay adhoc` and `rplay console` share.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModuleRunArgs {
    /// Time limit of a module in seconds
    #[arg(long, value_name = "SECONDS")]
    pub task_timeout: Option<u32>,
    /// Directories with modules, before the configured ones; separated by colons
    #[arg(short = 'M', long, value_name = "PATH")]
    pub module_path: Vec<String>,
    #[arg(long, hide = true)]
    pub flush_cache: bool,
    /// Only these hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Do not change anything; show what would change
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show the differences in changed files
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Only list the hosts
    #[arg(long)]
    pub list_hosts: bool,
    /// Directory with group_vars, host_vars and roles
    #[arg(long, value_name = "DIRECTORY")]
    pub playbook_dir: Option<PathBuf>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub forks: ForksArgs,
    #[command(flatten)]
    pub becoming: BecomeArgs,
    #[command(flatten)]
    pub sources: SourceArgs,
}

impl ModuleRunArgs {
    /// The options of an equivalent playbook run.
    pub(crate) fn run_args(&self) -> RunArgs {
        RunArgs {
            limit: self.limit.clone(),
            check: self.check,
            diff: self.diff,
            list_hosts: self.list_hosts,
            task_timeout: self.task_timeout,
            module_path: self.module_path.clone(),
            flush_cache: self.flush_cache,
            connection: self.connection.clone(),
            forks: self.forks.clone(),
            becoming: self.becoming.clone(),
            sources: self.sources.clone(),
            ..RunArgs::default()
        }
    }
}
