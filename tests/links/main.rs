//! Links to agents: on this machine, over ssh, as other users; and their trace lines.

mod link;
mod ssh;
#[path = "../sshd/mod.rs"]
mod sshd;
mod trace;
