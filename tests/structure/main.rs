//! Rules on the structure of the engine: which part may use which.

mod circles;
mod floors;
mod host_access;
mod room;
mod source;
