//! Modules that talk to other machines, or say who may.

pub(crate) mod firewalld;
pub(crate) mod get_url;
pub(crate) mod iptables;
pub(crate) mod uri;
pub(crate) mod wait_for;
pub(crate) mod web;
