//! `rpm_ostree_upgrade`: a new image for a system that is booted from an ostree.

use std::path::Path;

use rplay_wire::{Failure, data};

use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    packages::rhel_rpm_ostree::BOOTED,
};

args! {
    /// Upgrades the image of an rpm-ostree system.
    pub struct RpmOstreeUpgrade {
        /// The system, if there are several.
        os: Text = String::new(),
        /// Download nothing.
        cache_only: Flag = Flag(false),
        /// Whether the new image may be older.
        allow_downgrade: Flag = Flag(false),
        /// Do not use the message bus.
        peer: Flag = Flag(false),
    }
}

impl Module for RpmOstreeUpgrade {
    fn plan(self, _: &Host) -> Result<Plan, Failure> {
        if !Path::new(BOOTED).exists() {
            return Err(Failure::new("Module rpm_ostree_upgrade is only applicable for rpm-ostree based systems."));
        }
        let upgrade = Change::maybe("upgrade the image", move |host, data| {
            let program = host.required_program("rpm-ostree")?.arg("upgrade");
            let program = program.option("--os", Some(self.os).filter(|os| !os.is_empty()));
            let program = program.arg_if(self.cache_only.0, "--cache-only");
            let program = program.arg_if(self.allow_downgrade.0, "--allow-downgrade").arg_if(self.peer.0, "--peer");
            let done = program.run()?;
            if done.rc != 0 {
                return Err(Failure::new(done.stderr).data(data! { "rc" => done.rc }));
            }
            let is_new = !done.stdout.contains("No upgrade available.");
            data.insert("msg".to_owned(), done.stdout.into());
            Ok(is_new)
        });
        Ok(Plan::unchanged().change(upgrade.unpredictable("only rpm-ostree knows whether there is an upgrade")))
    }
}
