//! The command line of `rplay doc`, which is that of `ansible-doc`.

use std::path::PathBuf;

use clap::Args;

/// `rplay doc`
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct DocArgs {
    /// Plugins to show or, with --list, collections; without any, all modules are listed
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Type of plugins: module, filter, test, lookup, role, keyword and others
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "module", hide_default_value = true)]
    pub kind: String,
    /// List plugins with a sentence each
    #[arg(short, long, conflicts_with_all = ["list_files", "snippet"])]
    pub list: bool,
    /// List plugins with their files
    #[arg(short = 'F', long = "list_files", alias = "list-files", conflicts_with = "snippet")]
    pub list_files: bool,
    /// Show a task to fill in
    #[arg(short, long)]
    pub snippet: bool,
    /// Print JSON instead of text
    #[arg(short, long)]
    pub json: bool,
    /// Print a JSON schema: of playbooks and task files, or of the named modules' arguments
    #[arg(long, conflicts_with_all = ["json", "list", "list_files", "snippet"])]
    pub schema: bool,
    /// Directories with modules, before the configured ones; separated by colons
    #[arg(short = 'M', long, value_name = "PATH")]
    pub module_path: Vec<String>,
    /// Directories with roles, before the configured ones; separated by colons
    #[arg(short, long, value_name = "PATH")]
    pub roles_path: Vec<String>,
    /// Entry point of roles to show
    #[arg(short, long, value_name = "NAME")]
    pub entry_point: Option<String>,
    /// Directory with the playbook's own plugins, roles and collections
    #[arg(long, value_name = "DIRECTORY")]
    pub playbook_dir: Option<PathBuf>,
    /// Print all documentation of all types as JSON
    #[arg(long, hide = true)]
    pub metadata_dump: bool,
    /// With --metadata-dump: report errors in place of the documentation
    #[arg(long, hide = true)]
    pub no_fail_on_errors: bool,
    /// Show more about each plugin
    #[arg(short, long, action = clap::ArgAction::Count, hide = true)]
    pub verbose: u8,
}
