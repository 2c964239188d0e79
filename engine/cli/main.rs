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
        _ => ExitCode::FAILURE,
    }
}
