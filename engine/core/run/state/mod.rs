//! The state of a run, its plays and its hosts.

pub(crate) mod addition;
pub(crate) mod fact_cache;
pub(crate) mod handler_list;
pub(crate) mod host;
pub(crate) mod inventory;
pub(crate) mod json_facts;
pub(crate) mod losses;
pub(crate) mod play;
pub(crate) mod run;
