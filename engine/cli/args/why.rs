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
    /// Playbooks whose plays are looked at [default: playbooks/site.yml or site.yml, if there is one]
    #[arg(value_name = "PLAYBOOK")]
    pub playbooks: Vec<PathBuf>,
    /// Only these of the hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// As the tasks of this role see it
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub sources: SourceArgs,
}

impl WhyArgs {
    /// The options that a run of the same plays has.
    pub(crate) fn run_args(&self) -> RunArgs {
        RunArgs {
            playbooks: self.playbooks.clone(),
            limit: self.limit.clone(),
            sources: self.sources.clone(),
            ..RunArgs::default()
        }
    }
}
