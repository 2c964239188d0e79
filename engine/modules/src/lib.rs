//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module looks at the host and says what would have to change ([`Plan`]); [`runner`] alone decides
//! whether the changes are made. So check mode, diff and `changed` are written once, and no module can
//! forget the one or claim the other. To add a module: write its file, add its line to [`registry`].

// A failure ends a call: what it costs to hand it on is nothing beside what the module did before.
#![allow(clippy::result_large_err)]

pub mod accounts;
pub mod args;
pub mod argtypes;
pub mod attributes;
pub mod digest;
pub mod facts;
pub mod flags;
pub mod glob;
mod host;
pub mod mode;
pub mod paths;
pub mod pattern;
pub mod place;
mod plan;
pub mod process;
pub mod registry;
pub mod resolve;
pub mod runner;
pub mod selinux;
pub mod text;

pub mod assemble;
mod blockinfile;
mod command;
pub mod copy;
pub mod fetch;
mod file;
mod find;
mod getent;
mod group;
mod lineinfile;
mod link;
mod ping;
mod raw;
mod replace;
pub mod script;
mod setup;
mod shadow;
mod shell;
mod slurp;
mod stat;
mod tempfile;
mod times;
pub mod tool;
mod tree;
pub mod unarchive;
mod user;
mod wait_for;
mod zip;

pub use args::{Arg, ArgFault, Args};
pub use host::{BlobSource, Host, NoBlobs};
pub use plan::{Change, Module, Plan};
pub use registry::Entry;
pub use rplay_wire as wire;
