//! The command line of a run, which is that of `ansible-playbook`.

use std::path::PathBuf;

use clap::Args;

use crate::args::common::{BecomeArgs, ConnectionArgs, ForksArgs, HOSTS, LOOK, OUTPUT, SourceArgs, TASKS};

/// Options for running playbooks.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// Playbooks to run, in order [default: playbooks/site.yml or site.yml]
    #[arg(value_name = "PLAYBOOK")]
    pub playbooks: Vec<PathBuf>,

    /// Only these hosts: a pattern, or @FILE with one pattern per line
    #[arg(short, long, value_name = "PATTERN", help_heading = HOSTS, display_order = 2)]
    pub limit: Option<String>,

    /// Only tasks with any of these tags
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',', help_heading = TASKS)]
    pub tags: Vec<String>,
    /// Skip tasks with any of these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',', help_heading = TASKS)]
    pub skip_tags: Vec<String>,
    /// Start at the task with this name (* and ? are wildcards)
    #[arg(long, value_name = "NAME", help_heading = TASKS)]
    pub start_at_task: Option<String>,
    /// Do not change anything; show what would change
    #[arg(short = 'C', long, help_heading = TASKS)]
    pub check: bool,
    /// Show the differences in changed files
    #[arg(short = 'D', long, help_heading = TASKS)]
    pub diff: bool,
    /// Run a host's notified handlers even after a task failed on it
    #[arg(long, help_heading = TASKS)]
    pub force_handlers: bool,
    /// Send tasks and loop items to hosts one at a time, each after the previous one has finished
    #[arg(long, help_heading = TASKS)]
    pub no_batch: bool,

    /// Only list the hosts of each play
    #[arg(long, help_heading = LOOK)]
    pub list_hosts: bool,
    /// Only list the tasks
    #[arg(long, help_heading = LOOK)]
    pub list_tasks: bool,
    /// Only list the tags
    #[arg(long, help_heading = LOOK)]
    pub list_tags: bool,
    /// Only check that all files can be read and are valid
    #[arg(long, help_heading = LOOK)]
    pub syntax_check: bool,

    /// Write a report of the run to FILE.html or FILE.json; may be repeated
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub report: Vec<PathBuf>,

    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub forks: ForksArgs,
    #[command(flatten)]
    pub becoming: BecomeArgs,
    #[command(flatten)]
    pub sources: SourceArgs,

    /// Forget the cached facts of the hosts, and what inventory plugins cached
    #[arg(long, help_heading = TASKS)]
    pub flush_cache: bool,

    /// Directories with modules, before the configured ones; separated by colons
    #[arg(short = 'M', long, value_name = "PATH", help_heading = TASKS)]
    pub module_path: Vec<String>,
    /// Time limit in seconds of each task without its own; set by `rplay adhoc`.
    #[arg(skip)]
    pub task_timeout: Option<u32>,
    /// Whether to announce the run first. Only if called as `rplay`: Ansible's output has no such line.
    #[arg(skip)]
    pub announces: bool,
    /// Ask before each task whether to run it
    #[arg(long, help_heading = TASKS)]
    pub step: bool,
}

impl RunArgs {
    /// Whether the playbooks are only listed or checked.
    pub(crate) fn only_looks(&self) -> bool {
        self.list_hosts || self.list_tasks || self.list_tags || self.syntax_check
    }
}
