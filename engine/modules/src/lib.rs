//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module looks at the host and says what would have to change ([`Plan`]); [`runner`] alone decides
//! whether the changes are made. So check mode, diff and `changed` are written once, and no module can
//! forget the one or claim the other. To add a module: write its file, add its line to [`registry`].

pub mod accounts;
pub mod args;
pub mod argtypes;
pub mod attributes;
pub mod digest;
pub mod glob;
mod host;
pub mod http;
pub mod mode;
pub mod paths;
pub mod place;
mod plan;
pub mod process;
pub mod program;
pub mod registry;
pub mod runner;
pub mod selinux;

mod apt;
mod apt_repository;
mod command;
mod deb822_repository;
mod get_url;
mod ping;
mod raw;
mod service;
mod shell;
mod systemd;
mod uri;
mod web;
mod yum_repository;

pub use args::{Arg, ArgFault, Args};
pub use host::{BlobSource, Host, NoBlobs};
pub use plan::{Change, Module, Plan};
pub use program::{Output, Program};
pub use registry::Entry;
pub use rplay_wire as wire;
