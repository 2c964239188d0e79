//! wait_for: waits for a port or a file.

mod wait;

use std::time::Instant;

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{PathArg, Text},
    choice,
    system::{
        attributes::describe,
        paths,
        pattern::{Flags, Pattern},
    },
};
use wait::Wait;

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

/// Seconds, of which a part may be asked for; what is no number is refused as a whole number would be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(f64);

impl ArgType for Seconds {
    const KIND: &'static str = "int";

    fn parse(value: &Value) -> Result<Self, String> {
        f64::parse(value).or_else(|_| i64::parse(value).map(|whole| whole as f64)).map(Seconds)
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
        timeout: Seconds = Seconds(300.0),
        /// Seconds before the first check.
        delay: Seconds = Seconds(0.0),
        /// Seconds between two checks.
        sleep: Seconds = Seconds(1.0),
        /// Timeout of a connection attempt in seconds.
        connect_timeout: Seconds = Seconds(5.0),
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
        if self.state == State::Drained && self.port.is_none() && self.path.is_none() {
            let msg = "Task failed: Module failed: int() argument must be a string, a bytes-like object or a real \
                       number, not 'NoneType'";
            return Err(Failure::new(msg).arg("port").help("`state: drained` needs a port"));
        }
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
            ("timeout", self.timeout.0),
            ("delay", self.delay.0),
            ("sleep", self.sleep.0),
            ("connect_timeout", self.connect_timeout.0),
        ] {
            if !(0.0..1e9).contains(&seconds) {
                return Err(ArgError::new(name, "must be a number of seconds, not negative"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write,
        net::{TcpListener, TcpStream},
        thread,
        time::Duration,
    };

    use super::*;
    use crate::runner::tests::{call, checked};

    fn soon(args: Map) -> rplay_wire::Outcome {
        let mut args = args;
        args.extend(data! { "timeout" => 2, "sleep" => 0.05 });
        call("wait_for", args)
    }

    #[test]
    fn a_file_is_waited_for_until_it_is_there_or_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
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
}
