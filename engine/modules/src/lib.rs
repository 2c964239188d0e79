//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module looks at the host and says what would have to change ([`Plan`]); [`runner`] alone decides
//! whether the changes are made. So check mode, diff and `changed` are written once, and no module can
//! forget the one or claim the other. To add a module: write its file, add its line to [`registry`].

// A failure ends a call: what it costs to hand it on is nothing beside what the module did before.
#![allow(clippy::result_large_err)]

pub mod accounts;
mod acl;
mod apt;
mod apt_key;
mod apt_repository;
pub mod args;
pub mod argtypes;
pub mod assemble;
mod async_status;
pub mod attributes;
mod authorized_key;
mod blockinfile;
mod bounded;
mod cancel;
mod cannot;
pub mod captured;
mod command;
pub mod copy;
mod cron;
mod deb822_repository;
mod debconf;
pub mod digest;
mod dnf;
mod docker;
mod dpkg_selections;
pub mod facts;
pub mod fetch;
mod file;
mod find;
mod firewalld;
pub mod flags;
mod get_url;
mod getent;
mod git;
pub mod glob;
mod group;
mod host;
mod hostname;
pub mod http;
mod ini_file;
mod iptables;
pub mod jobs;
mod kept_text;
mod lineinfile;
mod link;
pub mod mode;
mod modprobe;
mod mount;
mod package;
mod package_facts;
pub mod paths;
pub mod pattern;
mod ping;
mod pip;
pub mod place;
mod plan;
mod preserved;
pub mod process;
pub mod program;
mod raw;
pub mod registry;
pub mod regular;
mod replace;
pub mod resolve;
mod run_lock;
pub mod runner;
pub mod script;
mod seboolean;
pub mod selinux;
mod selinux_state;
mod service;
mod service_facts;
mod setup;
mod shadow;
mod shell;
mod slurp;
mod stat;
mod sysctl;
mod systemd;
mod tempfile;
pub mod tencent;
pub mod text;
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
pub use cancel::Cancel;
pub use host::{BlobSource, ContentTarget, Host, NoBlobs};
pub use plan::{Change, Module, Plan};
pub use program::{Output, Program};
pub use registry::Entry;
pub use rplay_wire as wire;
