//! The changes to a container that is kept: steps, as data.

use rplay_wire::{Failure, Map};
use serde_json::{Value as Json, json};

use super::{
    comparisons::Comparisons,
    container_args::{DockerContainer, State},
    difference::covers,
    lifecycle::Lifecycle,
    spec::{Attachment, Spec, comparison::Comparison},
};

/// One change to a container.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Restore the name that an interrupted replacement changed.
    TakeBack,
    /// Change its limits or its restart policy; the body of an update request.
    Update(Json),
    Join(Attachment),
    Rejoin(Attachment),
    Leave(String),
    Start,
    Restart,
    Stop,
    Pause,
    Unpause,
}

impl Step {
    /// Applies the step to the container with that ID.
    pub(crate) fn take(self, lifecycle: &Lifecycle, id: &str, data: &mut Map) -> Result<(), Failure> {
        match self {
            Step::TakeBack => lifecycle.take_back(id)?,
            Step::Update(body) => {
                lifecycle.engine.post(format!("/containers/{id}/update"), &body)?;
            }
            Step::Join(network) => lifecycle.connect(id, &network)?,
            Step::Rejoin(network) => {
                lifecycle.disconnect(id, &network.network)?;
                lifecycle.connect(id, &network)?;
            }
            Step::Leave(network) => lifecycle.disconnect(id, &network)?,
            Step::Start => lifecycle.start(id, data)?,
            Step::Restart => lifecycle.restart(id)?,
            Step::Stop => lifecycle.stop(id)?,
            Step::Pause => lifecycle.pause(id, true)?,
            Step::Unpause => lifecycle.pause(id, false)?,
        }
        Ok(())
    }
}

impl DockerContainer {
    /// The steps that bring a container that need not be replaced to the desired state, each with a description.
    pub(crate) fn steps(
        &self,
        found: &Json,
        spec: &Spec,
        comparison: &Comparison,
        rules: &Comparisons,
    ) -> Vec<(String, Step)> {
        let name = &self.name;
        let is = |pointer: &str| found.pointer(pointer).and_then(Json::as_bool) == Some(true);
        let mut steps = Vec::new();
        let called = found.get("Name").and_then(Json::as_str).unwrap_or_default();
        if called.trim_start_matches('/') != name {
            steps.push((format!("restore container {name}"), Step::TakeBack));
        }
        if let Some(update) = update(comparison, spec, found) {
            let args: Vec<_> = comparison.updates.iter().map(|(_, arg, _)| *arg).collect();
            steps.push((format!("update container {name}: {} changed", args.join(", ")), Step::Update(update)));
        }
        if !rules.ignores("networks") {
            self.network_steps(found, spec, rules, &mut steps);
        }
        let (runs, running, paused) = (self.runs(), is("/State/Running"), is("/State/Paused"));
        match self.state {
            State::Stopped if running => {
                if paused {
                    steps.push((format!("unpause container {name}"), Step::Unpause));
                }
                steps.push((format!("stop container {name}"), Step::Stop));
            }
            _ if runs && !running => {
                steps.push((format!("start container {name}"), Step::Start));
                steps.extend(self.pause_step(true, false));
            }
            _ if runs && self.restart.0 => {
                steps.push((format!("restart container {name}"), Step::Restart));
                steps.extend(self.pause_step(true, false));
            }
            _ => steps.extend(self.pause_step(running, paused)),
        }
        steps
    }

    /// Whether it should run.
    pub(crate) fn runs(&self) -> bool {
        matches!(self.state, State::Started | State::Healthy)
    }

    /// Pauses or unpauses it, if requested.
    pub(crate) fn pause_step(&self, running: bool, paused: bool) -> Option<(String, Step)> {
        let wanted = self.paused.map(|flag| flag.0).filter(|wanted| running && *wanted != paused)?;
        let (verb, step) = if wanted { ("pause", Step::Pause) } else { ("unpause", Step::Unpause) };
        Some((format!("{verb} container {}", self.name), step))
    }

    /// Connects and disconnects networks, which is possible while a container runs.
    fn network_steps(&self, found: &Json, spec: &Spec, rules: &Comparisons, steps: &mut Vec<(String, Step)>) {
        let name = &self.name;
        let there = found.pointer("/NetworkSettings/Networks").and_then(Json::as_object);
        let there = || there.into_iter().flatten();
        for wanted in &spec.networks {
            let network = &wanted.network;
            let is_it = |(name, settings): &(&String, &Json)| {
                *name == network || settings.get("NetworkID").and_then(Json::as_str) == Some(network)
            };
            match there().find(is_it) {
                None => {
                    let what = format!("connect container {name} to network {network}");
                    steps.push((what, Step::Join(wanted.clone())));
                }
                Some((_, settings)) if !endpoint_covers(settings, &wanted.endpoint) => {
                    let what = format!("reconnect container {name} to network {network}");
                    steps.push((what, Step::Rejoin(wanted.clone())));
                }
                Some(_) => {}
            }
        }
        if self.networks.is_some() && (self.purge_networks.0 || rules.is_strict("networks")) {
            let wanted = |name: &String| spec.networks.iter().any(|attachment| attachment.network == *name);
            for (network, _) in there().filter(|(network, _)| !wanted(network)) {
                let what = format!("disconnect container {name} from network {network}");
                steps.push((what, Step::Leave(network.clone())));
            }
        }
    }
}

/// The body of an update request.
fn update(comparison: &Comparison, spec: &Spec, found: &Json) -> Option<Json> {
    if comparison.updates.is_empty() {
        return None;
    }
    let mut body = json!({});
    for (key, _, value) in &comparison.updates {
        body[*key] = value.clone();
    }
    let there = |key: &str| found.pointer(&format!("/HostConfig/{key}"));
    // Swap may not be less than memory. If it was the Engine's default, twice the memory, it stays so.
    if let Some(memory) = body.get("Memory").and_then(Json::as_i64) {
        let number = |key: &str| there(key).and_then(Json::as_i64).unwrap_or(0);
        let (former, swap) = (number("Memory"), number("MemorySwap"));
        let own_choice = swap == 2 * former || (swap >= 0 && swap < memory);
        match spec.get("MemorySwap") {
            Some(wanted) => body["MemorySwap"] = wanted.clone(),
            None if own_choice && memory > 0 => body["MemorySwap"] = json!(memory * 2),
            None => {}
        }
    }
    // The Engine requires a complete policy.
    if let Some(policy) = body.get_mut("RestartPolicy").and_then(Json::as_object_mut)
        && !policy.contains_key("MaximumRetryCount")
    {
        let same = there("RestartPolicy").filter(|there| there.get("Name") == policy.get("Name"));
        let retries = same.and_then(|there| there.get("MaximumRetryCount")).cloned().unwrap_or(json!(0));
        policy.insert("MaximumRetryCount".to_owned(), retries);
    }
    Some(body)
}

/// Whether an endpoint has the desired settings; the Engine adds aliases of its own.
fn endpoint_covers(there: &Json, wanted: &Json) -> bool {
    let Some(wanted) = wanted.as_object() else { return true };
    wanted.iter().all(|(key, value)| {
        let there = there.get(key).unwrap_or(&Json::Null);
        match (key.as_str(), value.as_array()) {
            ("Aliases" | "Links", Some(wanted)) => {
                let there = there.as_array().cloned().unwrap_or_default();
                wanted.iter().all(|alias| there.contains(alias))
            }
            _ => covers(there, value),
        }
    })
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Value, data};

    use super::*;
    use crate::Args;

    fn steps(more: Map, found: Json) -> Vec<String> {
        let mut map = data! { "name" => "a", "image" => "b" };
        map.extend(more);
        let args = DockerContainer::from_map(&map).unwrap();
        let (spec, rules) = (args.spec("b", &[], &str::to_owned).unwrap(), args.rules().unwrap());
        let comparison = Comparison { replace: Vec::new(), updates: Vec::new() };
        args.steps(&found, &spec, &comparison, &rules).into_iter().map(|(what, _)| what).collect()
    }

    fn found(running: bool, paused: bool, networks: Json) -> Json {
        json!({"Name": "/a", "State": {"Running": running, "Paused": paused}, "NetworkSettings": {"Networks": networks}})
    }

    #[test]
    fn a_container_that_is_as_wanted_needs_no_step() {
        assert!(steps(data! {}, found(true, false, json!({}))).is_empty());
        assert!(steps(data! { "state" => "present" }, found(false, false, json!({}))).is_empty());
        assert!(steps(data! { "state" => "stopped" }, found(false, false, json!({}))).is_empty());
        assert!(steps(data! { "paused" => true }, found(true, true, json!({}))).is_empty());
    }

    #[test]
    fn states_are_reached_in_order() {
        assert_eq!(steps(data! {}, found(false, false, json!({}))), ["start container a"]);
        assert_eq!(steps(data! { "restart" => true }, found(true, false, json!({}))), ["restart container a"]);
        assert_eq!(steps(data! { "restart" => true }, found(false, false, json!({}))), ["start container a"]);
        let frozen = found(true, true, json!({}));
        assert_eq!(steps(data! { "state" => "stopped" }, frozen), ["unpause container a", "stop container a"]);
        let aside = json!({"Name": "/a.rplay-old", "State": {"Running": false}});
        assert_eq!(steps(data! {}, aside), ["restore container a", "start container a"]);
    }

    #[test]
    fn networks_are_joined_and_left_only_when_asked_for() {
        let networks = |list: Vec<Map>| data! { "networks" => list.into_iter().map(Value::from).collect::<Vec<_>>() };
        let there = || found(true, false, json!({"n1": {"Aliases": ["x"]}, "n2": {"NetworkID": "id2"}}));
        let known = vec![data! { "name" => "n1" }, data! { "name" => "id2" }];
        assert!(steps(networks(known), there()).is_empty());
        let other = vec![data! { "name" => "n1", "aliases" => vec!["y"] }, data! { "name" => "n3" }];
        let mut args = networks(other);
        assert_eq!(
            steps(args.clone(), there()),
            ["reconnect container a to network n1", "connect container a to network n3"]
        );
        args.insert("comparisons".into(), data! { "networks" => "strict" }.into());
        assert_eq!(steps(args.clone(), there()).last().unwrap(), "disconnect container a from network n2");
        args.insert("comparisons".into(), data! { "networks" => "ignore" }.into());
        assert!(steps(args, there()).is_empty());
    }

    #[test]
    fn an_endpoint_may_have_more_aliases_and_no_other_address() {
        let there = json!({"Aliases": ["a", "0123456789ab"], "IPAMConfig": {"IPv4Address": "10.5.0.3"}, "Links": null});
        assert!(endpoint_covers(&there, &json!({})));
        assert!(endpoint_covers(&there, &json!({"Aliases": ["a"], "IPAMConfig": {"IPv4Address": "10.5.0.3"}})));
        assert!(!endpoint_covers(&there, &json!({"Aliases": ["b"]})));
        assert!(!endpoint_covers(&there, &json!({"IPAMConfig": {"IPv4Address": "10.5.0.4"}})));
        assert!(endpoint_covers(&json!({"IPAMConfig": null}), &json!({})));
    }
}
