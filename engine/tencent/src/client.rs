//! API calls, with retries.

use std::{thread, time::Duration};

use rplay_contract::{
    Host,
    system::{
        http::{Address, Follow, Request as HttpRequest},
        machine,
    },
};
use rplay_wire::{Map, data};
use serde_json::Value as Json;
use thiserror::Error;

use super::{Account, Endpoint, signature::Signed};

const JSON: &str = "application/json; charset=utf-8";
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// The default version of a service's API.
pub fn version_of(service: &str) -> Option<&'static str> {
    Some(match service {
        "vpc" | "cvm" => "2017-03-12",
        "clb" => "2018-03-17",
        _ => return None,
    })
}

/// One call.
#[derive(Clone, Debug)]
pub struct Request {
    pub service: String,
    pub version: String,
    pub action: String,
    pub region: Option<String>,
    pub payload: Json,
}

/// Makes calls for an account.
#[derive(Clone, Debug)]
pub struct Client {
    pub account: Account,
    pub endpoint: Endpoint,
    /// Limit of each wait within an attempt.
    pub timeout: Duration,
    /// Number of retries.
    pub retries: u64,
    /// Pause before the first retry; doubled each time.
    pub pause: Duration,
}

/// An error returned by the API.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    pub request_id: String,
}

impl Refusal {
    /// Whether this is the error, or one of its family: `ResourceNotFound` includes `ResourceNotFound.VpcId`.
    pub fn is(&self, code: &str) -> bool {
        self.code.strip_prefix(code).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether the error is transient.
    fn passes(&self) -> bool {
        ["RequestLimitExceeded", "InternalError"].iter().any(|code| self.code.starts_with(code))
            || self.code.contains("ResourceInOperating")
    }

    pub fn data(&self) -> Map {
        data! {
            "code" => self.code.as_str(), "message" => self.message.as_str(), "request_id" => self.request_id.as_str(),
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, Error)]
pub enum ClientError {
    #[error("{action}: {}: {} (request {})", refusal.code, refusal.message, refusal.request_id)]
    Refused { action: String, refusal: Refusal },

    #[error("{action}: {url} did not respond: {message}")]
    Unanswered {
        action: String,
        url: String,
        message: String,
        /// It is unknown whether the call was executed, and repeating it could have another effect.
        is_open: bool,
    },
}

impl ClientError {
    /// How to fix it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            ClientError::Refused { refusal, .. } if refusal.is("AuthFailure.SignatureExpire") => {
                Some("set this machine's clock: it may be at most five minutes off")
            }
            ClientError::Refused { refusal, .. } if refusal.code.starts_with("AuthFailure") => {
                Some("check that the key belongs to this account and is enabled, and that its secret is correct")
            }
            ClientError::Unanswered { is_open: true, .. } => {
                Some("the call may have been executed; run again, existing resources are found")
            }
            _ => None,
        }
    }
}

impl Client {
    /// Makes a call and returns the `Response`. The same body is sent each time, so a `ClientToken` makes all attempts
    /// one call.
    ///
    /// # Errors
    /// What the API answers as an error, and what keeps an answer from coming.
    pub fn call(&self, host: &Host, request: &Request) -> Result<Json, ClientError> {
        let body = request.payload.to_string();
        let (mut tries, mut pause) = (0, self.pause);
        loop {
            let error = match self.once(host, request, &body) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let again = match &error {
                ClientError::Refused { refusal, .. } => refusal.passes(),
                ClientError::Unanswered { is_open, .. } => !is_open,
            };
            if !again || tries >= self.retries || host.cancel().is_cancelled() {
                return Err(error);
            }
            tries += 1;
            sleep(host, pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn once(&self, host: &Host, request: &Request, body: &str) -> Result<Json, ClientError> {
        let url = self.endpoint.url(&request.service);
        let unanswered = |message: String| ClientError::Unanswered {
            action: request.action.clone(),
            url: url.clone(),
            message,
            is_open: request.makes_another(),
        };
        let address = Address::parse(&url).map_err(unanswered)?;
        let origin = address.origin();
        let server = origin.split_once("://").map_or(origin.as_str(), |(_, server)| server);
        let now = machine::timestamp();
        let headers = [("content-type", JSON), ("host", server), ("x-tc-action", request.action.as_str())];
        let signed = Signed { method: "POST", query: "", headers: &headers, body: body.as_bytes() };
        let mut sent = HttpRequest::get(&url);
        "POST".clone_into(&mut sent.method);
        sent.timeout = self.timeout;
        sent.follow = Follow::None;
        sent.use_netrc = false;
        // Without TLS, it is a server on this machine.
        sent.use_proxy = address.scheme == "https";
        sent.body = Some(body.as_bytes().to_vec());
        let mut header = |name: &str, value: &str| sent.headers.push((name.to_owned(), value.to_owned()));
        header("Authorization", &signed.authorization(&self.account, &request.service, now));
        header("Content-Type", JSON);
        header("User-Agent", "rplay");
        header("X-TC-Action", &request.action);
        header("X-TC-Version", &request.version);
        header("X-TC-Timestamp", &now.as_second().to_string());
        if let Some(region) = &request.region {
            header("X-TC-Region", region);
        }
        if let Some(token) = &self.account.token {
            header("X-TC-Token", &token.0);
        }
        let mut http = sent.send(host).map_err(unanswered)?;
        let content = http.content().map_err(|failure| unanswered(failure.msg))?;
        let mut answered: Json = match serde_json::from_slice(&content) {
            Ok(json) => json,
            Err(_) => return Err(unanswered(format!("HTTP {} without JSON", http.status))),
        };
        let response = answered.get_mut("Response").map(Json::take);
        let Some(response) = response.filter(Json::is_object) else {
            return Err(unanswered(format!("HTTP {} without `Response`", http.status)));
        };
        let text = |json: Option<&Json>| json.and_then(Json::as_str).unwrap_or_default().to_owned();
        match response.get("Error") {
            Some(error) => Err(ClientError::Refused {
                action: request.action.clone(),
                refusal: Refusal {
                    code: text(error.get("Code")),
                    message: text(error.get("Message")),
                    request_id: text(response.get("RequestId")),
                },
            }),
            None => Ok(response),
        }
    }
}

impl Request {
    /// Whether repeating the call may create another resource.
    fn makes_another(&self) -> bool {
        let makes = ["Create", "Run", "Import", "Allocate"].iter().any(|verb| self.action.starts_with(verb));
        makes && self.payload.get("ClientToken").is_none() && self.payload.get("DryRun") != Some(&Json::Bool(true))
    }
}

/// Sleeps, unless the run is cancelled.
fn sleep(host: &Host, pause: Duration) {
    const STEP: Duration = Duration::from_millis(100);
    let mut left = pause;
    while !left.is_zero() && !host.cancel().is_cancelled() {
        let step = left.min(STEP);
        thread::sleep(step);
        left -= step;
    }
}
