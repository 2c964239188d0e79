//! `rplay console`: a prompt that runs modules on the hosts of a pattern, like `ansible-console`.

use std::{
    io::{self, BufRead, Write},
    sync::Arc,
};

use rplay::{
    config::Config,
    inventory::{Inventory, Pattern},
    plan::Action,
    report::{Log, Reader},
    secrets::Secrets,
    source::Problems,
};

use crate::{
    adhoc::{self, Task},
    args::console::ConsoleArgs,
    args::{adhoc::ModuleRunArgs, run::RunArgs},
    diagnostics, output, passwords,
    run::{self, Plays},
    ssh_agent,
};

/// Commands of the prompt itself, each with its description.
const COMMANDS: &[(&str, &str)] = &[
    ("become", "Run what follows as another user or not: become yes|no"),
    ("become_method", "How to become the user: become_method sudo"),
    ("become_user", "The user to become: become_user jenkins"),
    ("cd", "Choose the hosts: cd GROUP|HOST|PATTERN; without a word all"),
    ("check", "Change nothing, only say what would change: check yes|no"),
    ("diff", "Show how files change: diff yes|no"),
    ("exit", "End; so does ctrl-d"),
    ("forks", "Hosts to work on at once: forks 10"),
    ("help", "Show these words, or what one of them or a module does: help copy"),
    ("list", "List the chosen hosts; list groups lists the groups"),
    ("modules", "List the modules"),
    ("remote_user", "Log in as this user: remote_user admin"),
    ("shell", "Run a command in the shell, as an exclamation mark before it does: shell ps"),
    ("timeout", "Seconds that a module may take: timeout 30"),
    ("verbosity", "How much is said, 0 to 4: verbosity 2"),
];

/// Runs commands until the input ends; returns the exit code.
pub(crate) fn command(args: &ConsoleArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    ssh_agent::join(&config)?;
    diagnostics::look_like(*config.diagnostics);
    diagnostics::show(&warnings);
    let vault = passwords::vault(&args.run.sources.passwords, &config, diagnostics::secrets())?;
    let sources = config.inventory_sources(&args.run.sources.inventory);
    let inventory = Inventory::load(&sources, vault, &config.source_rules())?;
    for warning in &inventory.warnings {
        diagnostics::warn(warning);
    }
    let pattern = args.pattern.clone().unwrap_or_else(|| "all".to_owned());
    let mut console = Console::new(args, &config, inventory, pattern);
    if args.run.list_hosts {
        for host in console.hosts(&console.pattern)? {
            output::tell(&format!("{host}\n"));
        }
        return Ok(0);
    }
    // A template is rendered only when a module runs.
    if !console.pattern.contains("{{") && console.hosts(&console.pattern)?.is_empty() && !console.inventory_is_empty() {
        let message = "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.";
        output::aside(&format!("[ERROR]: {message}\n"));
        return Ok(1);
    }
    output::tell("Welcome to the ansible console. Type help or ? to list commands.\n\n");
    loop {
        output::tell(&console.prompt());
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) if matches!(line.trim(), "exit" | "EOF") => break,
            Ok(_) => console.run_line(line.trim())?,
        }
    }
    output::tell("\nAnsible-console was exited.\n");
    Ok(0)
}

/// The options for the next module.
struct Console {
    pattern: String,
    step: bool,
    inventory: Inventory,
    run: ModuleRunArgs,
    forks: u32,
    user: String,
}

impl Console {
    fn new(args: &ConsoleArgs, config: &Config, inventory: Inventory, pattern: String) -> Self {
        let run = ModuleRunArgs {
            diff: args.run.diff || *config.diff_always,
            list_hosts: false,
            playbook_dir: args.run.playbook_dir.clone().or(config.playbook_dir.value.clone()),
            ..args.run.clone()
        };
        let user = std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "root".to_owned());
        let forks = args.run.forks.number(*config.forks);
        let user = run.connection.user.clone().or(config.remote_user.value.clone()).unwrap_or(user);
        let mut console = Console { pattern, step: args.step, inventory, run, forks, user };
        console.run.becoming.become_ |= *config.become_;
        console
    }

    fn inventory_is_empty(&self) -> bool {
        self.inventory.hosts().len() == 0
    }

    fn hosts(&self, pattern: &str) -> Result<Vec<Arc<str>>, Problems> {
        let allowed = match &self.run.limit {
            Some(limit) => Some(rplay::inventory::Limit::parse(limit)?.allowed(&self.inventory)?),
            None => None,
        };
        let pattern = Pattern::parse(pattern)?;
        Ok(self.inventory.matching(&pattern, allowed.as_ref())?.hosts)
    }

    /// `user@pattern (hosts)[f:forks]$`; `#` with become.
    fn prompt(&self) -> String {
        let count = self.hosts(&self.pattern).map_or(0, |hosts| hosts.len());
        let becoming = &self.run.becoming;
        let is_root = becoming.become_user.as_deref().is_none_or(|user| user == "root");
        let sign = if becoming.become_ && is_root { '#' } else { '$' };
        format!("{}@{} ({count})[f:{}]{sign} ", self.user, self.pattern, self.forks)
    }

    /// Runs a line and prints its errors; returns only errors that end the console.
    fn run_line(&mut self, line: &str) -> Result<(), Problems> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (word, rest) = match line.strip_prefix('!').or(line.strip_prefix('?')) {
            Some(rest) if line.starts_with('!') => ("shell", rest.trim()),
            Some(rest) => ("help", rest.trim()),
            None => line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim())),
        };
        let known = Known(rest);
        match word {
            "cd" => self.choose(rest),
            "list" if rest == "groups" => {
                let mut groups: Vec<&str> = self.inventory.groups().map(|group| &*group.name).collect();
                groups.sort_unstable();
                output::tell(&format!("{}\n", groups.join("\n")));
            }
            "list" => match self.hosts(&self.pattern) {
                Ok(hosts) => hosts.iter().for_each(|host| output::tell(&format!("{host}\n"))),
                Err(problems) => diagnostics::show(&problems),
            },
            "modules" => Action::all().iter().for_each(|action| output::tell(&format!("{}\n", action.name()))),
            "help" => help(rest),
            "forks" => match known.number() {
                Some(forks) if forks > 0 => {
                    self.forks = forks;
                    self.run.forks.forks = Some(forks);
                }
                Some(_) => output::tell("forks must be greater than or equal to 1\n"),
                None => output::tell("Usage: forks <number>\n"),
            },
            "verbosity" => match known.number() {
                Some(level) => {
                    self.run.sources.verbose = level.min(6) as u8;
                    output::tell(&format!("verbosity level set to {level}\n"));
                }
                None => output::tell("Usage: verbosity <number>\n"),
            },
            "timeout" => match known.number() {
                Some(seconds) => self.run.task_timeout = Some(seconds),
                None => output::tell("Usage: timeout <seconds>\n"),
            },
            "become" => match known.flag() {
                Some(on) => {
                    self.run.becoming.become_ = on;
                    output::tell(&format!("become changed to {}\n", python(on)));
                }
                None => output::tell("Please specify become value, e.g. `become yes`\n"),
            },
            "check" => match known.flag() {
                Some(on) => {
                    self.run.check = on;
                    output::tell(&format!("check mode changed to {}\n", python(on)));
                }
                None => output::tell(&format!(
                    "Please specify check mode value, e.g. `check yes`\ncheck mode is currently {}.\n",
                    python(self.run.check)
                )),
            },
            "diff" => match known.flag() {
                Some(on) => {
                    self.run.diff = on;
                    output::tell(&format!("diff mode changed to {}\n", python(on)));
                }
                None => output::tell(&format!(
                    "Please specify a diff value , e.g. `diff yes`\ndiff mode is currently {}\n",
                    python(self.run.diff)
                )),
            },
            "remote_user" if rest.is_empty() => {
                output::tell("Please specify a remote user, e.g. `remote_user root`\n");
            }
            "remote_user" => {
                self.user = rest.to_owned();
                self.run.connection.user = Some(rest.to_owned());
            }
            "become_user" if rest.is_empty() => {
                let user = self.run.becoming.become_user.as_deref().unwrap_or("None");
                output::tell(&format!("Please specify a user, e.g. `become_user jenkins`\nCurrent user is {user}\n"));
            }
            "become_user" => self.run.becoming.become_user = Some(rest.to_owned()),
            "become_method" if rest.is_empty() => {
                let method = self.run.becoming.become_method.as_deref().unwrap_or("sudo");
                output::tell(&format!(
                    "Please specify a become_method, e.g. `become_method su`\nCurrent become_method is {method}\n"
                ));
            }
            "become_method" => {
                self.run.becoming.become_method = Some(rest.to_owned());
                output::tell(&format!("become_method changed to {rest}\n"));
            }
            "shell" => return self.module("shell", rest),
            module if Action::find(module).is_some() || module.matches('.').count() >= 2 => {
                return self.module(module, rest);
            }
            _ => return self.module("shell", line),
        }
        Ok(())
    }

    fn choose(&mut self, rest: &str) {
        let pattern = if matches!(rest, "" | "*" | "/*" | "\\") { "all" } else { rest };
        match self.hosts(pattern) {
            Ok(hosts) if hosts.is_empty() => output::tell("no host matched\n"),
            Ok(_) => self.pattern = if pattern == "all" { "*".to_owned() } else { pattern.to_owned() },
            Err(problems) => diagnostics::show(&problems),
        }
    }

    /// Runs a module on the chosen hosts.
    fn module(&mut self, module: &str, given: &str) -> Result<(), Problems> {
        if self.step && !asked(module)? {
            return Ok(());
        }
        let pattern = if self.pattern == "*" { "all" } else { &self.pattern };
        let source = Task { module, args: given, asynchronous: None, none: false }.playbook(pattern, "Ansible Shell");
        let name = module.to_owned();
        let reader = move |config: &Config, secrets: &Arc<Secrets>, log: Option<Arc<Log>>| -> Box<dyn Reader> {
            Box::new(adhoc::answers(&name, false, config, secrets, log))
        };
        let directory = self.run.playbook_dir.clone().unwrap_or_else(|| ".".into());
        let args: RunArgs = self.run.run_args();
        // An error of a run does not end the console.
        if let Err(problems) = run::run(&args, Plays::Text { source, directory, reader: Box::new(reader) }) {
            diagnostics::show(&problems);
        }
        Ok(())
    }
}

/// Asks the user whether to run a task (`--step`).
fn asked(module: &str) -> Result<bool, Problems> {
    output::tell(&format!("Perform task: {module} (N)o/(y)es: "));
    let _ = io::stdout().flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The argument of a command.
struct Known<'w>(&'w str);

impl Known<'_> {
    fn number(&self) -> Option<u32> {
        self.0.parse().ok()
    }

    fn flag(&self) -> Option<bool> {
        match self.0.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" | "y" | "t" => Some(true),
            "" => None,
            _ => Some(false),
        }
    }
}

fn python(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

fn help(topic: &str) {
    if topic.is_empty() {
        let lines: String = COMMANDS.iter().map(|(word, about)| format!("{word:15} {about}\n")).collect();
        output::tell(&format!(
            "{lines}All other words are modules with their arguments (ping, service name=x \
            state=started), or commands for the shell.\n"
        ));
        return;
    }
    if let Some((_, about)) = COMMANDS.iter().find(|(word, _)| *word == topic) {
        return output::tell(&format!("{about}\n"));
    }
    match Action::find(topic) {
        Some(_) => crate::doc::show(topic),
        None => output::tell(&format!("*** No help on {topic}\n")),
    }
}
