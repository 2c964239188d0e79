//! Modules for users, groups and their keys.

pub(crate) mod authorized_key;
pub(crate) mod group;
mod home;
pub(crate) mod htpasswd;
pub(crate) mod known_hosts;
pub(crate) mod openssh_keypair;
pub(crate) mod pam_limits;
pub(crate) mod sudoers;
pub(crate) mod user;
