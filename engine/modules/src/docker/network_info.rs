//! docker_network_info: information about a network.

use rplay_wire::{Failure, Value};

use super::{
    engine::{Engine, EngineArgs},
    network_steps::find,
};
use crate::{Host, Module, Plan, args, argtypes::Text};

args! {
    /// Returns information about a network.
    pub struct DockerNetworkInfo {
        ..engine: EngineArgs,
        /// The name or ID of the network.
        name: Text,
    }
}

impl Module for DockerNetworkInfo {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let Some(engine) = Engine::reach_softly(host, &self.engine)? else {
            return Ok(super::nothing_yet(Plan::unchanged().set("exists", false).set("network", Value::Null)));
        };
        let found = find(&engine, &self.name)?;
        let plan = Plan::unchanged().set("exists", found.is_some());
        Ok(plan.set("network", found.map_or(Value::Null, Value::from)))
    }
}
