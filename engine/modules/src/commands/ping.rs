//! ping: the agent answers, so the host can be managed.

use rplay_wire::Failure;

use crate::{Host, Module, Plan, args, argtypes::Text};

args! {
    /// Checks that a host can be reached and acted on; answers `pong`.
    pub struct Ping {
        /// What to answer. `crash` makes the module fail, to try out how failures look.
        data: Text = "pong".to_owned(),
    }
}

impl Module for Ping {
    fn plan(self, _host: &Host) -> Result<Plan, Failure> {
        if self.data == "crash" {
            return Err(Failure::new("Task failed: Module failed: boom"));
        }
        Ok(Plan::unchanged().set("ping", self.data))
    }
}
