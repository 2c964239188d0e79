//! The engine as a library, independent of a terminal.
//!
//! Floors, each using only those before it: `limits`, `panics`, `quiet`, `visible`, `files`, `program`, `source`,
//! `secrets`, `vault`, `syntax`, `vars`, `collections`, `docs`, `inventory`, `config`, `galaxy`, `template`, `python`,
//! `external`, `event`, `link`, `actions`, `plan`, `run`, `report`.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod actions;
pub mod collections;
pub mod config;
pub mod docs;
pub mod event;
pub mod external;
pub mod files;
pub mod galaxy;
pub mod inventory;
pub mod limits;
pub mod link;
pub mod panics;
pub mod plan;
pub mod program;
pub mod python;
pub mod quiet;
pub mod report;
pub mod run;
pub mod secrets;
pub mod source;
pub mod syntax;
pub mod template;
pub mod vars;
pub mod vault;
pub mod visible;
