//! wait_for: waits for a port or a file.

use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::machine::TcpStream;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{PathArg, Text},
    choice,
    io_failure::io_failure,
    system::{
        attributes::describe,
        bounded, lossless, paths,
        pattern::{Flags, Pattern},
        regular, resolve,
    },
};

choice! {
    /// The condition to wait for.
    pub enum State {
        Absent = "absent",
        Drained = "drained",
        Present = "present",
        Started = "started",
        Stopped = "stopped",
    }
}

args! {
    /// Waits until a port accepts connections, or a file exists or has some content, or until they no longer do.
    pub struct WaitFor {
        /// The host of the port: a name or an address.
        host: Text = "127.0.0.1".to_owned(),
        /// The port.
        port: Option<u64>,
        /// The file.
        path: Option<PathArg>,
        /// The condition to wait for.
        state: State = State::Started,
        /// A regular expression that must match in the file, or in what the port sends.
        search_regex: Option<Text>,
        /// Maximum time in seconds.
        timeout: f64 = 300.0,
        /// Seconds before the first check.
        delay: f64 = 0.0,
        /// Seconds between two checks.
        sleep: f64 = 1.0,
        /// Timeout of a connection attempt in seconds.
        connect_timeout: f64 = 5.0,
        /// With `drained`: the connection states that count as open.
        active_connection_states: Vec<Text> = ACTIVE.iter().map(|(name, _)| (*name).to_owned()).collect(),
        /// With `drained`: hosts whose connections are ignored.
        exclude_hosts: Vec<Text> = Vec::new(),
        /// The message on timeout.
        msg: Option<Text>,
    }
}

/// TCP states by their numbers in /proc/net/tcp (linux/net/tcp_states.h).
const ACTIVE: &[(&str, u8)] =
    &[("ESTABLISHED", 1), ("FIN_WAIT1", 4), ("FIN_WAIT2", 5), ("SYN_RECV", 3), ("SYN_SENT", 2), ("TIME_WAIT", 6)];

impl Module for WaitFor {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        self.refuse().map_err(|error| {
            let failure = Failure::new(error.msg).data(data! { "elapsed" => 0 });
            Failure { arg: error.arg, help: error.help, ..failure }
        })?;
        let regex = self.search_regex.as_deref().map(|regex| {
            let flags = Flags { multi_line: true, dot_all: false };
            Pattern::new(regex, flags, "search_regex").map_err(|mut failure| {
                failure.msg = failure.msg.replace("Task failed: Module failed: ", "Invalid regular expression: ");
                failure
            })
        });
        let mut wait = Wait {
            path: self.path.as_ref().map(|path| path.on(host)),
            port: self.port.and_then(|port| u16::try_from(port).ok()),
            regex: regex.transpose()?,
            found: Map::new(),
            asked: self,
        };
        let plan = Plan {
            data: data! {
                "state" => wait.asked.state.word(),
                "port" => wait.asked.port,
                "path" => wait.path.as_ref().map(paths::text),
                "search_regex" => wait.asked.search_regex.clone(),
                "match_groups" => Vec::<String>::new(),
                "match_groupdict" => Map::new(),
            },
            ..Plan::default()
        };
        let change = Change::new("wait", move |host, data| {
            let begun = Instant::now();
            let outcome = wait.wait(host, begun);
            data.insert("elapsed".to_owned(), begun.elapsed().as_secs().into());
            outcome?;
            data.extend(std::mem::take(&mut wait.found));
            if let Some(path) = &wait.path {
                data.extend(describe(path));
            }
            Ok(())
        });
        Ok(plan.change(change.wait_only("remote module (wait_for) does not support check mode")))
    }
}

impl WaitFor {
    /// Conditions that cannot be waited for; as in ansible-core, the result still contains the elapsed time.
    fn refuse(&self) -> Result<(), ArgError> {
        let unknown = |state: &&String| !ACTIVE.iter().any(|(name, _)| name == *state);
        if let Some(state) = self.active_connection_states.iter().find(unknown) {
            let msg = format!("unknown active_connection_state ({state}) defined");
            return Err(ArgError::new("active_connection_states", msg));
        }
        if self.port.is_some() && self.path.is_some() {
            return Err(ArgError::new("path", "port and path parameter can not both be passed to wait_for"));
        }
        if self.path.is_some() && self.state == State::Stopped {
            return Err(ArgError::new(
                "state",
                "state=stopped should only be used for checking a port in the wait_for module",
            ));
        }
        if self.path.is_some() && self.state == State::Drained {
            return Err(ArgError::new(
                "state",
                "state=drained should only be used for checking a port in the wait_for module",
            ));
        }
        if !self.exclude_hosts.is_empty() && self.state != State::Drained {
            return Err(ArgError::new("exclude_hosts", "exclude_hosts should only be with state=drained"));
        }
        if self.port.is_some_and(|port| port > 65_535) {
            return Err(ArgError::new("port", "must be a port from 0 to 65535"));
        }
        for (name, seconds) in [
            ("timeout", self.timeout),
            ("delay", self.delay),
            ("sleep", self.sleep),
            ("connect_timeout", self.connect_timeout),
        ] {
            if !(0.0..1e9).contains(&seconds) {
                return Err(ArgError::new(name, "must be a number of seconds, not negative"));
            }
        }
        Ok(())
    }
}

struct Wait {
    asked: WaitFor,
    path: Option<PathBuf>,
    port: Option<u16>,
    regex: Option<Pattern>,
    /// The groups of the regular expression.
    found: Map,
}

impl Wait {
    fn wait(&mut self, host: &Host, begun: Instant) -> Result<(), Failure> {
        let end = begun + Duration::from_secs_f64(self.asked.timeout);
        thread::sleep(Duration::from_secs_f64(self.asked.delay));
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
            thread::sleep(Duration::from_secs_f64(self.asked.sleep).min(left));
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
        let connect_timeout = Duration::from_secs_f64(self.asked.connect_timeout.max(0.001));
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
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
            .map(|path| crate::system::regular::read_to_string(path).unwrap_or_default());
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

/// Reads from a port until the expression matches; `None` if the connection ends before.
/// Only the last bytes from the peer are searched.
const MOST_SAID: usize = 64 << 10;

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
        if let Some(found) = regex.find(&text) {
            return Some(groups(regex, &found));
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
    use std::fs;

    use std::{io::Write, net::TcpListener};

    use super::*;
    use crate::runner::tests::{call, checked};

    fn soon(args: Map) -> rplay_wire::Outcome {
        let mut args = args;
        args.extend(data! { "timeout" => 2, "sleep" => 0.05 });
        call("wait_for", args)
    }

    #[test]
    fn a_file_is_waited_for_until_it_is_there_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let name = path.to_str().unwrap();
        let writer = {
            let path = path.clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(200));
                fs::write(path, "state: ready now\n").unwrap();
            })
        };
        let outcome = soon(data! { "path" => name, "search_regex" => "^state: (?P<state>\\w+)" });
        assert!(outcome.failure.is_none() && !outcome.changed, "{outcome:?}");
        assert_eq!(outcome.data["match_groups"], vec!["ready"].into());
        assert_eq!(outcome.data["match_groupdict"], data! { "state" => "ready" }.into());
        writer.join().unwrap();
        let args = data! { "path" => name, "state" => "absent", "timeout" => 0.2, "sleep" => 0.05 };
        let late = call("wait_for", args.clone());
        assert_eq!(late.failure.unwrap().msg, format!("Timeout when waiting for {name} to be absent."));
        assert!(checked("wait_for", args).skipped.is_some());
    }

    #[test]
    fn a_port_is_waited_for_with_what_it_says() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"SSH-2.0-x\r\n").unwrap();
        });
        assert!(soon(data! { "port" => port, "host" => "localhost", "search_regex" => "SSH" }).failure.is_none());
        server.join().unwrap();
        assert!(soon(data! { "port" => port, "state" => "stopped" }).failure.is_none());
        let late = call("wait_for", data! { "port" => port, "timeout" => 0.1, "sleep" => 0.05, "msg" => "no" });
        assert_eq!(late.failure.unwrap().msg, "no");
    }

    #[test]
    fn open_connections_hold_up_draining() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let args = data! { "port" => port, "state" => "drained", "timeout" => 0.2, "sleep" => 0.05 };
        assert!(call("wait_for", args.clone()).failure.unwrap().msg.contains("to drain"));
        let mut excluded = args;
        excluded.insert("exclude_hosts".into(), "127.0.0.1".into());
        assert!(call("wait_for", excluded).failure.is_none());
        drop(stream);
    }

    #[test]
    fn endpoints_are_read() {
        assert_eq!(endpoint("0100007F:1F90"), Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 8080)));
        let mapped = "0000000000000000FFFF00000100007F:0016";
        assert_eq!(endpoint(mapped), Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 22)));
    }
}
