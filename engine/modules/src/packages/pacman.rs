//! `pacman`: packages of Arch Linux, from its repositories, files and URLs.

use std::collections::{HashMap, HashSet};

use rplay_wire::{Failure, Map, Value, data};

use super::state::State;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    system::{
        paths,
        program::{Output, Program, words},
    },
};

choice! {
    /// Why a package is installed.
    pub enum Reason {
        Dependency = "dependency",
        Explicit = "explicit",
    }
}

choice! {
    /// Which packages get the reason.
    pub enum ReasonFor {
        All = "all",
        New = "new",
    }
}

args! {
    /// Installs, upgrades and removes packages with pacman.
    pub struct Pacman {
        /// Packages, groups, files or URLs: `vim`, `core/vim`, `base-devel`, `~/vim-9.1-1-x86_64.pkg.tar.zst`.
        name: Option<Vec<Text>> | "package" | "pkg",
        /// `present` keeps installed packages at their version, `latest` upgrades them.
        state: State = State::Present,
        /// Remove packages that others need; read all package databases again.
        force: Flag = Flag(false),
        /// Remove changed files of the configuration, too.
        remove_nosave: Flag = Flag(false),
        /// pacman, or a program that takes its options.
        executable: Text = "pacman".to_owned(),
        /// More options for installing and removing.
        extra_args: Text = String::new(),
        /// Read the package databases first.
        update_cache: Option<Flag>,
        /// More options for reading them.
        update_cache_extra_args: Text = String::new(),
        /// Upgrade all packages.
        upgrade: Option<Flag>,
        /// More options for upgrading them.
        upgrade_extra_args: Text = String::new(),
        /// The reason to record for the packages.
        reason: Option<Reason>,
        /// The packages that get it: `new` are those that are not installed yet.
        reason_for: ReasonFor = ReasonFor::New,
    }
}

impl Module for Pacman {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.is_none() && self.update_cache.is_none() && self.upgrade.is_none() {
            let msg = "one of the following is required: name, update_cache, upgrade".to_owned();
            return Err(ArgError { arg: None, msg, help: None });
        }
        if self.name.is_some() && self.upgrade.is_some() {
            return Err(ArgError::exclusive("upgrade", &["name", "upgrade"]));
        }
        match self.name.iter().flatten().find(|name| name.starts_with('-')) {
            Some(name) => Err(ArgError::new("name", format!("`{name}` is not a package name"))),
            None => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if host.rehearses() && !self.executable.contains('/') && !host.has_program(&self.executable) {
            plan = plan.assumption(format!("the program {}", self.executable));
            return Ok(plan.change(Change::new("change packages", |_, _| Ok(()))));
        }
        let mut said = String::new();
        if self.update_cache.is_some_and(|wanted| wanted.0) {
            let (msg, change) = self.refresh(host)?;
            plan = plan.set("cache_updated", true).set("msg", msg).change(change).kept();
            msg.clone_into(&mut said);
        }
        Ok(plan.then(move |host| {
            let plan = if self.upgrade.is_some_and(|wanted| wanted.0) {
                self.plan_upgrade(host)?
            } else if self.name.iter().any(|names| !names.is_empty()) {
                match self.state {
                    State::Absent => self.plan_absent(host)?,
                    State::Present | State::Latest => self.plan_present(host)?,
                }
            } else {
                let msg = if said.is_empty() { "Nothing to do" } else { "" };
                Plan::unchanged().set("msg", msg)
            };
            let msg = plan.data.get("msg").and_then(Value::as_str).unwrap_or_default();
            let parts: Vec<&str> = [said.as_str(), msg].into_iter().filter(|part| !part.is_empty()).collect();
            let msg = parts.join("\n");
            Ok(plan.set("msg", msg).kept())
        }))
    }
}

/// An installed package.
struct Installed<'a> {
    version: &'a str,
    /// `-explicit` or `-dependency`.
    reason: &'static str,
}

/// What a name of the task stands for.
struct Wanted {
    /// The package.
    name: String,
    /// What pacman is to be told: the name, a file, a URL.
    source: String,
    is_file: bool,
}

impl Pacman {
    fn pacman(&self, host: &Host) -> Result<Program, Failure> {
        host.required_program(&self.executable)
    }

    /// What pacman tells; it must succeed.
    fn ask(&self, host: &Host, args: &[&str]) -> Result<String, Failure> {
        Ok(self.pacman(host)?.args(args).succeed()?.stdout)
    }

    /// The message, and the change that reads the package databases.
    fn refresh(&self, host: &Host) -> Result<(&'static str, Change), Failure> {
        let is_forced = self.force.0;
        let more = words("update_cache_extra_args", &self.update_cache_extra_args)?;
        let program = self.pacman(host)?.args(["--sync", "--refresh"]).args(more).arg_if(is_forced, "--refresh");
        let list = self.pacman(host)?.args(["--sync", "--list"]);
        let list_again = self.pacman(host)?.args(["--sync", "--list"]);
        let change = Change::maybe("read the package databases", move |_, outcome| {
            outcome.insert("cache_updated".to_owned(), false.into());
            let before = if is_forced { String::new() } else { list.succeed()?.stdout };
            act(program, "could not update package db", outcome)?;
            let is_updated = is_forced || list_again.succeed()?.stdout != before;
            outcome.insert("cache_updated".to_owned(), is_updated.into());
            Ok(is_updated)
        });
        Ok((if host.check { "Would have updated the package db" } else { "Updated package db" }, change))
    }

    fn plan_upgrade(&self, host: &Host) -> Result<Plan, Failure> {
        let upgrades = self.upgrades(host)?;
        if upgrades.is_empty() {
            return Ok(Plan::unchanged().set("msg", "Nothing to upgrade"));
        }
        let more = words("upgrade_extra_args", &self.upgrade_extra_args)?;
        let program = self.pacman(host)?.args(["--sync", "--sysupgrade", "--quiet", "--noconfirm"]).args(more);
        let frame = |version: fn(&Upgrade) -> &str| {
            upgrades.iter().map(|upgrade| format!("{}-{}\n", upgrade.name, version(upgrade))).collect::<String>()
        };
        let diff = data! { "before" => frame(|upgrade| &upgrade.old), "after" => frame(|upgrade| &upgrade.new) };
        let mut packages: Vec<String> = upgrades.iter().map(|upgrade| upgrade.name.clone()).collect();
        crate::system::order::sort(&mut packages);
        let msg = match host.check {
            true => format!("{} packages would have been upgraded", packages.len()),
            false => "System upgraded".to_owned(),
        };
        let plan = Plan::unchanged().set("diff", diff).set("packages", packages).set("msg", msg);
        Ok(plan.change(Change::new("upgrade all packages", |_, outcome| act(program, "Could not upgrade", outcome))))
    }

    fn plan_absent(&self, host: &Host) -> Result<Plan, Failure> {
        let list = self.ask(host, &["--query"])?;
        let installed: HashSet<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let wanted = self.wanted(host, &installed, &mut Plan::unchanged())?;
        let names: Vec<String> = wanted.into_iter().map(|wanted| wanted.name).collect();
        let names: Vec<String> = names.into_iter().filter(|name| installed.contains(name.as_str())).collect();
        if names.is_empty() {
            return Ok(Plan::unchanged().set("packages", Vec::<String>::new()).set("msg", "package(s) already absent"));
        }
        let base = || {
            let program = self.pacman(host)?.args(["--remove", "--noconfirm", "--noprogressbar"]);
            let program = program.args(words("extra_args", &self.extra_args)?);
            Ok::<_, Failure>(if self.force.0 { program.args(["--nodeps", "--nodeps"]) } else { program })
        };
        let listed =
            run(base()?.args(["--print-format", "%n-%v"]).args(&names), "failed to list package(s) to remove")?;
        let packages: Vec<&str> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let msg = match host.check {
            true => format!("Would have removed {} packages", packages.len()),
            false => format!("Removed {} package(s)", packages.len()),
        };
        let before: String = packages.iter().map(|package| format!("{package}\n")).collect();
        let plan = Plan::unchanged().set("packages", packages).set("diff", data! { "before" => before, "after" => "" });
        let program = base()?.arg_if(self.remove_nosave.0, "--nosave").args(&names);
        Ok(plan.set("msg", msg).change(Change::new(format!("remove {}", names.join(" ")), |_, outcome| {
            act(program, "failed to remove package(s)", outcome)
        })))
    }

    fn plan_present(&self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let list = self.ask(host, &["--query"])?;
        let mut installed: HashMap<&str, Installed<'_>> =
            pairs(&list).map(|(name, version)| (name, Installed { version, reason: "" })).collect();
        let wanted = self.wanted(host, &installed.keys().copied().collect(), &mut plan)?;
        let outdated: HashSet<String> = match self.state {
            State::Latest => self.upgrades(host)?.into_iter().map(|upgrade| upgrade.name).collect(),
            _ => HashSet::new(),
        };
        let is_due = |wanted: &&Wanted| {
            wanted.is_file || !installed.contains_key(wanted.name.as_str()) || outdated.contains(&wanted.name)
        };
        let due: Vec<&Wanted> = wanted.iter().filter(is_due).collect();
        if due.is_empty() && self.reason.is_none() {
            let plan = plan.set("packages", Vec::<String>::new());
            return Ok(plan.set("msg", "package(s) already installed"));
        }
        let more = words("extra_args", &self.extra_args)?;
        let mut new: Vec<(String, String)> = Vec::new();
        let mut programs = Vec::new();
        for (from, is_file) in [("--sync", false), ("--upgrade", true)] {
            let sources: Vec<&str> =
                due.iter().filter(|one| one.is_file == is_file).map(|one| one.source.as_str()).collect();
            if sources.is_empty() {
                continue;
            }
            let base = || {
                let program = self.pacman(host)?.args(["--noconfirm", "--noprogressbar", "--needed"]);
                Ok::<_, Failure>(program.args(&more).arg(from))
            };
            let listed = base()?.args(["--print-format", "%n %v"]).args(&sources);
            match run(listed, "Failed to list package(s) to install") {
                Ok(listed) => new.extend(pairs(&listed).map(|(name, version)| (name.to_owned(), version.to_owned()))),
                Err(failure) => {
                    plan.assume(host, format!("what is needed to install {}", sources.join(" ")), || failure)?
                }
            }
            programs.push((sources.join(" "), base()?.args(&sources)));
        }
        self.reasons(host, &mut installed)?;
        let needs_reason = |wanted: &&Wanted| match (self.reason, installed.get(wanted.name.as_str())) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(reason), Some(now)) => match self.reason_for {
                ReasonFor::All => now.reason != suffix(reason),
                ReasonFor::New => now.reason.is_empty(),
            },
        };
        let to_mark: Vec<String> = wanted.iter().filter(needs_reason).map(|wanted| wanted.name.clone()).collect();
        let mut packages: Vec<String> = new.iter().map(|(name, _)| name.clone()).collect();
        let marked = to_mark.iter().filter(|name| !new.iter().any(|(new, _)| new == *name));
        packages.extend(marked.cloned());
        crate::system::order::sort(&mut packages);
        if packages.is_empty() && plan.warnings.is_empty() {
            return Ok(plan.set("packages", packages).set("msg", "package(s) already installed"));
        }
        let then = |name: &str| match (self.reason, installed.get(name)) {
            (Some(reason), _) if to_mark.iter().any(|marked| marked == name) => suffix(reason),
            (_, Some(now)) => now.reason,
            _ => "",
        };
        let before = new.iter().filter_map(|(name, _)| {
            let now = installed.get(name.as_str())?;
            Some(format!("{name}-{}{}", now.version, now.reason))
        });
        let after = new.iter().map(|(name, version)| format!("{name}-{version}{}", then(name)));
        let diff = data! { "before" => frame(before.collect()), "after" => frame(after.collect()) };
        let msg = match host.check {
            true => format!("Would have installed {} packages", packages.len()),
            false => format!("Installed {} package(s)", packages.len()),
        };
        plan = plan.set("diff", diff).set("packages", packages).set("msg", msg);
        for (what, program) in programs {
            plan = plan.change(Change::new(format!("install {what}"), |_, outcome| {
                act(program, "Failed to install package(s)", outcome)
            }));
        }
        if let Some(reason) = self.reason.filter(|_| !to_mark.is_empty()) {
            let option = if reason == Reason::Explicit { "--asexplicit" } else { "--asdeps" };
            let program = self.pacman(host)?.args(["--noconfirm", "--database", option]).args(&to_mark);
            let what = format!("mark {} as {}", to_mark.join(" "), reason.word());
            plan = plan.change(Change::new(what, |_, outcome| act(program, "Failed to install package(s)", outcome)));
        }
        Ok(plan)
    }

    /// The packages that the names stand for.
    fn wanted(&self, host: &Host, installed: &HashSet<&str>, plan: &mut Plan) -> Result<Vec<Wanted>, Failure> {
        let known = self.ask(host, &["--sync", "--list"])?;
        let known: HashSet<&str> = known.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        let groups = self.ask(host, &["--sync", "--groups", "--groups"])?;
        let mut wanted = Vec::new();
        let mut add = |name: &str, source: &str, is_file| {
            wanted.push(Wanted { name: name.to_owned(), source: source.to_owned(), is_file });
        };
        for name in self.name.iter().flatten().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            let members: Vec<&str> =
                pairs(&groups).filter(|(group, _)| *group == name).map(|(_, member)| member).collect();
            if !members.is_empty() {
                members.iter().for_each(|member| add(member, member, false));
                continue;
            }
            if known.contains(name) || installed.contains(name) {
                add(name, name, false);
                continue;
            }
            let source = if name.starts_with('~') { paths::expand(name, host) } else { name.to_owned() };
            let of = |from| self.pacman(host)?.args([from, "--print-format", "%n", &source]).run();
            // A package with its repository or version; else a file or a URL.
            let listed = of("--sync")?;
            if listed.rc == 0 {
                add(listed.stdout.trim(), &source, false);
                continue;
            }
            let program = self.pacman(host)?.args(["--upgrade", "--print-format", "%n", &source]);
            let cmd = program.words();
            let listed = program.run()?;
            if listed.rc == 0 {
                add(listed.stdout.trim(), &source, true);
            } else if self.state != State::Absent {
                plan.assume(host, format!("the package {source}"), || {
                    let mut told = told(&listed, cmd);
                    told.insert("rc".to_owned(), listed.rc.into());
                    Failure::new(format!("Failed to list package {source}")).arg("name").data(told)
                })?;
                add(&source, &source, false);
            }
        }
        Ok(wanted)
    }

    /// Upgrades that are available.
    fn upgrades(&self, host: &Host) -> Result<Vec<Upgrade>, Failure> {
        let asked = self.pacman(host)?.args(["--query", "--upgrades"]).run()?;
        let said = asked.stdout.trim();
        // Without any it fails, without a word.
        if asked.rc == 1 && said.is_empty() {
            return Ok(Vec::new());
        }
        if asked.rc != 0 {
            let mut data = Map::new();
            for (key, text) in [("stdout", said), ("stderr", asked.stderr.as_str())] {
                if !text.is_empty() {
                    data.insert(key.to_owned(), text.into());
                }
            }
            data.insert("rc".to_owned(), asked.rc.into());
            return Err(Failure::new("Couldn't get list of packages available for upgrade").data(data));
        }
        let upgrades: Result<Vec<_>, _> = said.lines().map(Upgrade::read).collect();
        Ok(upgrades?.into_iter().flatten().collect())
    }

    /// Adds why each package is installed.
    fn reasons(&self, host: &Host, installed: &mut HashMap<&str, Installed<'_>>) -> Result<(), Failure> {
        for (option, reason) in [("--explicit", Reason::Explicit), ("--deps", Reason::Dependency)] {
            for (name, _) in pairs(&self.ask(host, &["--query", option])?) {
                if let Some(package) = installed.get_mut(name) {
                    package.reason = suffix(reason);
                }
            }
        }
        Ok(())
    }
}

/// An available upgrade.
#[derive(Debug, PartialEq)]
struct Upgrade {
    name: String,
    old: String,
    new: String,
}

impl Upgrade {
    /// From `vim 9.0-1 -> 9.1-1`; `None` for a package that is to be kept as it is.
    fn read(line: &str) -> Result<Option<Upgrade>, Failure> {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [name, old, "->", new] => {
                Ok(Some(Upgrade { name: name.to_owned(), old: old.to_owned(), new: new.to_owned() }))
            }
            [_, _, "->", _, "[ignored]"] => Ok(None),
            _ => Err(Failure::new(format!("Invalid line: {line}"))),
        }
    }
}

/// The first two words of each line.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    })
}

/// The packages, one a line.
fn frame(mut lines: Vec<String>) -> String {
    crate::system::order::sort(&mut lines);
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The reason as it stands after a package.
fn suffix(reason: Reason) -> &'static str {
    match reason {
        Reason::Dependency => "-dependency",
        Reason::Explicit => "-explicit",
    }
}

/// What the program prints; `msg` if it fails.
fn run(program: Program, msg: &str) -> Result<String, Failure> {
    let cmd = program.words();
    let done = program.run()?;
    match done.rc {
        0 => Ok(done.stdout),
        _ => Err(Failure::new(msg).data(told(&done, cmd))),
    }
}

/// Runs the program, and adds its output to that of those before.
fn act(program: Program, msg: &str, outcome: &mut Map) -> Result<(), Failure> {
    let cmd = program.words();
    let done = program.run()?;
    for (key, text) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
        let all = match outcome.get(key).and_then(Value::as_str) {
            _ if text.is_empty() => continue,
            Some(before) => format!("{before}\n{text}"),
            None => text.clone(),
        };
        outcome.insert(key.to_owned(), all.into());
    }
    match done.rc {
        0 => Ok(()),
        _ => {
            outcome.shift_remove("msg");
            Err(Failure::new(msg).data(data! { "cmd" => cmd }))
        }
    }
}

/// The output of a program that failed, and the program.
fn told(done: &Output, cmd: Vec<String>) -> Map {
    let mut told = data! { "cmd" => cmd };
    for (key, text) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
        if !text.is_empty() {
            told.insert(key.to_owned(), text.as_str().into());
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;

    #[test]
    fn upgrades_are_read() {
        let read = |line| Upgrade::read(line).map_err(|failure| failure.msg);
        let vim = Upgrade { name: "vim".to_owned(), old: "9.0-1".to_owned(), new: "9.1-1".to_owned() };
        assert_eq!(read("vim 9.0-1 -> 9.1-1"), Ok(Some(vim)));
        assert_eq!(read("vim 9.0-1 -> 9.1-1 [ignored]"), Ok(None));
        assert_eq!(read("garbage"), Err("Invalid line: garbage".to_owned()));
    }

    #[test]
    fn what_is_refused() {
        for (args, msg) in [
            (data! {}, "one of the following is required: name, update_cache, upgrade"),
            (data! { "name" => "a", "upgrade" => false }, "parameters are mutually exclusive: name|upgrade"),
            (data! { "name" => "-a" }, "`-a` is not a package name"),
        ] {
            assert_eq!(Pacman::from_map(&args).unwrap().check().unwrap_err().msg, msg);
        }
    }
}
