//! The command line of `rplay inventory`, which is that of `ansible-inventory`.

use std::path::PathBuf;

use clap::Args;

use crate::args::common::SourceArgs;

/// `rplay inventory`
#[derive(Clone, Debug, Args)]
pub(crate) struct InventoryArgs {
    /// The group to begin the tree with [default: all]
    #[arg(value_name = "GROUP")]
    pub group: Option<String>,
    /// All groups and variables as JSON
    #[arg(long)]
    pub list: bool,
    /// Groups and hosts as a tree
    #[arg(long)]
    pub graph: bool,
    /// The variables of one host as JSON
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// With variables in the tree
    #[arg(long)]
    pub vars: bool,
    /// YAML rather than JSON
    #[arg(short, long)]
    pub yaml: bool,
    /// TOML rather than JSON
    #[arg(long)]
    pub toml: bool,
    /// Variables where they were defined, as in an inventory file, rather than all of them with each host
    #[arg(long)]
    pub export: bool,
    /// Write to this file
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only these of the hosts; for --list
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Directory with group_vars and host_vars of the playbook
    #[arg(long, value_name = "DIRECTORY")]
    pub playbook_dir: Option<PathBuf>,
    /// Forget the facts that were kept of all hosts
    #[arg(long, hide = true)]
    pub flush_cache: bool,
    #[command(flatten)]
    pub sources: SourceArgs,
}
