//! The way to an agent: starting one on a host, putting this executable there if it is not there yet, and
//! the conversation with it.
//!
//! Everything asynchronous stays in here. The rest of the engine hands a [`Job`] to [`Links::dispatch`],
//! which returns at once, and hears of it over a channel ([`LinkEvent`]). There is one agent for each
//! [`Target`], started when the first job needs it; all jobs for the target share it.

mod arrival;
pub mod askpass;
mod boundary;
mod container;
mod conversation;
mod executable;
mod executables;
mod folder;
mod greeting;
mod links;
mod local;
mod pace;
mod silence;
mod ssh;
mod ssh_words;
mod stops;
mod target;
mod transport;

pub use executables::{HostAgent, host_agent};
pub use links::{BlobSource, ContentSink, ContentSinks, Job, LinkEvent, LinkOptions, Links, Listener};
pub use stops::{hold as hold_stops, release as release_stops};
pub use target::{Connection, Container, Secret, SshOptions, Target};
