//! Content written in Python, with the ansible-core of this machine: the one that RPLAY_ANSIBLE_PYTHON names, or that of
//! the `ansible` in PATH. Where there is none, these tests are skipped. Tests of collections need the package `ansible`,
//! which contains them.

mod actions;
#[path = "../ansible/mod.rs"]
mod ansible;
mod cache;
mod connection;
mod docs;
mod escalation;
mod modules;
mod plugins;
mod project;
mod results;
#[allow(dead_code, reason = "only the executable is wanted of it, not its snapshots")]
#[path = "../seen/mod.rs"]
mod seen;
#[path = "../sshd/mod.rs"]
mod sshd;
mod values;
mod vars;
