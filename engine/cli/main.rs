//! The command `rplay`.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod adhoc;
mod args;
mod config;
mod doc;
mod ending;
mod faults;
mod galaxy;
mod galaxy_args;
mod inventory;
mod listing;
mod output;
mod own;
mod passwords;
mod prompt;
mod run;
mod tool;
mod vault;

use std::process::ExitCode;

use args::{Cli, Command};
use rplay::link::{askpass, hold_stops, release_stops};

fn main() -> ExitCode {
    let first = std::env::args().nth(1).unwrap_or_default();
    // ssh asks for a password: its question is the only argument.
    if std::env::var_os(askpass::SOCKET).is_some() {
        return askpass::main(&first);
    }
    // Before anything else: an agent starts on every host.
    if first == "agent" {
        return rplay_agent::main();
    }
    // Before there are other threads: they would take the signal of Ctrl-Z, of which agents are to hear first.
    hold_stops();
    ending::prepare();
    roomy(controller)
}

/// Runs on a stack that has room for whatever nests as deep as the settings allow; only what is used of it costs
/// memory.
fn roomy(run: fn() -> ExitCode) -> ExitCode {
    const STACK: usize = 256 << 20;
    // Somebody else may have made the pool already: its threads are as good, with less room.
    let _ = rayon::ThreadPoolBuilder::new().stack_size(STACK / 4).build_global();
    match std::thread::Builder::new().name("controller".to_owned()).stack_size(STACK).spawn(run) {
        Ok(thread) => thread.join().unwrap_or_else(|_| ending::wait()),
        Err(_) => run(),
    }
}

fn controller() -> ExitCode {
    // The panic hook has told what happened, and ends the process.
    std::panic::catch_unwind(command).unwrap_or_else(|_| ending::wait())
}

/// Reads the command line and does what it says.
fn command() -> ExitCode {
    let words = match tool::words(std::env::args_os().collect()) {
        Ok(words) => words,
        Err(refusal) => {
            output::aside(&format!("{refusal}\n"));
            return ExitCode::from(1);
        }
    };
    let cli = match Cli::read(words) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    if !matches!(cli.command, None | Some(Command::Adhoc(_))) {
        release_stops();
    }
    let result = match cli.command {
        None => run::run(&cli.run, run::Plays::Files),
        Some(Command::Adhoc(wanted)) => adhoc::command(&wanted),
        Some(Command::Config(wanted)) => config::command(&wanted),
        Some(Command::Doc(wanted)) => doc::command(&wanted),
        Some(Command::Galaxy(wanted)) => galaxy::command(&wanted),
        Some(Command::Inventory(wanted)) => inventory::command(&wanted),
        Some(Command::Own(wanted)) => own::command(&wanted),
        Some(Command::Vault(wanted)) => vault::command(&wanted),
        Some(Command::Agent) => return rplay_agent::main(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(problems) => {
            faults::show(&problems);
            ExitCode::from(1)
        }
    }
}
