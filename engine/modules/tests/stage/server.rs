//! An HTTP server that simulates a registry, a cloud or the Docker Engine, and the log of all requests.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value as Json;

/// The response to one request.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Response {
    /// `METHOD /path`, without the query.
    on: String,
    /// Only after this request was made.
    after: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    body: String,
    json: Option<Json>,
}

fn ok() -> u16 {
    200
}

impl Response {
    /// The response with its placeholders replaced.
    pub(crate) fn filled(&self, fill: &dyn Fn(&str) -> String) -> Response {
        let body = self.json.as_ref().map_or(self.body.clone(), Json::to_string);
        let headers = self.headers.iter().map(|header| fill(header)).collect();
        Response { body: fill(&body), headers, json: None, ..self.clone() }
    }
}

/// What connections share.
struct State {
    responses: Vec<Response>,
    /// `METHOD /path` of all requests.
    made: Vec<String>,
    /// The log of requests and of programs' calls.
    log: PathBuf,
}

pub(super) struct Server {
    state: Arc<Mutex<State>>,
    address: String,
}

impl Server {
    /// Listens on its own port and on the socket.
    pub(super) fn start(socket: &Path) -> Server {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap().to_string();
        let unix = UnixListener::bind(socket).unwrap();
        let log = socket.parent().unwrap().with_file_name("calls");
        let state = Arc::new(Mutex::new(State { responses: Vec::new(), made: Vec::new(), log }));
        let server = Server { state: state.clone(), address };
        let own = state.clone();
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let own = own.clone();
                thread::spawn(move || answer(&own, stream.try_clone().unwrap(), stream));
            }
        });
        thread::spawn(move || {
            for stream in unix.incoming().flatten() {
                let own = state.clone();
                thread::spawn(move || answer(&own, stream.try_clone().unwrap(), stream));
            }
        });
        server
    }

    pub(super) fn respond(&self, responses: Vec<Response>) {
        self.state.lock().responses = responses;
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.state.lock().log.clone()
    }

    /// The requests since the last call.
    pub(super) fn take_log(&self) -> Vec<String> {
        let log = self.log();
        let lines = fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
        let _ = fs::remove_file(log);
        lines
    }
}

/// Answers the requests of one connection.
fn answer(state: &Mutex<State>, from: impl Read, mut to: impl Write) -> Option<()> {
    let mut from = BufReader::new(from);
    loop {
        let mut first = String::new();
        from.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let mut words = first.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let mut line = String::new();
            from.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            is_chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let mut size = String::new();
                from.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut piece = vec![0; size + 2];
                from.read_exact(&mut piece).ok()?;
                body.extend_from_slice(&piece[..size]);
                if size == 0 {
                    break;
                }
            }
        } else {
            body = vec![0; length];
            from.read_exact(&mut body).ok()?;
        }
        let path = target.split('?').next()?;
        let request = format!("{method} {path}");
        let found = {
            let mut state = state.lock();
            let told = format!("{method} {target} {}", String::from_utf8_lossy(&body));
            let mut log = fs::OpenOptions::new().create(true).append(true).open(&state.log).ok()?;
            writeln!(log, "{}", told.trim_end()).ok()?;
            let fits = |response: &&Response| {
                response.on == request && response.after.as_ref().is_none_or(|after| state.made.contains(after))
            };
            let found = state.responses.iter().rfind(fits).cloned();
            state.made.push(request.clone());
            found
        };
        let (status, headers, body) = match found {
            Some(found) => (found.status, found.headers, found.body),
            None => (404, Vec::new(), r#"{"message":"there is no such thing"}"#.to_owned()),
        };
        let mut head = format!("HTTP/1.1 {status} Said\r\n");
        for header in headers {
            head += &format!("{header}\r\n");
        }
        // These have no body.
        if method == "HEAD" || status == 204 || status == 304 {
            write!(to, "{head}\r\n").ok()?;
        } else {
            write!(to, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
        }
        to.flush().ok()?;
    }
}
