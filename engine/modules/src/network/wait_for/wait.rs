//! The waiting of `wait_for`: checks a port or a file again and again.

use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use rplay_wire::{Failure, Map, Value, data};

use super::{ACTIVE, State, WaitFor};
use crate::{
    Host,
    io_failure::io_failure,
    system::{bounded, lossless, machine::TcpStream, paths, pattern::Pattern, regular, resolve},
};

/// What is waited for, and what was found.
pub(super) struct Wait {
    pub asked: WaitFor,
    pub path: Option<PathBuf>,
    pub port: Option<u16>,
    pub regex: Option<Pattern>,
    /// The groups of the regular expression.
    pub found: Map,
}

impl Wait {
    /// Waits until it is so, for `timeout` at most.
    pub(super) fn wait(&mut self, host: &Host, begun: Instant) -> Result<(), Failure> {
        let end = begun + Duration::from_secs_f64(self.asked.timeout.0);
        thread::sleep(Duration::from_secs_f64(self.asked.delay.0));
        if self.path.is_none() && self.port.is_none() && self.asked.state != State::Drained {
            // Nothing to check: just waits.
            thread::sleep(end.saturating_duration_since(Instant::now()));
            return Ok(());
        }
        loop {
            if self.is_so(host, end)? {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.timed_out());
            }
            thread::sleep(Duration::from_secs_f64(self.asked.sleep.0).min(left));
        }
    }

    fn is_so(&mut self, host: &Host, end: Instant) -> Result<bool, Failure> {
        let is_wanted = matches!(self.asked.state, State::Present | State::Started);
        if self.asked.state == State::Drained {
            return self.is_drained(host);
        }
        if let Some(path) = &self.path {
            let Some(regex) = &self.regex else { return Ok(path.exists() == is_wanted) };
            // Fails immediately for something that can never be read.
            regular::refuse_special_target(path).map_err(|error| io_failure("read", path, &error).arg("path"))?;
            let mut groups_found = None;
            let found = bounded::any_part(path, |text| {
                groups_found = regex.find(text).map(|found| groups(regex, &found));
                groups_found.is_some()
            });
            let Ok(true) = found else { return Ok(!is_wanted) };
            self.found = groups_found.unwrap_or_default();
            return Ok(is_wanted);
        }
        // An unknown name may become resolvable.
        let Ok(addresses) = resolve::addresses(host, &self.asked.host) else { return Ok(!is_wanted) };
        let connect_timeout = Duration::from_secs_f64(self.asked.connect_timeout.0.max(0.001));
        let port = self.port.unwrap_or_default();
        let connect =
            |address: IpAddr| TcpStream::connect_timeout(&SocketAddr::new(address, port), connect_timeout).ok();
        let Some(stream) = addresses.into_iter().find_map(connect) else { return Ok(!is_wanted) };
        if !is_wanted {
            return Ok(false);
        }
        match &self.regex {
            None => Ok(true),
            Some(regex) => match said(stream, regex, end) {
                Some(found) => {
                    self.found = found;
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }

    /// Whether all connections to the port are closed.
    fn is_drained(&self, host: &Host) -> Result<bool, Failure> {
        let unknown = |error: std::io::Error| Failure::new(error.to_string()).arg("host");
        let own = resolve::addresses(host, &self.asked.host).map_err(unknown)?;
        let mut others = Vec::new();
        for name in &self.asked.exclude_hosts {
            others.extend(resolve::addresses(host, name).map_err(|error| unknown(error).arg("exclude_hosts"))?);
        }
        let states: Vec<u8> = ACTIVE
            .iter()
            .filter(|(name, _)| self.asked.active_connection_states.iter().any(|state| state == name))
            .map(|(_, number)| *number)
            .collect();
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| regular::read_to_string(path).unwrap_or_default());
        let is_open = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, state, ..] = words.as_slice() else { return false };
            let (Some((address, port)), Some((peer, _))) = (endpoint(local), endpoint(remote)) else { return false };
            let is_own = own.iter().any(|own| own.is_unspecified() || *own == address);
            let is_counted = u8::from_str_radix(state, 16).is_ok_and(|state| states.contains(&state));
            Some(port) == self.port && is_own && is_counted && !others.contains(&peer)
        };
        Ok(!tables.iter().flat_map(|table| table.lines().skip(1)).any(is_open))
    }

    fn timed_out(&self) -> Failure {
        let state = self.asked.state;
        let place = format!("{}:{}", self.asked.host, self.port.unwrap_or_default());
        let path = self.path.as_ref().map(paths::text);
        let msg = match (&self.asked.msg, path, &self.asked.search_regex) {
            (Some(msg), ..) => msg.clone(),
            (None, Some(path), _) if state == State::Absent => format!("Timeout when waiting for {path} to be absent."),
            (None, Some(path), Some(regex)) => format!("Timeout when waiting for search string {regex} in {path}"),
            (None, Some(path), None) => format!("Timeout when waiting for file {path}"),
            (None, None, _) if state == State::Drained => format!("Timeout when waiting for {place} to drain"),
            (None, None, _) if matches!(state, State::Absent | State::Stopped) => {
                format!("Timeout when waiting for {place} to stop.")
            }
            (None, None, Some(regex)) => format!("Timeout when waiting for search string {regex} in {place}"),
            (None, None, None) => format!("Timeout when waiting for {place}"),
        };
        Failure::new(msg)
    }
}

/// Only the last bytes from the peer are searched.
const MOST_SAID: usize = 64 << 10;

/// Reads from a port until the expression matches; `None` if the connection ends before.
fn said(mut stream: TcpStream, regex: &Pattern, end: Instant) -> Option<Map> {
    let mut bytes = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
        // A peer that sends endlessly must not exhaust memory.
        bytes.drain(..bytes.len().saturating_sub(MOST_SAID));
        let text = lossless::decode(&bytes);
        if regex.find(&text).is_some() {
            // As in ansible-core, only a match in a file returns its groups.
            return Some(Map::new());
        }
    }
}

fn groups(regex: &Pattern, found: &fancy_regex::Captures<'_, str>) -> Map {
    let text = |group: Option<fancy_regex::Match<'_>>| Value::from(group.map(|group| group.as_str()));
    let all = found.iter().skip(1).map(text);
    let named = regex.names().map(|name| (name.to_owned(), text(found.name(name))));
    data! { "match_groups" => Value::List(all.collect()), "match_groupdict" => named.collect::<Map>() }
}

/// `0100007F:1F90`: an address as four-byte words in the machine's byte order, and a port.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<[u8; 4]> = address
        .as_bytes()
        .chunks(8)
        .map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok().map(u32::to_ne_bytes))
        .collect::<Option<_>>()?;
    let address = match words.as_slice() {
        [word] => IpAddr::V4(Ipv4Addr::from(*word)),
        [a, b, c, d] => {
            let octets: [u8; 16] = [*a, *b, *c, *d].concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        assert_eq!(endpoint("0100007F:1F90"), Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 8080)));
        let mapped = "0000000000000000FFFF00000100007F:0016";
        assert_eq!(endpoint(mapped), Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 22)));
    }
}
