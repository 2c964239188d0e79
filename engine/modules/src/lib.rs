//! What a host can be asked to do: one module a file, each a struct of arguments and a plan.
//!
//! A module inspects the host and says what would have to change ([`Plan`]); [`runner`] alone decides whether the
//! changes are made. So check mode, diff and `changed` are written once, and no module can forget the first or claim
//! the last.
//!
//! # Write a module
//!
//! [`args!`] defines the arguments; their doc comments are what `rplay doc` shows. [`Module::check`] refuses arguments
//! that exclude each other before any host is touched. [`Module::plan`] inspects the host, and each [`Change`] that it
//! returns says in a phrase what it does. The entry is the module's line in [`registry`].
//!
//! A [`Host`] is the machine as one call sees it, so a test needs no agent: it makes one, runs the entry's function,
//! and looks at the outcome and at the files.
//!
//! ```
//! use std::{fs::read_to_string, sync::Arc};
//!
//! use rplay_modules::{
//!     ArgError, Change, Entry, Host, Module, NoBlobs, Plan, args,
//!     argtypes::{PathArg, Text},
//!     entry,
//!     system::fs,
//!     wire::{Call, Failure, Map, Mode, Outcome, data},
//! };
//!
//! args! {
//!     /// Sets the message of the day.
//!     pub struct Motd {
//!         /// The message, one line.
//!         text: Text | "message",
//!         /// The file that holds it.
//!         path: PathArg = PathArg("/etc/motd".to_owned()),
//!     }
//! }
//!
//! impl Module for Motd {
//!     fn check(&self) -> Result<(), ArgError> {
//!         match self.text.contains('\n') {
//!             true => Err(ArgError::new("text", "must be one line")),
//!             false => Ok(()),
//!         }
//!     }
//!
//!     fn plan(self, host: &Host) -> Result<Plan, Failure> {
//!         let path = self.path.on(host);
//!         let wanted = format!("{}\n", self.text);
//!         let plan = Plan::unchanged().set("path", path.display().to_string());
//!         if fs::read(&path).is_ok_and(|present| present == wanted.as_bytes()) {
//!             return Ok(plan);
//!         }
//!         let what = format!("write {}", path.display());
//!         Ok(plan.change(Change::new(what, move |_, _| Ok(fs::write(&path, wanted)?))))
//!     }
//! }
//!
//! static MOTD: Entry = entry::<Motd>("motd", "my.own").keeps_to_host();
//!
//! // A test of it, with a directory that stands in for the host's /etc.
//! let run = |args: Map, check: bool| -> Outcome {
//!     let mode = Mode { check, ..Mode::default() };
//!     let call = Call { module: "motd".to_owned(), args, mode, environment: Vec::new(), background: None };
//!     let host = Host::new(Vec::new(), Arc::new(NoBlobs)).in_mode(mode);
//!     (MOTD.run)(&call, &host)
//! };
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("motd");
//! let args = data! { "message" => "Welcome.", "path" => path.display().to_string() };
//!
//! let planned = run(args.clone(), true);
//! assert!(planned.changed && !path.exists(), "check mode changes nothing");
//! assert_eq!(planned.changes, [format!("write {}", path.display())]);
//! assert!(run(args.clone(), false).changed);
//! assert_eq!(read_to_string(&path)?, "Welcome.\n");
//! assert!(!run(args, false).changed, "the second run finds nothing to do");
//!
//! let refused = run(data! { "text" => "two\nlines" }, false).failure.expect("it is no line");
//! assert_eq!(refused.arg.as_deref(), Some("text"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! CONTRIBUTING.md has the recipe for a module of rplay itself. Most of their tests are fixtures in
//! `engine/modules/tests/fixtures`: arguments, files and programs before, result and files after.
//!
//! # Rooms
//!
//! Rooms, each using only those before it: `stand_in` (tests alone), `files`, `packages`, `services`, `accounts`,
//! `kernel`, `network`, `commands`, `facts`, `docker`, `tencent`, `external`, `registry`, `runner`.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
// A failure ends a call, so the cost of moving a large error does not matter.
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
    Arg, ArgError, Args, BlobSource, Cancel, Change, ContentTarget, Entry, Host, Module, NoBlobs, Plan, Traits,
    Wording, args, argtypes, choice, entry, system, wire,
};
use rplay_contract::{execution, host, io_failure};

/// A server on the loopback for tests of both crates.
#[cfg(test)]
#[path = "../../contract/src/system/http/stand_in.rs"]
mod stand_in;
