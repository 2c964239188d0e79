//! Modules for the kernel: host name, kernel modules, mounts, parameters, SELinux.

pub(crate) mod filesystem;
pub(crate) mod hostname;
pub(crate) mod kernel_blacklist;
pub(crate) mod lvg;
mod lvm;
pub(crate) mod lvol;
mod lvol_size;
pub(crate) mod modprobe;
pub(crate) mod mount;
pub(crate) mod reboot;
pub(crate) mod seboolean;
pub(crate) mod selinux_state;
pub(crate) mod sysctl;
pub(crate) mod timezone;
