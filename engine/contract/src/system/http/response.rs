//! A server's response.

use std::{io::Read, os::unix::ffi::OsStringExt, path::PathBuf};

use flate2::read::MultiGzDecoder;
use rplay_wire::Failure;
use ureq::http;

use super::{address::Address, status_line::StatusLine};
use crate::{
    host::MAX_OUTPUT,
    io_failure::python_error,
    system::{bounded, regular},
};

/// A server's response.
pub struct Response {
    pub status: u16,
    /// `OK`, `Not Found` ...
    pub reason: String,
    /// After all redirects.
    pub url: String,
    pub redirected: bool,
    /// Names in lower case; values with the same name are joined by `, `.
    pub headers: Vec<(String, String)>,
    /// In the order they were set, including those of redirects.
    pub cookies: Vec<(String, String)>,
    /// The announced length of the content in bytes.
    pub length: Option<u64>,
    body: Option<Box<dyn Read + Send>>,
    /// Whether the content is compressed, and is to be decompressed.
    is_gzip: bool,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The content; can be read once. An error because the server broke off is an [`IncompleteRead`].
    pub fn reader(&mut self) -> Box<dyn Read> {
        match self.body.take() {
            Some(body) => {
                let counted = Counted { body, read: 0, length: self.length };
                match self.is_gzip {
                    true => Box::new(MultiGzDecoder::new(counted)),
                    false => Box::new(counted),
                }
            }
            None => Box::new(std::io::empty()),
        }
    }

    /// The whole content, up to [`MAX_OUTPUT`].
    ///
    /// # Errors
    /// If the content is longer, or the connection breaks.
    pub fn content(&mut self) -> Result<Vec<u8>, Failure> {
        bounded::read(self.reader(), MAX_OUTPUT).map_err(|error| match error.kind() {
            std::io::ErrorKind::FileTooLarge => {
                Failure::new(format!("the response from {} is too long: {error}", self.url))
            }
            _ if IncompleteRead::of(&error).is_some() => {
                Failure::new(error.to_string()).help(format!("the response from {} is incomplete", self.url))
            }
            _ => Failure::new(format!("the response from {} is incomplete: {error}", self.url)),
        })
    }

    /// The content of a file of this host: `path` is what follows `file:` in its URL.
    pub(super) fn of_file(path: &str, url: &str) -> Result<Self, String> {
        let path = path.strip_prefix("//localhost").or_else(|| path.strip_prefix("//")).unwrap_or(path);
        let path = percent_decoded(path.split(['?', '#']).next().unwrap_or_default());
        let shown = path.display();
        let failed = |error: std::io::Error| urlopen_error(&format!("{}: '{shown}'", python_error(&error)));
        let file = regular::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Response {
            status: 200,
            reason: "OK".to_owned(),
            url: url.to_owned(),
            redirected: false,
            headers: vec![("content-length".to_owned(), length.to_string())],
            cookies: Vec::new(),
            length: Some(length),
            body: Some(Box::new(file)),
            is_gzip: false,
        })
    }

    /// From the one that ureq has.
    pub(super) fn of(
        response: http::Response<ureq::Body>,
        address: &Address,
        redirected: bool,
        cookies: Vec<(String, String)>,
        decompress: bool,
        line: &StatusLine,
    ) -> Self {
        let (head, body) = response.into_parts();
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in &head.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            match headers.iter_mut().find(|(found, _)| found == name.as_str()) {
                Some((_, joined)) => {
                    joined.push_str(", ");
                    joined.push_str(&value);
                }
                None => headers.push((name.as_str().to_owned(), value)),
            }
        }
        let length =
            headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
        let encoding = headers.iter().find(|(name, _)| name == "content-encoding");
        let is_gzip = decompress && encoding.is_some_and(|(_, value)| value.eq_ignore_ascii_case("gzip"));
        Response {
            is_gzip,
            status: head.status.as_u16(),
            reason: line.reason().unwrap_or_default(),
            url: address.without_login(),
            redirected,
            headers,
            cookies,
            length: body.content_length().or(length),
            body: Some(Box::new(body.into_reader())),
        }
    }
}

/// The server ended the connection before the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncompleteRead {
    /// Bytes that arrived.
    pub read: u64,
    /// Bytes that the server announced, and did not send.
    pub missing: Option<u64>,
}

impl IncompleteRead {
    /// What a reader of a response failed with.
    pub fn of(error: &std::io::Error) -> Option<IncompleteRead> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// In Python's words, which playbooks look for.
impl std::fmt::Display for IncompleteRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IncompleteRead({} bytes read", self.read)?;
        match self.missing {
            Some(missing) => write!(f, ", {missing} more expected)"),
            None => f.write_str(")"),
        }
    }
}

impl std::error::Error for IncompleteRead {}

/// Counts what arrives.
struct Counted {
    body: Box<dyn Read + Send>,
    read: u64,
    length: Option<u64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.body.read(buffer) {
            Ok(count) => {
                self.read += count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let missing = self.length.and_then(|length| length.checked_sub(self.read));
                Err(std::io::Error::new(error.kind(), IncompleteRead { read: self.read, missing }))
            }
            Err(error) => Err(error),
        }
    }
}

/// A path of a URL, with `%20` and the like turned into what they stand for.
fn percent_decoded(path: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let digits = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// Why a server could not be reached, in Python's words, which playbooks look for.
pub(super) fn urlopen_error(reason: &str) -> String {
    format!("<urlopen error {reason}>")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Sends five bytes, then nothing more.
    struct Broken(bool);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match std::mem::replace(&mut self.0, true) {
                false => io::Cursor::new(b"short").read(buffer),
                true => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "Peer disconnected")),
            }
        }
    }

    #[test]
    fn a_response_that_breaks_off_tells_how_much_arrived() {
        let read = |length| {
            let mut reader = Counted { body: Box::new(Broken(false)), read: 0, length };
            let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
            (IncompleteRead::of(&error).unwrap(), error.to_string())
        };
        let (found, told) = read(Some(100));
        assert_eq!(found, IncompleteRead { read: 5, missing: Some(95) });
        assert_eq!(told, "IncompleteRead(5 bytes read, 95 more expected)");
        assert_eq!(read(None).1, "IncompleteRead(5 bytes read)");
    }
}
