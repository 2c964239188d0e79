//! The program.

mod args;
mod doc;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match args::Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match cli.command {
        Some(args::Command::Doc(wanted)) => match doc::doc(&wanted) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(message) => {
                eprintln!("error: {message}");
                ExitCode::FAILURE
            }
        },
        _ => ExitCode::FAILURE,
    }
}
