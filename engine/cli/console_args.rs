//! The command line of `rplay console`, which is that of `ansible-console`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{BecomeArgs, ConnectionArgs, ForksArgs, SourceArgs};

/// `rplay console`
#[derive(Clone, Debug, Args)]
pub struct ConsoleArgs {
    /// The hosts to begin with [default: all]
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Only these of the hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Change nothing, only say what would change
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show how files change
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Only show the hosts
    #[arg(long)]
    pub list_hosts: bool,
    /// Ask before each task
    #[arg(long)]
    pub step: bool,
    /// Seconds that each module may take
    #[arg(long, value_name = "SECONDS")]
    pub task_timeout: Option<u32>,
    /// Folders with modules, before the configured ones; colons between
    #[arg(short = 'M', long, value_name = "PATH")]
    pub module_path: Vec<String>,
    /// Folder with group_vars, host_vars and roles
    #[arg(long, value_name = "FOLDER")]
    pub playbook_dir: Option<PathBuf>,
    #[arg(long, hide = true)]
    pub flush_cache: bool,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub forks: ForksArgs,
    #[command(flatten)]
    pub becoming: BecomeArgs,
    #[command(flatten)]
    pub sources: SourceArgs,
}
