//! A client for the Docker Engine: HTTP requests over its socket, on connections that are kept for the lifetime of the
//! agent.

mod engine_error;
mod request;
mod response;
mod version;

use std::{collections::HashMap, sync::OnceLock, time::Duration};

use parking_lot::Mutex;

use rplay_wire::Failure;
use serde_json::Value as Json;
use ureq::Agent;

use super::socket::{NoNames, Socket, SocketConnector};
use crate::{Host, args, argtypes::Text};
pub(crate) use engine_error::EngineError;
use request::Request;
pub(crate) use version::Version;

/// The newest API version that these modules support. Engines support old versions for years: 1.44 is the oldest one
/// that Docker 29 accepts.
const NEWEST: Version = Version(1, 44);
/// The minimum version: it has `stop_timeout`, `init` and the health check's start period.
const OLDEST: Version = Version(1, 24);

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
        let response = self.request("GET", "/_ping").unversioned().send()?;
        let version = response.header("api-version").and_then(Version::parse).unwrap_or(OLDEST);
        // Read to its end, so that the connection can be reused.
        response.text()?;
        Ok(version)
    }

    /// The API version in use.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// A request under construction; `path` begins with a slash and is already encoded.
    pub(crate) fn request<'e>(&'e self, method: &'static str, path: impl Into<String>) -> Request<'e> {
        Request {
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
        self.request("GET", path).json()
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
        self.request("POST", path).body(body).json()
    }

    /// POSTs without a body.
    pub(crate) fn act(&self, path: impl Into<String>) -> Result<(), EngineError> {
        self.request("POST", path).json().map(drop)
    }
}

/// Percent-encodes a path or query component. Slashes and colons are kept, since image names contain them.
pub(super) fn encode(text: &str) -> String {
    rplay_wire::percent::encode(text, "/:@")
}

#[cfg(test)]
mod tests;
