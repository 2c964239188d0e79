//! docker_container_info: the Engine's information about a container.

use rplay_wire::{Failure, Value};

use super::engine::{Engine, EngineArgs, encode};
use crate::{Host, Module, Plan, args, argtypes::Text};

args! {
    /// Returns information about a container.
    pub struct DockerContainerInfo {
        ..engine: EngineArgs,
        /// The name or ID of the container.
        name: Text,
    }
}

impl Module for DockerContainerInfo {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::nothing_yet(Plan::unchanged().set("exists", false).set("container", Value::Null)));
        };
        let found = engine.find(format!("/containers/{}/json", encode(&self.name)))?;
        let plan = Plan::unchanged().set("exists", found.is_some());
        Ok(plan.set("container", found.map_or(Value::Null, Value::from)))
    }
}
