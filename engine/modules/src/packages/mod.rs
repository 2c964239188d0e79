//! Modules for packages and repositories.

pub(crate) mod alternatives;
pub(crate) mod apk;
pub(crate) mod apt;
pub(crate) mod apt_key;
pub(crate) mod apt_repository;
pub(crate) mod deb822_repository;
pub(crate) mod debconf;
pub(crate) mod dnf;
pub(crate) mod dpkg_divert;
pub(crate) mod dpkg_selections;
pub(crate) mod locale_gen;
pub(crate) mod npm;
pub(crate) mod package;
pub(crate) mod pacman;
pub(crate) mod pip;
mod ppa;
pub(crate) mod rhel_rpm_ostree;
pub(crate) mod rpm_key;
pub(crate) mod rpm_ostree_upgrade;
mod state;
pub(crate) mod yum_repository;
pub(crate) mod zypper;
