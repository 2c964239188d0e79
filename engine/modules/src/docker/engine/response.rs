//! A response of the Engine.

use std::{
    cell::Cell,
    io::{self, Read},
};

use serde_json::Value as Json;
use ureq::{Body, http};

use super::engine_error::EngineError;

/// Maximum size in bytes of a response. Any `docker inspect` is far below.
const LONGEST_RESPONSE: u64 = 16 << 20;

/// Maximum size in bytes of a progress message.
const LONGEST_MESSAGE: usize = 1 << 20;

/// A response whose body is still to be read.
pub(crate) struct Response {
    pub(super) request: String,
    pub(super) http: http::Response<Body>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.http.headers().get(name)?.to_str().ok()
    }

    /// The whole body.
    pub(super) fn text(self) -> Result<String, EngineError> {
        let request = self.request;
        let bytes = self.http.into_body().into_with_config().limit(LONGEST_RESPONSE).read_to_vec();
        let bytes = bytes.map_err(|error| EngineError::Broken { request, why: error.to_string() })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The body as a stream.
    pub(crate) fn reader(self) -> impl Read {
        self.http.into_body().into_with_config().limit(u64::MAX).reader()
    }

    /// Reads a stream of progress messages (pull, push, load, build) to its end. Failures are reported only in the
    /// stream, since the status is sent before.
    pub(crate) fn progress(self, mut each: impl FnMut(&Json)) -> Result<(), EngineError> {
        let request = self.request.clone();
        let left = Cell::new(LONGEST_MESSAGE);
        let reader = Metered { reader: io::BufReader::new(self.reader()), left: &left };
        for message in serde_json::Deserializer::from_reader(reader).into_iter::<Json>() {
            left.set(LONGEST_MESSAGE);
            let message =
                message.map_err(|error| EngineError::Broken { request: request.clone(), why: error.to_string() })?;
            if let Some(error) = message.pointer("/errorDetail/message").or_else(|| message.get("error")) {
                let message = error.as_str().unwrap_or("no reason given").to_owned();
                return Err(EngineError::Refused { status: 0, message });
            }
            each(&message);
        }
        Ok(())
    }
}

/// Limits the size of each message.
struct Metered<'a, R> {
    reader: R,
    left: &'a Cell<usize>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.left.get());
        if wanted == 0 && !buffer.is_empty() {
            return Err(io::Error::other(format!("a message is larger than {LONGEST_MESSAGE} bytes")));
        }
        let length = self.reader.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        self.left.set(self.left.get() - length);
        Ok(length)
    }
}
