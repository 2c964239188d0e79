//! `lvol`: a logical volume of LVM: made, resized, switched on and off, removed.

use rplay_wire::{Failure, data};

use super::lvm::checked;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Flag, Text},
    kernel::lvol_size::{Size, Whole},
    system::program::{self, Program},
};

args! {
    /// Makes, resizes and removes logical volumes of LVM.
    pub struct Lvol {
        /// The volume group.
        vg: Text,
        /// The logical volume.
        lv: Option<Text>,
        /// The size: a number with a unit (`512m`, the default, `1.5g`), or a part of something in percent (`100%FREE`,
        /// `80%VG`). `+` and `-` before it change the size by it, each time.
        size: Option<Text>,
        /// More options for lvcreate(8).
        opts: Option<Text>,
        /// Whether the volume should exist.
        state: State = State::Present,
        /// Allow what loses data: making it smaller, removing it.
        force: Flag = Flag(false),
        /// Make it smaller if it is larger than the size.
        shrink: Flag = Flag(true),
        /// Whether the volume can be used.
        active: Flag = Flag(true),
        /// The name of a snapshot to be made of the volume.
        snapshot: Option<Text>,
        /// The physical volumes to use.
        pvs: Option<Vec<Text>>,
        /// The thin pool: to be made, or for the volume.
        thinpool: Option<Text>,
        /// Resize the file system, too.
        resizefs: Flag = Flag(false),
    }
}

impl Module for Lvol {
    fn check(&self) -> Result<(), ArgError> {
        if self.lv.is_none() && self.thinpool.is_none() {
            return Err(ArgError::new("lv", "one of the following is required: lv, thinpool"));
        }
        let names = [("vg", Some(&self.vg)), ("lv", self.lv.as_ref()), ("snapshot", self.snapshot.as_ref())];
        for (arg, name) in names.into_iter().chain([("thinpool", self.thinpool.as_ref())]) {
            if name.is_some_and(|name| name.is_empty() || name.starts_with('-')) {
                return Err(ArgError::new(arg, "is not a name"));
            }
        }
        match self.size.as_deref().map(Size::read) {
            Some(Err(msg)) => Err(ArgError::new("size", msg)),
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let size = self.size.as_deref().map(Size::read).transpose();
        let size = size.map_err(|msg| Failure::new(msg).arg("size"))?;
        let unit = size.as_ref().map_or('m', |size| size.unit).to_ascii_lowercase();
        if host.rehearses() && !host.has_program("vgs") {
            let plan = Plan::unchanged().assumption("the program vgs");
            return Ok(plan.change(Change::new(format!("set up the volume {}", self.name()), |_, _| Ok(()))));
        }
        let asked = host.required_program("vgs")?.args(["--noheadings", "--nosuffix", "-o"]);
        let asked = asked.args(["vg_name,size,free,vg_extent_size", "--units", &unit.to_string(), "--separator", ";"]);
        let asked = asked.arg(&self.vg).run()?;
        if asked.rc != 0 {
            let msg = format!("Volume group {} does not exist.", self.vg);
            if self.state == State::Absent {
                return Ok(Plan::unchanged().set("stdout", msg));
            }
            let told = data! { "rc" => asked.rc, "err" => asked.stderr };
            let missing = format!("the volume group {}", self.vg);
            let plan = Plan::unchanged().assumes(host, missing, || Failure::new(msg).arg("vg").data(told))?;
            return Ok(plan.change(Change::new(format!("make the volume {}", self.name()), |_, _| Ok(()))));
        }
        let group = Group::read(&asked.stdout);
        let listed = host.required_program("lvs")?.args(["-a", "--noheadings", "--nosuffix", "-o"]);
        let listed = listed.args(["lv_name,size,lv_attr", "--units", &unit.to_string(), "--separator", ";"]);
        let volumes = Volume::read(&listed.arg(&self.vg).succeed()?.stdout);
        let find = |name: &str| volumes.iter().find(|volume| volume.name == name);
        let vg = &self.vg;
        if let (Some(snapshot), Some(origin)) = (&self.snapshot, &self.lv)
            && find(snapshot).is_none()
            && find(origin).is_none()
            && self.state == State::Present
        {
            let msg = format!("Snapshot origin LV {origin} does not exist in volume group {vg}.");
            return Err(Failure::new(msg).arg("lv"));
        }
        if let (Some(pool), Some(_), None) = (&self.thinpool, &self.lv, &self.snapshot)
            && !find(pool).is_some_and(|pool| pool.is_pool)
            && self.state == State::Present
        {
            let msg = format!("Thin pool LV {pool} does not exist in volume group {vg}.");
            return Err(Failure::new(msg).arg("thinpool"));
        }
        match (find(&self.name()).cloned(), self.state) {
            (None, State::Absent) => Ok(Plan::unchanged().set("msg", "")),
            (None, State::Present) => self.made(size),
            (Some(_), State::Absent) => self.removed(),
            (Some(volume), State::Present) => self.kept(size, &group, &volume, unit),
        }
    }
}

impl Lvol {
    /// The volume that the task is about.
    fn name(&self) -> String {
        [&self.snapshot, &self.lv, &self.thinpool].into_iter().flatten().next().cloned().unwrap_or_default()
    }

    fn made(self, size: Option<Size>) -> Result<Plan, Failure> {
        let size = size.ok_or_else(|| Failure::new("No size given.").arg("size"))?;
        if size.sign == Some('-') {
            return Err(Failure::new(format!("Bad size specification of '{}'", size.written)).arg("size"));
        }
        let opts = program::words("opts", self.opts.as_deref().unwrap_or_default())?;
        let option = format!("-{}", size.option());
        let amount = size.amount();
        let (vg, name) = (&self.vg, self.name());
        let pvs = || self.pvs.iter().flatten().cloned();
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let words: Vec<String> = match (&self.snapshot, &self.lv, &self.thinpool) {
            (Some(snapshot), Some(origin), _) => {
                let of = format!("{vg}/{origin}");
                owned(&[&option, &amount, "-s", "-n", snapshot]).into_iter().chain(opts).chain([of]).collect()
            }
            (_, Some(lv), Some(pool)) => {
                let of = format!("{vg}/{pool}");
                owned(&["-n", lv, "-V", &amount, "-T"]).into_iter().chain(opts).chain([of]).collect()
            }
            (_, None, Some(pool)) => {
                let of = format!("{vg}/{pool}");
                owned(&[&option, &amount, "-T"]).into_iter().chain(opts).chain([of]).chain(pvs()).collect()
            }
            _ => {
                let head = owned(&["-n", &name, &option, &amount]).into_iter();
                head.chain(opts).chain([vg.clone()]).chain(pvs()).collect()
            }
        };
        let what = format!("make the volume {vg}/{name}");
        Ok(Plan::unchanged().set("msg", "").change(Change::new(what, move |host, _| {
            let done = host.required_program("lvcreate")?.arg("--yes").args(words).run()?;
            checked(&done, || format!("Creating logical volume '{name}' failed"))
        })))
    }

    fn removed(self) -> Result<Plan, Failure> {
        let name = self.name();
        if !self.force.0 {
            let msg = format!("Sorry, no removal of logical volume {name} without force=true.");
            return Err(Failure::new(msg).arg("force"));
        }
        let path = format!("{}/{name}", self.vg);
        Ok(Plan::unchanged().change(Change::new(format!("remove the volume {path}"), move |host, _| {
            let done = host.required_program("lvremove")?.arg("--force").arg(&path).run()?;
            checked(&done, || format!("Failed to remove logical volume {name}"))
        })))
    }

    /// One that exists: its size, and whether it can be used.
    fn kept(self, size: Option<Size>, group: &Group, volume: &Volume, unit: char) -> Result<Plan, Failure> {
        let path = format!("{}/{}", self.vg, volume.name);
        let mut plan = Plan::unchanged();
        if let Some(size) = size
            && let Some(tool) = self.resizing(&size, group, volume, unit)?
        {
            let words = [format!("-{}", size.option()), size.amount_with_sign(), path.clone()];
            let (pvs, resizes) = (self.pvs.clone().unwrap_or_default(), self.resizefs.0);
            let (name, written) = (volume.name.clone(), size.written.clone());
            let change = Change::maybe(format!("resize the volume {path}"), move |host, _| {
                let program: Program = host.required_program(tool)?.arg_if(tool == "lvreduce", "--force");
                let done = program.arg_if(resizes, "--resizefs").args(words).args(pvs).run()?;
                let stays = ["matches existing size", "not larger than existing size"];
                match done.rc {
                    0 => Ok(!done.stdout.contains("matches existing size")),
                    _ if stays.iter().any(|sign| done.stderr.contains(sign)) => Ok(false),
                    _ => checked(&done, || format!("Unable to resize {name} to {written}")).map(|()| false),
                }
            });
            plan = plan.change(change);
        }
        if volume.is_active != self.active.0 {
            let (option, what) = if self.active.0 { ("-ay", "activate") } else { ("-an", "deactivate") };
            let (target, name) = (path.clone(), volume.name.clone());
            plan = plan.change(Change::new(format!("{what} the volume {path}"), move |host, _| {
                let done = host.required_program("lvchange")?.arg(option).arg(&target).run()?;
                checked(&done, || format!("Failed to {what} logical volume {name}"))
            }));
        }
        Ok(plan.set("vg", self.vg).set("lv", volume.name.clone()).set("size", volume.size))
    }

    /// The program that brings the volume to that size; `None` if it has it.
    fn resizing(
        &self,
        size: &Size,
        group: &Group,
        volume: &Volume,
        unit: char,
    ) -> Result<Option<&'static str>, Failure> {
        let name = &volume.name;
        let guarded = |end: &str| match self.force.0 {
            true => Ok(Some("lvreduce")),
            false => {
                let msg = format!("Sorry, no shrinking of {name} without force=true{end}");
                Err(Failure::new(msg).arg("force"))
            }
        };
        let Some(whole) = size.whole else {
            return match size.sign {
                Some('+') => Ok(Some("lvextend")),
                Some(_) => guarded("."),
                None if size.number > volume.size => Ok(Some("lvextend")),
                None if self.shrink.0 && size.number > 0.0 && size.number < volume.size => guarded("."),
                None => Ok(None),
            };
        };
        let of = match whole {
            Whole::Vg | Whole::Pvs => group.size,
            Whole::Free => group.free,
            Whole::Origin => volume.size,
        };
        let part = size.number * of / 100.0;
        let wanted = match size.sign {
            Some('+') => volume.size + part,
            Some(_) => volume.size - part,
            None => part,
        };
        let wanted = if group.extent > 0.0 { wanted - wanted % group.extent } else { wanted };
        if wanted > volume.size {
            let more = wanted - volume.size;
            if group.free > 0.0 && group.free >= more {
                return Ok(Some("lvextend"));
            }
            let shown = |number: f64| crate::argtypes::python_float(number);
            let msg = format!(
                "Logical Volume {name} could not be extended. Not enough free space left ({}{unit} required / {}{unit} \
                 available)",
                shown(more),
                shown(group.free)
            );
            return Err(Failure::new(msg).arg("size"));
        }
        match wanted < volume.size && self.shrink.0 {
            true if wanted < 1.0 => {
                Err(Failure::new(format!("Sorry, no shrinking of {name} to 0 permitted.")).arg("size"))
            }
            true => guarded(""),
            false => Ok(None),
        }
    }
}

/// A volume group, in the unit of the task.
#[derive(Debug, Default, PartialEq)]
struct Group {
    size: f64,
    free: f64,
    extent: f64,
}

impl Group {
    fn read(text: &str) -> Group {
        let mut parts = text.lines().next().unwrap_or_default().trim().split(';').skip(1);
        let mut number = || parts.next().and_then(|part| part.trim().parse().ok()).unwrap_or(0.0);
        Group { size: number(), free: number(), extent: number() }
    }
}

/// A logical volume.
#[derive(Clone, Debug, PartialEq)]
struct Volume {
    name: String,
    size: f64,
    is_active: bool,
    is_pool: bool,
}

impl Volume {
    fn read(text: &str) -> Vec<Volume> {
        let read = |line: &str| {
            let mut parts = line.trim().split(';');
            // Names of hidden volumes are in brackets.
            let name = parts.next()?.trim_matches(['[', ']']).to_owned();
            let size = parts.next()?.trim().parse().ok()?;
            let attributes = parts.next()?.as_bytes();
            let is_active = attributes.get(4) == Some(&b'a');
            Some(Volume { name, size, is_active, is_pool: attributes.first() == Some(&b't') })
        };
        text.lines().filter_map(read).collect()
    }
}
