//! docker_network: networks of containers.

use rplay_wire::Failure;
use serde_json::{Value as Json, json};

use super::{
    difference::{Difference, covers, is_empty, map_differences, reasons},
    engine::{Engine, EngineArgs, encode},
    nested::Nested,
    network_steps::{connect, create, disconnect, find, members, recreate, remove_with_members},
    units::{Options, Texts},
};
use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{Flag, PresentAbsent as State, Text},
};

args! {
    /// An address range.
    pub struct IpamArgs {
        /// `10.5.0.0/16`.
        subnet: Option<Text>,
        /// The part of it for container addresses.
        iprange: Option<Text>,
        /// The address of the gateway.
        gateway: Option<Text>,
        /// Auxiliary addresses to exclude, by name.
        aux_addresses: Option<Texts>,
    }
}

args! {
    /// Creates, changes or removes a container network. Docker cannot change networks, so one that differs is replaced,
    /// and its containers are connected again. What is not given is neither compared nor changed.
    pub struct DockerNetwork {
        ..engine: EngineArgs,
        /// The name of the network.
        name: Text | "network_name",
        /// The driver; `bridge` for a new network.
        driver: Option<Text>,
        /// Options of the driver.
        driver_options: Option<Options>,
        /// The IPAM driver.
        ipam_driver: Option<Text>,
        /// Options of the IPAM driver.
        ipam_driver_options: Option<Options>,
        /// Address ranges.
        ipam_config: Option<Vec<Nested<IpamArgs>>>,
        /// Enable IPv6.
        enable_ipv6: Option<Flag>,
        /// Isolate the network from the outside.
        internal: Option<Flag>,
        /// Whether standalone containers may join a swarm network.
        attachable: Option<Flag>,
        /// `local`, `global` or `swarm`.
        scope: Option<Text>,
        /// Labels.
        labels: Option<Texts>,
        /// The containers in the network; others are disconnected, unless `appends`. Unchanged if not given.
        connected: Option<Vec<Text>> | "containers",
        /// Do not disconnect other containers.
        appends: Flag | "incremental" = Flag(false),
        /// Recreate the network even if it does not differ; with `absent`, disconnect its containers first (which is
        /// always done).
        force: Flag = Flag(false),
        /// `present` or `absent`.
        state: State = State::Present,
    }
}

impl Module for DockerNetwork {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let name = self.name.clone();
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            let what = format!("{} network {name}", if self.state == State::Present { "create" } else { "remove" });
            return Ok(super::without_engine(what));
        };
        let found = find(&engine, &name)?;
        let mut plan = Plan::unchanged();
        match (self.state, &found) {
            (State::Absent, None) => return Ok(plan),
            (State::Absent, Some(_)) => {
                let what = format!("remove network {name}");
                return Ok(plan.change(Change::new(what, move |_, _| Ok(remove_with_members(&engine, &name)?))));
            }
            (State::Present, None) => {
                let (engine, body) = (engine.clone(), self.body());
                plan = plan
                    .change(Change::new(format!("create network {name}"), move |_, data| create(&engine, &body, data)));
            }
            (State::Present, Some(found)) => {
                let differences = self.differences(found);
                if self.force.0 || !differences.is_empty() {
                    let why = match differences.is_empty() {
                        true => String::new(),
                        false => format!(": {}", reasons(&differences)),
                    };
                    let (engine, body, found) = (engine.clone(), self.successor(found), found.clone());
                    let what = format!("recreate network {name}{why}");
                    plan = plan.change(Change::new(what, move |_, data| recreate(&engine, &found, &body, data)));
                }
            }
        }
        self.plan_members(&engine, found.as_ref(), host, &mut plan)?;
        Ok(super::with_actions(plan).finish(move |_, data| {
            if let Some(network) = find(&engine, &name)? {
                data.insert("network".to_owned(), network.into());
            }
            Ok(())
        }))
    }
}

impl DockerNetwork {
    fn body(&self) -> Json {
        let mut ipam = json!({});
        if let Some(driver) = &self.ipam_driver {
            ipam["Driver"] = json!(driver);
        }
        if let Some(options) = &self.ipam_driver_options {
            ipam["Options"] = options.json();
        }
        if let Some(ranges) = &self.ipam_config {
            ipam["Config"] = ranges.iter().map(|range| range.json()).collect();
        }
        let mut body = json!({"Name": self.name, "CheckDuplicate": true, "IPAM": ipam});
        if let Some(driver) = &self.driver {
            body["Driver"] = json!(driver);
        }
        let flags = [("EnableIPv6", self.enable_ipv6), ("Internal", self.internal), ("Attachable", self.attachable)];
        for (key, flag) in flags {
            if let Some(Flag(on)) = flag {
                body[key] = json!(on);
            }
        }
        if let Some(scope) = &self.scope {
            body["Scope"] = json!(scope);
        }
        if let Some(options) = &self.driver_options {
            body["Options"] = options.json();
        }
        if let Some(labels) = &self.labels {
            body["Labels"] = Options(labels.0.clone()).json();
        }
        body
    }

    /// The body for a network that replaces `found`: what is not given is kept.
    fn successor(&self, found: &Json) -> Json {
        let mut body = self.body();
        keep(&mut body, found, &["Driver", "EnableIPv6", "Internal", "Attachable", "Scope", "Options", "Labels"]);
        // Addresses assigned by one driver do not fit another one.
        let same_driver = body.get("Driver") == found.get("Driver");
        let Some(ipam) = found.get("IPAM").filter(|_| same_driver) else { return body };
        keep(&mut body["IPAM"], ipam, &["Driver", "Options", "Config"]);
        body
    }

    /// Compares only what is given; the rest is chosen by Docker.
    fn differences(&self, found: &Json) -> Vec<Difference> {
        let wanted = self.body();
        let mut differences = Vec::new();
        let scalars = [
            ("Driver", "driver"),
            ("EnableIPv6", "enable_ipv6"),
            ("Internal", "internal"),
            ("Attachable", "attachable"),
            ("Scope", "scope"),
        ];
        for (key, arg) in scalars {
            if wanted.get(key).is_some_and(|wanted| found.get(key) != Some(wanted)) {
                differences.push(Difference::new(arg));
            }
        }
        if self.ipam_driver.as_ref().is_some_and(|driver| found.pointer("/IPAM/Driver") != Some(&json!(driver))) {
            differences.push(Difference::new("ipam_driver"));
        }
        if let Some(options) = &self.ipam_driver_options {
            differences.extend(map_differences("ipam_driver_options", &options.json(), found.pointer("/IPAM/Options")));
        }
        if let Some(ranges) = &self.ipam_config {
            let there: Vec<_> = found.pointer("/IPAM/Config").and_then(Json::as_array).into_iter().flatten().collect();
            let matched = |range: &Json| there.iter().any(|there| covers(there, range));
            if !ranges.iter().all(|range| matched(&range.json())) || ranges.len() != there.len() {
                differences.push(Difference::new("ipam_config"));
            }
        }
        for (key, arg) in [("Options", "driver_options"), ("Labels", "labels")] {
            let wanted = wanted.get(key).unwrap_or(&Json::Null);
            differences.extend(map_differences(arg, wanted, found.get(key)));
        }
        differences
    }

    /// Which containers to connect and disconnect.
    fn plan_members(&self, engine: &Engine, found: Option<&Json>, host: &Host, plan: &mut Plan) -> Result<(), Failure> {
        let Some(wanted) = &self.connected else { return Ok(()) };
        let inside = found.map(members).unwrap_or_default();
        let mut staying = Vec::new();
        for container in wanted {
            let id = match engine.find(format!("/containers/{}/json", encode(container)))? {
                Some(inspect) => {
                    let named = inspect.pointer("/NetworkSettings/Networks").and_then(|all| all.get(&self.name));
                    let id = inspect.get("Id").and_then(Json::as_str).unwrap_or_default().to_owned();
                    staying.push(id.clone());
                    // A stopped container is in the network, but not in the network's own list.
                    if named.is_some() && found.is_some() {
                        continue;
                    }
                    id
                }
                None => {
                    plan.assume(host, format!("the container {container}"), || {
                        Failure::new(format!("container {container} does not exist")).arg("connected")
                    })?;
                    container.clone()
                }
            };
            let (engine, name) = (engine.clone(), self.name.clone());
            let what = format!("connect container {container} to network {name}");
            plan.changes.push(Change::new(what, move |_, _| Ok(connect(&engine, &name, &id, json!({}))?)));
        }
        if self.appends.0 {
            return Ok(());
        }
        for id in inside.into_iter().filter(|id| !staying.contains(id)) {
            let (engine, name) = (engine.clone(), self.name.clone());
            let who = found.and_then(|found| found.pointer(&format!("/Containers/{id}/Name"))).and_then(Json::as_str);
            let what = format!("disconnect container {} from network {name}", who.unwrap_or(&id));
            plan.changes.push(Change::new(what, move |_, _| Ok(disconnect(&engine, &json!({"Id": name}), &id)?)));
        }
        Ok(())
    }
}

impl IpamArgs {
    fn json(&self) -> Json {
        let mut range = json!({});
        for (key, value) in [("Subnet", &self.subnet), ("IPRange", &self.iprange), ("Gateway", &self.gateway)] {
            if let Some(value) = value {
                range[key] = json!(value);
            }
        }
        if let Some(addresses) = &self.aux_addresses {
            range["AuxiliaryAddresses"] = Options(addresses.0.clone()).json();
        }
        range
    }
}

/// Adds the nonempty keys of `found` that `body` does not have.
pub(super) fn keep(body: &mut Json, found: &Json, keys: &[&str]) {
    for key in keys {
        if body.get(*key).is_none()
            && let Some(value) = found.get(*key).filter(|value| !is_empty(value))
        {
            body[*key] = value.clone();
        }
    }
}
#[cfg(test)]
mod tests {
    use rplay_wire::{Map, data};

    use super::*;
    use crate::Args;

    #[test]
    fn what_is_not_named_is_neither_compared_nor_lost() {
        let found = json!({
            "Driver": "macvlan", "Internal": true, "EnableIPv6": false, "Options": {"parent": "eth0"}, "Labels": {"a": "1"},
            "IPAM": {"Driver": "default", "Options": null, "Config": [{"Subnet": "10.9.0.0/24"}]},
        });
        let network = |more: Map| {
            let mut map = data! { "name" => "n" };
            map.extend(more);
            DockerNetwork::from_map(&map).unwrap()
        };
        assert_eq!(network(data! {}).differences(&found), []);
        let labelled = network(data! { "labels" => data! { "b" => "2" } });
        assert_eq!(labelled.differences(&found), [Difference::new("labels.b")]);
        assert_eq!(
            labelled.successor(&found),
            json!({
                "Name": "n", "CheckDuplicate": true, "Driver": "macvlan", "Internal": true, "Options": {"parent": "eth0"},
                "Labels": {"b": "2"}, "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.9.0.0/24"}]},
            })
        );
        let other = network(data! { "driver" => "bridge" }).successor(&found);
        assert_eq!((&other["Driver"], &other["IPAM"]), (&json!("bridge"), &json!({})));
    }
}
