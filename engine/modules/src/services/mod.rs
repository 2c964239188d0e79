//! Modules for what an init system or cron starts.

pub(crate) mod cron;
pub(crate) mod service;
pub(crate) mod systemd;
pub(crate) mod sysvinit;
