//! The command `rplay`.

use std::process::ExitCode;

use rplay::link::askpass;

fn main() -> ExitCode {
    let first = std::env::args().nth(1).unwrap_or_default();
    // ssh asks for a password: its question is the only argument.
    if std::env::var_os(askpass::SOCKET).is_some() {
        return askpass::main(&first);
    }
    match first.as_str() {
        "agent" => rplay_agent::main(),
mod args;
mod doc;
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
