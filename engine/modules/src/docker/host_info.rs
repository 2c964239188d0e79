//! docker_host_info: information about the Engine.

use rplay_wire::{Failure, Value};
use serde_json::Value as Json;

use super::{
    engine::{Engine, EngineArgs},
    units::Options,
};
use crate::{Host, Module, Plan, args, argtypes::Flag};

args! {
    /// Returns information about the Docker Engine and, optionally, lists its objects.
    pub struct DockerHostInfo {
        ..engine: EngineArgs,
        /// List the containers.
        containers: Flag = Flag(false),
        /// Also list stopped containers.
        containers_all: Flag = Flag(false),
        /// Filters for containers, by name.
        containers_filters: Option<Options>,
        /// List the images.
        images: Flag = Flag(false),
        /// Filters for images, by name.
        images_filters: Option<Options>,
        /// List the networks.
        networks: Flag = Flag(false),
        /// Filters for networks, by name.
        networks_filters: Option<Options>,
        /// List the volumes.
        volumes: Flag = Flag(false),
        /// Filters for volumes, by name.
        volumes_filters: Option<Options>,
        /// Return disk usage; slow.
        disk_usage: Flag = Flag(false),
    }
}

impl Module for DockerHostInfo {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::nothing_yet(Plan::unchanged().set("can_talk_to_docker", false)));
        };
        let mut plan =
            Plan::unchanged().set("can_talk_to_docker", true).set("host_info", Value::from(engine.get("/info")?));
        let lists = [
            ("containers", self.containers, "/containers/json", &self.containers_filters, None),
            ("images", self.images, "/images/json", &self.images_filters, None),
            ("networks", self.networks, "/networks", &self.networks_filters, None),
            ("volumes", self.volumes, "/volumes", &self.volumes_filters, Some("Volumes")),
        ];
        for (name, wanted, path, filters, inside) in lists {
            if !wanted.0 {
                continue;
            }
            let mut request = engine.request("GET", path);
            if let Some(filters) = filters {
                let lists = filters.0.iter().map(|(name, value)| (name.clone(), Json::from(vec![value.as_str()])));
                request = request.query("filters", Json::Object(lists.collect()).to_string());
            }
            if name == "containers" && self.containers_all.0 {
                request = request.query("all", "true");
            }
            let response = request.json()?;
            let list = inside.map_or(Some(&response), |key| response.get(key)).filter(|list| list.is_array());
            plan = plan.set(name, Value::from(list.cloned().unwrap_or_else(|| Json::Array(Vec::new()))));
        }
        if self.disk_usage.0 {
            plan = plan.set("disk_usage", Value::from(engine.request("GET", "/system/df").patiently().json()?));
        }
        Ok(plan)
    }
}
