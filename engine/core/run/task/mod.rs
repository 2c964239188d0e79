//! One task on one host: from its conditions and arguments to a call, and from the result to its effects.

pub(crate) mod arguments;
pub(crate) mod commit;
pub(crate) mod debugger;
pub(crate) mod diffs;
pub(crate) mod evaluate;
pub(crate) mod evaluated;
pub(crate) mod external;
mod failed_task;
pub(crate) mod failure;
pub(crate) mod handlers;
pub(crate) mod invocation;
pub(crate) mod iteration;
mod messages;
mod module_result;
pub(crate) mod plugin;
pub(crate) mod plugin_effects;
pub(crate) mod prepare;
mod python_json;
mod refusal;
pub(crate) mod register;
mod strict;
pub(crate) mod task_run;
