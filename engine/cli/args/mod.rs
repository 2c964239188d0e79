//! The command line.

pub(crate) mod adhoc;
pub(crate) mod common;
pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod doc;
pub(crate) mod galaxy;
pub(crate) mod init;
pub(crate) mod inventory;
pub(crate) mod own;
pub(crate) mod pull;
pub(crate) mod run;
pub(crate) mod vault;
pub(crate) mod why;

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use self::{
    adhoc::AdhocArgs, config::ConfigArgs, console::ConsoleArgs, doc::DocArgs, galaxy::GalaxyArgs, init::InitArgs,
    inventory::InventoryArgs, own::SelfArgs, pull::PullArgs, run::RunArgs, vault::VaultArgs, why::WhyArgs,
};

/// Shown at the end of `rplay --help`.
const EXAMPLES: &str = "\
Examples:
  rplay -i hosts.yml site.yml             run a playbook
  rplay -i hosts.yml site.yml -C -D       show what would change
  rplay -i web1,web2, site.yml -l web1    limit an inline inventory to one host
  rplay site.yml -t deploy -e version=2   run only tagged tasks, set a variable
  rplay doc copy                          show how to use a module
  rplay why http_port -l web1             show where a variable comes from

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
    args_override_self = true,
    disable_help_subcommand = true,
    infer_long_args = true,
    max_term_width = 100,
    override_usage = "rplay [OPTIONS] [PLAYBOOK]...\n       rplay <COMMAND>"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

/// The subcommands; running playbooks needs none.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one module on hosts
    Adhoc(AdhocArgs),
    /// Run modules on hosts from a prompt
    Console(ConsoleArgs),
    /// Show the settings, where each comes from, and whether it is supported
    Config(ConfigArgs),
    /// Show the documentation of modules, plugins, roles and keywords
    Doc(DocArgs),
    /// Install, list, build and check collections and roles
    Galaxy(GalaxyArgs),
    /// Create a runnable project: settings, an inventory, a playbook and a role
    Init(InitArgs),
    /// Show hosts, groups and variables
    Inventory(InventoryArgs),
    /// Show this installation; create links for Ansible's names, completions, man pages
    #[command(name = "self")]
    Own(SelfArgs),
    /// Fetch a repository and run one of its playbooks on this machine
    Pull(PullArgs),
    /// Encrypt and decrypt files and values
    Vault(VaultArgs),
    /// Show a variable's value on a host, and all places that define it
    Why(WhyArgs),
    /// Serve calls on standard input and output; started on hosts
    #[command(hide = true)]
    Agent,
}

impl Cli {
    /// The playbooks to run: those given, or else the default one.
    pub(crate) fn playbooks(run: &RunArgs) -> Result<Vec<PathBuf>, clap::Error> {
        if !run.playbooks.is_empty() {
            return Ok(run.playbooks.clone());
        }
        match ["playbooks/site.yml", "site.yml"].iter().map(PathBuf::from).find(|path| path.is_file()) {
            Some(site) => Ok(vec![site]),
            None => Err(Cli::command().error(
                ErrorKind::MissingRequiredArgument,
                "no playbook given, and neither playbooks/site.yml nor site.yml exists here",
            )),
        }
    }

    /// Parses the arguments, the program's name first. As usual with clap, `--help` and `--version` are errors too.
    pub(crate) fn read<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        Cli::try_parse_from(args)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        common::{BECOME, CONNECTION, HOSTS, LOOK, TASKS, VARIABLES},
        *,
    };

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
        // Of an option that is given twice, the last counts.
        let run = read("x.yml -l a -l b -C -C -u me -u you -f 2 -f 3").run;
        assert_eq!(
            (run.limit.as_deref(), run.connection.user.as_deref(), run.forks.forks),
            (Some("b"), Some("you"), Some(3))
        );
        assert!(
            matches!(read("adhoc x -a y -a z").command, Some(Command::Adhoc(adhoc)) if adhoc.args.as_deref() == Some("z"))
        );
        assert_eq!(read("x.yml --ssh-extra-args -C").run.connection.ssh_extra_args.as_deref(), Some("-C"));
        // Ansible accepts unambiguous prefixes of options.
        assert!(read("x.yml --list-ho").run.list_hosts);
    }

    #[test]
    fn commands_are_words_and_playbooks_are_files() {
        assert!(matches!(read("doc copy").command, Some(Command::Doc(doc)) if doc.names == ["copy"]));
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
        assert!(help.contains("--step"));
        assert!(help.contains("Examples:"));
    }
}
