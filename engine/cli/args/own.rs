//! The command line of `rplay self`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Clone, Debug, Args)]
pub(crate) struct SelfArgs {
    #[command(subcommand)]
    pub action: Option<SelfAction>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SelfAction {
    /// Create links with the names of Ansible's tools; existing files are never replaced
    Link {
        /// The directory for the links; one in PATH
        #[arg(value_name = "DIRECTORY")]
        directory: PathBuf,
    },
    /// Print the completions for a shell
    Completions {
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the words of this project that a shell completes
    #[command(hide = true)]
    Words {
        kind: Words,
        /// The command line so far, whose `-i` says which inventory is meant
        #[arg(last = true)]
        line: Vec<String>,
    },
    /// Write the man pages
    Man {
        /// The directory for the pages, such as share/man/man1
        #[arg(value_name = "DIRECTORY")]
        directory: PathBuf,
    },
}

/// Kinds of names in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Words {
    /// Hosts and groups of the inventory
    Hosts,
    Tags,
    Modules,
    Playbooks,
}
