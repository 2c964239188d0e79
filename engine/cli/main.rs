//! The program.

mod args;
mod doc;
mod inventory;
mod prompt;
mod vault;

use std::{io::Write, process::ExitCode};

use rplay::{config::Config, source::Problems};

fn main() -> ExitCode {
    let cli = match args::Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let shown = match cli.command {
        Some(args::Command::Doc(wanted)) => match doc::doc(&wanted) {
            Ok(text) => Ok(text.into_bytes()),
            Err(message) => {
                eprintln!("error: {message}");
                return ExitCode::FAILURE;
            }
        },
        Some(args::Command::Inventory(wanted)) => config().and_then(|config| {
            let (text, warnings) = inventory::run(&wanted, &config)?;
            warnings.iter().for_each(|warning| eprintln!("[WARNING]: {warning}"));
            Ok(text.into_bytes())
        }),
        Some(args::Command::Vault(wanted)) => {
            config().and_then(|config| vault::run(&wanted, &config, &mut std::io::stdin()))
        }
        Some(args::Command::Agent) | None => return ExitCode::FAILURE,
    };
    match shown {
        Ok(bytes) if std::io::stdout().write_all(&bytes).is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problems) => {
            complain(problems);
            ExitCode::FAILURE
        }
    }
}

fn config() -> Result<Config, Problems> {
    let (config, warnings) = Config::load()?;
    complain(warnings);
    Ok(config)
}

fn complain(problems: Problems) {
    for problem in problems.0 {
        eprintln!("{:?}", miette::Report::new_boxed(problem));
    }
}
