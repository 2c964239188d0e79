//! fail: fails with a message.

use rplay_contract::{args, wire};

use super::{Answer, Context, Rendered, Result};
use crate::vars::Value;

args! {
    /// Fails with a message.
    pub struct Fail {
        /// The message.
        msg: wire::Value = wire::Value::Str("Failed as requested from task".to_owned()),
    }
}

pub(super) fn fail(args: Rendered, _: &Context<'_>) -> Result<Answer> {
    let msg = args.get("msg").cloned().unwrap_or_else(|| Value::from("Failed as requested from task"));
    Ok(Answer { failed: true, ..Answer::default() }.with("msg", msg))
}
