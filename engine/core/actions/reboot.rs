//! reboot: restarts the host and waits for it.

use super::{After, Ask, Context, Rendered, Result, TaskResult, seconds_arg, wire_args};

/// The run calls the host at each step of the restart.
pub(super) fn reboot(args: Rendered, context: &Context<'_>) -> Result<Ask> {
    if context.check {
        let result = TaskResult { changed: true, ..TaskResult::default() };
        return Err(Box::new(result.with("elapsed", 0).with("rebooted", true)));
    }
    let after = After::Restart {
        timeout: seconds_arg(&args, "reboot_timeout", 600.0)?,
        delay: seconds_arg(&args, "post_reboot_delay", 0.0)?,
    };
    Ok(Ask { module: "reboot", args: wire_args(args), after })
}
