//! `tencentcloud_api`: one call of Tencent Cloud's API.

use std::time::Duration;

use rplay_tencent::{Account, Client, ClientError, Endpoint, Refusal, Request, version_of};
use rplay_wire::{Failure, Map, Value, data, hex};
use serde_json::Value as Json;

use crate::system::machine;
use crate::{
    ArgFault, Change, Host, Module, Plan, args,
    argtypes::{Flag, Secret, Text},
};

args! {
    /// Calls Tencent Cloud's API 3.0, signed. What passes by itself (too many requests at once, an internal
    /// error, a resource that something else works on, a fault of the network) is tried again with the same
    /// body; every other error ends the task with its code, its message and the request's id. What the API
    /// answers is in `response`.
    pub struct TencentcloudApi {
        /// The service: `vpc`, `cvm`, `clb` ...
        service: Text,
        /// The action, as in `DescribeInstances`.
        action: Text,
        /// The version of the service's API; known for vpc, cvm and clb.
        version: Option<Text>,
        /// The region, for actions that belong to one.
        region: Option<Text>,
        /// The action's parameters.
        payload: Map = Map::new(),
        /// The id of the key to sign with.
        secret_id: Secret,
        /// The key.
        secret_key: Secret,
        /// The token that comes with a temporary key.
        token: Option<Secret>,
        /// Another address than https://SERVICE.tencentcloudapi.com/; the word `SERVICE` in it is replaced.
        endpoint: Option<Text>,
        /// Whether the call changes something. It then makes the task changed, and is not sent in check mode.
        changes: Flag = Flag(false),
        /// The action takes `DryRun`: in check mode it is sent with it, so that its errors show.
        dry_run: Flag = Flag(false),
        /// The action takes `ClientToken`: one is made, and is the same in each try.
        client_token: Flag = Flag(false),
        /// Error codes that are no failure, for whoever looks at `code` afterwards. `ResourceNotFound` stands
        /// for `ResourceNotFound.VpcId` too.
        ok_codes: Vec<Text> = Vec::new(),
        /// Error codes that say that what is to be removed is gone; also in `absent`.
        absent_codes: Vec<Text> = Vec::new(),
        /// How often the call is tried again.
        retries: u64 = 6,
        /// Seconds before it is tried again; twice as long each time.
        backoff: f64 = 1.0,
        /// Seconds to wait for the connection, for the answer, for its next piece.
        timeout: u64 = 30,
    }
}

impl Module for TencentcloudApi {
    fn check(&self) -> Result<(), ArgFault> {
        for (name, text) in [("service", &self.service), ("action", &self.action)] {
            if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err(ArgFault::new(name, "must be made of letters and digits"));
            }
        }
        if self.version.is_none() && version_of(&self.service).is_none() {
            let fault = ArgFault::new("version", format!("`version` is needed for `{}`", self.service));
            return Err(fault.help("it is a date, and stands in the service's documentation"));
        }
        for (name, secret, variable) in [
            ("secret_id", &self.secret_id, "TENCENTCLOUD_SECRET_ID"),
            ("secret_key", &self.secret_key, "TENCENTCLOUD_SECRET_KEY"),
        ] {
            if secret.0.trim().is_empty() {
                let fault = ArgFault::new(name, format!("`{name}` is empty: there is no key to sign with"));
                return Err(fault.help(format!("the roles take it from {variable} in the environment")));
            }
        }
        if !self.secret_id.0.chars().all(|c| c.is_ascii_graphic() && c != '/' && c != ',') {
            return Err(ArgFault::new("secret_id", "`secret_id` has characters that no key's id has"));
        }
        if !(0.0..=3600.0).contains(&self.backoff) {
            return Err(ArgFault::new("backoff", "must be from 0 to 3600 seconds"));
        }
        if (self.dry_run.0 || self.client_token.0) && !self.changes.0 {
            let name = if self.dry_run.0 { "dry_run" } else { "client_token" };
            return Err(ArgFault::new(name, "is for calls that change something").help("add `changes: true`"));
        }
        Endpoint(self.endpoint.clone()).check().map_err(|msg| ArgFault::new("endpoint", msg))
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
            let answer = match client.call(host, &trial) {
                // How some actions say that all is well.
                Err(ClientError::Refused { refusal, .. }) if refusal.is("DryRunOperation") => Ok(Json::Null),
                other => other,
            };
            plan.data = tolerated.sort(answer)?.0;
            plan = plan.set("dry_run", true);
        } else if host.check {
            plan.data = answered(Map::new());
        }
        Ok(plan.change(Change::maybe(what, move |host, data| {
            let (answer, changed) = tolerated.sort(client.call(host, &request))?;
            data.extend(answer);
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
            let token = fresh_token().map_err(|error| Failure::new(format!("no random number: {error}")))?;
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

/// Errors that are none here.
struct Tolerated {
    ok: Vec<String>,
    absent: Vec<String>,
}

impl Tolerated {
    /// The task's data, and whether the call did anything.
    fn sort(&self, answer: Result<Json, ClientError>) -> Result<(Map, bool), Failure> {
        let among = |refusal: &Refusal, codes: &[String]| codes.iter().any(|code| refusal.is(code));
        match answer {
            Ok(Json::Object(response)) => {
                let response = response.into_iter().map(|(name, value)| (name, value.into())).collect();
                Ok((answered(response), true))
            }
            Ok(_) => Ok((answered(Map::new()), true)),
            Err(ClientError::Refused { refusal, .. }) if among(&refusal, &self.ok) || among(&refusal, &self.absent) => {
                let mut data = answered(Map::new());
                data.insert("absent".to_owned(), among(&refusal, &self.absent).into());
                data.extend(refusal.data());
                Ok((data, false))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The data of a call without an error.
fn answered(response: Map) -> Map {
    let id = response.get("RequestId").cloned().unwrap_or_else(|| "".into());
    data! { "response" => response, "request_id" => id, "code" => "", "message" => "", "absent" => false }
}

/// 32 characters that nobody used before.
fn fresh_token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    machine::random(&mut bytes)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests;
