//! `kernel_blacklist`: kernel modules that are not loaded by themselves.

use std::path::PathBuf;

use rplay_wire::{Failure, Map, data};

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Text},
    system::{
        attributes::state_diff,
        lossless, paths,
        place::{Content, Placement},
        text,
    },
};

args! {
    /// Adds a kernel module to the list of those that are not loaded by themselves, or removes it.
    pub struct KernelBlacklist {
        /// The module.
        name: Text,
        /// Whether it should be in the list.
        state: State = State::Present,
        /// The list.
        blacklist_file: Text = "/etc/modprobe.d/blacklist-ansible.conf".to_owned(),
    }
}

impl Module for KernelBlacklist {
    fn check(&self) -> Result<(), ArgError> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match !self.name.is_empty() && self.name.chars().all(good) {
            true => Ok(()),
            false => Err(ArgError::new("name", format!("`{}` is not a valid module name", self.name))),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = PathBuf::from(paths::expand(&self.blacklist_file, host));
        let before = text::read(&path).map_err(|failure| failure.arg("blacklist_file"))?;
        let lines: Vec<&str> = before.iter().flat_map(|text| text.lines().map(str::trim_end)).collect();
        let is_it = |line: &&str| line.split_whitespace().eq(["blacklist", self.name.as_str()]);
        let own = format!("blacklist {}", self.name);
        let mut wanted = lines.clone();
        match self.state {
            State::Present if !lines.iter().any(is_it) => wanted.push(&own),
            State::Present => {}
            State::Absent => wanted.retain(|line| !is_it(line)),
        }
        let mut plan = Plan::unchanged()
            .set("name", self.name.as_str())
            .set("state", self.state.word())
            .set("filename", paths::text(&path))
            .set("lines", wanted.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
            .set("is_blacklisted", self.state == State::Present);
        let side =
            |lines: &[&str]| data! { "lines" => lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>() };
        let (old, new) = (side(&lines), side(&wanted));
        if host.diff {
            let shown = if old == new {
                Map::new()
            } else {
                data! { "before" => old.clone(), "after" => new.clone() }
            };
            plan = plan.set("diff", shown);
        }
        if wanted == lines && before.is_some() {
            return Ok(plan);
        }
        let content = wanted.iter().map(|line| format!("{line}\n")).collect::<String>();
        plan = Placement::plain(&path, Content::Bytes(lossless::encode(&content))).plan(host, plan)?;
        if let Some(change) = plan.changes.first_mut() {
            change.diff = Some(state_diff(&old, &new));
        }
        Ok(plan)
    }
}
