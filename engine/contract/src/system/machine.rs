//! The interface to the kernel, the clock and sockets: everything besides files and programs.

use std::{io, io::Read, time::SystemTime};

pub use nix::{
    ifaddrs::getifaddrs,
    sys::{
        stat::{major, minor},
        statvfs::statvfs,
        utsname::uname,
    },
    unistd::{AccessFlags, access, getegid, geteuid, getgid, gethostname, getuid, sethostname},
};
pub use std::{env::temp_dir, net::TcpStream, os::unix::net::UnixStream, process::id as process_id};

/// The current time.
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// The current time, for calendar calculations.
pub fn timestamp() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The agent's own environment; that of a call is in [`crate::Host`].
pub fn environment() -> std::env::VarsOs {
    std::env::vars_os()
}

/// Fills `bytes` with random data from the kernel.
///
/// # Errors
/// If the host has no /dev/urandom.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    std::fs::File::open("/dev/urandom")?.read_exact(bytes)
}
