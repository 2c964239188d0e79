//! wait_for_connection: waits until the host can be reached.

use std::time::Duration;

use rplay_contract::{args, wire::Map};

use super::{After, Ask, Context, Rendered, Result, TaskResult, seconds_arg};

args! {
    /// Waits until the host can be reached.
    pub struct WaitForConnection {
        /// Maximum time in seconds.
        timeout: u64 = 600,
        /// Seconds to wait before the first attempt.
        delay: u64 = 0,
        /// Seconds between attempts.
        sleep: u64 = 1,
        /// Maximum seconds per attempt.
        connect_timeout: u64 = 5,
    }
}

/// The run repeats this call until the host answers or the timeout expires.
pub(super) fn wait_for_connection(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    if context.check {
        return Err(Box::new(TaskResult::skipped("")));
    }
    let after = After::Patience {
        timeout: seconds_arg(&args, "timeout", 600.0)?,
        delay: seconds_arg(&args, "delay", 0.0)?,
        sleep: seconds_arg(&args, "sleep", 1.0)?,
    };
    Ok(Ask { module: "ping", args: Map::new(), after })
}

/// The result contains the elapsed time instead of the result of `ping`.
pub(super) fn conclude(result: &mut TaskResult, elapsed: Duration) {
    result.data.shift_remove("ping");
    result.set("elapsed", elapsed.as_secs());
}
