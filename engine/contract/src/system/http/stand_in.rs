//! A server on the loopback that answers from a script, for tests of this crate and of the modules.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::Arc,
    thread,
};

use parking_lot::Mutex;

use crate::{Host, NoBlobs};

/// What a request looked like: its first line, its headers in lower case, its body.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub line: String,
    pub headers: String,
    pub body: String,
}

/// Serves until the test ends; `answer` gets each request and returns the whole response.
pub(crate) struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Seen) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &kept, &answer);
            }
        });
        Server { url, seen }
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().last().cloned().unwrap()
    }
}

pub(crate) fn serve<S: Read + Write>(mut stream: S, seen: &Mutex<Vec<Seen>>, answer: &impl Fn(&Seen) -> String) {
    let mut reader = BufReader::new(&mut stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = String::new();
    while reader.read_line(&mut headers).unwrap() > 2 {}
    let headers = headers.to_ascii_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let request = Seen { line: line.trim().to_owned(), headers, body };
    seen.lock().push(request.clone());
    stream.write_all(answer(&request).as_bytes()).unwrap();
}

/// A response with that status line and body.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

pub(crate) fn host() -> Host {
    // No proxy of the machine that runs the tests, no netrc of its user.
    Host::new(vec![("no_proxy".into(), "*".into()), ("NETRC".into(), "/nonexistent".into())], Arc::new(NoBlobs))
}
