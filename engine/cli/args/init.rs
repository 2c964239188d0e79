//! The command line of `rplay init`.

use std::path::PathBuf;

use clap::Args;

/// `rplay init`
#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    /// Where; it is made if it is not there
    #[arg(value_name = "DIRECTORY", default_value = ".")]
    pub directory: PathBuf,
}
