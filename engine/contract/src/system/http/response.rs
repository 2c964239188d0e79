//! A server's response.

use std::{io::Read, os::unix::ffi::OsStringExt, path::PathBuf};

use rplay_wire::Failure;
use ureq::http;

use super::address::Address;
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
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The content; can be read once.
    pub fn reader(&mut self) -> Box<dyn Read> {
        match self.body.take() {
            Some(body) => body,
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
        })
    }

    /// From the one that ureq has.
    pub(super) fn of(
        response: http::Response<ureq::Body>,
        address: &Address,
        redirected: bool,
        cookies: Vec<(String, String)>,
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
        Response {
            status: head.status.as_u16(),
            reason: head.status.canonical_reason().unwrap_or_default().to_owned(),
            url: address.without_login(),
            redirected,
            headers,
            cookies,
            length: body.content_length().or(length),
            body: Some(Box::new(body.into_reader())),
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
