//! Modules for network access and firewalls.

pub(crate) mod firewalld;
pub(crate) mod get_url;
pub(crate) mod iptables;
pub(crate) mod ufw;
pub(crate) mod uri;
pub(crate) mod wait_for;
pub(crate) mod web;
