//! Modules that run commands and scripts, and wait for jobs.

pub(crate) mod async_status;
pub(crate) mod command;
pub(crate) mod execution;
pub(crate) mod expect;
pub(crate) mod make;
pub(crate) mod ping;
pub(crate) mod raw;
pub(crate) mod run_lock;
pub mod script;
pub(crate) mod shell;
