//! Name resolution without the C library, which is linked statically and cannot load the host's name service modules.
//! `getent` can.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

use crate::Host;

/// Resolves names on a host.
pub(super) struct Names {
    host: Host,
    timeout: Duration,
}

/// Maximum number of addresses to try.
const MOST: usize = 8;

impl Names {
    pub(super) fn new(host: &Host, timeout: Duration) -> Self {
        Names { host: host.clone(), timeout }
    }

    fn look_up(&self, name: &str) -> Vec<IpAddr> {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return vec![address];
        }
        let hosts =
            crate::system::regular::read_to_string("/etc/hosts").map(|text| in_hosts(&text, bare)).unwrap_or_default();
        if !hosts.is_empty() {
            return hosts;
        }
        let asked = self.host.program("getent").args(["ahosts", "--", bare]).timeout(self.timeout).run();
        asked.map(|done| in_getent(&done.stdout)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let mut found = self.empty();
        for address in self.look_up(uri.host().unwrap_or_default()).into_iter().take(MOST) {
            found.push(SocketAddr::new(address, port));
        }
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
        })
        .collect()
}

fn in_getent(text: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for address in text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_getent() {
        let hosts = "127.0.0.1 localhost # me\n::1 localhost ip6-localhost\n10.0.0.7\tRegistry.lan reg\n";
        assert_eq!(in_hosts(hosts, "registry.lan"), ["10.0.0.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(in_hosts(hosts, "localhost").len(), 2);
        assert!(in_hosts(hosts, "me").is_empty());
        let said = "151.101.2.132   STREAM deb.debian.org\n151.101.2.132   DGRAM  \n2a04:4e42::644  STREAM\n";
        assert_eq!(in_getent(said).len(), 2);
    }
}
