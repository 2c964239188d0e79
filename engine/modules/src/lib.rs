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
pub mod facts;
pub mod flags;
pub mod glob;
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
pub mod resolve;
pub mod runner;
pub mod selinux;
pub mod text;

mod apt;
mod apt_key;
mod apt_repository;
pub mod assemble;
mod authorized_key;
mod blockinfile;
mod command;
pub mod copy;
mod cron;
mod deb822_repository;
mod debconf;
mod dnf;
mod dpkg_selections;
pub mod fetch;
mod file;
mod find;
mod firewalld;
mod get_url;
mod getent;
mod git;
mod group;
mod hostname;
mod ini_file;
mod lineinfile;
mod modprobe;
mod mount;
mod package;
mod package_facts;
mod ping;
mod raw;
mod replace;
pub mod script;
mod seboolean;
mod selinux_state;
mod service;
mod service_facts;
mod setup;
mod shell;
mod slurp;
mod stat;
mod sysctl;
mod systemd;
mod tempfile;
mod times;
pub mod tool;
mod tree;
pub mod unarchive;
mod uri;
mod user;
mod wait_for;
mod web;
mod yum_repository;
mod zip;

pub use args::{Arg, ArgFault, Args};
pub use host::{BlobSource, Host, NoBlobs};
pub use plan::{Change, Module, Plan};
pub use program::{Output, Program};
pub use registry::Entry;
pub use rplay_wire as wire;
