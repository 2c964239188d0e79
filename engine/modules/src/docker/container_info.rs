//! docker_container_info: what the Engine knows of a container.

use rplay_wire::{Failure, Value};

use super::engine::{Engine, EngineArgs, encode};
use crate::{Host, Module, Plan, args, argtypes::Text};

args! {
    /// Looks a container up.
    pub struct DockerContainerInfo {
        ..engine: EngineArgs,
        /// The container's name or id.
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
