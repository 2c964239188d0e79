//! `alternatives`: which of several programs a generic name leads to, through update-alternatives(1).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::{ArgType, nested},
    argtypes::{PathArg, Text},
    choice,
    system::{attributes::state_diff, paths},
};

choice! {
    /// What should become of the alternative.
    pub enum State {
        /// It is known.
        Present = "present",
        /// It is known, and the generic name leads to it.
        Selected = "selected",
        /// It is known, and the generic name leads to the one of the highest priority.
        Auto = "auto",
        Absent = "absent",
    }
}

args! {
    /// A link that goes along with the main one.
    pub struct Subcommand {
        /// Its generic name.
        name: Text,
        /// The link.
        link: PathArg,
        /// Where it leads to.
        path: PathArg,
    }
}

impl ArgType for Subcommand {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        nested(value, "subcommands")
    }
}

args! {
    /// Chooses which program a generic name leads to, of those that `update-alternatives` knows.
    pub struct Alternatives {
        /// The generic name: `java`.
        name: Text,
        /// The program that it should lead to.
        path: Option<PathArg>,
        /// The group of alternatives, where the host's `alternatives` has such: Red Hat and kin.
        family: Option<Text>,
        /// The link; required for a name that is not known yet, and always on Red Hat and kin.
        link: Option<PathArg>,
        /// The priority; 50 for a new alternative.
        priority: Option<i64>,
        /// What should become of the alternative.
        state: State = State::Selected,
        /// Links that go along: `name`, `link` and `path` of each.
        subcommands: Option<Vec<Subcommand>> | "slaves",
    }
}

impl Module for Alternatives {
    fn check(&self) -> Result<(), ArgError> {
        match self.path.is_none() && self.family.is_none() {
            true => Err(ArgError::new("path", "one of the following is required: path, family")),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = self.path.as_ref().map(|path| paths::text(path.on(host)));
        if let Some(path) = &path
            && self.state != State::Absent
            && !Path::new(path).exists()
            && !host.rehearses()
        {
            return Err(Failure::new(format!("Specified path {path} does not exist")).arg("path"));
        }
        let known = Known::of(host, &self.name)?;
        let own = path.as_deref().and_then(|path| known.alternatives.get(path));
        let mut plan = Plan::unchanged();
        let (mut said, mut after) = (Vec::new(), Map::new());
        let mut commands: Vec<(String, Vec<String>)> = Vec::new();
        let chosen = path.clone().or_else(|| self.family.clone()).unwrap_or_default();
        match (&path, self.state) {
            (Some(path), State::Absent) if own.is_some() => {
                said.push(format!("Remove alternative '{path}' from '{}'.", self.name));
                after.insert("state".to_owned(), "absent".into());
                commands.push((format!("remove {path} from {}", self.name), self.words("--remove", path)));
            }
            (_, State::Absent) => {}
            (Some(path), _) if own.is_none_or(|own| self.differs(own, &known, host)) => {
                let wanted = self.wanted(path, own, &known, host)?;
                said.push(format!("Install alternative '{path}' for '{}'.", self.name));
                after = data! { "state" => "present" };
                after.extend(wanted.shown());
                commands.push((format!("install {path} as {}", self.name), wanted.words(&self.name)));
            }
            _ => {}
        }
        if self.state == State::Selected && !known.leads_to(path.as_deref(), self.family.as_deref()) {
            said.push(format!("Set alternative '{chosen}' for '{}'.", self.name));
            after.insert("state".to_owned(), "selected".into());
            commands.push((format!("select {chosen} as {}", self.name), self.words("--set", &chosen)));
        }
        if self.state == State::Auto && known.is_manual() {
            said.push(format!("Set alternative to auto for '{}'.", self.name));
            after.insert("state".to_owned(), "present".into());
            let words = vec!["--auto".to_owned(), self.name.clone()];
            commands.push((format!("set {} to auto", self.name), words));
        }
        let before = known.shown(path.as_deref());
        let shown = state_diff(&before, &after);
        // Without --diff both sides are empty.
        let frame = if host.diff { (before, after) } else { (Map::new(), Map::new()) };
        plan = plan.set("diff", data! { "before" => frame.0, "after" => frame.1 });
        for (at, (what, words)) in commands.into_iter().enumerate() {
            let change = Change::new(what, move |host, _| {
                host.required_program("update-alternatives")?.args(words).succeed().map(|_| ())
            });
            plan = plan.change(if at == 0 { change.diff(shown.clone()) } else { change });
        }
        Ok(plan.set("msg", said.join(" ")))
    }
}

impl Alternatives {
    fn words(&self, option: &str, what: &str) -> Vec<String> {
        [option, &self.name, what].map(str::to_owned).to_vec()
    }

    /// Whether the alternative is known with another priority or other subcommands than the task names.
    fn differs(&self, own: &Alternative, known: &Known, host: &Host) -> bool {
        self.priority.is_some_and(|priority| own.priority != priority)
            || self.subcommands(host).is_some_and(|mut wanted| {
                let mut present = known.subcommands(own);
                crate::system::order::sort(&mut wanted);
                crate::system::order::sort(&mut present);
                wanted != present
            })
    }

    fn subcommands(&self, host: &Host) -> Option<Vec<Slave>> {
        let all = self.subcommands.as_ref()?.iter();
        let read = |one: &Subcommand| Slave {
            name: one.name.clone(),
            link: paths::text(one.link.on(host)),
            path: paths::text(one.path.on(host)),
        };
        Some(all.map(read).collect())
    }

    /// The alternative as it should be known. What the task does not name stays.
    fn wanted(&self, path: &str, own: Option<&Alternative>, known: &Known, host: &Host) -> Result<Wanted, Failure> {
        let given = self.link.as_ref().map(|link| paths::text(link.on(host)));
        let link = given.or_else(|| known.link.clone()).ok_or_else(|| {
            let msg = "Needed to install the alternative, but unable to do so as we are missing the link";
            Failure::new(msg).arg("link")
        })?;
        let kept = || own.map(|own| known.subcommands(own)).unwrap_or_default();
        Ok(Wanted {
            path: path.to_owned(),
            link,
            family: self.family.clone(),
            priority: self.priority.or(own.map(|own| own.priority)).unwrap_or(50),
            subcommands: self.subcommands(host).unwrap_or_else(kept),
        })
    }
}

/// A link that goes along, with the name of its group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slave {
    name: String,
    link: String,
    path: String,
}

impl Slave {
    fn shown(&self) -> Map {
        data! { "name" => self.name.as_str(), "link" => self.link.as_str(), "path" => self.path.as_str() }
    }
}

/// An alternative to be made known.
struct Wanted {
    path: String,
    link: String,
    family: Option<String>,
    priority: i64,
    subcommands: Vec<Slave>,
}

impl Wanted {
    fn words(&self, name: &str) -> Vec<String> {
        let priority = self.priority.to_string();
        let mut words = ["--install", &self.link, name, &self.path, &priority].map(str::to_owned).to_vec();
        if let Some(family) = &self.family {
            words.extend(["--family".to_owned(), family.clone()]);
        }
        for slave in &self.subcommands {
            words.extend(["--slave", &slave.link, &slave.name, &slave.path].map(str::to_owned));
        }
        words
    }

    fn shown(&self) -> Map {
        let mut map = data! {
            "path" => self.path.as_str(),
            "family" => self.family.as_deref().map_or(Value::Null, Value::from),
            "priority" => self.priority,
            "link" => self.link.as_str(),
        };
        if !self.subcommands.is_empty() {
            let shown: Vec<Map> = self.subcommands.iter().map(Slave::shown).collect();
            map.insert("subcommands".to_owned(), shown.into());
        }
        map
    }
}

/// One alternative that the host knows.
#[derive(Debug, Default, PartialEq)]
struct Alternative {
    priority: i64,
    family: Option<String>,
    /// Names and paths of what goes along.
    subcommands: Vec<(String, String)>,
}

/// What the host knows of a name.
#[derive(Debug, Default, PartialEq)]
struct Known {
    /// `auto` or `manual`; empty if the name is unknown.
    mode: String,
    /// Where the name leads to.
    current: Option<String>,
    link: Option<String>,
    /// The links of what goes along, by name.
    links: BTreeMap<String, String>,
    alternatives: BTreeMap<String, Alternative>,
}

impl Known {
    fn of(host: &Host, name: &str) -> Result<Known, Failure> {
        let done = match host.required_program("update-alternatives") {
            Ok(program) => program.args(["--display", name]).run()?,
            // An earlier task installs it.
            Err(_) if host.rehearses() => return Ok(Known::default()),
            Err(failure) => return Err(failure),
        };
        let mut known = if done.rc == 0 { Known::read(&done.stdout) } else { Known::default() };
        if known.link.is_none() && !known.mode.is_empty() {
            known.read_links(name);
        }
        Ok(known)
    }

    /// Reads what `update-alternatives --display` says, that of dpkg and that of chkconfig.
    fn read(text: &str) -> Known {
        let mut known = Known::default();
        let mut at: Option<String> = None;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if !line.starts_with(' ') {
                at = None;
            }
            match words.as_slice() {
                [_, "-", mode @ ("auto" | "manual"), "mode"] => known.mode = (*mode).to_owned(),
                [_, "-", "status", "is", mode] => known.mode = mode.trim_end_matches('.').to_owned(),
                ["link", "currently", "points", "to", path] => known.current = Some((*path).to_owned()),
                ["link", _, "is", link] => known.link = Some((*link).to_owned()),
                ["slave" | "follower", name, "is", link] => {
                    known.links.insert((*name).to_owned(), (*link).to_owned());
                }
                ["slave" | "follower", name, path] if name.ends_with(':') => {
                    let own = at.as_ref().and_then(|path| known.alternatives.get_mut(path));
                    let slave = (name.trim_end_matches(':').to_owned(), (*path).to_owned());
                    own.into_iter().for_each(|own| own.subcommands.push(slave.clone()));
                }
                [path, "-", rest @ ..] if path.starts_with('/') => {
                    let after = |word| rest.iter().position(|one| *one == word).and_then(|at| rest.get(at + 1));
                    let Some(priority) = after("priority").and_then(|number| number.parse().ok()) else { continue };
                    let family = after("family").map(|family| (*family).to_owned());
                    let own = Alternative { priority, family, ..Alternative::default() };
                    known.alternatives.insert((*path).to_owned(), own);
                    at = Some((*path).to_owned());
                }
                _ => {}
            }
        }
        known
    }

    /// Reads the links of chkconfig's `alternatives`, which does not tell them, from where it keeps them: the mode, the
    /// link, then name and link of each subcommand, up to an empty line.
    fn read_links(&mut self, name: &str) {
        let file = PathBuf::from("/var/lib/alternatives").join(name);
        let Ok(text) = crate::system::regular::read_to_string(file) else { return };
        let mut lines = text.lines().skip(2);
        while let (Some(name), Some(link)) = (lines.next().filter(|name| !name.is_empty()), lines.next()) {
            self.links.insert(name.to_owned(), link.to_owned());
        }
    }

    fn is_manual(&self) -> bool {
        self.mode == "manual"
    }

    /// Whether the name leads there: to the path, or without one to a program of the family.
    fn leads_to(&self, path: Option<&str>, family: Option<&str>) -> bool {
        match path {
            Some(path) => self.current.as_deref() == Some(path),
            None => {
                let current = self.current.as_ref().and_then(|current| self.alternatives.get(current));
                current.is_some_and(|current| current.family.as_deref() == family)
            }
        }
    }

    fn subcommands(&self, own: &Alternative) -> Vec<Slave> {
        let known = own.subcommands.iter();
        let slave = |(name, path): &(String, String)| {
            let link = self.links.get(name).cloned().unwrap_or_default();
            Slave { name: name.clone(), link, path: path.clone() }
        };
        known.map(slave).collect()
    }

    /// The current state of that path, for the diff.
    fn shown(&self, path: Option<&str>) -> Map {
        if self.mode.is_empty() {
            return Map::new();
        }
        let Some((path, own)) = path.and_then(|path| Some((path, self.alternatives.get(path)?))) else {
            return data! { "state" => "absent" };
        };
        // As community.general words it.
        let state = if self.is_manual() && self.current.as_deref() != Some(path) { "selected" } else { "present" };
        let mut shown = data! {
            "state" => state,
            "path" => path,
            "priority" => own.priority,
            "link" => self.link.as_deref().map_or(Value::Null, Value::from),
        };
        let slaves = self.subcommands(own);
        if !slaves.is_empty() {
            shown.insert("subcommands".to_owned(), slaves.iter().map(Slave::shown).collect::<Vec<_>>().into());
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_are_understood() {
        let debian = "tool - manual mode\n  link best version is /t/p2\n  link currently points to /t/p1\n  link tool is \
                      /t/tool\n  slave toolm is /t/toolm\n/t/p1 - priority 50\n/t/p2 - priority -6\n  slave toolm: /t/m2\n";
        let known = Known::read(debian);
        assert!(known.is_manual() && known.leads_to(Some("/t/p1"), None));
        assert_eq!((known.link.as_deref(), known.alternatives["/t/p2"].priority), (Some("/t/tool"), -6));
        let slave = Slave { name: "toolm".into(), link: "/t/toolm".into(), path: "/t/m2".into() };
        assert_eq!(known.subcommands(&known.alternatives["/t/p2"]), [slave]);
        let red_hat = "java - status is auto.\n link currently points to /t/p1\n/t/p1 - family java-11 priority 1800\n \
                       slave jre: /t/m1\n/t/p2 - priority 7\nCurrent `best' version is /t/p1.\n";
        let known = Known::read(red_hat);
        assert!(!known.is_manual() && known.leads_to(None, Some("java-11")) && !known.leads_to(None, Some("x")));
        assert_eq!((known.link, known.alternatives["/t/p1"].priority), (None, 1800));
        assert_eq!(Known::read("update-alternatives: error: no alternatives for x\n"), Known::default());
    }
}
