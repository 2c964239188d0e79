//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, error::ErrorKind};

/// Shown at the end of `rplay --help`.
const EXAMPLES: &str = "\
Examples:
  rplay -i hosts.yml site.yml             run a playbook
  rplay -i hosts.yml site.yml -C -D       show what would change
  rplay -i web1,web2, site.yml -l web1    limit an inline inventory to one host
  rplay site.yml -t deploy -e version=2   run only tagged tasks, set a variable
  rplay doc copy                          show how to use a module

Command names such as `doc` take precedence over playbooks; run a playbook named `doc` as ./doc.
Exit codes: 0 success, 1 error, 2 a host failed, 4 a host was unreachable, 250 internal error.";

/// Runs Ansible playbooks.
#[derive(Debug, Parser)]
#[command(
    name = "rplay",
    version,
    about = "Runs Ansible playbooks over ssh; hosts need no Python",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    infer_long_args = true,
    max_term_width = 100,
    override_usage = "rplay [OPTIONS] [PLAYBOOK]...\n       rplay <COMMAND>"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

/// The subcommands; running playbooks needs none.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one module on hosts
    Adhoc(AdhocArgs),
    /// Run modules on hosts, one after the other, from a prompt
    Console(crate::console_args::ConsoleArgs),
    /// Show the settings, where each comes from, and whether it works
    Config(crate::config_args::ConfigArgs),
    /// List modules, or show how one is used
    Doc(DocArgs),
    /// Install, list, build and check collections and roles
    Galaxy(crate::galaxy_args::GalaxyArgs),
    /// Show hosts, groups and variables
    Inventory(InventoryArgs),
    /// Show this installation; links for Ansible's names, completions, man pages
    #[command(name = "self")]
    Own(SelfArgs),
    /// Fetch a repository and run a playbook of it on this machine
    Pull(crate::pull_args::PullArgs),
    /// Encrypt and decrypt files and values
    Vault(crate::vault_args::VaultArgs),
    /// Serve calls on standard input and output, on a host
    #[command(hide = true)]
    Agent,
}

/// Options for running playbooks.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
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
    /// Begin at the task of this name (* and ? match)
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

    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub forks: ForksArgs,
    #[command(flatten)]
    pub becoming: BecomeArgs,
    #[command(flatten)]
    pub sources: SourceArgs,

    /// Accepted for compatibility: rplay keeps no fact cache between runs
    #[arg(long, hide = true)]
    pub flush_cache: bool,

    /// Folders with modules, before the configured ones; colons between
    #[arg(short = 'M', long, value_name = "PATH", help_heading = TASKS)]
    pub module_path: Vec<String>,
    /// Seconds that each task may take unless it says so itself; from `rplay adhoc`.
    #[arg(skip)]
    pub task_timeout: Option<u32>,
    #[arg(long, hide = true)]
    pub step: bool,
}

/// Headings of the help text, each with an example.
const HOSTS: &str = "Hosts (rplay site.yml -i hosts.yml -l 'web:!web3')";
const TASKS: &str = "Tasks and modes (rplay site.yml -t nginx -C -D)";
const LOOK: &str = "Listing without running (rplay site.yml --list-tasks)";
const VARIABLES: &str = "Variables and secrets (rplay site.yml -e version=2 -e @more.yml)";
const CONNECTION: &str = "Connection (rplay site.yml -u admin --private-key ~/.ssh/id_admin)";
const BECOME: &str = "Privilege escalation (rplay site.yml -b -K)";
const OUTPUT: &str = "Output";

/// Sources of hosts, variables and vault passwords, shared by several commands.
#[derive(Clone, Debug, Default, Args)]
pub struct SourceArgs {
    /// Inventory file, directory or script, or a comma-separated host list; may be repeated
    #[arg(short, long, alias = "inventory-file", value_name = "SOURCE", help_heading = HOSTS, display_order = 1)]
    pub inventory: Vec<String>,

    /// Extra variables: `key=value ...`, YAML or JSON in braces, or @FILE; may be repeated
    #[arg(short, long, value_name = "VARS", help_heading = VARIABLES)]
    pub extra_vars: Vec<String>,
    #[command(flatten)]
    pub passwords: PasswordArgs,

    /// More verbose output; up to -vvvv
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
}

/// Vault passwords.
#[derive(Clone, Debug, Default, Args)]
pub struct PasswordArgs {
    /// File with the vault password, or a program that prints it; may be repeated
    #[arg(long, alias = "vault-pass-file", value_name = "FILE", help_heading = VARIABLES)]
    pub vault_password_file: Vec<String>,
    /// Vault password with an ID: NAME@FILE or NAME@prompt; may be repeated
    #[arg(long, value_name = "NAME@SOURCE", help_heading = VARIABLES)]
    pub vault_id: Vec<String>,
    /// Ask for the vault password
    #[arg(short = 'J', long, alias = "ask-vault-pass", conflicts_with = "vault_password_file", help_heading = VARIABLES)]
    pub ask_vault_password: bool,
}

/// How hosts are reached.
#[derive(Clone, Debug, Default, Args)]
pub struct ConnectionArgs {
    /// Connection type [default: ssh]
    #[arg(short, long, value_name = "TYPE", help_heading = CONNECTION)]
    pub connection: Option<String>,
    /// Log in as this user
    #[arg(short, long, value_name = "NAME", help_heading = CONNECTION)]
    pub user: Option<String>,
    /// Log in with this private key
    #[arg(long, alias = "key-file", value_name = "FILE", help_heading = CONNECTION)]
    pub private_key: Option<PathBuf>,
    /// Prompt for the login password
    #[arg(short = 'k', long, conflicts_with = "connection_password_file", help_heading = CONNECTION)]
    pub ask_pass: bool,
    /// File with the login password
    #[arg(long, alias = "conn-pass-file", value_name = "FILE", help_heading = CONNECTION)]
    pub connection_password_file: Option<PathBuf>,
    /// Connection timeout in seconds [default: 10]
    #[arg(short = 'T', long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), help_heading = CONNECTION)]
    pub timeout: Option<u32>,
    /// Arguments for ssh, such as "-o ProxyJump=gate"
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, help_heading = CONNECTION)]
    pub ssh_common_args: Option<String>,
    /// Additional arguments for ssh
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, help_heading = CONNECTION)]
    pub ssh_extra_args: Option<String>,
    /// Arguments for scp; rplay sends files over ssh itself, so nothing changes
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, hide = true)]
    pub scp_extra_args: Option<String>,
    /// The same for sftp
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, hide = true)]
    pub sftp_extra_args: Option<String>,
}

/// How many hosts are worked on at once.
#[derive(Clone, Debug, Default, Args)]
pub struct ForksArgs {
    /// Hosts to work on at once
    #[arg(short, long, value_name = "NUMBER", value_parser = forks, help_heading = CONNECTION)]
    pub forks: Option<u32>,
}

fn forks(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("The number of processes (--forks) must be >= 1".to_owned()),
        Ok(forks) => Ok(forks),
    }
}

/// How tasks run as another user.
#[derive(Clone, Debug, Default, Args)]
pub struct BecomeArgs {
    /// Run tasks as another user (root by default)
    #[arg(short = 'b', long = "become", help_heading = BECOME)]
    pub become_: bool,
    /// User to become [default: root]
    #[arg(long, value_name = "NAME", help_heading = BECOME)]
    pub become_user: Option<String>,
    /// Privilege escalation method [default: sudo]
    #[arg(long, value_name = "METHOD", help_heading = BECOME)]
    pub become_method: Option<String>,
    /// Prompt for the privilege escalation password
    #[arg(short = 'K', long, conflicts_with = "become_password_file", help_heading = BECOME)]
    pub ask_become_pass: bool,
    /// File with the privilege escalation password
    #[arg(long, alias = "become-pass-file", value_name = "FILE", help_heading = BECOME)]
    pub become_password_file: Option<PathBuf>,
}

/// `rplay adhoc`
#[derive(Clone, Debug, Args)]
pub struct AdhocArgs {
    /// Host pattern
    #[arg(value_name = "PATTERN")]
    pub pattern: String,
    /// The module to run [default: command]
    #[arg(short, long, value_name = "MODULE")]
    pub module_name: Option<String>,
    /// Its arguments: `key=value ...`, or YAML or JSON in braces
    #[arg(short, long, value_name = "ARGS", allow_hyphen_values = true)]
    pub args: Option<String>,
    /// Let the module run by itself, for at most so many seconds
    #[arg(short = 'B', long, value_name = "SECONDS")]
    pub background: Option<u32>,
    /// Seconds between looks at what runs by itself; 0 does not wait for it [default: 15]
    #[arg(short = 'P', long, value_name = "SECONDS")]
    pub poll: Option<u32>,
    /// Write each host's answer to a file of its name in this folder
    #[arg(short, long, value_name = "FOLDER")]
    pub tree: Option<PathBuf>,
    /// Each answer on one line
    #[arg(short, long)]
    pub one_line: bool,
    #[command(flatten)]
    pub run: ModuleRunArgs,
}

/// On which hosts and how a module runs: what `rplay adhoc` and `rplay console` share.
#[derive(Clone, Debug, Args)]
pub struct ModuleRunArgs {
    /// Seconds that a module may take
    #[arg(long, value_name = "SECONDS")]
    pub task_timeout: Option<u32>,
    /// Folders with modules, before the configured ones; colons between
    #[arg(short = 'M', long, value_name = "PATH")]
    pub module_path: Vec<String>,
    #[arg(long, hide = true)]
    pub flush_cache: bool,
    /// Only these of the hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Do not change anything; show what would change
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show the differences in changed files
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Only list the hosts
    #[arg(long)]
    pub list_hosts: bool,
    /// Directory with group_vars, host_vars and roles
    #[arg(long, value_name = "FOLDER")]
    pub playbook_dir: Option<PathBuf>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub forks: ForksArgs,
    #[command(flatten)]
    pub becoming: BecomeArgs,
    #[command(flatten)]
    pub sources: SourceArgs,
}

impl ModuleRunArgs {
    /// The options of an equivalent playbook run.
    pub fn run_args(&self) -> RunArgs {
        RunArgs {
            limit: self.limit.clone(),
            check: self.check,
            diff: self.diff,
            list_hosts: self.list_hosts,
            task_timeout: self.task_timeout,
            module_path: self.module_path.clone(),
            flush_cache: self.flush_cache,
            connection: self.connection.clone(),
            forks: self.forks.clone(),
            becoming: self.becoming.clone(),
            sources: self.sources.clone(),
            ..RunArgs::default()
        }
    }
}

#[derive(Clone, Debug, Args)]
pub struct SelfArgs {
    #[command(subcommand)]
    pub action: Option<SelfAction>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum SelfAction {
    /// Make links with the names of Ansible's tools; a file that is there is never replaced
    Link {
        /// The folder for the links; one in PATH
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Print the completions for a shell
    Completions {
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Write the man pages
    Man {
        /// The folder for the pages: share/man/man1 of an installation
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

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

/// `rplay inventory`
#[derive(Clone, Debug, Args)]
pub struct InventoryArgs {
    /// The group to begin the tree with [default: all]
    #[arg(value_name = "GROUP")]
    pub group: Option<String>,
    /// All groups and variables as JSON
    #[arg(long)]
    pub list: bool,
    /// Groups and hosts as a tree
    #[arg(long)]
    pub graph: bool,
    /// The variables of one host as JSON
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// With variables in the tree
    #[arg(long)]
    pub vars: bool,
    /// YAML rather than JSON
    #[arg(short, long)]
    pub yaml: bool,
    /// TOML rather than JSON
    #[arg(long)]
    pub toml: bool,
    /// Variables where they were defined, as in an inventory file, rather than all of them with each host
    #[arg(long)]
    pub export: bool,
    /// Write to this file
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only these of the hosts; for --list
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Folder with group_vars and host_vars of the playbook
    #[arg(long, value_name = "FOLDER")]
    pub playbook_dir: Option<PathBuf>,
    /// Forget the facts that were kept of all hosts
    #[arg(long, hide = true)]
    pub flush_cache: bool,
    #[command(flatten)]
    pub sources: SourceArgs,
}

impl Cli {
    /// Parses the arguments, the program's name first. As usual with clap, `--help` and `--version` are errors too.
    pub fn read<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let cli = Cli::try_parse_from(args)?;
        match cli.run.refused() {
            Some(message) => Err(Cli::command().error(ErrorKind::UnknownArgument, message)),
            None => Ok(cli),
        }
    }
}

impl RunArgs {
    /// Options of ansible-playbook that rplay does not support, each with an alternative.
    fn refused(&self) -> Option<&'static str> {
        self.step.then_some("--step is not supported; use --start-at-task, --tags or --check")
    }

    /// The playbooks to run: those given, else the default ones.
    pub fn playbooks(&self) -> Result<Vec<PathBuf>, clap::Error> {
        if !self.playbooks.is_empty() {
            return Ok(self.playbooks.clone());
        }
        match ["playbooks/site.yml", "site.yml"].iter().map(PathBuf::from).find(|path| path.is_file()) {
            Some(site) => Ok(vec![site]),
            None => Err(Cli::command().error(
                ErrorKind::MissingRequiredArgument,
                "no playbook given, and neither playbooks/site.yml nor site.yml exists here",
            )),
        }
    }

    /// Whether the playbooks are only listed or checked.
    pub fn only_looks(&self) -> bool {
        self.list_hosts || self.list_tasks || self.list_tags || self.syntax_check
    }
}

impl PasswordArgs {
    /// The sources of vault passwords, in the order in which they are tried. As in Ansible, `--vault-id` comes first.
    pub fn password_sources(&self) -> Vec<rplay::vault::PasswordSource> {
        use rplay::vault::{DEFAULT_ID, PasswordFrom, PasswordSource};
        let mut sources: Vec<PasswordSource> = self.vault_id.iter().map(|text| PasswordSource::parse(text)).collect();
        // File names may contain an @, so these are not parsed.
        sources.extend(self.vault_password_file.iter().map(|file| PasswordSource::file(file)));
        if self.ask_vault_password {
            sources.push(PasswordSource { id: DEFAULT_ID.to_owned(), from: PasswordFrom::Prompt });
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Cli {
        Cli::read(std::iter::once("rplay").chain(line.split_whitespace())).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refusal(line: &str) -> String {
        Cli::read(std::iter::once("rplay").chain(line.split_whitespace())).unwrap_err().to_string()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn playbooks_and_options_are_read_as_by_ansible_playbook() {
        let run = read(
            "-i hosts -i a,b, site.yml more.yml -l web:!db -t x,y --tags z --skip-tags s -e a=1 -e @f -CD -vvv -f 20 -u me -b -K \
             --become-user you --become-method su --key-file k -c local -T 5 --ssh-common-args=-oX=y --vault-id d@p \
             --vault-pass-file f --start-at-task t --force-handlers --flush-cache --inventory-file third",
        )
        .run;
        assert_eq!(run.playbooks, [PathBuf::from("site.yml"), PathBuf::from("more.yml")]);
        assert_eq!(run.sources.inventory, ["hosts", "a,b,", "third"]);
        assert_eq!(run.tags, ["x", "y", "z"]);
        assert_eq!(run.sources.extra_vars, ["a=1", "@f"]);
        assert!(run.check && run.diff && run.becoming.become_ && run.becoming.ask_become_pass && run.force_handlers);
        assert_eq!((run.sources.verbose, run.forks.forks, run.connection.timeout), (3, Some(20), Some(5)));
        assert_eq!(run.connection.ssh_common_args.as_deref(), Some("-oX=y"));
        let ids: Vec<String> = run.sources.passwords.password_sources().into_iter().map(|source| source.id).collect();
        assert_eq!(ids, ["d", "default"]);
        assert_eq!(read("x.yml --ssh-extra-args -C").run.connection.ssh_extra_args.as_deref(), Some("-C"));
        // Ansible accepts unambiguous prefixes of options.
        assert!(read("x.yml --list-ho").run.list_hosts);
    }

    #[test]
    fn commands_are_words_and_playbooks_are_files() {
        assert!(matches!(read("doc copy").command, Some(Command::Doc(doc)) if doc.modules == ["copy"]));
        assert!(matches!(read("agent").command, Some(Command::Agent)));
        assert!(
            matches!(read("inventory --graph web").command, Some(Command::Inventory(InventoryArgs { graph: true, group: Some(from), .. })) if from == "web")
        );
        assert_eq!(read("./doc").run.playbooks, [PathBuf::from("./doc")]);
        assert_eq!(read("doc.yml").run.playbooks, [PathBuf::from("doc.yml")]);
        assert_eq!(read("site.yml doc").run.playbooks.len(), 2);
    }

    #[test]
    fn what_is_not_supported_is_refused_with_advice() {
        for (line, message) in [
            ("x.yml --step", "--start-at-task"),
            ("x.yml --no-such", "unexpected argument"),
            ("x.yml -f 0", "must be >= 1"),
            ("x.yml -J --vault-password-file f", "cannot be used with"),
            ("x.yml -K --become-password-file f", "cannot be used with"),
        ] {
            let refusal = refusal(line);
            assert!(refusal.contains(message), "{line}: {refusal}");
        }
    }

    #[test]
    fn every_group_of_the_help_shows_an_example() {
        let help = Cli::command().render_help().to_string();
        for heading in [HOSTS, TASKS, LOOK, VARIABLES, CONNECTION, BECOME] {
            assert!(heading.contains("(rplay ") && help.contains(heading), "{heading}");
        }
        assert!(!help.contains("--step"));
        assert!(help.contains("Examples:"));
    }
}
