//! The command line of `rplay inventory`, which is that of `ansible-inventory`.

use std::path::PathBuf;

use clap::Args;

use crate::args::common::SourceArgs;

/// `rplay inventory`
#[derive(Clone, Debug, Args)]
pub(crate) struct InventoryArgs {
    /// Group at the top of the tree [default: all]
    #[arg(value_name = "GROUP")]
    pub group: Option<String>,
    /// Show all groups and variables as JSON
    #[arg(long)]
    pub list: bool,
    /// Show groups and hosts as a tree
    #[arg(long)]
    pub graph: bool,
    /// Show the variables of one host as JSON
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Show variables in the tree
    #[arg(long)]
    pub vars: bool,
    /// Print YAML instead of JSON
    #[arg(short, long)]
    pub yaml: bool,
    /// Print TOML instead of JSON
    #[arg(long)]
    pub toml: bool,
    /// Show variables where they were defined, as in an inventory file, instead of all of them for each host
    #[arg(long)]
    pub export: bool,
    /// Write to this file
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only these hosts; for --list
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Directory with the playbook's group_vars and host_vars
    #[arg(long, value_name = "DIRECTORY")]
    pub playbook_dir: Option<PathBuf>,
    /// Forget the cached facts of all hosts
    #[arg(long, hide = true)]
    pub flush_cache: bool,
    #[command(flatten)]
    pub sources: SourceArgs,
}
