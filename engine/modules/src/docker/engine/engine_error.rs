//! Errors of requests to the Engine.

use rplay_wire::Failure;

use crate::docker::socket::Socket;

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
