//! `rhel_rpm_ostree`: packages of an image that cannot be changed: whether they are as the task wants them.

use std::path::Path;

use rplay_wire::Failure;

use crate::{Host, Module, Plan, args, argtypes::Text, choice};

/// Systems that are booted from an ostree have this file.
pub(crate) const BOOTED: &str = "/run/ostree-booted";

choice! {
    /// Whether packages should be there.
    pub enum State {
        Absent = "absent",
        Installed = "installed",
        Latest = "latest",
        Present = "present",
        Removed = "removed",
    }
}

args! {
    /// Fails unless the packages of an rpm-ostree system are as wanted. It installs and removes nothing.
    pub struct RhelRpmOstree {
        /// The packages.
        name: Vec<Text> | "pkg" = Vec::new(),
        /// Whether they should be there; `present` by default.
        state: Option<State>,
    }
}

impl Module for RhelRpmOstree {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        if !Path::new(BOOTED).exists() {
            return Err(Failure::new("Module rpm_ostree is only applicable for rpm-ostree based systems."));
        }
        let wanted = !matches!(self.state, Some(State::Absent | State::Removed));
        let mut wrong = Vec::new();
        for name in &self.name {
            let is_there = host.required_program("rpm")?.args(["-q", "--", name]).run()?.rc == 0;
            if is_there != wanted {
                wrong.push(name.as_str());
            }
        }
        if wrong.is_empty() {
            return Ok(Plan::unchanged().set("msg", "No changes made."));
        }
        let (what, names) = (if wanted { "not present" } else { "present" }, wrong.join(" "));
        let msg = format!("The following packages are {what} in the currently booted rpm-ostree commit: {names}");
        Err(Failure::new(msg).arg("name"))
    }
}
