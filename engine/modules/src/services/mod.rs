//! Modules for services and cron jobs.

pub(crate) mod cron;
pub(crate) mod service;
pub(crate) mod systemd;
pub(crate) mod sysvinit;
