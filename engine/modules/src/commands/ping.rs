//! ping: a response shows that the host can be managed.

use rplay_wire::Failure;

use crate::{Host, Module, Plan, args, argtypes::Text};

args! {
    /// Checks that a host is reachable and usable; returns `pong`.
    pub struct Ping {
        /// The value to return. `crash` makes the module fail, for testing.
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
