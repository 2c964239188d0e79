//! `lvg`: a volume group of LVM: made, extended and reduced, switched on and off, removed.

use std::path::Path;

use rplay_wire::{Failure, data};

use super::lvm::checked;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    system::{paths, program::Output},
};

choice! {
    /// Whether the volume group should exist, and its volumes be in use.
    pub enum State {
        Absent = "absent",
        Present = "present",
        Active = "active",
        Inactive = "inactive",
    }
}

args! {
    /// Makes, resizes and removes volume groups of LVM.
    pub struct Lvg {
        /// The volume group.
        vg: Text,
        /// Its physical volumes: all of them, unless `remove_extra_pvs` is off. Required for a new group.
        pvs: Option<Vec<Text>>,
        /// The size of the physical extents of a new group, in megabytes or with a unit (`128K`).
        pesize: Text = "4".to_owned(),
        /// More options for pvcreate(8).
        pv_options: Text = String::new(),
        /// Grow the physical volumes to the size of their devices.
        pvresize: Flag = Flag(false),
        /// More options for vgcreate(8).
        vg_options: Text = String::new(),
        /// Whether the group should exist; `active` and `inactive` also switch its volumes on or off, now and, where LVM
        /// can, at boot.
        state: State = State::Present,
        /// Remove the group even if it has volumes.
        force: Flag = Flag(false),
        /// Give the group another UUID. A change each time.
        reset_vg_uuid: Flag = Flag(false),
        /// Give its physical volumes other UUIDs. A change each time.
        reset_pv_uuid: Flag = Flag(false),
        /// Take physical volumes that are not in `pvs` out of the group.
        remove_extra_pvs: Flag = Flag(true),
    }
}

/// The option that decides whether volumes are in use after a boot; LVM has it since 2.03.12.
const AT_BOOT: &str = "--setautoactivation";

impl Module for Lvg {
    fn check(&self) -> Result<(), ArgError> {
        if self.vg.is_empty() || self.vg.starts_with('-') {
            return Err(ArgError::new("vg", "is not a name"));
        }
        if self.reset_pv_uuid.0 && self.pvs.is_none() {
            let msg = "reset_pv_uuid is True but all of the following are missing: pvs";
            return Err(ArgError::new("pvs", msg));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        if host.rehearses() && !host.has_program("vgs") {
            let plan = Plan::unchanged().assumption("the program vgs");
            return Ok(plan.change(Change::new(format!("set up the volume group {}", self.vg), |_, _| Ok(()))));
        }
        let listed = host.required_program("vgs")?.args(["--noheadings", "-o", "vg_name,pv_count,lv_count"]);
        let listed = listed.args(["--separator", ";"]).succeed()?;
        match (volumes_of(&listed.stdout, &self.vg), self.state) {
            (None, State::Absent) => Ok(Plan::unchanged()),
            (None, _) => self.made(host),
            (Some(volumes), State::Absent) => self.removed(volumes),
            (Some(_), _) => self.kept(host),
        }
    }
}

impl Lvg {
    fn made(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let devices = self.devices(host, &mut plan)?;
        if devices.is_empty() {
            return Err(Failure::new("No physical volumes given.").arg("pvs"));
        }
        self.current(host, &devices)?;
        let mut words: Vec<String> = self.vg_options.split_whitespace().map(str::to_owned).collect();
        let at_boot = match self.state {
            State::Active => Some("y"),
            State::Inactive => Some("n"),
            _ => None,
        };
        if let Some(at_boot) = at_boot.filter(|_| !self.vg_options.contains(AT_BOOT))
            && knows_at_boot(host, "vgcreate")?
        {
            words.extend([AT_BOOT.to_owned(), at_boot.to_owned()]);
        }
        words.extend(["-s".to_owned(), self.pesize.clone(), self.vg.clone()]);
        words.extend(devices.iter().cloned());
        let vg = self.vg.clone();
        let plan = self.prepared(plan, &devices);
        Ok(plan.change(Change::new(format!("make the volume group {vg}"), move |host, _| {
            let done = host.required_program("vgcreate")?.args(words).run()?;
            checked(&done, || format!("Creating volume group '{vg}' failed"))
        })))
    }

    fn removed(self, volumes: u64) -> Result<Plan, Failure> {
        let vg = self.vg;
        if volumes > 0 && !self.force.0 {
            let msg = format!("Refuse to remove non-empty volume group {vg} without force=true");
            return Err(Failure::new(msg).arg("force"));
        }
        Ok(Plan::unchanged().change(Change::new(format!("remove the volume group {vg}"), move |host, _| {
            let done = host.required_program("vgremove")?.args(["--force", &vg]).run()?;
            checked(&done, || format!("Failed to remove volume group {vg}"))
        })))
    }

    /// One that exists: whether it is in use, its UUID, its physical volumes.
    fn kept(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let devices = self.devices(host, &mut plan)?;
        // Without a list nothing is known about them, and none is touched.
        let current = if devices.is_empty() { Vec::new() } else { self.current(host, &devices)? };
        for (option, value) in self.switches(host)? {
            let what = match (value, option) {
                ("y", AT_BOOT) => "activate at boot",
                (_, AT_BOOT) => "no longer activate at boot",
                ("y", _) => "activate",
                _ => "deactivate",
            };
            let vg = self.vg.clone();
            plan = plan.change(Change::new(format!("{what} the volume group {vg}"), move |host, _| {
                host.required_program("vgchange")?.args([option, value, &vg]).succeed().map(drop)
            }));
        }
        if self.reset_vg_uuid.0 {
            let (vg, what) = (self.vg.clone(), format!("change the UUID of the volume group {}", self.vg));
            plan = plan.change(Change::new(what, move |host, _| {
                host.required_program("vgchange")?.args(["-u", &vg]).succeed().map(drop)
            }));
        }
        for device in current.iter().filter(|_| self.pvresize.0) {
            let before = PvSize::ask(host, device)?;
            if before.can_grow() {
                plan = plan.change(grown(device.clone(), before));
            }
        }
        for device in current.iter().filter(|_| self.reset_pv_uuid.0) {
            plan = plan.change(renamed(device.clone()));
        }
        let absent = |from: &[String], device: &&String| !from.contains(device);
        let new: Vec<String> = devices.iter().filter(|device| absent(&current, device)).cloned().collect();
        let extra: Vec<String> = current.iter().filter(|device| absent(&devices, device)).cloned().collect();
        if !new.is_empty() {
            plan = self.prepared(plan, &new);
            let (vg, list) = (self.vg.clone(), new.join(" "));
            plan = plan.change(Change::new(format!("extend the volume group {vg} by {list}"), move |host, _| {
                let done = host.required_program("vgextend")?.arg(&vg).args(new).run()?;
                checked(&done, || format!("Unable to extend {vg} by {list}."))
            }));
        }
        if !extra.is_empty() && self.remove_extra_pvs.0 {
            let (vg, list) = (self.vg, extra.join(" "));
            plan = plan.change(Change::new(format!("reduce the volume group {vg} by {list}"), move |host, _| {
                let done = host.required_program("vgreduce")?.args(["--force", &vg]).args(extra).run()?;
                checked(&done, || format!("Unable to reduce {vg} by {list}."))
            }));
        }
        Ok(plan)
    }

    /// The devices of the task: the files themselves, each once.
    fn devices(&self, host: &Host, plan: &mut Plan) -> Result<Vec<String>, Failure> {
        let mut devices: Vec<String> = Vec::new();
        for written in self.pvs.iter().flatten() {
            let device = paths::text(paths::real(Path::new(written)));
            if !Path::new(&device).exists() {
                let failure = || Failure::new(format!("Device {device} not found.")).arg("pvs");
                plan.assume(host, format!("the device {device}"), failure)?;
            }
            if !devices.contains(&device) {
                devices.push(device);
            }
        }
        Ok(devices)
    }

    /// The physical volumes that the group has.
    ///
    /// # Errors
    /// If another group has one of `devices`.
    fn current(&self, host: &Host, devices: &[String]) -> Result<Vec<String>, Failure> {
        let names = devices.iter().chain(self.pvs.iter().flatten());
        let names: Vec<String> = names.map(|name| format!("pv_name = {name}")).collect();
        let those = format!("{} || vg_name = {}", names.join(" || "), self.vg);
        let asked = host.required_program("pvs")?.args(["--noheadings", "-o", "pv_name,vg_name"]);
        let asked = asked.args(["--separator", ";", "--select", &those]).run()?;
        checked(&asked, || "Failed executing pvs command.".to_owned())?;
        let mut current = Vec::new();
        for (name, group) in asked.stdout.lines().filter_map(|line| line.trim().split_once(';')) {
            // A device that is gone has no path.
            let path = if name.starts_with('/') { paths::text(paths::real(Path::new(name))) } else { name.to_owned() };
            let group = group.trim();
            if group == self.vg {
                current.push(path);
            } else if !group.is_empty() && devices.contains(&path) {
                let msg = format!("Device {path} is already in {group} volume group.");
                return Err(Failure::new(msg).arg("pvs"));
            }
        }
        Ok(current)
    }

    /// The options of vgchange(8) that switch the group's volumes on or off as the task wants them.
    fn switches(&self, host: &Host) -> Result<Vec<(&'static str, &'static str)>, Failure> {
        let is_on = match self.state {
            State::Active => true,
            State::Inactive => false,
            State::Absent | State::Present => return Ok(Vec::new()),
        };
        let knows = knows_at_boot(host, "vgchange")?;
        let columns = if knows { "lv_attr,autoactivation" } else { "lv_attr" };
        let asked = host.required_program("vgs")?.args(["--noheadings", "-o", columns, "--separator", ";"]);
        let said = asked.arg(&self.vg).succeed()?.stdout;
        let volumes = || said.lines().map(str::trim).filter(|line| !line.is_empty());
        let at_boot = volumes().any(|line| line.split(';').nth(1) == Some("enabled"));
        let differs = volumes().any(|line| (line.as_bytes().get(4) == Some(&b'a')) != is_on);
        let value = if is_on { "y" } else { "n" };
        let needed = [(knows && at_boot != is_on, AT_BOOT), (differs, "--activate")];
        Ok(needed.into_iter().filter(|(needed, _)| *needed).map(|(_, option)| (option, value)).collect())
    }

    /// The plan with the devices made physical volumes.
    fn prepared(&self, plan: Plan, devices: &[String]) -> Plan {
        devices.iter().cloned().fold(plan, |plan, device| {
            let options: Vec<String> = self.pv_options.split_whitespace().map(str::to_owned).collect();
            plan.change(Change::new(format!("make the physical volume {device}"), move |host, _| {
                let done = host.required_program("pvcreate")?.args(options).args(["-f", &device]).run()?;
                checked(&done, || format!("Creating physical volume '{device}' failed"))
            }))
        })
    }
}

/// The change that grows a physical volume to its device.
fn grown(device: String, before: PvSize) -> Change {
    Change::new(format!("resize the physical volume {device}"), move |host, _| {
        let done = host.required_program("pvresize")?.arg(&device).run()?;
        // Its exit code does not tell.
        match PvSize::ask(host, &device)?.volume == before.volume {
            true => Err(failed(done, "Failed executing pvresize command.")),
            false => Ok(()),
        }
    })
}

/// The change that gives a physical volume another UUID.
fn renamed(device: String) -> Change {
    Change::new(format!("change the UUID of the physical volume {device}"), move |host, _| {
        let uuid = || host.required_program("pvs")?.args(["--noheadings", "-o", "uuid", &device]).succeed();
        let before = uuid()?.stdout;
        let done = host.required_program("pvchange")?.args(["-u", &device]).run()?;
        match uuid()?.stdout == before {
            true => Err(failed(done, &format!("PV ({device}) UUID change failed"))),
            false => Ok(()),
        }
    })
}

/// A failure with all that the program said.
fn failed(done: Output, msg: &str) -> Failure {
    Failure::new(msg).data(data! { "rc" => done.rc, "err" => done.stderr, "out" => done.stdout })
}

/// Whether LVM can keep volumes from being in use after a boot.
fn knows_at_boot(host: &Host, program: &str) -> Result<bool, Failure> {
    Ok(host.required_program(program)?.arg("--help").succeed()?.stdout.contains(AT_BOOT))
}

/// How many volumes the group has; `None` if there is no such group.
fn volumes_of(text: &str, vg: &str) -> Option<u64> {
    let mut groups = text.lines().map(|line| line.trim().split(';'));
    let mut group = groups.find_map(|mut parts| (parts.next() == Some(vg)).then_some(parts))?;
    Some(group.nth(1).and_then(|count| count.trim().parse().ok()).unwrap_or(0))
}

/// Sizes of a physical volume, in bytes.
#[derive(Debug, PartialEq)]
struct PvSize {
    device: u64,
    volume: u64,
    /// Where its extents begin.
    start: u64,
    extent: u64,
}

impl PvSize {
    fn ask(host: &Host, device: &str) -> Result<PvSize, Failure> {
        let columns = "dev_size,pv_size,pe_start,vg_extent_size";
        let asked = host.required_program("pvdisplay")?.args([device, "--units", "b", "--columns", "--noheadings"]);
        let said = asked.args(["--nosuffix", "--separator", ";", "-o", columns]).succeed()?.stdout;
        PvSize::read(&said).ok_or_else(|| {
            let said = said.trim();
            Failure::new(format!("pvdisplay does not tell the sizes of {device}: {said}"))
        })
    }

    fn read(text: &str) -> Option<PvSize> {
        let numbers: Option<Vec<u64>> = text.trim().split(';').map(|part| part.trim().parse().ok()).collect();
        match numbers?[..] {
            [device, volume, start, extent] => Some(PvSize { device, volume, start, extent }),
            _ => None,
        }
    }

    /// Whether there is room for at least one more extent.
    fn can_grow(&self) -> bool {
        self.device.saturating_sub(self.start).saturating_sub(self.volume) > self.extent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lvm_prints_is_read() {
        let groups = "  vg0;2;3\n  vg;1;0\n";
        assert_eq!((volumes_of(groups, "vg0"), volumes_of(groups, "vg")), (Some(3), Some(0)));
        assert_eq!(volumes_of(groups, "v"), None);
        assert_eq!(PvSize::read("  100;90;1;4\n"), Some(PvSize { device: 100, volume: 90, start: 1, extent: 4 }));
        assert_eq!(PvSize::read("  100;90;1;\n"), None);
    }

    #[test]
    fn a_volume_grows_by_more_than_an_extent() {
        let can_grow = |volume| PvSize { device: 100, volume, start: 1, extent: 4 }.can_grow();
        assert!(can_grow(94) && !can_grow(95) && !can_grow(200));
    }
}
