//! The door to the kernel, the clock and the sockets: what a module asks beside files and programs.

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

/// The time by the host's clock.
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// The time by the host's clock, for calendars.
pub fn timestamp() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The agent's own environment; that of a call is in [`crate::Host`].
pub fn environment() -> std::env::VarsOs {
    std::env::vars_os()
}

/// Fills `bytes` from the kernel's generator. Fails where the host has no /dev/urandom.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    std::fs::File::open("/dev/urandom")?.read_exact(bytes)
}
