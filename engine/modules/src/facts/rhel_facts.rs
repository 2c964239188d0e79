//! `rhel_facts`: the package manager of a system that is booted from an ostree.

use std::path::Path;

use rplay_wire::{Failure, data};

use crate::{Host, Module, Plan, args, packages::rhel_rpm_ostree::BOOTED};

args! {
    /// Sets the fact `pkg_mgr` of an rpm-ostree system, so that `package` works there.
    pub struct RhelFacts {
    }
}

impl Module for RhelFacts {
    fn plan(self, _: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if Path::new(BOOTED).exists() {
            plan.facts = data! { "pkg_mgr" => "ansible.posix.rhel_rpm_ostree" };
        }
        Ok(plan)
    }
}
