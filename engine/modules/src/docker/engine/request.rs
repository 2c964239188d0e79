//! A request to the Engine.

use std::time::Duration;

use serde_json::Value as Json;
use ureq::{AsSendBody, http};

use super::{Engine, encode, engine_error::EngineError, response::Response};
use crate::system::fs;

/// A request to the Engine.
#[must_use = "a request does nothing until it is sent"]
pub(crate) struct Request<'e> {
    pub(super) engine: &'e Engine,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) versioned: bool,
    pub(super) wait: Option<Duration>,
}

impl Request<'_> {
    pub(crate) fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        self.query.push_str(&encode(value.as_ref()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: &Json) -> Self {
        self.headers.push(("content-type", "application/json".to_owned()));
        self.body = Some(body.to_string().into_bytes());
        self
    }

    /// Leaves the version out of the path.
    pub(super) fn unversioned(mut self) -> Self {
        self.versioned = false;
        self
    }

    /// Adds seconds to the timeout.
    pub(crate) fn patience(mut self, seconds: u64) -> Self {
        self.wait = self.wait.map(|wait| wait + Duration::from_secs(seconds));
        self
    }

    /// Disables the timeout, for pulls and waits.
    pub(crate) fn patiently(mut self) -> Self {
        self.wait = None;
        self
    }

    /// Sends the request and checks the status.
    pub(crate) fn send(mut self) -> Result<Response, EngineError> {
        match self.body.take() {
            None if self.method == "GET" => self.send_with(()),
            body => self.send_with(body.unwrap_or_default()),
        }
    }

    /// Sends a file as the body (`docker load`).
    pub(crate) fn send_file(self, file: fs::File) -> Result<Response, EngineError> {
        self.header("content-type", "application/x-tar").send_with(file)
    }

    fn send_with(self, body: impl AsSendBody) -> Result<Response, EngineError> {
        let name = format!("{} {}", self.method, self.path);
        let broken = |why: String| EngineError::Broken { request: name.clone(), why };
        let version = if self.versioned { format!("/v{}", self.engine.version) } else { String::new() };
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(format!("http://docker{version}{}{}", self.path, self.query));
        for (header, value) in &self.headers {
            request = request.header(*header, value);
        }
        let request = request.body(body).map_err(|error| broken(error.to_string()))?;
        let request = self
            .engine
            .agent
            .configure_request(request)
            .timeout_recv_response(self.wait)
            .timeout_recv_body(self.wait)
            .build();
        let response = self.engine.agent.run(request).map_err(|error| match error {
            ureq::Error::Timeout(_) => {
                broken(format!("no response within {} s", self.wait.unwrap_or_default().as_secs()))
            }
            error => broken(error.to_string()),
        })?;
        let response = Response { request: name, http: response };
        match response.http.status().as_u16() {
            // 304: already in that state.
            200..=299 | 304 => Ok(response),
            status => {
                let text = response.text()?;
                let message = serde_json::from_str::<Json>(&text)
                    .ok()
                    .and_then(|body| body.get("message")?.as_str().map(str::to_owned))
                    .unwrap_or(text);
                let message = match message.trim() {
                    "" => format!("the Docker Engine responded with status {status}"),
                    message => message.to_owned(),
                };
                Err(EngineError::Refused { status, message })
            }
        }
    }

    /// Sends the request and parses the whole response as JSON; `null` if it is empty.
    pub(crate) fn json(self) -> Result<Json, EngineError> {
        let response = self.send()?;
        let request = response.request.clone();
        let text = response.text()?;
        if text.trim().is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_str(&text).map_err(|error| EngineError::Broken { request, why: error.to_string() })
    }
}
