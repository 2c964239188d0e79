//! Connections to the Docker Engine's socket for ureq, which does HTTP framing and connection reuse; only the transport
//! is implemented here.
//!
//! bollard would add an async runtime to a synchronous agent (1.4 MB); ureq is already used by `uri` and `get_url`.

use std::{
    fmt, io,
    io::{Read, Write},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use ureq::{
    Error,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport},
    },
};

use crate::system::machine::{TcpStream, UnixStream};

/// The address of an Engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Socket {
    Unix(PathBuf),
    /// Without TLS. Always an IP address: the agent is static and uses no resolver of the C library.
    Tcp(SocketAddr),
}

impl Socket {
    /// Parses `unix:///path`, `tcp://address:port` or `http://address:port`.
    pub fn parse(address: &str) -> Result<Socket, String> {
        if let Some(path) = address.strip_prefix("unix://") {
            // `unix://var/run/docker.sock` is a common mistake; docker-py also reads it as an absolute path.
            let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
            return Ok(Socket::Unix(path.into()));
        }
        let Some(authority) = address.strip_prefix("tcp://").or_else(|| address.strip_prefix("http://")) else {
            return Err(match address.split_once("://") {
                Some((scheme @ ("https" | "ssh" | "npipe" | "fd"), _)) => {
                    format!("cannot connect to a Docker Engine over {scheme}://")
                }
                _ => format!("`{address}` is not the address of a Docker Engine"),
            });
        };
        let authority = authority.trim_end_matches('/');
        let authority =
            authority.strip_prefix("localhost:").map_or(authority.to_owned(), |port| format!("127.0.0.1:{port}"));
        authority.parse().map(Socket::Tcp).map_err(|_| format!("`{authority}` is not an IP address with a port"))
    }

    fn open(&self) -> io::Result<Stream> {
        Ok(match self {
            Socket::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
            Socket::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, Duration::from_secs(10))?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        })
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Socket::Unix(path) => write!(f, "unix://{}", path.display()),
            Socket::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// An open connection.
#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Tcp(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Tcp(stream) => stream.write_all(bytes),
        }
    }

    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.set_read_timeout(read).and(stream.set_write_timeout(write)),
            Stream::Tcp(stream) => stream.set_read_timeout(read).and(stream.set_write_timeout(write)),
        }
    }

    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.set_nonblocking(on),
            Stream::Tcp(stream) => stream.set_nonblocking(on),
        }
    }
}

/// Opens connections to one socket, whatever host a request names.
#[derive(Debug)]
pub(super) struct SocketConnector(pub Socket);

impl Connector<()> for SocketConnector {
    type Out = SocketTransport;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<SocketTransport>, Error> {
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(SocketTransport { stream: self.0.open()?, buffers, timeout: None }))
    }
}

/// No name resolution: the connector knows the address.
#[derive(Debug)]
pub(super) struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _: &Uri, _: &ureq::config::Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from(([127, 0, 0, 1], 0)));
        Ok(addresses)
    }
}

/// Transfers ureq's buffers over the connection.
#[derive(Debug)]
pub(super) struct SocketTransport {
    stream: Stream,
    buffers: LazyBuffers,
    /// The current timeout of the stream; setting it costs two system calls.
    timeout: Option<Duration>,
}

impl SocketTransport {
    fn set_timeout(&mut self, timeout: NextTimeout) -> io::Result<()> {
        let wanted = timeout.not_zero().map(|duration| *duration);
        if wanted != self.timeout {
            self.stream.set_timeouts(wanted, wanted)?;
            self.timeout = wanted;
        }
        Ok(())
    }
}

/// On Linux, a socket timeout is reported as `WouldBlock`.
fn timed_out(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.set_timeout(timeout)?;
        let output = self.buffers.output();
        let Some(output) = output.get(..amount) else { return Ok(()) };
        self.stream.write_all(output).map_err(|error| timed_out(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.set_timeout(timeout)?;
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match self.stream.read(input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|error| timed_out(error, timeout))?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // An idle connection must be silent: data or an end mean that it cannot be reused.
        let idle = self.stream.set_nonblocking(true).is_ok()
            && matches!(self.stream.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        idle && self.stream.set_nonblocking(false).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_docker_client_reads_them() {
        assert_eq!(Socket::parse("unix:///run/d.sock"), Ok(Socket::Unix("/run/d.sock".into())));
        assert_eq!(Socket::parse("unix://run/d.sock"), Ok(Socket::Unix("/run/d.sock".into())));
        assert_eq!(Socket::parse("tcp://localhost:2375"), Ok(Socket::Tcp(([127, 0, 0, 1], 2375).into())));
        assert_eq!(Socket::parse("tcp://[::1]:2375/").map(|s| s.to_string()), Ok("tcp://[::1]:2375".into()));
        assert!(Socket::parse("https://10.0.0.1:2376").unwrap_err().contains("over https://"));
        assert!(Socket::parse("/run/d.sock").is_err());
        assert!(Socket::parse("tcp://docker.example:2375").unwrap_err().contains("not an IP address"));
    }
}
