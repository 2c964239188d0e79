//! A kept-alive HTTP connection, opened again when the server has closed it.

use std::{
    io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than any time limit of the balancer: then it is the balancer that fails, not this client.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Answer {
    pub status: u16,
    pub body: String,
}

pub struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    /// How often a kept connection turned out to be closed.
    pub reopened: u64,
}

impl Connection {
    pub fn new(address: SocketAddr) -> Connection {
        Connection { address, stream: None, reopened: 0 }
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        if let Some(stream) = self.stream.take() {
            match self.exchange(stream, request)? {
                Some(answer) => return Ok(answer),
                None => self.reopened += 1,
            }
        }
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        self.exchange(BufReader::new(stream), request)?
            .ok_or_else(|| Error::new(ErrorKind::UnexpectedEof, "a new connection was closed without an answer"))
    }

    /// `None` if the connection was closed before the first byte of an answer.
    fn exchange(&mut self, mut stream: BufReader<TcpStream>, request: &[u8]) -> io::Result<Option<Answer>> {
        let mut line = String::new();
        let begun = stream.get_mut().write_all(request).and_then(|()| stream.read_line(&mut line));
        match begun {
            Ok(0) => return Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                return Ok(None);
            }
            other => other?,
        };
        let malformed = |what: &str| Error::new(ErrorKind::InvalidData, format!("not HTTP: {what}"));
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| malformed(&line))?;
        let (mut length, mut keep) = (0, true);
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(malformed("the header breaks off"));
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => length = value.parse().map_err(|_| malformed(value))?,
                ("connection", value) => keep = !value.eq_ignore_ascii_case("close"),
                ("transfer-encoding", value) => return Err(malformed(value)),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        if keep {
            self.stream = Some(stream);
        }
        Ok(Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned() }))
    }
}
