//! Creates, replaces, starts, stops and removes a container, such that a failure leaves the existing one.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use rplay_wire::{Failure, Map, Value, hex};
use serde_json::{Value as Json, json};

use super::{
    engine::{Engine, EngineError, encode},
    output::read_output,
    spec::Attachment,
};
use crate::{
    host::MAX_OUTPUT,
    system::captured::{Budget, Captured},
};

/// A container's name, and options for its handling.
#[derive(Clone)]
pub(crate) struct Lifecycle {
    pub engine: Engine,
    pub name: String,
    /// Seconds; `None` uses the container's own setting, 10 by default.
    pub stop_timeout: Option<u64>,
    /// Kill it with this signal (KILL if empty) instead of stopping it.
    pub kill: Option<String>,
    pub keep_volumes: bool,
    /// Timeout in seconds for a removal that the Engine has accepted.
    pub removal_timeout: f64,
    pub start: Start,
}

/// Options of a start.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// Seconds to wait for its health check, 0 for no limit; `None` does not wait.
    pub healthy: Option<f64>,
    /// Wait until it exits, and return its status.
    pub wait: bool,
    pub output: bool,
    pub cleanup: bool,
}

/// A container to be created.
#[derive(Clone)]
pub(crate) struct Creation {
    pub body: Json,
    pub platform: Option<String>,
    pub later_networks: Vec<Attachment>,
}

impl Lifecycle {
    /// The name of the former container until its successor runs.
    pub(crate) fn former(name: &str) -> String {
        format!("{name}.rplay-old")
    }

    /// The name of a new container until it replaces another.
    fn next(name: &str) -> String {
        format!("{name}.rplay-new")
    }

    /// Removes a container, and leftovers of an interrupted replacement.
    pub(crate) fn remove_for_good(&self, found: &Json) -> Result<(), EngineError> {
        self.stop_found(found)?;
        for name in [
            found.get("Id").and_then(Json::as_str).unwrap_or(&self.name),
            &Self::former(&self.name),
            &Self::next(&self.name),
        ] {
            self.remove(name)?;
        }
        Ok(())
    }

    fn act(&self, id: &str, what: &str) -> Result<(), EngineError> {
        self.engine.act(format!("/containers/{}/{what}", encode(id)))
    }

    /// Creates the container under its own or a temporary name; returns its ID.
    pub(crate) fn create(&self, name: &str, creation: &Creation, data: &mut Map) -> Result<String, EngineError> {
        let mut request = self.engine.request("POST", "/containers/create").query("name", name).body(&creation.body);
        if let Some(platform) = &creation.platform {
            request = request.query("platform", platform);
        }
        let response = request.json()?;
        let id = response.get("Id").and_then(Json::as_str).unwrap_or_default().to_owned();
        let warnings: Vec<_> =
            response.get("Warnings").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
        if !warnings.is_empty() {
            data.insert("warnings".to_owned(), warnings.into());
        }
        for network in &creation.later_networks {
            if let Err(error) = self.connect(&id, network) {
                // An incomplete container is worse than none.
                let _ = self.engine.request("DELETE", format!("/containers/{id}")).query("v", "true").json();
                return Err(error);
            }
        }
        Ok(id)
    }

    pub(crate) fn connect(&self, id: &str, to: &Attachment) -> Result<(), EngineError> {
        let body = json!({"Container": id, "EndpointConfig": to.endpoint});
        self.engine.post(format!("/networks/{}/connect", encode(&to.network)), &body).map(drop)
    }

    pub(crate) fn disconnect(&self, id: &str, network: &str) -> Result<(), EngineError> {
        let body = json!({"Container": id, "Force": true});
        self.engine.post(format!("/networks/{}/disconnect", encode(network)), &body).map(drop)
    }

    /// Replaces the container `old`. The new one is created first, under a temporary name; then the old one is stopped
    /// and renamed, and removed only once the new one runs (and is healthy, if requested). If anything fails, the old
    /// one is restored.
    pub(crate) fn replace(&self, old: &Json, creation: &Creation, run: bool, data: &mut Map) -> Result<(), Failure> {
        let text = |pointer: &str| old.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        let is = |pointer: &str| old.pointer(pointer).and_then(Json::as_bool) == Some(true);
        let (id, was_running) = (text("/Id"), is("/State/Running"));
        let former = Self::former(&self.name);
        let next = Self::next(&self.name);
        // Left over from a run that was killed.
        self.remove(&next)?;
        let mut creation = creation.clone();
        if self.keep_volumes {
            keep_nameless_volumes(old, &mut creation.body);
        }
        let new = self.create(&next, &creation, data)?;
        let settled = (|| -> Result<(), Failure> {
            self.stop_found(old)?;
            if is("/HostConfig/AutoRemove") && was_running {
                self.wait_until_gone(&id)?;
            } else if text("/Name").trim_start_matches('/') != former {
                self.remove(&former)?;
                self.rename(&id, &former)?;
            }
            self.rename(&new, &self.name)?;
            if run {
                self.act(&new, "start")?;
                self.await_health()?;
            }
            Ok(())
        })();
        if let Err(mut failure) = settled {
            let back = self
                .remove(&new)
                .and_then(|()| self.rename(&id, &self.name))
                .and_then(|()| if was_running { self.act(&id, "start") } else { Ok(()) });
            let then = match back {
                Ok(()) => "the former container was restored".to_owned(),
                Err(why) => format!("and the former container ({former}) could not be restored: {why}"),
            };
            failure.msg = format!("{}; {then}", failure.msg);
            return Err(failure);
        }
        self.remove(&id)?;
        if run { self.await_end(&new, data) } else { Ok(()) }
    }

    /// Renames; does nothing if the container already has that name or is gone.
    fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let request = self.engine.request("POST", format!("/containers/{}/rename", encode(id)));
        match request.query("name", name).json() {
            Err(EngineError::Refused { message, .. }) if message.contains("same name as its current") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Restores the name of a container that an interrupted run had renamed.
    pub(crate) fn take_back(&self, id: &str) -> Result<(), EngineError> {
        self.rename(id, &self.name)
    }

    pub(crate) fn start(&self, id: &str, data: &mut Map) -> Result<(), Failure> {
        self.act(id, "start")?;
        self.await_end(id, data)
    }

    pub(crate) fn restart(&self, id: &str) -> Result<(), EngineError> {
        let mut request = self.engine.request("POST", format!("/containers/{}/restart", encode(id)));
        if let Some(seconds) = self.stop_timeout {
            request = request.query("t", seconds.to_string());
        }
        request.patience(self.stop_timeout.unwrap_or(10)).json().map(drop)
    }

    pub(crate) fn pause(&self, id: &str, on: bool) -> Result<(), EngineError> {
        self.act(id, if on { "pause" } else { "unpause" })
    }

    /// Stops a running container; unpauses a paused one, since it could not be stopped.
    pub(crate) fn stop_found(&self, found: &Json) -> Result<(), EngineError> {
        let is = |pointer: &str| found.pointer(pointer).and_then(Json::as_bool) == Some(true);
        let id = found.get("Id").and_then(Json::as_str).unwrap_or(&self.name);
        if is("/State/Paused") {
            self.pause(id, false)?;
        }
        if is("/State/Running") { self.stop(id) } else { Ok(()) }
    }

    /// Stops the container, or kills it if requested.
    pub(crate) fn stop(&self, id: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{}", encode(id));
        let result = match &self.kill {
            Some(signal) => {
                let request = self.engine.request("POST", format!("{path}/kill"));
                let request = if signal.is_empty() { request } else { request.query("signal", signal) };
                request.json().and_then(|_| self.engine.request("POST", format!("{path}/wait")).patience(30).json())
            }
            None => {
                let mut request = self.engine.request("POST", format!("{path}/stop"));
                if let Some(seconds) = self.stop_timeout {
                    request = request.query("t", seconds.to_string());
                }
                request.patience(self.stop_timeout.unwrap_or(10)).json()
            }
        };
        match result {
            // It exited, or was removed, in the meantime.
            Err(error) if error.is_missing() || (self.kill.is_some() && error.is_conflict()) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Removes a container by name or ID; does nothing if it does not exist.
    pub(crate) fn remove(&self, id: &str) -> Result<(), EngineError> {
        let request = self.engine.request("DELETE", format!("/containers/{}", encode(id)));
        match request.query("force", "true").query("v", (!self.keep_volumes).to_string()).patience(30).json() {
            Err(error) if error.is_missing() => Ok(()),
            // "removal is already in progress"
            Err(error) if error.is_conflict() => self.wait_until_gone(id),
            other => other.map(drop),
        }
    }

    fn wait_until_gone(&self, id: &str) -> Result<(), EngineError> {
        let begun = Instant::now();
        while self.inspect(id)?.is_some() {
            if begun.elapsed().as_secs_f64() > self.removal_timeout {
                let message = format!("container {} is still being removed", self.name);
                return Err(EngineError::Refused { status: 409, message });
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    pub(crate) fn inspect(&self, id: &str) -> Result<Option<Json>, EngineError> {
        self.engine.find(format!("/containers/{}/json", encode(id)))
    }

    /// With `detach: no`: waits until it exits, and returns status and output.
    fn await_end(&self, id: &str, data: &mut Map) -> Result<(), Failure> {
        if !self.start.wait {
            return Ok(());
        }
        let request = self.engine.request("POST", format!("/containers/{}/wait", encode(id))).patiently();
        let status = request.json()?.get("StatusCode").and_then(Json::as_i64).unwrap_or_default();
        let mut container = self.inspect(id)?.unwrap_or_default();
        let mut output = String::new();
        if self.start.output {
            let driver = container.pointer("/HostConfig/LogConfig/Type").and_then(Json::as_str).unwrap_or_default();
            output = match driver {
                "json-file" | "journald" | "local" => self.output(id, &container)?,
                driver => format!("Result logged using `{driver}` driver"),
            };
        }
        if self.start.cleanup {
            self.remove(id)?;
        }
        container["Output"] = json!(output);
        data.insert("container".to_owned(), container.into());
        data.insert("status".to_owned(), status.into());
        if status != 0 {
            let said = output.trim_end();
            let msg = match said {
                "" => format!("container {} exited with status {status}", self.name),
                said => format!("container {} exited with status {status}: {said}", self.name),
            };
            return Err(Failure::new(msg));
        }
        Ok(())
    }

    fn output(&self, id: &str, container: &Json) -> Result<String, Failure> {
        let request = self.engine.request("GET", format!("/containers/{}/logs", encode(id)));
        let response = request.query("stdout", "true").query("stderr", "true").patiently().send()?;
        let has_terminal = container.pointer("/Config/Tty").and_then(Json::as_bool) == Some(true);
        let mut budget = Budget::new(MAX_OUTPUT);
        let mut output = Captured::default();
        read_output(response.reader(), !has_terminal, |_, text| {
            output.add(text, &mut budget);
            !budget.is_endless()
        })?;
        Ok(output.text())
    }

    /// Waits until the health check succeeds, if requested.
    pub(crate) fn await_health(&self) -> Result<(), Failure> {
        let Some(limit) = self.start.healthy else { return Ok(()) };
        let begun = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            let Some(container) = self.inspect(&self.name)? else {
                return Err(Failure::new(format!("container {} was removed before it was healthy", self.name)));
            };
            let text = |pointer: &str| container.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
            let status = text("/State/Health/Status");
            if status == "healthy" {
                return Ok(());
            }
            let msg = match status.as_str() {
                "" | "none" => {
                    return Err(Failure::new(format!("container {} has no health check to wait for", self.name))
                        .arg("state")
                        .help("add a `healthcheck`, or use `state: started`"));
                }
                _ if text("/State/Status") == "exited" => {
                    let code = container.pointer("/State/ExitCode").and_then(Json::as_i64).unwrap_or_default();
                    return Err(Failure::new(format!(
                        "container {} exited with status {code} before it was healthy",
                        self.name
                    )));
                }
                status => format!("container {} is {status} after {:.0} s", self.name, begun.elapsed().as_secs_f64()),
            };
            if limit > 0.0 && begun.elapsed().as_secs_f64() >= limit {
                let last = container.pointer("/State/Health/Log").and_then(Json::as_array).and_then(|log| log.last());
                let last = last.and_then(|last| last.get("Output")?.as_str()).unwrap_or_default().trim().to_owned();
                let mut data = Map::new();
                data.insert("health_output".to_owned(), Value::from(last));
                return Err(Failure::new(msg).arg("healthy_wait_timeout").data(data));
            }
            sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

/// Passes anonymous volumes to the successor, as Compose does: a database whose image declares a volume that the
/// playbook does not name must not lose its data.
fn keep_nameless_volumes(old: &Json, body: &mut Json) {
    let strings = |value: Option<&Json>| -> Vec<String> {
        value
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(|item| Some(item.as_str()?.to_owned()))
            .collect()
    };
    let mut binds = strings(body.pointer("/HostConfig/Binds"));
    let mounts = body.pointer("/HostConfig/Mounts").and_then(Json::as_array).into_iter().flatten();
    let mut taken: Vec<String> = mounts.filter_map(|mount| Some(mount.get("Target")?.as_str()?.to_owned())).collect();
    taken.extend(binds.iter().filter_map(|bind| Some(bind.split(':').nth(1)?.to_owned())));
    let tmpfs = body.pointer("/HostConfig/Tmpfs").and_then(Json::as_object).into_iter().flatten();
    taken.extend(tmpfs.map(|(path, _)| path.clone()));
    for mount in old.get("Mounts").and_then(Json::as_array).into_iter().flatten() {
        let text = |key: &str| mount.get(key).and_then(Json::as_str).unwrap_or_default();
        let (name, target) = (text("Name"), text("Destination"));
        let nameless = text("Type") == "volume" && hex::is_sha256(name);
        if nameless && !taken.iter().any(|path| path == target) {
            binds.push(format!("{name}:{target}:rw"));
        }
    }
    if !binds.is_empty() {
        body["HostConfig"]["Binds"] = json!(binds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_gets_the_volumes_that_have_no_name() {
        let id = "a".repeat(64);
        let old = json!({"Mounts": [
            {"Type": "volume", "Name": id, "Destination": "/var/lib/mysql"},
            {"Type": "volume", "Name": id, "Destination": "/now-named"},
            {"Type": "volume", "Name": "named", "Destination": "/no-longer-wanted"},
            {"Type": "bind", "Source": "/etc", "Destination": "/etc"},
        ]});
        let mut body = json!({"HostConfig": {"Binds": ["data:/now-named:rw"]}});
        keep_nameless_volumes(&old, &mut body);
        assert_eq!(body["HostConfig"]["Binds"], json!(["data:/now-named:rw", format!("{id}:/var/lib/mysql:rw")]));
    }
}
