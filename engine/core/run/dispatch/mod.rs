pub(crate) mod executor;
pub(crate) mod host_task;
pub(crate) mod in_flight;
pub(crate) mod parcel;
pub(crate) mod pipeline;
pub(crate) mod timer;
