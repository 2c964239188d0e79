//! Links to agents: starts an agent on a host, copying this executable there if necessary, and talks to it.
//!
//! All asynchronous code is in this module. The rest of the engine passes a [`Job`] to [`Links::dispatch`], which
//! returns at once, and receives [`LinkEvent`]s over a channel. There is one agent per [`Target`], started when its
//! first job needs it and shared by all its jobs.

mod arrival;
pub mod askpass;
mod boundary;
mod container;
mod conversation;
mod directory;
mod executable;
mod executables;
mod greeting;
mod job;
mod keys;
mod links;
mod local;
mod needs;
mod pace;
mod running;
mod silence;
mod ssh;
mod ssh_words;
mod stops;
mod target;
mod transport;

pub use executables::{HostAgent, host_agent};
pub use job::{BlobSource, ContentSink, ContentSinks, Job, LinkEvent, Listener};
pub use keys::KeyAgent;
pub use links::{LinkOptions, Links};
pub use stops::{hold as hold_stops, release as release_stops};
pub use target::{Connection, Container, PluginConnection, PrivateKey, Secret, SshOptions, Target};
