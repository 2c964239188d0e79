//! `modprobe`: a kernel module, now and after the next boot.

use std::path::Path;

use rplay_wire::{Diff, Failure};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Text},
    choice,
    system::{
        lossless,
        place::{Content, Placement},
        program::words,
        text,
    },
};

choice! {
    /// Whether the module is loaded at boot.
    pub enum Persistent {
        /// No change.
        Disabled = "disabled",
        Present = "present",
        Absent = "absent",
    }
}

args! {
    /// Loads and unloads a kernel module.
    pub struct Modprobe {
        /// The module.
        name: Text,
        /// Its parameters: `numdummies=2`.
        params: Option<Text>,
        /// Whether the module should be loaded.
        state: State = State::Present,
        /// Whether the module should be loaded at boot.
        persistent: Persistent = Persistent::Disabled,
    }
}

impl Module for Modprobe {
    fn check(&self) -> Result<(), ArgError> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.starts_with(['-', '.']) || !self.name.chars().all(good) {
            return Err(ArgError::new("name", format!("`{}` is not a valid module name", self.name)));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let written = self.params.as_deref().unwrap_or_default();
        let params = words("params", written)?;
        // As in Ansible, which looks for it before anything else.
        host.required_program("modprobe")?;
        let mut plan =
            Plan::unchanged().set("name", self.name.as_str()).set("params", written).set("state", self.state.word());
        let is_there =
            is_loaded(&crate::system::regular::read_to_string("/proc/modules").unwrap_or_default(), &self.name)
                || is_built_in(&self.name);
        let wanted = self.state == State::Present;
        if is_there != wanted {
            let word = |there| if there { "loaded\n" } else { "not loaded\n" };
            let diff = Diff { before: word(is_there).to_owned(), after: word(wanted).to_owned(), ..Diff::default() };
            let name = self.name.clone();
            let what = format!("{} the module {name}", if wanted { "load" } else { "unload" });
            let change = Change::new(what.clone(), move |host, _| {
                let program = host.program("modprobe").untranslated();
                let program = if wanted { program } else { program.arg("-r") };
                program.arg(&name).args(&params).run()?.success(&format!("cannot {what}")).map(|_| ())
            });
            plan = plan.change(change.diff(diff));
        }
        self.plan_boot(Path::new("/etc"), plan, host)
    }
}

impl Modprobe {
    /// `modules-load.d` lists modules to load at boot, `modprobe.d` contains parameters.
    fn plan_boot(&self, etc: &Path, mut plan: Plan, host: &Host) -> Result<Plan, Failure> {
        let name = &self.name;
        let is_name = |line: &str| same(line.trim(), name);
        let is_options = |line: &str| {
            let mut words = line.split_whitespace();
            words.next() == Some("options") && words.next().is_some_and(|found| same(found, name))
        };
        let written = self.params.as_deref().unwrap_or_default();
        let options = format!("options {name} {}", written.trim());
        let wanted = match self.persistent {
            Persistent::Disabled => return Ok(plan),
            Persistent::Present => [Some(name.as_str()), Some(options.as_str()).filter(|_| !written.trim().is_empty())],
            Persistent::Absent => [None, None],
        };
        let directories = [
            (etc.join("modules-load.d"), wanted[0], &is_name as &dyn Fn(&str) -> bool),
            (etc.join("modprobe.d"), wanted[1], &is_options),
        ];
        // Stored parameters are kept unless the task sets parameters, even empty ones.
        let keeps_options = self.persistent == Persistent::Present && self.params.is_none();
        for (directory, line, is_it) in directories.into_iter().take(if keeps_options { 1 } else { 2 }) {
            let mut is_there = false;
            let mut files = crate::system::glob::matching(&directory.join("*.conf"));
            files.push(directory.join(format!("{name}.conf")));
            files.dedup();
            for file in files {
                let Some(text) = text::read(&file)? else { continue };
                let keeps = |present: &&str| !is_it(present) || line.is_some_and(|line| present.trim() == line);
                is_there |= text.lines().any(|present| is_it(present) && keeps(&present));
                // Removes lines with other parameters, or all lines of the module.
                let left = text.lines().filter(keeps).map(|line| format!("{line}\n")).collect::<String>();
                if text.lines().any(|present| !keeps(&present)) {
                    plan = match left.trim().is_empty() && line.is_none() {
                        true => plan.change(crate::system::place::removal(file, host)),
                        false => Placement::plain(&file, Content::Bytes(lossless::encode(&left))).plan(host, plan)?,
                    };
                }
            }
            if let (Some(line), false) = (line, is_there) {
                let content = Content::Bytes(format!("{line}\n").into_bytes());
                let file = directory.join(format!("{name}.conf"));
                plan.changes.retain(|change| !change.what.ends_with(&format!("replace {}", file.display())));
                plan = Placement::plain(file, content).plan(host, plan)?;
            }
        }
        Ok(plan)
    }
}

/// The kernel treats `-` and `_` alike.
fn same(one: &str, other: &str) -> bool {
    one.replace('-', "_") == other.replace('-', "_")
}

fn is_loaded(modules: &str, name: &str) -> bool {
    modules.lines().any(|line| line.split(' ').next().is_some_and(|found| same(found, name)))
}

fn is_built_in(name: &str) -> bool {
    let release = crate::system::regular::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let list = crate::system::regular::read_to_string(format!("/lib/modules/{}/modules.builtin", release.trim()))
        .unwrap_or_default();
    list.lines().any(|line| {
        let file = line.rsplit('/').next().unwrap_or(line);
        file.split(".ko").next().is_some_and(|found| same(found, name))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rplay_wire::{Map, data};

    use super::*;
    use crate::{Args, stand_in::host};

    #[test]
    fn what_is_loaded() {
        let modules =
            "nf_conntrack 172032 3 xt_conntrack,nf_nat, Live 0x0000000000000000\nbr_netfilter 32768 0 - Live 0x0\n";
        assert!(is_loaded(modules, "br_netfilter") && is_loaded(modules, "br-netfilter"));
        assert!(!is_loaded(modules, "nf_nat"));
    }

    #[test]
    fn what_is_loaded_at_boot() {
        let etc = tempfile::tempdir().unwrap();
        for directory in ["modules-load.d", "modprobe.d"] {
            fs::create_dir(etc.path().join(directory)).unwrap();
        }
        let apply = |args: Map| {
            let plan = Modprobe::from_map(&args).unwrap().plan_boot(etc.path(), Plan::unchanged(), &host()).unwrap();
            let count = plan.changes.len();
            for change in plan.changes {
                change.make(&host(), &mut Map::new()).unwrap();
            }
            count
        };
        let wanted = |params: &str| data! { "name" => "dummy", "params" => params, "persistent" => "present" };
        assert_eq!((apply(wanted("numdummies=2")), apply(wanted("numdummies=2"))), (2, 0));
        let options = etc.path().join("modprobe.d/dummy.conf");
        assert_eq!(fs::read_to_string(&options).unwrap(), "options dummy numdummies=2\n");
        assert_eq!((apply(wanted("numdummies=3")), apply(wanted("numdummies=3"))), (1, 0));
        assert_eq!(fs::read_to_string(&options).unwrap(), "options dummy numdummies=3\n");
        let unnamed = data! { "name" => "dummy", "persistent" => "present" };
        assert_eq!((apply(unnamed), options.exists()), (0, true));
        let gone = || data! { "name" => "dummy", "persistent" => "absent" };
        assert_eq!((apply(gone()), apply(gone()), options.exists()), (2, 0, false));
    }
}
