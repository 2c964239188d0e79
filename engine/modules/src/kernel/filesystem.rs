//! `filesystem`: a file system on a device or in a file: made, grown, named by another UUID, or wiped.

use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, PresentAbsent as State, Text},
    choice,
    system::{fs, program},
};

choice! {
    /// The kind of file system.
    pub enum Kind {
        Bcachefs = "bcachefs",
        Btrfs = "btrfs",
        Ext2 = "ext2",
        Ext3 = "ext3",
        Ext4 = "ext4",
        Ext4dev = "ext4dev",
        F2fs = "f2fs",
        Lvm = "lvm",
        Ocfs2 = "ocfs2",
        Reiserfs = "reiserfs",
        Xfs = "xfs",
        Vfat = "vfat",
        Swap = "swap",
        /// FreeBSD's own.
        Ufs = "ufs",
    }
}

args! {
    /// Makes a file system, grows it, or wipes it.
    pub struct Filesystem {
        /// The device, or a file.
        dev: PathArg | "device",
        /// The kind of file system; required unless it is wiped.
        fstype: Option<Kind> | "type",
        /// Whether there should be a file system.
        state: State = State::Present,
        /// Make it even over another one.
        force: Flag = Flag(false),
        /// Grow the file system to the size of its device.
        resizefs: Flag = Flag(false),
        /// More options for the program that makes it.
        opts: Option<Text>,
        /// The UUID that it gets: one, or what the program knows, as `random` or `generate`. A change each time.
        uuid: Option<Text>,
    }
}

impl Kind {
    /// The name in messages.
    fn title(self) -> &'static str {
        match self {
            Kind::Bcachefs => "Bcachefs",
            Kind::Btrfs => "Btrfs",
            Kind::Ext2 => "Ext2",
            Kind::Ext3 => "Ext3",
            Kind::Ext4 | Kind::Ext4dev => "Ext4",
            Kind::F2fs => "F2fs",
            Kind::Lvm => "LVM",
            Kind::Ocfs2 => "Ocfs2",
            Kind::Reiserfs => "Reiserfs",
            Kind::Xfs => "XFS",
            Kind::Vfat => "VFAT",
            Kind::Swap => "Swap",
            Kind::Ufs => "UFS",
        }
    }

    /// The name that blkid(8) has for it.
    fn signature(self) -> &'static str {
        match self {
            Kind::Lvm => "LVM2_member",
            Kind::Ext4dev => "ext4",
            kind => kind.word(),
        }
    }

    /// The program that makes one, with the options that keep it from asking.
    fn maker(self) -> &'static [&'static str] {
        match self {
            Kind::Bcachefs => &["mkfs.bcachefs", "--force"],
            Kind::Btrfs => &["mkfs.btrfs", "-f"],
            Kind::Ext2 => &["mkfs.ext2", "-F"],
            Kind::Ext3 => &["mkfs.ext3", "-F"],
            Kind::Ext4 | Kind::Ext4dev => &["mkfs.ext4", "-F"],
            Kind::F2fs => &["mkfs.f2fs", "-f"],
            Kind::Lvm => &["pvcreate", "-f"],
            Kind::Ocfs2 => &["mkfs.ocfs2", "-Fx"],
            Kind::Reiserfs => &["mkfs.reiserfs", "-q"],
            Kind::Xfs => &["mkfs.xfs", "-f"],
            Kind::Vfat => &["mkfs.vfat"],
            Kind::Swap => &["mkswap", "-f"],
            Kind::Ufs => &["newfs"],
        }
    }

    fn without_uuid(self) -> String {
        format!("module does not support UUID option for this filesystem ({}) yet.", self.word())
    }

    /// The options that give a new one its UUID.
    fn uuid_at_birth(self, uuid: &str) -> Vec<String> {
        let words: &[&str] = match self {
            Kind::Bcachefs => &["-U", uuid],
            Kind::Ext2 | Kind::Ext3 | Kind::Ext4 | Kind::Ext4dev => &["-U", uuid],
            Kind::Lvm => &["-u", uuid, "--norestorefile"],
            _ => &[],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The program that gives another UUID to one that is there.
    fn uuid_changer(self, uuid: &str) -> Option<Vec<String>> {
        let words: &[&str] = match self {
            Kind::Ext2 | Kind::Ext3 | Kind::Ext4 | Kind::Ext4dev => &["tune2fs", "-U", uuid],
            Kind::Xfs => &["xfs_admin", "-U", uuid],
            // pvchange chooses one itself.
            Kind::Lvm => &["pvchange", "-u"],
            _ => return None,
        };
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }
}

impl Module for Filesystem {
    fn check(&self) -> Result<(), ArgError> {
        if self.resizefs.0 && self.uuid.is_some() {
            return Err(ArgError::exclusive("uuid", &["resizefs", "uuid"]));
        }
        let Some(kind) = self.fstype else {
            return match self.state {
                State::Present => {
                    Err(ArgError::new("fstype", "state is present but all of the following are missing: fstype"))
                }
                State::Absent => Ok(()),
            };
        };
        if kind == Kind::Ufs {
            return Err(ArgError::new("fstype", "cannot be `ufs`: that is for FreeBSD, which rplay does not manage"));
        }
        let gets_uuid = |uuid: &str| kind.uuid_changer(uuid).is_some() || !kind.uuid_at_birth(uuid).is_empty();
        match self.state == State::Present && !self.uuid.as_deref().is_none_or(gets_uuid) {
            true => Err(ArgError::new("uuid", kind.without_uuid())),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let dev = self.dev.on(host);
        let shown = dev.display().to_string();
        let Ok(meta) = fs::metadata(&dev) else {
            let msg = format!("Device {shown} not found.");
            if self.state == State::Absent {
                return Ok(Plan::unchanged().set("msg", msg));
            }
            let plan =
                Plan::unchanged().assumes(host, format!("the device {shown}"), || Failure::new(msg).arg("dev"))?;
            return Ok(plan.change(Change::new(format!("make a file system on {shown}"), |_, _| Ok(()))));
        };
        if !meta.is_file() && !meta.file_type().is_block_device() {
            return Err(Failure::new(format!("{shown} is not a block device and not a file")).arg("dev"));
        }
        let blkid = host.required_program("blkid")?.args(["-c", "/dev/null", "-o", "value", "-s", "TYPE"]);
        let asked = blkid.arg(&dev).run()?;
        let present = asked.stdout.trim().to_owned();
        let (Some(kind), State::Present) = (self.fstype, self.state) else {
            return Ok(match present.is_empty() {
                true => Plan::unchanged(),
                false => Plan::unchanged()
                    .change(Change::new(format!("wipe {present} from {shown}"), move |host, _| {
                        host.required_program("wipefs")?.arg("--all").arg(&dev).succeed().map(|_| ())
                    })),
            });
        };
        let is_same = present == kind.signature() || (kind == Kind::Ext4dev && present == "ext4dev");
        if is_same && self.resizefs.0 {
            return grown(host, kind, dev);
        }
        if is_same && let Some(uuid) = &self.uuid {
            if kind.uuid_changer(uuid).is_none() {
                return Err(Failure::new(kind.without_uuid()).arg("uuid"));
            }
            return Ok(Plan::unchanged().change(uuid_change(kind, uuid, &dev)));
        }
        if is_same && !self.force.0 {
            return Ok(Plan::unchanged());
        }
        if !present.is_empty() && !self.force.0 {
            let msg = format!("'{shown}' is already used as {present}, use force=true to overwrite");
            return Err(Failure::new(msg).arg("dev").data(data! { "rc" => asked.rc, "err" => asked.stderr }));
        }
        self.made(host, kind, dev)
    }
}

impl Filesystem {
    /// Plans a new file system.
    fn made(self, host: &Host, kind: Kind, dev: PathBuf) -> Result<Plan, Failure> {
        let opts = program::words("opts", self.opts.as_deref().unwrap_or_default())?;
        let (program, words) = kind.maker().split_first().unwrap_or((&"mkfs", &[]));
        let mut plan = Plan::unchanged();
        if !host.has_program(program) {
            plan = plan.assumes(host, format!("the program {program}"), || host.missing_program(program))?;
        }
        let later = self.uuid.clone().filter(|uuid| kind.uuid_at_birth(uuid).is_empty());
        let uuid = self.uuid.as_deref().map(|uuid| kind.uuid_at_birth(uuid)).unwrap_or_default();
        // A UUID in `opts` takes precedence.
        let uuid = if opts.iter().any(|opt| Some(opt) == uuid.first()) { Vec::new() } else { uuid };
        let what = format!("make {} on {}", kind.word(), dev.display());
        let target = dev.clone();
        plan = plan.change(Change::new(what, move |host, _| {
            host.required_program(program)?.args(words).args(&opts).args(&uuid).arg(&target).succeed().map(|_| ())
        }));
        Ok(match later {
            Some(uuid) => plan.change(uuid_change(kind, &uuid, &dev).auxiliary()),
            None => plan,
        })
    }
}

fn uuid_change(kind: Kind, uuid: &str, dev: &Path) -> Change {
    let words = kind.uuid_changer(uuid).unwrap_or_default();
    let dev = dev.to_owned();
    Change::new(format!("change the UUID of {}", dev.display()), move |host, data| {
        let (program, words) = words.split_first().ok_or_else(|| Failure::new("there is no program for the UUID"))?;
        let done = host.required_program(program)?.args(words).arg(&dev).succeed()?;
        data.insert("msg".to_owned(), done.stdout.into());
        Ok(())
    })
}

/// Plans to grow what is smaller than its device.
fn grown(host: &Host, kind: Kind, dev: PathBuf) -> Result<Plan, Failure> {
    let mount = match kind {
        Kind::Btrfs | Kind::Xfs => mount_point(host, &dev)?,
        _ => None,
    };
    let needs_mount = || {
        let msg = format!("{} needs to be mounted for {} operations", dev.display(), kind.title());
        Failure::new(msg).arg("resizefs")
    };
    let (size, command): (Option<u64>, Vec<String>) = match kind {
        Kind::Ext2 | Kind::Ext3 | Kind::Ext4 | Kind::Ext4dev => {
            let said = host.required_program("tune2fs")?.arg("-l").arg(&dev).succeed()?.stdout;
            (product(number(&said, "Block count:"), number(&said, "Block size:")), vec!["resize2fs".to_owned()])
        }
        Kind::Xfs => {
            let said = host.required_program("xfs_info")?.arg(mount.as_ref().unwrap_or(&dev)).succeed()?.stdout;
            let line = said.lines().find(|line| line.starts_with("data")).unwrap_or_default();
            (product(number(line, "bsize="), number(line, "blocks=")), vec!["xfs_growfs".to_owned()])
        }
        Kind::Btrfs => {
            let mount = mount.as_ref().ok_or_else(needs_mount)?;
            let usage = host.required_program("btrfs")?.args(["filesystem", "usage", "-b"]);
            let said = usage.arg(mount).succeed()?.stdout;
            let command = ["btrfs", "filesystem", "resize", "max"].map(str::to_owned).to_vec();
            (number(&said, "Device size:"), command)
        }
        Kind::F2fs => {
            let said = host.required_program("dump.f2fs")?.arg(&dev).succeed()?.stdout;
            let size = product(number(&said, "sector size ="), number(&said, "FS sectors ="));
            (size, vec!["resize.f2fs".to_owned()])
        }
        Kind::Lvm => {
            let pvs =
                host.required_program("pvs")?.args(["--noheadings", "-o", "pv_size", "--units", "b", "--nosuffix"]);
            (pvs.arg(&dev).succeed()?.stdout.trim().parse().ok(), vec!["pvresize".to_owned()])
        }
        Kind::Vfat => {
            let said = host.required_program("fatresize")?.arg("--info").arg(&dev).succeed()?.stdout;
            (number(&said, "Size:"), ["fatresize", "-s", "max"].map(str::to_owned).to_vec())
        }
        Kind::Bcachefs => {
            let said = host.required_program("bcachefs")?.arg("show-super").arg(&dev).succeed()?.stdout;
            let size = product(number(&said, "Bucket size:"), number(&said, "Buckets:"));
            (size, ["bcachefs", "device", "resize"].map(str::to_owned).to_vec())
        }
        Kind::Ocfs2 | Kind::Reiserfs | Kind::Swap | Kind::Ufs => {
            let msg = format!("module does not support resizing {} filesystem yet.", kind.word());
            return Err(Failure::new(msg).arg("resizefs"));
        }
    };
    let size = size.ok_or_else(|| Failure::new(format!("cannot find out the size of {}", dev.display())))?;
    if size >= device_size(host, &dev)? {
        let msg = format!("{} filesystem is using the whole device {}", kind.title(), dev.display());
        return Ok(Plan::unchanged().set("msg", msg));
    }
    let target = match kind {
        Kind::Btrfs | Kind::Xfs => mount.ok_or_else(needs_mount)?,
        _ => dev.clone(),
    };
    let msg = format!("resizing filesystem {} on device {}", kind.title(), dev.display());
    Ok(Plan::unchanged().set("msg", msg).change(Change::new(format!("grow {}", dev.display()), move |host, data| {
        let (program, words) = command.split_first().ok_or_else(|| Failure::new("there is no program to grow it"))?;
        let done = host.required_program(program)?.args(words).arg(&target).succeed()?;
        data.insert("msg".to_owned(), done.stdout.into());
        Ok(())
    })))
}

fn mount_point(host: &Host, dev: &Path) -> Result<Option<PathBuf>, Failure> {
    let program = host.required_program("findmnt")?.args(["--mtab", "--noheadings", "--output", "TARGET", "--source"]);
    let said = program.arg(dev).run()?.stdout;
    Ok(said.lines().next().map(str::trim).filter(|target| !target.is_empty()).map(PathBuf::from))
}

fn device_size(host: &Host, dev: &Path) -> Result<u64, Failure> {
    let meta = fs::metadata(dev)?;
    if meta.is_file() {
        return Ok(meta.len());
    }
    let said = host.required_program("blockdev")?.arg("--getsize64").arg(dev).succeed()?.stdout;
    said.trim().parse().map_err(|_| Failure::new(format!("cannot find out the size of {}", dev.display())))
}

/// The number that follows a label.
fn number(text: &str, label: &str) -> Option<u64> {
    let rest = text.get(text.find(label)? + label.len()..)?.trim_start();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn product(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one?.checked_mul(other?)
}
