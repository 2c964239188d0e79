//! set_fact: sets variables of hosts.

use rplay_contract::{args, argtypes::Flag};

use super::{Context, Effect, Rendered, Result, TaskResult, flag_arg, variable_name::bad_name};
use crate::{
    syntax::is_variable_name,
    vars::{Layer, Lazy},
};

args! {
    /// Sets variables of hosts; each argument is a variable.
    pub struct SetFact {
        /// Also set them as facts.
        cacheable: Flag = Flag(false),
    }
}

pub(super) fn set_fact(mut args: Rendered, _: &Context<'_>) -> Result<TaskResult> {
    let cacheable = flag_arg(&args, "cacheable")?.unwrap_or(false);
    args.shift_remove("cacheable");
    if args.is_empty() {
        return Err(Box::new(TaskResult::failed(
            "No key/value pairs provided, at least one is required for this action to succeed",
        )));
    }
    if let Some(bad) = args.keys().find(|name| !is_variable_name(name)) {
        return Err(Box::new(bad_name(bad)));
    }
    let vars: Layer = args.into_iter().map(|(name, value)| (name, Lazy::Data(value))).collect();
    let mut result = TaskResult::default();
    result.effects.push(Effect::SetFacts { vars, cacheable });
    Ok(result)
}
