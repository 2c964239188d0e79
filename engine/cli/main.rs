//! The command `rplay`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("agent") => rplay_agent::main(),
        _ => ExitCode::FAILURE,
    }
}
