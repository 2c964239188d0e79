//! The command `rplay`.

// A panic ends all plays or all calls, so even "impossible" cases are ordinary errors.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod adhoc;
mod args;
mod callbacks;
mod completions;
mod config;
mod console;
mod diagnostics;
mod doc;
mod editor;
mod ending;
mod formats;
mod galaxy;
mod here;
mod init;
mod inventory;
mod listing;
mod output;
mod own;
mod passwords;
mod plain;
mod project;
mod prompt;
mod pull;
mod run;
mod run_options;
mod ssh_agent;
mod toml;
mod tool;
mod trace;
mod usage;
mod vault;
mod version;
mod why;

use std::process::ExitCode;

use args::{Cli, Command};
use rplay::link::{askpass, hold_stops, release_stops};

fn main() -> ExitCode {
    let first = std::env::args().nth(1).unwrap_or_default();
    // ssh runs this executable to ask for a password; the prompt is its only argument.
    if std::env::var_os(askpass::SOCKET).is_some() {
        return askpass::main(&first);
    }
    // First, since every host starts an agent.
    if first == "agent" {
        return rplay_agent::main();
    }
    rplay_modules::registry::install();
    // Before there are other threads: these would receive the signal of Ctrl-Z, but agents must be told first.
    hold_stops();
    ending::prepare();
    let code = roomy(controller);
    ssh_agent::end();
    code
}

/// Runs `run` on a large stack, enough for the deepest nesting that the settings allow. Only the part in use costs
/// memory.
fn roomy(run: fn() -> ExitCode) -> ExitCode {
    const STACK: usize = 256 << 20;
    // If the global pool already exists, its threads serve as well, with less stack.
    let _ = rayon::ThreadPoolBuilder::new().stack_size(STACK / 4).build_global();
    match std::thread::Builder::new().name("controller".to_owned()).stack_size(STACK).spawn(run) {
        Ok(thread) => thread.join().unwrap_or_else(|_| ending::wait()),
        Err(_) => run(),
    }
}

fn controller() -> ExitCode {
    // The panic hook has reported the panic and ends the process.
    std::panic::catch_unwind(command).unwrap_or_else(|_| ending::wait())
}

/// Parses the command line and runs the command.
fn command() -> ExitCode {
    let called = tool::Called::of(std::env::args_os().collect());
    diagnostics::be_ansible(called.tool.is_some());
    if called.wants_version() {
        output::tell(&version::text(called.tool.unwrap_or_default()));
        return ExitCode::SUCCESS;
    }
    if called.tool.is_none() && called.words.len() == 1 {
        return here::show();
    }
    let mut cli = match Cli::read(&called.words) {
        Ok(cli) => cli,
        Err(error) => {
            if called.tool.is_none() {
                error.exit();
            }
            let text = called.named(&error.render().to_string());
            if !error.use_stderr() {
                output::tell(&text);
                return ExitCode::SUCCESS;
            }
            let words: Vec<String> = called.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            output::aside(&usage::text(called.tool.unwrap_or_default(), &words, &error, &text));
            return ExitCode::from(2);
        }
    };
    if called.tool == Some("ansible-playbook") && cli.command.is_none() && cli.run.playbooks.is_empty() {
        // Only `rplay` itself has a default playbook.
        output::aside(&usage::without_playbook());
        return ExitCode::from(2);
    }
    cli.run.announces = called.tool.is_none();
    if !matches!(cli.command, None | Some(Command::Adhoc(_) | Command::Console(_) | Command::Pull(_))) {
        release_stops();
    }
    let result = match cli.command {
        None => run::run(&cli.run, run::Plays::Files),
        Some(Command::Adhoc(wanted)) => adhoc::command(&wanted),
        Some(Command::Console(wanted)) => console::command(&wanted),
        Some(Command::Config(wanted)) => config::command(&wanted),
        Some(Command::Doc(wanted)) => doc::command(&wanted, called.tool),
        Some(Command::Galaxy(wanted)) => galaxy::command(&wanted),
        Some(Command::Init(wanted)) => init::command(&wanted),
        Some(Command::Inventory(wanted)) => inventory::command(&wanted),
        Some(Command::Own(wanted)) => own::command(&wanted),
        Some(Command::Pull(wanted)) => pull::command(&wanted),
        Some(Command::Vault(wanted)) => vault::command(&wanted),
        Some(Command::Why(wanted)) => why::command(&wanted),
        Some(Command::Agent) => return rplay_agent::main(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(problems) => {
            diagnostics::show(&problems);
            ExitCode::from(diagnostics::exit_code(&problems))
        }
    }
}
