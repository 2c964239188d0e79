//! What changes a network: the requests that create and remove it, and those that connect containers to it.

use std::time::Duration;

use rplay_wire::{Failure, Map, Value};
use serde_json::{Value as Json, json};

use super::{
    endpoint::endpoint,
    engine::{Engine, EngineError, encode},
};

/// The network with exactly that name or ID; the Engine also accepts the prefix of an ID.
pub(super) fn find(engine: &Engine, name: &str) -> Result<Option<Json>, EngineError> {
    let found = engine.find(format!("/networks/{}", encode(name)))?;
    Ok(found.filter(|found| ["Name", "Id"].iter().any(|key| found.get(*key).and_then(Json::as_str) == Some(name))))
}

/// The IDs of the running containers in it.
pub(super) fn members(network: &Json) -> Vec<String> {
    network.get("Containers").and_then(Json::as_object).into_iter().flatten().map(|(id, _)| id.clone()).collect()
}

/// The ID of a network.
fn id(network: &Json) -> String {
    network.get("Id").and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// Number of attempts to remove a network, and the pause between them: the Engine releases the endpoints of removed
/// containers asynchronously.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// Removes a network, including its connections.
pub(super) fn remove_with_members(engine: &Engine, name: &str) -> Result<(), EngineError> {
    let mut attempts = 1;
    loop {
        let Some(found) = find(engine, name)? else { return Ok(()) };
        for id in members(&found) {
            disconnect(engine, &found, &id)?;
        }
        match remove(engine, &found) {
            Err(error) if attempts < ATTEMPTS && error.to_string().contains("active endpoints") => {
                attempts += 1;
                std::thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

/// Disconnects a container from a network.
pub(super) fn disconnect(engine: &Engine, network: &Json, container: &str) -> Result<(), EngineError> {
    let leave = |who: &str| {
        let body = json!({"Container": who, "Force": true});
        engine.post(format!("/networks/{}/disconnect", encode(&id(network))), &body)
    };
    let missing = match leave(container) {
        Err(error) if error.is_missing() => true,
        result => return result.map(drop),
    };
    // An endpoint that outlived its container (the Engine was killed, the host rebooted) is identified by its name.
    let name = network.pointer("/Containers").and_then(|all| all.get(container)?.get("Name")?.as_str());
    match name.filter(|_| missing).map(leave) {
        Some(Err(error)) if !error.is_missing() => Err(error),
        _ => Ok(()),
    }
}

/// Connects a container to a network.
pub(super) fn connect(engine: &Engine, network: &str, container: &str, endpoint: Json) -> Result<(), EngineError> {
    let body = json!({"Container": container, "EndpointConfig": endpoint});
    engine.post(format!("/networks/{}/connect", encode(network)), &body).map(drop)
}

/// Removes a network without containers.
fn remove(engine: &Engine, network: &Json) -> Result<(), EngineError> {
    engine.request("DELETE", format!("/networks/{}", encode(&id(network)))).json().map(drop)
}

/// Creates a network; the Engine's warning goes to the result.
pub(super) fn create(engine: &Engine, body: &Json, data: &mut Map) -> Result<(), Failure> {
    let response = engine.post("/networks/create", body)?;
    if let Some(warning) = response.get("Warning").and_then(Json::as_str).filter(|warning| !warning.is_empty()) {
        data.insert("warnings".to_owned(), Value::List(vec![warning.into()]));
    }
    Ok(())
}

/// Recreates the network and reconnects its containers with their aliases, and with their fixed addresses if the ranges
/// still contain them. If the new network cannot be created, the old one is restored.
pub(super) fn recreate(engine: &Engine, old: &Json, body: &Json, data: &mut Map) -> Result<(), Failure> {
    let name = old.get("Name").and_then(Json::as_str).unwrap_or_default();
    let mut inside = Vec::new();
    for container in members(old) {
        let inspect = engine.get(format!("/containers/{}/json", encode(&container)))?;
        let settings = inspect.pointer("/NetworkSettings/Networks").and_then(|all| all.get(name));
        let endpoint = endpoint(settings.unwrap_or(&Json::Null), &container);
        inside.push((container, endpoint));
    }
    for (container, _) in &inside {
        disconnect(engine, old, container)?;
    }
    remove(engine, old)?;
    let made = create(engine, body, data);
    if made.is_err() {
        let mut back = old.clone();
        if let Some(map) = back.as_object_mut() {
            let keep = ["Name", "Driver", "IPAM", "EnableIPv6", "Internal", "Attachable", "Options", "Labels"];
            map.retain(|key, _| keep.contains(&key.as_str()));
        }
        engine.post("/networks/create", &back)?;
    }
    for (container, endpoint) in inside {
        let mut anywhere = endpoint.clone();
        anywhere["IPAMConfig"] = Json::Null;
        connect(engine, name, &container, endpoint).or_else(|_| connect(engine, name, &container, anywhere))?;
    }
    made
}
