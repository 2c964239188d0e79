//! Modules that report facts about a host.

pub mod collect;
pub(crate) mod getent;
pub(crate) mod mount_facts;
pub(crate) mod package_facts;
pub(crate) mod rhel_facts;
pub(crate) mod service_facts;
pub(crate) mod setup;
