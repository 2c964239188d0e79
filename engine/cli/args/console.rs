//! The command line of `rplay console`, which is that of `ansible-console`.

use clap::Args;

use crate::args::adhoc::ModuleRunArgs;

/// `rplay console`
#[derive(Clone, Debug, Args)]
pub(crate) struct ConsoleArgs {
    /// Pattern of the hosts to begin with [default: all]
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Ask before each task
    #[arg(long)]
    pub step: bool,
    #[command(flatten)]
    pub run: ModuleRunArgs,
}
