//! The command line of `rplay init`.

use std::path::PathBuf;

use clap::Args;

/// `rplay init`
#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    /// Directory of the project; created if missing
    #[arg(value_name = "DIRECTORY", default_value = ".")]
    pub directory: PathBuf,
}
