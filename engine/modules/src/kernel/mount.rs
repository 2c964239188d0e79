//! `mount`: mounts, now and after the next boot.

mod fstab;

use std::path::{Path, PathBuf};

use rplay_wire::{Diff, Failure};

use crate::system::fs;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    io_failure::io_failure,
    system::{
        lossless, paths,
        place::{Content, Placement},
        program::Output,
        text,
    },
};
use fstab::{Entry, Fstab};

choice! {
    /// The desired state of a mount point.
    pub enum State {
        /// In fstab and mounted.
        /// In fstab.
        /// Not mounted; fstab is unchanged.
        /// Not mounted, not in fstab, and the directory is removed.
        Absent = "absent",
        /// Not in fstab.
        AbsentFromFstab = "absent_from_fstab",
        Mounted = "mounted",
        Present = "present",
        Unmounted = "unmounted",
        /// Remounted.
        Remounted = "remounted",
        /// Mounted without an entry in fstab.
        Ephemeral = "ephemeral",
    }
}

args! {
    /// Mounts and unmounts file systems, and maintains fstab.
    pub struct Mount {
        /// The mount point.
        path: PathArg | "name",
        /// The device, image or remote directory.
        src: Option<Text>,
        /// The type of the file system: `ext4`, `nfs`, `none`.
        fstype: Option<Text>,
        /// Mount options: `defaults,noatime`. By default, options in the table are kept.
        opts: Option<Text>,
        /// Do not show the options, for example because they contain a password.
        opts_no_log: Flag = Flag(false),
        /// Whether dump(8) backs it up; 0 for a new entry.
        dump: Option<Text>,
        /// The order of checks at boot, 0 for none; 0 for a new entry.
        passno: Option<Text>,
        /// The desired state.
        state: State,
        /// The table; `/etc/fstab` by default.
        fstab: Option<Text>,
        /// Whether it is mounted at boot: `false` adds the option `noauto`.
        boot: Flag = Flag(true),
        /// Keep a copy of the previous table.
        backup: Flag = Flag(false),
    }
}

impl Module for Mount {
    fn check(&self) -> Result<(), ArgError> {
        if matches!(self.state, State::Mounted | State::Present | State::Ephemeral) {
            let given = [("src", &self.src), ("fstype", &self.fstype)];
            let is_missing =
                |given: &&(&str, &Option<Text>)| given.1.as_deref().is_none_or(|value| value.trim().is_empty());
            let missing: Vec<&str> = given.iter().filter(is_missing).map(|given| given.0).collect();
            if let Some(first) = missing.first() {
                let (word, missing) = (self.state.word(), missing.join(", "));
                let msg = format!("state is {word} but all of the following are missing: {missing}");
                return Err(ArgError::new(first, msg));
            }
        }
        if self.state == State::Ephemeral && self.fstab.is_some() {
            return Err(ArgError::new("fstab", "cannot be combined with `state: ephemeral`"));
        }
        let words = [
            ("opts", self.opts.as_ref()),
            ("fstype", self.fstype.as_ref()),
            ("dump", self.dump.as_ref()),
            ("passno", self.passno.as_ref()),
        ];
        for (name, value) in words {
            if value.is_some_and(|value| value.contains(char::is_whitespace)) {
                return Err(ArgError::new(name, "must not contain spaces"));
            }
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let point = self.path.on(host);
        let point =
            if point == Path::new("/") { point } else { PathBuf::from(paths::text(&point).trim_end_matches('/')) };
        let table = PathBuf::from(self.fstab.as_deref().unwrap_or("/etc/fstab"));
        let mounted =
            fstab::mounted(&crate::system::regular::read_to_string("/proc/self/mounts").unwrap_or_default(), &point);
        let mut plan = Plan::unchanged()
            .set("name", paths::text(&point))
            .set("fstab", paths::text(&table))
            .set("boot", if self.boot.0 { "yes" } else { "no" })
            .set("dump", self.dump.as_deref().unwrap_or("0"))
            .set("passno", self.passno.as_deref().unwrap_or("0"))
            .set("backup_file", "");
        let shown = |options: &str| match self.opts_no_log.0 {
            true => "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER".to_owned(),
            false => options.to_owned(),
        };
        plan = plan.set("opts", shown(self.opts.as_deref().unwrap_or("defaults")));
        let text = text::read(&table).map_err(|failure| failure.arg("fstab"))?.unwrap_or_default();
        let mut edited = Fstab::parse(&text);
        let entry = self.entry(&point, &edited);
        if let Some(entry) = &entry {
            plan = plan
                .set("src", entry.source.as_str())
                .set("fstype", entry.kind.as_str())
                .set("opts", shown(&entry.options));
        }
        match (self.state, &entry) {
            (State::Mounted | State::Present, Some(entry)) => edited.set(entry),
            (State::Absent | State::AbsentFromFstab, _) => edited.remove(&point, self.src.as_deref()),
            _ => {}
        }
        let is_swap = self.fstype.as_deref() == Some("swap");
        let is_new = edited.text() != text;
        // Unmounted first, while fstab still has the entry.
        if (self.state == State::Unmounted || self.state == State::Absent && is_new) && mounted.is_some() {
            plan = plan.change(unmount(&point));
        }
        let makes_directory = matches!(self.state, State::Mounted | State::Ephemeral) && !point.exists() && !is_swap;
        if makes_directory {
            let directory = point.clone();
            plan = plan.change(Change::new(format!("create directory {}", directory.display()), move |_, _| {
                fs::create_dir_all(&directory).map_err(|error| io_failure("create", &directory, &error))
            }));
        }
        if is_new {
            let mut placement = Placement::plain(paths::real(&table), Content::Bytes(lossless::encode(&edited.text())));
            placement.shown = !self.opts_no_log.0;
            plan = placement.backup(self.backup.0).plan(host, plan)?;
        }
        let there = mounted.is_some();
        match (self.state, entry) {
            (State::Mounted, Some(entry)) if !is_swap => {
                let other_source = mounted.as_ref().is_some_and(|now| !entry.has_source(now));
                if other_source {
                    plan = plan.change(unmount(&point));
                }
                let mounting = match there && !other_source {
                    true if is_new => Some(self.remount(&point, Some(&entry))),
                    true => None,
                    false => Some(self.mount(&entry)),
                };
                if let Some(mounting) = mounting {
                    let before = is_new.then_some(text);
                    plan = plan.change(mounting.on_failure(move |failure| {
                        // As in ansible-core, a mount that fails leaves nothing behind. Its failure is reported, not
                        // one of the clean-up.
                        if let Some(before) = before {
                            let _ = fs::write(&table, lossless::encode(&before));
                        }
                        if makes_directory {
                            let _ = fs::remove_dir(&point);
                        }
                        failure
                    }));
                }
            }
            (State::Ephemeral, Some(entry)) => match mounted {
                None => {
                    plan = plan.change(self.mount(&entry).on_failure(move |failure| {
                        if makes_directory {
                            let _ = fs::remove_dir(&point);
                        }
                        failure
                    }));
                }
                Some(now) if entry.has_source(&now) => plan = plan.change(self.remount(&point, Some(&entry))),
                Some(now) => {
                    return Err(Failure::new(format!(
                        "Ephemeral mount point is already mounted with a different source: {}",
                        now.source
                    ))
                    .arg("src"));
                }
            },
            (State::Remounted, entry) => {
                plan = plan.change(self.remount(&point, entry.as_ref()));
            }
            (State::Absent, _) if is_new && point.is_dir() => {
                let directory = point.clone();
                plan = plan.change(Change::new(format!("remove directory {}", directory.display()), move |_, _| {
                    fs::remove_dir(&directory).map_err(|error| io_failure("remove", &directory, &error))
                }));
            }
            _ => {}
        }
        Ok(plan)
    }
}

impl Mount {
    /// The desired entry. Fields that the task does not set are kept.
    fn entry(&self, point: &Path, table: &Fstab) -> Option<Entry> {
        let (source, kind) = (self.src.clone()?, self.fstype.clone()?);
        let blank = Entry {
            source,
            point: paths::text(point),
            kind,
            options: "defaults".to_owned(),
            dump: "0".to_owned(),
            pass: "0".to_owned(),
        };
        let known = table.find(&blank).filter(|_| self.state != State::Ephemeral).unwrap_or_else(|| blank.clone());
        let mut options = self.opts.clone().unwrap_or(known.options);
        // As in ansible-core, also where they have it already, if the task names them.
        if !self.boot.0 && (self.opts.is_some() || !options.split(',').any(|option| option == "noauto")) {
            options.push_str(",noauto");
        }
        Some(Entry {
            options,
            dump: self.dump.clone().unwrap_or(known.dump),
            pass: self.passno.clone().unwrap_or(known.pass),
            ..blank
        })
    }

    /// Mounts by the table, if it has an entry; helpers such as mount.nfs read it too.
    fn mount(&self, entry: &Entry) -> Change {
        let mut args = Vec::new();
        if self.state == State::Ephemeral {
            args.extend([
                "-t".to_owned(),
                entry.kind.clone(),
                "-o".to_owned(),
                entry.options.clone(),
                entry.source.clone(),
            ]);
        } else if let Some(table) = &self.fstab {
            args.extend(["-T".to_owned(), table.clone()]);
        }
        args.push(entry.point.clone());
        run(format!("mount {}", entry.point), "mount", "mounting", args).diff(Diff {
            before: String::new(),
            after: format!("{} on {}\n", entry.source, entry.point),
            ..Diff::default()
        })
    }

    fn remount(&self, point: &Path, entry: Option<&Entry>) -> Change {
        let own = entry.map(|entry| &entry.options).or(self.opts.as_ref()).filter(|_| self.opts.is_some());
        let options = own.map_or_else(|| "remount".to_owned(), |options| format!("remount,{options}"));
        let mut args = vec!["-o".to_owned(), options];
        if let Some(table) = &self.fstab {
            args.extend(["-T".to_owned(), table.clone()]);
        }
        let point = paths::text(point);
        args.push(point.clone());
        let is_remounted = self.state == State::Remounted;
        let must_remount = is_remounted && self.opts.as_deref().is_some_and(|options| options != "defaults");
        let doing = if is_remounted { "remounting" } else { "mounting" };
        Change::new(format!("remount {point}"), move |host, _| {
            let mount = |args: &[String]| host.program("mount").args(args).untranslated().run();
            if mount(&args)?.rc == 0 {
                return Ok(());
            }
            if must_remount {
                return Err(Failure::new(NOT_REMOUNTED));
            }
            // As in ansible-core: what cannot be remounted is unmounted and mounted again.
            told(&host.program("umount").arg(&point).untranslated().run()?, doing, &point)?;
            told(&mount(&args[2..])?, doing, &point)
        })
    }
}

/// Why nothing is unmounted to get the options of `state: remounted`: mounted again, it would have those of the table.
const NOT_REMOUNTED: &str = "Options were specified with remounted, but the remount command failed. Failing in order \
                             to prevent an unexpected mount result. Try replacing this command with a \"state: \
                             unmounted\" followed by a \"state: mounted\" using the full desired mount options \
                             instead.";

fn unmount(point: &Path) -> Change {
    run(format!("unmount {}", point.display()), "umount", "unmounting", vec![paths::text(point)])
}

/// Fails as ansible-core does, unless the program succeeded. `what` is what it was doing.
fn told(done: &Output, what: &str, point: &str) -> Result<(), Failure> {
    match done.rc {
        0 => Ok(()),
        _ => Err(Failure::new(format!("Error {what} {point}: {}{}", done.stdout, done.stderr))),
    }
}

/// Runs a program whose last argument is the mount point.
fn run(what: String, program: &'static str, doing: &'static str, args: Vec<String>) -> Change {
    Change::new(what, move |host, _| {
        told(&host.program(program).args(&args).untranslated().run()?, doing, args.last().map_or("", String::as_str))
    })
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, data};

    use super::*;
    use crate::runner::tests::call;

    #[test]
    fn what_is_not_named_stays_in_the_table() {
        let directory = tempfile::tempdir().unwrap();
        let table = directory.path().join("fstab");
        let text = "# keep\n/dev/sdb1 /srv ext4 noatime,errors=remount-ro 0 2\n";
        fs::write(&table, text).unwrap();
        let set = |more: Map| {
            let mut args = data! {
                "path" => "/srv", "src" => "/dev/sdb1", "fstype" => "ext4", "state" => "present",
                "fstab" => paths::text(&table),
            };
            args.extend(more);
            call("mount", args)
        };
        let same = set(data! {});
        assert!(!same.changed && same.data["opts"] == "noatime,errors=remount-ro".into(), "{same:?}");
        assert!(set(data! { "src" => "/dev/sdc1" }).changed);
        assert_eq!(fs::read_to_string(&table).unwrap(), text.replace("sdb1", "sdc1"));
        assert!(set(data! { "opts" => "defaults", "passno" => "1" }).changed);
        assert_eq!(fs::read_to_string(&table).unwrap(), "# keep\n/dev/sdb1 /srv ext4 defaults 0 1\n");
    }
}
