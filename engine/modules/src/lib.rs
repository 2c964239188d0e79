//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module looks at the host and says what would have to change ([`Plan`]); [`runner`] alone decides
//! whether the changes are made. So check mode, diff and `changed` are written once, and no module can
//! forget the one or claim the other. To add a module: write its file, add its line to [`registry`].
//!
//! Rooms, each using only those before it: `stand_in` (tests alone), `files`, `packages`, `services`, `accounts`, `kernel`,
//! `network`, `commands`, `facts`, `docker`, `tencent`, `external`, `registry`, `runner`.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// A failure ends a call: what it costs to hand it on is nothing beside what the module did before.
#![allow(clippy::result_large_err)]

pub mod accounts;
pub mod commands;
mod docker;
pub mod external;
pub mod facts;
pub mod files;
mod kernel;
mod network;
mod packages;
pub mod registry;
pub mod runner;
mod services;
mod tencent;

// What a module is, and what it uses of its host, in a crate that the engine can be built against without the modules.
pub use commands::run_lock::tell_locks_end;
pub use rplay_contract::{
    Arg, ArgFault, Args, BlobSource, Cancel, Change, ContentTarget, Entry, Host, Module, NoBlobs, Plan, args, argtypes,
    choice, entry, system, wire,
};
use rplay_contract::{execution, host, io_failure};

/// A server on the loopback for tests of both crates.
#[cfg(test)]
#[path = "../../contract/src/system/http/stand_in.rs"]
mod stand_in;
