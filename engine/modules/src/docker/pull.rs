//! Local images, and pulling from a registry.

use rplay_wire::Failure;
use serde_json::Value as Json;

use super::{
    credentials::registry_auth,
    engine::{Engine, EngineError, encode},
    image_name::ImageName,
};
use crate::Host;

/// An image in the Engine's store.
#[derive(Clone, Debug)]
pub(super) struct LocalImage {
    pub id: String,
    /// The output of `docker image inspect`.
    pub inspect: Json,
}

impl LocalImage {
    /// The image with that name or ID.
    pub(super) fn find(engine: &Engine, name: &str) -> Result<Option<LocalImage>, EngineError> {
        let found = engine.find(format!("/images/{}/json", encode(name)))?;
        Ok(found.map(|inspect| LocalImage {
            id: inspect.get("Id").and_then(Json::as_str).unwrap_or_default().to_owned(),
            inspect,
        }))
    }

    /// Whether the registry's image of that name has this digest. Only queries the registry for the digest, so nothing
    /// changes on the host.
    pub(super) fn is_current(&self, engine: &Engine, host: &Host, name: &ImageName) -> Result<bool, Failure> {
        let mut request = engine.request("GET", format!("/distribution/{}/json", encode(&name.to_string())));
        if let Some(auth) = registry_auth(host, name)? {
            request = request.header("x-registry-auth", auth);
        }
        let response = request.json().map_err(|error| explain(error, name))?;
        let Some(digest) = response.pointer("/Descriptor/digest").and_then(Json::as_str) else { return Ok(false) };
        let known = self.inspect.get("RepoDigests").and_then(Json::as_array);
        Ok(known
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .any(|known| known.split_once('@').is_some_and(|(_, known)| known == digest)))
    }
}

/// Pulls an image; returns the progress messages that are results, not percentages.
pub(super) fn pull(
    engine: &Engine,
    host: &Host,
    name: &ImageName,
    platform: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let mut request = engine
        .request("POST", "/images/create")
        .query("fromImage", &name.repository)
        .query("tag", &name.tag)
        .patiently();
    if let Some(platform) = platform {
        request = request.query("platform", platform);
    }
    if let Some(auth) = registry_auth(host, name)? {
        request = request.header("x-registry-auth", auth);
    }
    let mut said = Vec::new();
    let result = request.send().and_then(|response| {
        response.progress(|message| {
            let status = message.get("status").and_then(Json::as_str).unwrap_or_default();
            // Messages of layers have an `id`.
            if message.get("id").is_none() {
                said.push(status.to_owned());
            }
        })
    });
    result.map_err(|error| explain(error, name)).map(|()| said)
}

/// Pushes an image.
pub(super) fn push(engine: &Engine, host: &Host, name: &ImageName) -> Result<(), Failure> {
    // The Engine requires this header even without credentials.
    let auth = registry_auth(host, name)?.unwrap_or_else(|| "e30=".to_owned());
    engine
        .request("POST", format!("/images/{}/push", encode(&name.repository)))
        .query("tag", &name.tag)
        .header("x-registry-auth", auth)
        .patiently()
        .send()
        .and_then(|response| response.progress(|_| {}))
        .map_err(|error| explain(error, name))
}

/// A registry's error, with advice.
fn explain(error: EngineError, name: &ImageName) -> Failure {
    let EngineError::Refused { message, .. } = &error else { return error.into() };
    let registry = name.registry.as_deref().unwrap_or("docker.io");
    let failure = Failure::new(format!("{name}: {message}"));
    let login = ["no basic auth", "unauthorized", "denied", "authentication required"];
    if login.iter().any(|word| message.contains(word)) {
        failure.help(format!("log in to {registry} with docker_login first, as the same user, or check the name"))
    } else {
        failure
    }
}
