//! A client for the Docker Engine: HTTP requests over its socket, on connections that are kept for the lifetime of the
//! agent.

use std::{
    cell::Cell,
    collections::HashMap,
    io::{self, Read},
    sync::OnceLock,
    time::Duration,
};

use parking_lot::Mutex;

use rplay_wire::Failure;
use serde_json::Value as Json;
use ureq::{Agent, AsSendBody, Body, http};

use super::socket::{NoNames, Socket, SocketConnector};
use crate::system::fs;
use crate::{Host, args, argtypes::Text};

/// The newest API version that these modules support. Engines support old versions for years: 1.44 is the oldest one
/// that Docker 29 accepts.
const NEWEST: Version = Version(1, 44);
/// The minimum version: it has `stop_timeout`, `init` and the health check's start period.
const OLDEST: Version = Version(1, 24);

/// Maximum size in bytes of a response. Any `docker inspect` is far below.
const LONGEST_ANSWER: u64 = 16 << 20;

/// Maximum size in bytes of a progress message.
const LONGEST_MESSAGE: usize = 1 << 20;

args! {
    /// Which Docker Engine to speak to, and how.
    pub struct EngineArgs {
        /// The URL of the Engine: `unix:///path` or `tcp://address:port`; by default DOCKER_HOST, or
        /// `unix:///var/run/docker.sock`.
        docker_host: Option<Text> | "docker_url",
        /// The API version; `auto` is the newest one that both sides support.
        api_version: Option<Text> | "docker_api_version",
        /// Timeout in seconds for a response from the Engine.
        timeout: Option<u64>,
    }
}

/// A version of the Engine's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub u16, pub u16);

impl Version {
    fn parse(text: &str) -> Option<Version> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Version(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Why a request to the Engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("no Docker Engine responds at {socket}: {why}")]
    Unreachable { socket: Socket, why: String },
    #[error("{message}")]
    Refused {
        /// The HTTP status; 0 for an error within a stream.
        status: u16,
        message: String,
    },
    #[error("the Docker Engine's response to {request} is incomplete: {why}")]
    Broken { request: String, why: String },
}

impl EngineError {
    /// Whether the requested object does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, EngineError::Refused { status: 404, .. })
    }

    /// Whether the object is in a conflicting state (already removed, still running).
    pub fn is_conflict(&self) -> bool {
        matches!(self, EngineError::Refused { status: 409, .. })
    }

    pub fn is_unreachable(&self) -> bool {
        matches!(self, EngineError::Unreachable { .. })
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let failure = Failure::new(error.to_string());
        match error {
            EngineError::Unreachable { why, .. } if why.contains("ermission denied") => {
                failure.help("run this as root (`become: true`) or as a member of the group docker")
            }
            EngineError::Unreachable { .. } => {
                failure.help("install and start the Docker Engine first, or set its socket with `docker_host`")
            }
            _ => failure,
        }
    }
}

/// A Docker Engine that has responded. Clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    agent: Agent,
    socket: Socket,
    version: Version,
    timeout: Duration,
}

/// One HTTP agent per socket, so that many containers share a few connections.
fn agent(socket: &Socket) -> Agent {
    static AGENTS: OnceLock<Mutex<HashMap<Socket, Agent>>> = OnceLock::new();
    let agents = AGENTS.get_or_init(Mutex::default);
    let mut agents = agents.lock();
    agents
        .entry(socket.clone())
        .or_insert_with(|| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .proxy(None)
                .max_redirects(0)
                .user_agent("rplay")
                .max_idle_connections(16)
                .max_idle_connections_per_host(16)
                .allow_non_standard_methods(true)
                .build();
            Agent::with_parts(config, SocketConnector(socket.clone()), NoNames)
        })
        .clone()
}

impl Engine {
    /// Connects to the Engine named by the arguments or the environment, and negotiates a version.
    pub(crate) fn reach(host: &Host, at: &EngineArgs) -> Result<Engine, Failure> {
        Self::reach_or(host, at)?.map_err(Failure::from)
    }

    /// Like [`Engine::reach`], but in check mode `None` if the Engine does not respond: an earlier task would have
    /// installed or started it.
    pub(crate) fn reach_softly(host: &Host, at: &EngineArgs) -> Result<Option<Engine>, Failure> {
        match Self::reach_or(host, at)? {
            Ok(engine) => Ok(Some(engine)),
            Err(error) if host.rehearses() && error.is_unreachable() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn reach_or(host: &Host, at: &EngineArgs) -> Result<Result<Engine, EngineError>, Failure> {
        let address = at.docker_host.clone().or_else(|| host.variable("DOCKER_HOST").filter(|v| !v.is_empty()));
        let address = address.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
        let socket = Socket::parse(&address).map_err(|why| {
            Failure::new(why).arg("docker_host").help("use unix:///path/to/docker.sock or tcp://address:port")
        })?;
        let timeout = at.timeout.or_else(|| host.variable("DOCKER_TIMEOUT").and_then(|v| v.parse().ok())).unwrap_or(60);
        let mut engine =
            Engine { agent: agent(&socket), socket, version: NEWEST, timeout: Duration::from_secs(timeout.max(1)) };
        let newest = match engine.ping() {
            Ok(version) => version,
            Err(EngineError::Broken { why, .. }) => {
                return Ok(Err(EngineError::Unreachable { socket: engine.socket, why }));
            }
            Err(error) => return Ok(Err(error)),
        };
        let asked = at.api_version.clone().or_else(|| host.variable("DOCKER_API_VERSION").filter(|v| !v.is_empty()));
        engine.version = match asked.as_deref() {
            None | Some("auto") => newest.min(NEWEST),
            Some(text) => Version::parse(text).ok_or_else(|| {
                Failure::new(format!("`{text}` is not a version of the Docker API"))
                    .arg("api_version")
                    .help("write it as \"1.41\", in quotes, or `auto`")
            })?,
        };
        if engine.version < OLDEST {
            return Err(Failure::new(format!(
                "the Docker Engine at {} supports API {newest}; at least {OLDEST} (Docker 1.12) is required",
                engine.socket
            )));
        }
        Ok(Ok(engine))
    }

    /// The newest version that the Engine supports.
    fn ping(&self) -> Result<Version, EngineError> {
        let answer = self.ask("GET", "/_ping").unversioned().send()?;
        let version = answer.header("api-version").and_then(Version::parse).unwrap_or(OLDEST);
        // Read to its end, so that the connection can be reused.
        answer.text()?;
        Ok(version)
    }

    /// The API version in use.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// A request under construction; `path` begins with a slash and is already encoded.
    pub(crate) fn ask<'e>(&'e self, method: &'static str, path: impl Into<String>) -> Ask<'e> {
        Ask {
            engine: self,
            method,
            path: path.into(),
            query: String::new(),
            headers: Vec::new(),
            body: None,
            versioned: true,
            wait: Some(self.timeout),
        }
    }

    /// The response to a GET.
    pub(crate) fn get(&self, path: impl Into<String>) -> Result<Json, EngineError> {
        self.ask("GET", path).json()
    }

    /// The response to a GET; `None` if the object does not exist.
    pub(crate) fn find(&self, path: impl Into<String>) -> Result<Option<Json>, EngineError> {
        match self.get(path) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// POSTs a JSON body and parses the response; `null` if it is empty.
    pub(crate) fn post(&self, path: impl Into<String>, body: &Json) -> Result<Json, EngineError> {
        self.ask("POST", path).body(body).json()
    }

    /// POSTs without a body.
    pub(crate) fn act(&self, path: impl Into<String>) -> Result<(), EngineError> {
        self.ask("POST", path).json().map(drop)
    }
}

/// A request to the Engine.
#[must_use = "a request does nothing until it is sent"]
pub(crate) struct Ask<'e> {
    engine: &'e Engine,
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    versioned: bool,
    wait: Option<Duration>,
}

impl Ask<'_> {
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

    fn unversioned(mut self) -> Self {
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
    pub(crate) fn send(mut self) -> Result<Answer, EngineError> {
        match self.body.take() {
            None if self.method == "GET" => self.send_with(()),
            body => self.send_with(body.unwrap_or_default()),
        }
    }

    /// Sends a file as the body (`docker load`).
    pub(crate) fn send_file(self, file: fs::File) -> Result<Answer, EngineError> {
        self.header("content-type", "application/x-tar").send_with(file)
    }

    fn send_with(self, body: impl AsSendBody) -> Result<Answer, EngineError> {
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
        let answer = Answer { request: name, response };
        match answer.response.status().as_u16() {
            // 304: already in that state.
            200..=299 | 304 => Ok(answer),
            status => {
                let text = answer.text()?;
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
        let answer = self.send()?;
        let request = answer.request.clone();
        let text = answer.text()?;
        if text.trim().is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_str(&text).map_err(|error| EngineError::Broken { request, why: error.to_string() })
    }
}

/// A response whose body is still to be read.
pub(crate) struct Answer {
    request: String,
    response: http::Response<Body>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    fn text(self) -> Result<String, EngineError> {
        let request = self.request;
        let bytes = self.response.into_body().into_with_config().limit(LONGEST_ANSWER).read_to_vec();
        let bytes = bytes.map_err(|error| EngineError::Broken { request, why: error.to_string() })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The body as a stream.
    pub(crate) fn reader(self) -> impl Read {
        self.response.into_body().into_with_config().limit(u64::MAX).reader()
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

/// Percent-encodes a path or query component. Slashes and colons are kept, since image names contain them.
pub(super) fn encode(text: &str) -> String {
    rplay_wire::percent::encode(text, "/:@")
}

#[cfg(test)]
mod tests;
