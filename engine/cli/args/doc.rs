//! The command line of `rplay doc`.

use clap::Args;

/// `rplay doc`
#[derive(Clone, Debug, Args)]
pub struct DocArgs {
    /// Modules to show; without any, all are listed
    #[arg(value_name = "MODULE")]
    pub modules: Vec<String>,
    /// Print a JSON schema of the module arguments
    #[arg(long)]
    pub json: bool,
}
