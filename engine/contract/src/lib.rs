//! What a module is: its arguments, its plan, the host that it looks at, how a plan is carried out, and what the engine
//! knows of it. The engine is built against this crate alone, so an edit of a module's body does not rebuild it.
//!
//! - [`args!`] defines arguments: types that accept what Ansible accepts ([`argtypes`]), aliases, defaults, documentation.
//! - A [`Module`] turns them into a [`Plan`]: data, warnings and [`Change`]s.
//! - [`execution`] carries a plan out, or, in check mode, only tells it.
//! - A [`Host`] is the machine as one call sees it; [`system`] has what modules use of it: files, programs, accounts, HTTP.
//! - An [`Entry`] is what the engine knows of a module ([`registry`]).
//!
//! The manual of `rplay-modules` writes a module and tests it.
//!
//! Rooms, each using only those before it: `args`, `argtypes`, `cancel`, `io_failure`, `host`, `lean`, `plan`, `execution`,
//! `wording`, `traits`, `entry`, `registry`, `external`, `module_result`, `system`.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// A failure ends a call, so the cost of moving a large error does not matter.
#![allow(clippy::result_large_err)]

pub mod args;
pub mod argtypes;
pub mod cancel;
pub mod entry;
pub mod execution;
pub mod external;
pub mod host;
pub mod io_failure;
mod lean;
pub mod module_result;
pub mod plan;
pub mod registry;
pub mod system;
pub mod traits;
pub mod wording;

pub use args::{Arg, ArgError, Args};
pub use cancel::Cancel;
pub use entry::{Choice, Entry, entry};
pub use host::{BlobSource, ContentTarget, Host, NoBlobs};
pub use plan::{Change, Module, Plan};
pub use rplay_wire as wire;
pub use traits::Traits;
pub use wording::Wording;
