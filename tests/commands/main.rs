//! The commands beside those that run playbooks.

mod adhoc;
mod completions;
mod init;
mod lists;
#[path = "../seen/mod.rs"]
mod seen;
mod ssh_agent;
#[path = "../sshd/mod.rs"]
mod sshd;
mod terminal;
mod tools;
mod why;
