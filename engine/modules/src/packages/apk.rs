//! `apk`: packages of Alpine Linux. What apk asked for is in its world file; the rest came as a dependency.

use std::path::Path;

use rplay_wire::{Failure, Map, data};

use super::state::State;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    system::{
        program::{Output, Program},
        regular,
    },
};

args! {
    /// Installs, upgrades and removes packages with apk.
    pub struct Apk {
        /// Packages: `curl`, `curl=8.5.0-r0`, `foo@edge`.
        name: Vec<Text> = Vec::new(),
        /// `present` keeps installed packages at their version, `latest` upgrades them.
        state: State = State::Present,
        /// Update the package index first.
        update_cache: Flag = Flag(false),
        /// Upgrade all packages.
        upgrade: Flag = Flag(false),
        /// With `upgrade`: also replace or downgrade packages whose version is no longer available.
        available: Flag = Flag(false),
        /// Do not use a local cache.
        no_cache: Flag = Flag(false),
        /// Repositories to use besides those of the host.
        repository: Vec<Text> = Vec::new(),
        /// The file with the packages that were asked for.
        world: PathArg = PathArg("/etc/apk/world".to_owned()),
    }
}

impl Module for Apk {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.is_empty() && !self.update_cache.0 && !self.upgrade.0 {
            return Err(ArgError {
                arg: None,
                msg: "one of the following is required: name, update_cache, upgrade".to_owned(),
                help: None,
            });
        }
        if !self.name.is_empty() && self.upgrade.0 {
            return Err(ArgError::exclusive("upgrade", &["name", "upgrade"]));
        }
        match self.name.iter().find(|name| name.trim().is_empty() || name.starts_with('-')) {
            Some(name) => Err(ArgError::new("name", format!("`{name}` is not a package name"))),
            None => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if !host.has_program("apk") {
            plan = plan.assumes(host, "the program apk", || host.missing_program("apk"))?;
            return Ok(plan.change(Change::new("change packages", |_, _| Ok(()))));
        }
        if self.update_cache.0 {
            let alone = self.name.is_empty() && !self.upgrade.0;
            let program = self.apk(host).arg("update");
            let change = Change::new("update the package index", move |_, outcome| {
                let done = program.run()?;
                if done.rc != 0 {
                    return Err(Failure::new("could not update package db").data(streams(&done)));
                }
                if alone {
                    outcome.extend(streams(&done));
                }
                Ok(())
            });
            if alone {
                return Ok(plan.set("msg", "updated repository indexes").change(change));
            }
            plan = plan.change(change.auxiliary());
        }
        Ok(plan.then(move |host| match (self.upgrade.0, self.state) {
            (true, _) => self.plan_upgrade(host),
            (false, State::Absent) => self.plan_absent(host),
            (false, _) => self.plan_present(host),
        }))
    }
}

impl Apk {
    /// apk with the options from the arguments.
    fn apk(&self, host: &Host) -> Program {
        let mut program = host.program("apk").untranslated().arg_if(self.no_cache.0, "--no-cache");
        for repository in &self.repository {
            program = program.args(["--repository", repository]);
        }
        program
    }

    fn plan_upgrade(&self, host: &Host) -> Result<Plan, Failure> {
        let upgrade = |simulated: bool| {
            let program = self.apk(host).arg("upgrade").arg_if(simulated, "--simulate");
            program.arg_if(self.available.0, "--available")
        };
        let simulated = upgrade(true).run()?;
        if simulated.rc != 0 {
            return Err(Failure::new("failed to upgrade packages").data(told(&simulated)));
        }
        if simulated.stdout.starts_with("OK") {
            let plan = Plan { data: told(&simulated), ..Plan::unchanged() };
            return Ok(plan.set("msg", "packages already upgraded"));
        }
        let what = "upgrade all packages";
        let change = act(upgrade(false), what, "failed to upgrade packages".to_owned());
        Ok(Plan { data: told(&simulated), ..Plan::unchanged() }.set("msg", "upgraded packages").change(change))
    }

    fn plan_present(&self, host: &Host) -> Result<Plan, Failure> {
        let world = regular::read_to_string(self.world.on(host)).unwrap_or_default();
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for name in &self.name {
            if !is_asked_for(&world, name) && !has_all_of_virtual(name, &world, host)? {
                new.push(name.clone());
            } else if self.state == State::Latest && is_outdated(name, host)? {
                old.push(name.clone());
            }
        }
        if new.is_empty() && old.is_empty() {
            return Ok(Plan::unchanged().set("msg", "package(s) already installed"));
        }
        let upgrades = !old.is_empty();
        let names: Vec<String> = new.into_iter().chain(old).collect();
        let add = |simulated: bool| {
            let program = self.apk(host).arg("add").arg_if(upgrades, "--upgrade").arg_if(simulated, "--simulate");
            program.args(&names)
        };
        plan_change(host, add, "install", "installed", &names)
    }

    fn plan_absent(&self, host: &Host) -> Result<Plan, Failure> {
        let mut names = Vec::new();
        for name in &self.name {
            if is_installed(name, host)? {
                names.push(name.clone());
            }
        }
        if names.is_empty() {
            return Ok(Plan::unchanged().set("msg", "package(s) already removed"));
        }
        let del =
            |simulated: bool| self.apk(host).args(["del", "--purge"]).arg_if(simulated, "--simulate").args(&names);
        plan_change(host, del, "remove", "removed", &names)
    }
}

/// The plan to run `program`, which can be simulated.
fn plan_change(
    host: &Host,
    program: impl Fn(bool) -> Program,
    verb: &str,
    past: &str,
    names: &[String],
) -> Result<Plan, Failure> {
    let list = names.join(" ");
    let failed = format!("failed to {verb} {list}");
    let mut plan = Plan::unchanged().set("msg", format!("{past} {list} package(s)"));
    if host.check {
        let simulated = program(true).run()?;
        match simulated.rc {
            0 => plan.data.extend(told(&simulated)),
            _ => plan.assume(host, format!("what is needed to {verb} {list}"), || {
                Failure::new(failed.as_str()).data(told(&simulated))
            })?,
        }
    }
    Ok(plan.change(act(program(false), &format!("{verb} {list}"), failed)))
}

/// The change that runs the program; `failed` is the message if it fails.
fn act(program: Program, what: &str, failed: String) -> Change {
    Change::new(what, move |_, outcome| {
        let done = program.run()?;
        if done.rc != 0 {
            return Err(Failure::new(failed).data(told(&done)));
        }
        outcome.extend(told(&done));
        Ok(())
    })
}

fn streams(done: &Output) -> Map {
    data! { "stdout" => done.stdout.as_str(), "stderr" => done.stderr.as_str() }
}

/// The output, and the packages that it names.
fn told(done: &Output) -> Map {
    let mut told = streams(done);
    told.insert("packages".to_owned(), changed_packages(&done.stdout).into());
    told
}

/// The packages in lines such as `(1/2) Installing curl (8.5.0-r0)`.
fn changed_packages(stdout: &str) -> Vec<String> {
    let package = |line: &str| {
        let (count, rest) = line.strip_prefix('(')?.split_once(')')?;
        let (one, all) = count.split_once('/')?;
        let is_count = [one, all].iter().all(|part| part.trim().parse::<u32>().is_ok());
        is_count.then(|| rest.split_whitespace().nth(1).map(str::to_owned))?
    };
    stdout.lines().filter_map(package).collect()
}

/// The name without version and repository.
fn bare(name: &str) -> &str {
    name.split(['=', '<', '>', '~', '@']).next().unwrap_or(name)
}

/// Whether the package was asked for, in this version if one is given.
fn is_asked_for(world: &str, name: &str) -> bool {
    // The repository of a package is kept in the world file only if it was given.
    let is_it = |entry: &str| match name.contains(['=', '<', '>', '~', '@']) {
        true => entry == name,
        false => bare(entry) == name,
    };
    world.split_whitespace().any(is_it)
}

fn is_installed(name: &str, host: &Host) -> Result<bool, Failure> {
    let done = host.program("apk").args(["-v", "info", "--installed", bare(name)]).untranslated().run()?;
    Ok(done.rc == 0)
}

/// Whether `name` is a virtual package whose parts were all asked for.
fn has_all_of_virtual(name: &str, world: &str, host: &Host) -> Result<bool, Failure> {
    let done = host.program("apk").args(["-v", "info", "--description", bare(name)]).untranslated().run()?;
    if !done.stdout.contains("virtual meta package") {
        return Ok(false);
    }
    let done = host.program("apk").args(["-v", "info", "--depends", bare(name)]).untranslated().run()?;
    let mut parts = done.stdout.lines().skip(1).map(str::trim).filter(|line| !line.is_empty());
    Ok(parts.all(|part| is_asked_for(world, part)))
}

/// Whether a later version is available: `curl-8.4.0-r0 < 8.5.0-r0`.
fn is_outdated(name: &str, host: &Host) -> Result<bool, Failure> {
    let done = host.program("apk").args(["version", bare(name)]).untranslated().run()?;
    Ok(names_later_version(&done.stdout, bare(name)))
}

fn names_later_version(stdout: &str, name: &str) -> bool {
    stdout.lines().any(|line| {
        let mut words = line.split_whitespace();
        let package = words.next().and_then(|word| word.strip_prefix(name)).is_some_and(|rest| {
            rest.strip_prefix('-').is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        });
        package && words.next() == Some("<")
    })
}

/// Whether this host has apk as its own package manager.
pub(crate) fn manages(host: &Host) -> bool {
    Path::new("/etc/apk").is_dir() && host.has_program("apk")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;

    #[test]
    fn what_apk_prints_is_read() {
        let said = "(1/2) Installing libcurl (8.5.0-r0)\n(2/2) Installing curl (8.5.0-r0)\n\
                    Executing busybox-1.36.1-r15.trigger\nOK: 13 MiB in 25 packages\n";
        assert_eq!(changed_packages(said), ["libcurl", "curl"]);
        let versions = "Installed:                                Available:\ncurl-8.4.0-r0            < 8.5.0-r0\n";
        assert!(names_later_version(versions, "curl") && !names_later_version(versions, "cur"));
        assert!(!names_later_version("curl-8.5.0-r0            = 8.5.0-r0\n", "curl"));
    }

    #[test]
    fn the_world_tells_what_was_asked_for() {
        let world = "alpine-base curl=8.5.0-r0\nfoo@edge\n";
        for (name, expected) in
            [("alpine-base", true), ("curl", true), ("curl=8.4.0-r0", false), ("foo@edge", true), ("fo", false)]
        {
            assert_eq!(is_asked_for(world, name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (args, msg) in [
            (data! {}, "one of the following is required: name, update_cache, upgrade"),
            (data! { "name" => "a", "upgrade" => true }, "parameters are mutually exclusive: name|upgrade"),
            (data! { "name" => "-a" }, "`-a` is not a package name"),
        ] {
            assert_eq!(Apk::from_map(&args).unwrap().check().unwrap_err().msg, msg);
        }
    }
}
