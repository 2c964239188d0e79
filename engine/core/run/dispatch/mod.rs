//! Runs a task on all its hosts: sends calls and receives results.

pub(crate) mod batch;
pub(crate) mod executor;
pub(crate) mod host_task;
pub(crate) mod outbox;
pub(crate) mod parcel;
pub(crate) mod pipeline;
pub(crate) mod restart;
