//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module looks at the host and says what would have to change ([`Plan`]); [`runner`] alone decides
//! whether the changes are made. So check mode, diff and `changed` are written once, and no module can
//! forget the one or claim the other. To add a module: write its file, add its line to [`registry`].

pub mod accounts;
pub mod args;
pub mod argtypes;
pub mod attributes;
mod cancel;
pub mod digest;
pub mod facts;
pub mod flags;
pub mod glob;
mod docker;
mod host;
pub mod http;
pub mod mode;
pub mod paths;
pub mod pattern;
pub mod place;
mod plan;
pub mod process;
pub mod program;
pub mod registry;
pub mod runner;
pub mod selinux;
pub mod text;

mod apt;
mod apt_repository;
pub mod assemble;
mod blockinfile;
mod command;
pub mod copy;
mod deb822_repository;
pub mod fetch;
mod file;
mod find;
mod get_url;
mod lineinfile;
mod ping;
mod raw;
mod replace;
mod service;
mod setup;
mod shell;
mod slurp;
mod stat;
mod systemd;
mod tempfile;
mod times;
mod tree;
mod uri;
mod web;
mod yum_repository;

pub use args::{Arg, ArgFault, Args};
pub use cancel::Cancel;
pub use host::{BlobSource, Host, NoBlobs};
pub use plan::{Change, Module, Plan};
pub use program::{Output, Program};
pub use registry::Entry;
pub use rplay_wire as wire;
