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

/// The full name of a host in the text of `/etc/hosts`: for the address of `nodename`, its first name with a dot, or else
/// its first name.
pub fn name_in_hosts(hosts: &str, nodename: &str) -> Option<String> {
    let lines: Vec<Vec<&str>> = hosts
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().split_whitespace().collect())
        .filter(|words: &Vec<&str>| words.len() > 1)
        .collect();
    let address = lines.iter().find(|words| words[1..].contains(&nodename)).map(|words| words[0])?;
    let names = &lines.iter().find(|words| words[0] == address)?[1..];
    names.iter().find(|name| name.contains('.')).or(names.first()).map(|name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_name_is_that_of_the_same_address() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1 web1.example.com web1 # me\n";
        assert_eq!(name_in_hosts(hosts, "web1").as_deref(), Some("web1.example.com"));
        assert_eq!(name_in_hosts("127.0.0.1 localhost\n127.0.0.1 vm\n", "vm").as_deref(), Some("localhost"));
        assert_eq!(name_in_hosts(hosts, "other"), None);
    }
}
