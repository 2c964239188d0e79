//! `rplay-agent`: the agent alone, for hosts. It takes the same arguments as `rplay agent`.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use std::process::ExitCode;

fn main() -> ExitCode {
    rplay_agent::main()
}
