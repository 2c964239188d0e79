//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module looks at the host and says what would have to change ([`Plan`]); [`runner`] alone decides
//! whether the changes are made. So check mode, diff and `changed` are written once, and no module can
//! forget the one or claim the other. To add a module: write its file, add its line to [`registry`].
//!
//! Rooms, each using only those before it: `contract`, `system`, `files`, `packages`, `services`, `accounts`, `kernel`,
//! `network`, `commands`, `facts`, `docker`, `tencent`, `external`, `registry`, `runner`.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// A failure ends a call: what it costs to hand it on is nothing beside what the module did before.
#![allow(clippy::result_large_err)]

pub mod accounts;
pub mod commands;
pub mod contract;
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
pub mod system;
pub mod tencent;

// The contract is used everywhere, so its parts are named without it.
pub use commands::run_lock::tell_locks_end;
pub use contract::{
    args::{self, Arg, ArgFault, Args},
    argtypes,
    cancel::Cancel,
    entry::{Entry, entry},
    host::{BlobSource, ContentTarget, Host, NoBlobs},
    plan::{Change, Module, Plan},
};
pub(crate) use contract::{execution, host, io_failure};
pub use files::assemble::unescaped;
pub use rplay_wire as wire;
