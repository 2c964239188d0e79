//! A task on all its hosts: calls out, answers in.

pub(crate) mod batch;
pub(crate) mod executor;
pub(crate) mod host_task;
pub(crate) mod outbox;
pub(crate) mod parcel;
pub(crate) mod pipeline;
pub(crate) mod restart;
