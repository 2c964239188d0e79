//! The resolved play: roles inlined, imports followed, tags filtered, handlers collected.

mod action;
mod arguments;
mod catalogue;
mod error;
mod head;
mod misuse;
mod module_defaults;
mod names;
mod place;
mod playbook;
mod project;
mod read_cache;
mod resolve;
mod role;
mod run_magic;
mod settings;
pub mod statement;
mod statics;
mod step;
mod tags;
mod yaml_file;

pub use action::{Action, module};
pub use arguments::unknown;

pub use catalogue::{Meant, Named};
pub use error::{PlanError, exit_code};
pub use head::{PlayHead, host_patterns, name_of_hosts, words_written, written};
pub use place::{Place, task_file};
pub use project::{Decrypt, FoundRole, Project, Warn};
pub use resolve::{Found, Resolver, secrets};
pub use role::{RoleCall, RoleFiles, included, line_of};
pub use run_magic::RunMagic;
pub use settings::layer;
pub use statement::{Statement, StatementEntry};
pub use step::{
    Argument, Arguments, Block, Condition, Field, Gather, Loop, LoopControl, Play, Role, RoleSteps, Settings, Step,
    Task, VarsPrompt, field, fields,
};
pub use tags::TagSelection;
pub use yaml_file::{vars_file, yaml_file};
