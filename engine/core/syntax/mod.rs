//! YAML 1.1 text -> events -> spanned nodes -> plays, blocks, tasks, roles.

mod node;
mod tree;

pub use node::{Kind, Node, Style, Text};
pub use tree::{
    Action, Block, Entry, ImportPlaybook, Keywords, Loop, LoopControl, Play, Playbook, PlaybookEntry, RoleMeta,
    RoleUse, Task, Word,
};
