//! Tencent Cloud: signed calls of its API 3.0.

// A panic ends all plays or all calls; what cannot happen is an error like any other.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod client;
mod signature;

pub use client::{Client, ClientError, Refusal, Request, version_of};

use rplay_contract::{argtypes::Secret, system::http::Address};
use rplay_wire::Failure;

/// Whose calls they are.
#[derive(Clone, Debug)]
pub struct Account {
    pub secret_id: Secret,
    pub secret_key: Secret,
    /// Goes with a temporary key.
    pub token: Option<Secret>,
}

/// Where a service is called: its public address, or the one given, in which `SERVICE` stands for its name.
#[derive(Clone, Debug, Default)]
pub struct Endpoint(pub Option<String>);

impl Endpoint {
    /// Checks the endpoint: keys and answers do not go over a network unencrypted.
    ///
    /// # Errors
    /// A phrase that says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let address = Address::parse(&self.url("service"))?;
        let loops = address.host == "localhost" || address.host == "::1" || address.host.starts_with("127.");
        match address.scheme.as_str() {
            "http" if !loops => Err("must begin with https://".to_owned()),
            _ => Ok(()),
        }
    }

    pub fn url(&self, service: &str) -> String {
        match self.0.as_deref().filter(|url| !url.is_empty()) {
            Some(url) => url.replace("SERVICE", service),
            None => format!("https://{service}.tencentcloudapi.com/"),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let failure = Failure::new(error.to_string());
        let failure = match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        };
        match error {
            ClientError::Refused { refusal, .. } => failure.data(refusal.data()),
            ClientError::Unanswered { .. } => failure,
        }
    }
}
