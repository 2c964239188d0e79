//! `tencentcloud_api`: a call to Tencent Cloud's API.

use std::time::Duration;

use rplay_tencent::{Account, Client, ClientError, Endpoint, Refusal, Request, version_of};
use rplay_wire::{Failure, Map, Value, data, hex};
use serde_json::Value as Json;

use crate::system::machine;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Secret, Text},
};

args! {
    /// Calls Tencent Cloud's API 3.0 with a signed request. Transient errors (rate limits, internal errors, a resource
    /// in use, network errors) are retried with the same body; every other error fails the task with its code, message
    /// and request ID. The API's response is in `response`.
    pub struct TencentcloudApi {
        /// The service: `vpc`, `cvm`, `clb` ...
        service: Text,
        /// The action, such as `DescribeInstances`.
        action: Text,
        /// The version of the service's API; optional for vpc, cvm and clb.
        version: Option<Text>,
        /// The region, for regional actions.
        region: Option<Text>,
        /// The action's parameters.
        payload: Map = Map::new(),
        /// The ID of the key to sign with.
        secret_id: Secret,
        /// The key.
        secret_key: Secret,
        /// The token of a temporary key.
        token: Option<Secret>,
        /// An endpoint other than https://SERVICE.tencentcloudapi.com/; the word `SERVICE` in it is replaced.
        endpoint: Option<Text>,
        /// Whether the call changes something. If so, the task is changed, and the call is not sent in check mode.
        changes: Flag = Flag(false),
        /// The action supports `DryRun`: check mode sends it, so that errors are reported.
        dry_run: Flag = Flag(false),
        /// The action supports `ClientToken`: one is generated and reused in all attempts.
        client_token: Flag = Flag(false),
        /// Error codes that are not failures; they are returned as `code`. `ResourceNotFound` also matches
        /// `ResourceNotFound.VpcId`.
        ok_codes: Vec<Text> = Vec::new(),
        /// Error codes that mean that the resource to remove does not exist; also returned as `absent`.
        absent_codes: Vec<Text> = Vec::new(),
        /// Number of retries.
        retries: u64 = 6,
        /// Seconds before the first retry; doubled each time.
        backoff: f64 = 1.0,
        /// Timeout in seconds for connecting, for the response, and for each part of it.
        timeout: u64 = 30,
    }
}

impl Module for TencentcloudApi {
    fn check(&self) -> Result<(), ArgError> {
        for (name, text) in [("service", &self.service), ("action", &self.action)] {
            if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err(ArgError::new(name, "must consist of letters and digits"));
            }
        }
        if self.version.is_none() && version_of(&self.service).is_none() {
            let error = ArgError::new("version", format!("`version` is required for `{}`", self.service));
            return Err(error.help("it is a date; see the service's documentation"));
        }
        for (name, secret, variable) in [
            ("secret_id", &self.secret_id, "TENCENTCLOUD_SECRET_ID"),
            ("secret_key", &self.secret_key, "TENCENTCLOUD_SECRET_KEY"),
        ] {
            if secret.0.trim().is_empty() {
                let error = ArgError::new(name, format!("`{name}` is empty; a key is required to sign requests"));
                return Err(error.help(format!("the roles read it from the environment variable {variable}")));
            }
        }
        if !self.secret_id.0.chars().all(|c| c.is_ascii_graphic() && c != '/' && c != ',') {
            return Err(ArgError::new("secret_id", "`secret_id` contains invalid characters"));
        }
        if !(0.0..=3600.0).contains(&self.backoff) {
            return Err(ArgError::new("backoff", "must be from 0 to 3600 seconds"));
        }
        if (self.dry_run.0 || self.client_token.0) && !self.changes.0 {
            let name = if self.dry_run.0 { "dry_run" } else { "client_token" };
            return Err(ArgError::new(name, "applies only to calls that change something").help("add `changes: true`"));
        }
        Endpoint(self.endpoint.clone()).check().map_err(|msg| ArgError::new("endpoint", msg))
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let what = format!("{} {}", self.service, self.action);
        let (request, client) = (self.request()?, self.client());
        let tolerated = Tolerated { ok: self.ok_codes, absent: self.absent_codes };
        if !self.changes.0 {
            let mut plan = Plan::unchanged();
            plan.data = tolerated.sort(client.call(host, &request))?.0;
            return Ok(plan);
        }
        let mut plan = Plan::unchanged();
        if host.check && self.dry_run.0 {
            let mut trial = request.clone();
            if let Json::Object(payload) = &mut trial.payload {
                payload.insert("DryRun".to_owned(), Json::Bool(true));
            }
            let response = match client.call(host, &trial) {
                // Some actions report success this way.
                Err(ClientError::Refused { refusal, .. }) if refusal.is("DryRunOperation") => Ok(Json::Null),
                other => other,
            };
            plan.data = tolerated.sort(response)?.0;
            plan = plan.set("dry_run", true);
        } else if host.check {
            plan.data = data_of(Map::new());
        }
        Ok(plan.change(Change::maybe(what, move |host, data| {
            let (own, changed) = tolerated.sort(client.call(host, &request))?;
            data.extend(own);
            Ok(changed)
        })))
    }
}

impl TencentcloudApi {
    fn request(&self) -> Result<Request, Failure> {
        let mut payload = Json::from(&Value::Map(self.payload.clone()));
        if self.client_token.0
            && let Json::Object(payload) = &mut payload
        {
            let token =
                fresh_token().map_err(|error| Failure::new(format!("cannot generate a random token: {error}")))?;
            payload.insert("ClientToken".to_owned(), token.into());
        }
        Ok(Request {
            service: self.service.clone(),
            version: self.version.clone().or_else(|| version_of(&self.service).map(str::to_owned)).unwrap_or_default(),
            action: self.action.clone(),
            region: self.region.clone().filter(|region| !region.is_empty()),
            payload,
        })
    }

    fn client(&self) -> Client {
        Client {
            account: Account {
                secret_id: self.secret_id.clone(),
                secret_key: self.secret_key.clone(),
                token: self.token.clone().filter(|token| !token.0.is_empty()),
            },
            endpoint: Endpoint(self.endpoint.clone()),
            timeout: Duration::from_secs(self.timeout.max(1)),
            retries: self.retries,
            pause: Duration::from_secs_f64(self.backoff),
        }
    }
}

/// Errors that are not failures of this call.
struct Tolerated {
    ok: Vec<String>,
    absent: Vec<String>,
}

impl Tolerated {
    /// The task's data, and whether the call had an effect.
    fn sort(&self, response: Result<Json, ClientError>) -> Result<(Map, bool), Failure> {
        let among = |refusal: &Refusal, codes: &[String]| codes.iter().any(|code| refusal.is(code));
        match response {
            Ok(Json::Object(fields)) => {
                let fields = fields.into_iter().map(|(name, value)| (name, value.into())).collect();
                Ok((data_of(fields), true))
            }
            Ok(_) => Ok((data_of(Map::new()), true)),
            Err(ClientError::Refused { refusal, .. }) if among(&refusal, &self.ok) || among(&refusal, &self.absent) => {
                let mut data = data_of(Map::new());
                data.insert("absent".to_owned(), among(&refusal, &self.absent).into());
                data.extend(refusal.data());
                Ok((data, false))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The data of a successful call.
fn data_of(response: Map) -> Map {
    let id = response.get("RequestId").cloned().unwrap_or_else(|| "".into());
    data! { "response" => response, "request_id" => id, "code" => "", "message" => "", "absent" => false }
}

/// A random string of 32 characters.
fn fresh_token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    machine::random(&mut bytes)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests;
