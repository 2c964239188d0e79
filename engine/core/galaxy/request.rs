//! HTTP requests: JSON, and downloads that are verified against the announced digest.

use std::{fs::File, io, path::Path, time::Duration};

use rplay_contract::system::http::{Follow, Request, Trust};
use serde_json::Value as Json;

use super::{Galaxy, GalaxyError, Result, manifest::sha256_of, server::Server};

/// An unsuccessful response.
#[derive(Debug)]
pub enum RequestError {
    /// The server does not have the resource.
    NotFound,
    Other(String),
}

impl From<RequestError> for GalaxyError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NotFound => GalaxyError::new("not found on the server"),
            RequestError::Other(message) => GalaxyError::new(message),
        }
    }
}

/// Maximum size of a download in bytes, the same as for the content of archives.
const MOST_BYTES: u64 = 2 << 30;

impl Galaxy {
    /// Fetches JSON from a URL.
    pub(super) fn json(
        &self,
        server: &Server,
        authorization: Option<&str>,
        url: &str,
    ) -> std::result::Result<Json, RequestError> {
        let mut request = self.request(server.validate_certs, server.timeout, url);
        request.default_header("accept", "application/json, */*");
        if let Some(authorization) = authorization {
            request.headers.push(("authorization".to_owned(), authorization.to_owned()));
        }
        self.json_of(request)
    }

    pub(super) fn json_of(&self, request: Request) -> std::result::Result<Json, RequestError> {
        let url = request.url.clone();
        let mut response = request.send(&self.host).map_err(|error| {
            RequestError::Other(format!("Unknown error when attempting to call Galaxy at '{url}': {error}"))
        })?;
        if response.status == 404 {
            return Err(RequestError::NotFound);
        }
        let content = response.content().map_err(|failure| RequestError::Other(failure.msg))?;
        let json: Option<Json> = serde_json::from_slice(&content).ok();
        if response.status >= 400 {
            let said = json.as_ref().and_then(|json| {
                json.pointer("/errors/0/detail")
                    .or_else(|| json.pointer("/errors/0/title"))
                    .or_else(|| json.get("detail"))
            });
            let said = said.and_then(Json::as_str).unwrap_or(&response.reason).to_owned();
            return Err(RequestError::Other(format!(
                "{url}: {said} (HTTP Code: {}, Message: {said})",
                response.status
            )));
        }
        json.ok_or_else(|| RequestError::Other(format!("Failed to parse Galaxy response from '{url}' as JSON")))
    }

    pub(super) fn request(&self, validate_certs: bool, timeout: u32, url: &str) -> Request {
        let mut request = Request::get(url);
        request.timeout = Duration::from_secs(u64::from(timeout));
        request.follow = Follow::Safe;
        request.use_netrc = false;
        request.trust = Trust { validate: validate_certs, ..Trust::default() };
        // Credentials are not sent to servers that a response redirects to.
        request.unredirected = vec!["authorization".to_owned()];
        request.default_header("user-agent", concat!("rplay/", env!("CARGO_PKG_VERSION")));
        request
    }

    /// Downloads a file in chunks; it must match the digest if one was announced.
    pub(super) fn take(
        &self,
        url: &str,
        login: Option<(&Server, &str)>,
        sha256: Option<&str>,
        target: &Path,
    ) -> Result<()> {
        let (validate, timeout) = login.map_or((true, 60), |(server, _)| (server.validate_certs, server.timeout));
        if let Some(path) = url.strip_prefix("file://") {
            std::fs::copy(path, target)
                .map_err(|error| GalaxyError::new(format!("failed to download the file: {path}: {error}")))?;
        } else {
            let mut request = self.request(validate, timeout, url);
            request.decompress = false;
            if let Some((server, authorization)) = login
                && origin(url) == origin(&server.url)
            {
                request.headers.push(("authorization".to_owned(), authorization.to_owned()));
            }
            let mut response = request
                .send(&self.host)
                .map_err(|error| GalaxyError::new(format!("failed to download the file: {error}")))?;
            if response.status >= 400 {
                let (status, reason) = (response.status, &response.reason);
                return Err(GalaxyError::new(format!(
                    "failed to download the file: HTTP Error {status}: {reason} ({url})"
                )));
            }
            let mut copy = || -> io::Result<u64> {
                let mut file = File::create(target)?;
                io::copy(&mut io::Read::take(response.reader(), MOST_BYTES + 1), &mut file)
            };
            let length =
                copy().map_err(|error| GalaxyError::new(format!("failed to download the file: {error} ({url})")))?;
            if length > MOST_BYTES {
                return Err(GalaxyError::new(format!("{url} is larger than {MOST_BYTES} bytes")));
            }
        }
        let Some(wanted) = sha256 else { return Ok(()) };
        let found = sha256_of(target).map_err(|error| GalaxyError::file(target, error))?;
        match found == wanted {
            true => Ok(()),
            false => Err(GalaxyError::new(format!(
                "Mismatch artifact hash with downloaded file: {url} has {found}, the server announced {wanted}"
            ))),
        }
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    let end = url[after..].find(['/', '?', '#']).map_or(url.len(), |at| after + at);
    &url[..end]
}
