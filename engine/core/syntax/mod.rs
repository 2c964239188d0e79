//! YAML 1.1 text -> events -> spanned nodes -> plays, blocks, tasks, roles.

mod builtin;
mod duplicates;
pub mod emit;
mod error;
mod escapes;
mod event;
mod explain;
mod identity;
mod json;
mod loaded;
mod locate;
mod node;
mod read;
mod reserved;
mod scalar;
pub mod spec;
mod tree;
pub mod yaml;

pub use builtin::{BUILTIN, builtin_name};
pub use duplicates::DuplicateKeys;
pub use error::{YamlError, YamlWarning};
pub(crate) use escapes::unescaped;
pub use event::pyyaml_place;
pub use locate::locate;
pub use node::{Kind, Node, Style, Text};
pub(crate) use read::DEBUGGERS;
pub use read::{
    Known, Modules, ReadError, Warning, argument_specs, collection_names, read_argument_specs, read_playbook,
    read_role_meta, read_tasks, read_vars,
};
pub use reserved::{is_variable_name, reserved_name, reserved_names};
pub use tree::{
    Action, Block, Entry, ImportPlaybook, Keywords, Loop, LoopControl, Play, Playbook, PlaybookEntry, RoleMeta,
    RoleUse, Task, Word,
};
