//! Modules for services and cron jobs.

pub(crate) mod apache2_module;
pub(crate) mod at;
pub(crate) mod cron;
pub(crate) mod service;
pub(crate) mod systemd;
pub(crate) mod sysvinit;
