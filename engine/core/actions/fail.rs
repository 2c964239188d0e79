//! fail: fails with a message.

use rplay_contract::{args, wire};

use super::{Context, Rendered, Result, TaskResult};
use crate::vars::Value;

args! {
    /// Fails with a message.
    pub struct Fail {
        /// The message.
        msg: wire::Value = wire::Value::Str("Failed as requested from task".to_owned()),
    }
}

pub(super) fn fail(args: Rendered, _: &Context<'_>) -> Result<TaskResult> {
    let msg = args.get("msg").cloned().unwrap_or_else(|| Value::from("Failed as requested from task"));
    Ok(TaskResult { failed: true, ..TaskResult::default() }.with("msg", msg))
}
