//! Runs plays on hosts: strategies, blocks, loops, retries, register, handlers.
//!
//! A run walks the steps of a play with a set of hosts. A task goes to all hosts of the set at once; a host that fails
//! leaves the set, for the block's rescue or for good. Nothing here prints: see [`crate::event`].
//!
//! Order, each file using only those before it: `options`, `reads`, `template_warnings`, `shorthand`, `hidden_values`, `conditions`, `magic_names`,
//! `steering`, `state/host`, `state/handler_list`, `state/play`, `state/losses`, `state/addition`,
//! `state/json_facts`, `state/fact_cache`, `state/run`,
//! `state/inventory`, `facts`, `scope/magic`, `scope/precedence`, `connection/variables`, `connection/privilege`,
//! `connection/target`, `connection/reached`, `lookahead/rules`, `task/iteration`, `task/external`, `task/diffs`,
//! `task/python_json`, `task/strict`, `task/messages`, `task/module_result`,
//! `task/refusal`, `task/invocation`, `task/plugin_effects`, `task/plugin`, `task/arguments`, `task/prepare`,
//! `task/register`, `task/evaluated`, `task/task_run`, `task/evaluate`, `task/handlers`, `task/failure`, `task/debugger`,
//! `task/failed_task`, `task/commit`,
//! `lookahead/continuation`, `lookahead/interference`, `dispatch/batch`, `dispatch/restart`, `dispatch/host_task`,
//! `dispatch/pipeline`, `lookahead/stop`, `lookahead/look_ahead`, `dispatch/parcel`, `dispatch/outbox`,
//! `dispatch/executor`, `play_keywords`, `walk/due_handlers`, `walk/start_at`, `walk/include`, `walk/meta`,
//! `walk/gathering`, `walk`, `plays/serial`, `plays/hosts`, `plays/prompts`, `plays/vars_files`, `plays/strategy`,
//! `plays/preflight`, `plays/play`, `plays/playbooks`, `plays/definitions`.
//!
//! The state is at the bottom (`state`, `scope`), then comes one task on one host (`task`), then what sends it
//! (`lookahead`, `dispatch`). All recursion of a run, through blocks, roles, includes, handlers and the gathering of
//! facts, is in `walk`. The layers below return what to do next, or ask through the trait in `facts`.

mod conditions;
mod connection;
mod dispatch;
mod facts;
mod hidden_values;
mod lookahead;
mod magic_names;
mod options;
mod play_keywords;
mod plays;
mod reads;
mod scope;
mod shorthand;
mod state;
mod steering;
mod task;
mod template_warnings;
mod walk;

pub use options::{DebuggerOptions, Defaults, FactCaching, MethodDefaults, Options, RetryFiles};
pub use plays::{
    definitions::{Setter, Viewpoint},
    preflight::RunError,
};
pub use state::{play::PlayRun, run::Run};
