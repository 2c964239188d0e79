//! HTTP over a Unix socket, as for Docker's API.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
};

use crate::io_failure::python_error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, time::Duration,
};

/// Connects to that socket, whatever the URL is.
#[derive(Debug)]
pub(super) struct Socket(pub PathBuf);

impl Connector for Socket {
    type Out = Stream;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Stream>, ureq::Error> {
        let stream = UnixStream::connect(&self.0).map_err(|error| {
            let reason = format!("Invalid Socket File ({}): {}", self.0.display(), python_error(&error));
            io::Error::new(error.kind(), format!("<urlopen error {reason}>"))
        })?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Stream { stream, buffers }))
    }
}

/// The connection.
pub(super) struct Stream {
    stream: UnixStream,
    buffers: LazyBuffers,
}

fn limit(timeout: NextTimeout) -> Option<std::time::Duration> {
    timeout.not_zero().filter(|after| !after.is_not_happening()).map(|after: Duration| *after)
}

fn timed_out(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = timeout.for_write();
        self.stream.set_write_timeout(limit(timeout))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output).map_err(|error| timed_out(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        self.stream.set_read_timeout(limit(timeout))?;
        let amount = self.stream.read(self.buffers.input_append_buf()).map_err(|error| timed_out(error, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Never reused for another request.
        false
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}
