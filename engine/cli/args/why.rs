//! The command line of `rplay why`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{common::SourceArgs, run::RunArgs};

/// `rplay why`
#[derive(Clone, Debug, Args)]
pub(crate) struct WhyArgs {
    /// The variable
    #[arg(value_name = "VARIABLE")]
    pub variable: String,
    /// Playbooks to look at [default: playbooks/site.yml or site.yml, if there is one]
    #[arg(value_name = "PLAYBOOK")]
    pub playbooks: Vec<PathBuf>,
    /// Only these hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Show it as the tasks of this role see it
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub sources: SourceArgs,
}

impl WhyArgs {
    /// The options of a run of the same plays.
    pub(crate) fn run_args(&self) -> RunArgs {
        RunArgs {
            playbooks: self.playbooks.clone(),
            limit: self.limit.clone(),
            sources: self.sources.clone(),
            ..RunArgs::default()
        }
    }
}
