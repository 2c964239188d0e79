//! The commands beside those that run playbooks.

mod adhoc;
mod completions;
mod init;
mod lists;
#[path = "../seen/mod.rs"]
mod seen;
mod tools;
mod why;
