//! Name resolution without the C library's resolver: the executable is statically linked and would load the host's
//! plugins.

use std::{io, net::IpAddr};

use crate::Host;

/// The addresses of `name`: itself if it is one, from /etc/hosts, or from getent(1).
///
/// # Errors
/// If the name has no address, or getent cannot be run.
pub fn addresses(host: &Host, name: &str) -> io::Result<Vec<IpAddr>> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    let known = in_hosts(&crate::system::regular::read_to_string("/etc/hosts").unwrap_or_default(), bare);
    if !known.is_empty() {
        return Ok(known);
    }
    let output = host.program("getent").args(["--", "ahosts", bare]).run().map_err(io::Error::other)?;
    let mut found: Vec<IpAddr> = Vec::new();
    for address in output.stdout.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("cannot resolve {bare}")));
    }
    Ok(found)
}

fn in_hosts(hosts: &str, name: &str) -> Vec<IpAddr> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| words.iter().skip(1).any(|known| known.eq_ignore_ascii_case(name)))
        .filter_map(|words| words.first()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_hosts_file() {
        let hosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n# 10.0.0.1 web\n10.0.0.2 web.example.com WEB\n";
        assert_eq!(in_hosts(hosts, "localhost").len(), 2);
        assert_eq!(in_hosts(hosts, "web"), ["10.0.0.2".parse::<IpAddr>().unwrap()]);
        assert!(in_hosts(hosts, "other").is_empty());
    }
}
