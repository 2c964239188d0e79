//! Clients of the todo service that keep asking while a test kills replicas: `load ADDRESS SECONDS [CLIENTS]`.
//!
//! Three clients of four have a connection of their own, kept alive; the fourth opens one for each request. Each
//! sends in turn a ping, a task_show, a ping, a task_show and a task_create. At the end one line of JSON says
//! what they saw: requests and failures by method, when the last failure was, the longest waits. A request
//! counts as failed when its answer is not 200 or does not come. A kept connection that the server closes
//! before the first byte of an answer is opened again and the request repeated, as browsers do, and counted
//! as `reopened`: each reload of nginx closes the idle ones.

mod connection;
mod tally;

use std::{
    env,
    net::{SocketAddr, ToSocketAddrs},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use connection::{Answer, Connection};
use tally::{Kind, Tally};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [address, seconds] => run(address, seconds, "8"),
        [address, seconds, clients] => run(address, seconds, clients),
        _ => Err("usage: load ADDRESS:PORT SECONDS [CLIENTS]".to_owned()),
    };
    match outcome {
        Ok(tally) => {
            println!("{tally}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str, seconds: &str, clients: &str) -> Result<Tally, String> {
    let address = address
        .to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| format!("`{address}` must be ADDRESS:PORT"))?;
    let seconds: f64 = seconds.parse().map_err(|_| format!("`{seconds}` must be a number of seconds"))?;
    let clients: usize = clients.parse().map_err(|_| format!("`{clients}` must be a number of clients"))?;
    let visitor = Visitor::register(address)?;
    // Whoever waits for the load to begin waits for this line.
    eprintln!("load: begins");
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let tallies = thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| {
                scope.spawn({
                    let visitor = &visitor;
                    move || visitor.ask_until(start, end, number)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a client panicked".to_owned()))
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(tallies.into_iter().fold(Tally::default(), Tally::add))
}

/// A user that is logged in and has one task.
struct Visitor {
    address: SocketAddr,
    token: String,
    task: String,
}

impl Visitor {
    fn register(address: SocketAddr) -> Result<Visitor, String> {
        let name = format!("load{}", std::process::id());
        let login = format!(r#"{{"user_name":"{name}","password":"secret"}}"#);
        let mut connection = Connection::new(address);
        let mut visitor = Visitor { address, token: String::new(), task: String::new() };
        // A former run may have had the same process id.
        let registered = visitor.send(&mut connection, "POST", "user/register", &login, true)?;
        if registered.status != 200 && !registered.body.contains("已存在") {
            return Err(format!("register: {} {}", registered.status, registered.body));
        }
        let answer = visitor.send(&mut connection, "POST", "user/login", &login, true)?;
        visitor.token =
            between(&answer.body, r#""token":""#, "\"").ok_or_else(|| format!("login: {}", answer.body))?.to_owned();
        visitor.send(&mut connection, "POST", "task_create", TASK, true)?;
        let list = visitor.send(&mut connection, "GET", "task_list", "", true)?;
        visitor.task =
            between(&list.body, r#""id":"#, ",").ok_or_else(|| format!("task_list: {}", list.body))?.to_owned();
        Ok(visitor)
    }

    fn ask_until(&self, start: Instant, end: Instant, number: usize) -> Tally {
        let mut connection = Connection::new(self.address);
        let keep = number % 4 != 3;
        let mut tally = Tally::default();
        let show = format!("task_show?id={}", self.task);
        for turn in number.. {
            let begun = Instant::now();
            if begun >= end {
                break;
            }
            let (kind, method, path, body) = match turn % 5 {
                0 | 2 => (Kind::Ping, "GET", "ping", ""),
                4 => (Kind::Create, "POST", "task_create", TASK),
                _ => (Kind::Show, "GET", show.as_str(), ""),
            };
            let answer = self.send(&mut connection, method, path, body, keep);
            tally.count(kind, answer.map(|answer| answer.status), begun.elapsed(), start.elapsed());
        }
        tally.reopened = connection.reopened;
        tally
    }

    fn send(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        body: &str,
        keep: bool,
    ) -> Result<Answer, String> {
        let close = if keep { "" } else { "Connection: close\r\n" };
        let request = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nHost: todo\r\nAuthorization: {}\r\n\
             Content-Type: application/json\r\n{close}Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        connection.send(request.as_bytes()).map_err(|error| error.to_string())
    }
}

const TASK: &str = r#"{"title":"load","content":"made by the load test"}"#;

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
