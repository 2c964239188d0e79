//! `rplay-agent`: the agent alone, for hosts. It takes the same words as `rplay agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rplay_agent::main()
}
