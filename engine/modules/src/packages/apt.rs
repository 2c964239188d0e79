//! `apt`: packages on Debian-based systems. The actions are determined from dpkg and from apt-get's own simulation, so
//! that check mode and the real run cannot differ.

mod cache;
mod deb;
mod dpkg;
mod get;
mod marks;
mod spec;

pub(crate) use cache::Refresh;
pub(crate) use get::AptGet;

use std::{cell::Cell, rc::Rc};

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{Flag, PathArg, Text},
    choice,
};
use spec::Spec;

choice! {
    /// The desired state of packages.
    pub enum State {
        Absent = "absent",
        BuildDep = "build-dep",
        Fixed = "fixed",
        Latest = "latest",
        Present = "present",
    }
}

choice! {
    /// How to upgrade the whole system.
    pub enum Upgrade {
        Dist = "dist",
        Full = "full",
        No = "no",
        Safe = "safe",
        Yes = "yes",
    }
}

/// Names of packages. An empty text is one empty name, which no package has, and not a list without names: a variable that
/// is empty by mistake is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(Vec<Text>);

impl ArgType for Names {
    const KIND: &'static str = Vec::<Text>::KIND;

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Str(text) if text.is_empty() => Ok(Names(vec![String::new()])),
            value => Vec::parse(value).map(Names),
        }
    }
}

args! {
    /// Installs, upgrades and removes packages with apt-get.
    pub struct Apt {
        /// Packages: `nginx`, `nginx=1.22*`, `nginx>=1.20`, `linux-image-*`, `libc6:i386`.
        name: Names | "package" | "pkg" = Names::default(),
        /// A package file: a path on the host, or a URL.
        deb: Option<PathArg>,
        /// `present` keeps installed packages at their version, `latest` upgrades them.
        state: State = State::Present,
        /// Update the package index first.
        update_cache: Option<Flag> | "update-cache",
        /// Maximum age of the package index in seconds; setting it implies `update_cache`.
        cache_valid_time: u64 = 0,
        /// Number of retries if updating the index fails.
        update_cache_retries: u64 = 5,
        /// Maximum pause between two attempts in seconds.
        update_cache_retry_max_delay: u64 = 12,
        /// Upgrade all packages: `safe` and `yes` never remove one, `full` and `dist` may. By default, no.
        upgrade: Option<Upgrade>,
        /// Also remove configuration files.
        purge: Flag = Flag(false),
        /// Remove packages that are no longer needed.
        autoremove: Flag = Flag(false),
        /// Remove package files from the cache that can no longer be downloaded.
        autoclean: Flag = Flag(false),
        /// Empty the package cache.
        clean: Flag = Flag(false),
        /// Install recommended packages; by default as configured on the host.
        install_recommends: Option<Flag> | "install-recommends",
        /// Only upgrade installed packages, do not install new ones.
        only_upgrade: Flag = Flag(false),
        /// The release to install from.
        default_release: Option<Text> | "default-release",
        /// Options for dpkg, separated by commas.
        dpkg_options: Text = "force-confdef,force-confold".to_owned(),
        /// Downgrade packages, remove essential ones, change held ones, accept unauthenticated ones.
        force: Flag = Flag(false),
        /// Accept packages from sources without a valid signature.
        allow_unauthenticated: Flag | "allow-unauthenticated" = Flag(false),
        /// Allow installing an older version than the current one.
        allow_downgrade: Flag | "allow-downgrade" | "allow_downgrades" | "allow-downgrades" = Flag(false),
        /// Change held packages.
        allow_change_held_packages: Flag = Flag(false),
        /// Fail if other packages would be removed.
        fail_on_autoremove: Flag = Flag(false),
        /// Seconds to wait for another apt or dpkg process.
        lock_timeout: u64 = 60,
        /// The exit code of `policy-rc.d` during configuration; 101 prevents services from starting.
        policy_rc_d: Option<i64>,
        /// Accepted for compatibility: apt-get is always used.
        force_apt_get: Flag = Flag(false),
        /// Accepted for compatibility: the module has no dependencies.
        auto_install_module_deps: Flag = Flag(true),
    }
}

impl Module for Apt {
    fn check(&self) -> Result<(), ArgError> {
        let asked =
            [("name", !self.name.0.is_empty()), ("deb", self.deb.is_some()), ("upgrade", self.upgrade.is_some())];
        let mut asked = asked.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
        if let (Some(first), Some(second)) = (asked.next(), asked.next()) {
            let help = format!("write either `{first}` or `{second}`");
            return Err(ArgError::exclusive(second, &["deb", "package", "upgrade"]).help(help));
        }
        if self.state == State::BuildDep && self.force.0 {
            return Err(ArgError::new("force", "cannot be combined with `state: build-dep`"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        if !host.has_program("apt-get") {
            return Err(
                Failure::new("this host has no apt-get").help("use `package`, or the module of its package manager")
            );
        }
        // No effect: neither python-apt nor aptitude is ever used.
        let _ = (self.force_apt_get, self.auto_install_module_deps);
        let refresh = Refresh::wanted(
            self.update_cache.is_some_and(|flag| flag.0) || (self.update_cache.is_none() && self.cache_valid_time > 0),
            self.cache_valid_time,
            self.update_cache_retries,
            self.update_cache_retry_max_delay,
            self.lock_timeout,
        );
        let alone = !self.asks_for_packages();
        let mut plan = Plan::unchanged();
        if self.clean.0 {
            let clean = AptGet::new(self.lock_timeout).arg("clean").quiet().change("empty the package cache");
            // As in Ansible: without packages all other options are left out, with them the cache does not count.
            if !self.names_packages() {
                let nothing = data! { "msg" => "", "stdout" => "", "stderr" => "", "diff" => if host.diff { data! { "prepared" => "" } } else { Map::new() } };
                return Ok(Plan { data: nothing, ..plan.change(clean) });
            }
            plan = plan.change(clean.auxiliary());
        }
        let updated = Rc::new(Cell::new(false));
        if let Some(change) = refresh.and_then(|refresh| refresh.change_if_due(alone, Rc::clone(&updated))) {
            updated.set(host.check);
            plan = plan.change(change);
        }
        Ok(plan.then(move |host| match alone {
            true => Ok(Plan { data: cache::told(updated.get()), ..Plan::unchanged() }),
            false => self.plan_packages(host, updated.get()),
        }))
    }
}

impl Apt {
    /// The options of dpkg, without their dashes.
    fn dpkg_options(&self) -> impl Iterator<Item = &str> {
        let options = self.dpkg_options.split(',').map(str::trim).filter(|option| !option.is_empty());
        options.map(|option| option.trim_start_matches("--"))
    }

    fn names_packages(&self) -> bool {
        self.deb.is_some() || self.upgrade.is_some_and(|upgrade| upgrade != Upgrade::No) || !self.name.0.is_empty()
    }

    fn asks_for_packages(&self) -> bool {
        self.names_packages() || self.autoremove.0 || self.autoclean.0
    }

    /// The command line of `command`, as ansible-core tells it when apt-get fails.
    fn told(&self, command: &str, names: &[String], host: &Host) -> String {
        let mut told = "/usr/bin/apt-get -y".to_owned();
        for option in self.dpkg_options() {
            told += &format!(" -o \"Dpkg::Options::=--{option}\"");
        }
        told += &format!(" -o DPkg::Lock::Timeout={}", self.lock_timeout);
        // Each option has its place, whether it is there or not; `build-dep` has none for `--auto-remove`, the upgrades none
        // for `--simulate`.
        let places = [
            (true, self.only_upgrade.0, "--only-upgrade"),
            (true, self.state == State::Fixed, "--fix-broken"),
            (true, self.force.0, "--force-yes"),
            (command != "build-dep", self.autoremove.0, "--auto-remove"),
            (true, self.fail_on_autoremove.0, "--no-remove"),
            (matches!(command, "install" | "build-dep"), host.check, "--simulate"),
        ];
        for (_, set, option) in places.into_iter().filter(|(has_place, ..)| *has_place) {
            told += &format!(" {}", if set { option } else { "" });
        }
        told += &format!(" {command}");
        names.iter().for_each(|name| told += &format!(" '{name}'"));
        if let Some(release) = &self.default_release {
            told += &format!(" -t '{release}'");
        }
        if let Some(Flag(recommends)) = self.install_recommends {
            told += &format!(" -o APT::Install-Recommends={}", if recommends { "yes" } else { "no" });
        }
        for (set, option) in [
            (self.allow_unauthenticated.0, "--allow-unauthenticated"),
            (self.allow_downgrade.0, "--allow-downgrades"),
            (self.allow_change_held_packages.0, "--allow-change-held-packages"),
        ] {
            if set {
                told += &format!(" {option}");
            }
        }
        told
    }

    /// apt-get with the options from the arguments.
    fn get(&self) -> AptGet {
        let mut get = AptGet::new(self.lock_timeout).policy_rc_d(self.policy_rc_d);
        for option in self.dpkg_options() {
            get = get.args(["-o", &format!("Dpkg::Options::=--{option}")]);
        }
        if let Some(Flag(recommends)) = self.install_recommends {
            get = get.args(["-o", &format!("APT::Install-Recommends={}", if recommends { "yes" } else { "no" })]);
        }
        if let Some(release) = &self.default_release {
            get = get.args(["-t", release]);
        }
        let force = self.force.0;
        for (flag, set) in [
            ("--allow-unauthenticated", force || self.allow_unauthenticated.0),
            ("--allow-downgrades", force || self.allow_downgrade.0),
            ("--allow-change-held-packages", force || self.allow_change_held_packages.0),
            ("--allow-remove-essential", force),
            ("--no-remove", self.fail_on_autoremove.0),
            ("--only-upgrade", self.only_upgrade.0),
            ("--auto-remove", self.autoremove.0),
        ] {
            if set {
                get = get.arg(flag);
            }
        }
        get
    }

    /// `updated`: whether the index was updated before.
    fn plan_packages(self, host: &Host, updated: bool) -> Result<Plan, Failure> {
        match (&self.deb, self.upgrade) {
            (Some(deb), _) => return self.plan_deb(host, &deb.0),
            (_, Some(Upgrade::Safe | Upgrade::Yes)) => {
                return self.plan_upgrade(host, "upgrade --with-new-pkgs", "upgrade all packages");
            }
            (_, Some(Upgrade::Full | Upgrade::Dist)) => {
                return self.plan_upgrade(host, "dist-upgrade", "upgrade the distribution");
            }
            _ => {}
        }
        let names = self.name.0.iter().map(|name| name.trim());
        // What no package can be called is not there, which is what `absent` asks for.
        let specs = names
            .filter(|name| self.state != State::Absent || Spec::may_be_a_name(name))
            .map(Spec::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::new(error).arg("name"))?;
        if specs.is_empty() {
            return if self.name.0.is_empty() { self.plan_cleaning(host) } else { Ok(Plan::unchanged()) };
        }
        if let ([only], State::Latest) = (specs.as_slice(), self.state)
            && only.name == "*"
        {
            return self.plan_upgrade(host, "upgrade --with-new-pkgs", "upgrade all packages");
        }
        if self.state == State::Absent {
            return self.plan_absent(host, &specs);
        }
        let mut plan = self.plan_present(host, specs, updated)?.kept();
        plan.data.extend(cache::told(updated));
        Ok(plan)
    }

    /// An upgrade of the whole system by `command`.
    fn plan_upgrade(&self, host: &Host, command: &str, what: &str) -> Result<Plan, Failure> {
        let get = self.get().args(command.split(' ')).told(self.told(command, &[], host)).repeats_in_msg();
        let simulated = get.simulate(host)?;
        if simulated.rc != 0 {
            return Err(get.failure(&simulated, what));
        }
        let plan = get.plan_simulated(host, &simulated, what);
        if !plan.changes.is_empty() {
            return Ok(plan);
        }
        let said = simulated.stdout.as_str();
        let said = data! { "msg" => said, "stdout" => said, "stderr" => simulated.stderr.as_str() };
        Ok(Plan { data: said, ..plan })
    }

    fn plan_cleaning(&self, host: &Host) -> Result<Plan, Failure> {
        let (command, what) = match self.autoclean.0 {
            true => ("autoclean", "remove outdated package files"),
            false => ("autoremove", "remove unneeded packages"),
        };
        let mut get = AptGet::new(self.lock_timeout).arg(command).told(format!("apt-get {command}"));
        if self.purge.0 && !self.autoclean.0 {
            get = get.arg("--purge");
        }
        let simulated = get.simulate(host)?;
        if simulated.rc != 0 {
            return Err(get.failure(&simulated, what));
        }
        let said = get::said(&simulated, host.diff);
        let plan = match self.autoclean.0 {
            // It is simulated as "Del" lines, which no transaction has.
            true if simulated.stdout.lines().any(|line| line.starts_with("Del ")) => {
                Plan::unchanged().change(get.change(what))
            }
            true => Plan::unchanged(),
            false => get.plan_simulated(host, &simulated, what),
        };
        Ok(Plan { data: said, ..plan })
    }

    fn plan_absent(&self, host: &Host, specs: &[Spec]) -> Result<Plan, Failure> {
        let known = dpkg::Installed::look(host, specs)?;
        let mut plan = Plan::unchanged();
        let mut doomed = Vec::new();
        for spec in specs {
            let found = known.removable(spec, self.purge.0);
            if found.is_empty() && spec.is_pattern() && cache::matching(host, spec)?.is_empty() {
                let missing = cache::Missing { name: spec.name.clone(), version: None };
                plan = plan.assumes(host, format!("the package {}", missing.name), || missing.failure())?;
            }
            doomed.extend(found);
        }
        if doomed.is_empty() {
            return Ok(plan);
        }
        let command = if self.purge.0 { "purge" } else { "remove" };
        let names: Vec<String> = doomed.iter().map(|name| format!("'{name}'")).collect();
        let get = self.get().arg(command).told(format!("apt-get remove {}", names.join(" ")));
        let warnings = plan.warnings;
        let plan = get.arg("--").args(&doomed).plan(host, &format!("remove {}", doomed.join(", ")))?;
        Ok(Plan { warnings, ..plan })
    }

    fn plan_present(&self, host: &Host, specs: Vec<Spec>, updated: bool) -> Result<Plan, Failure> {
        let installed = dpkg::Installed::look(host, &specs)?;
        // Packages that were requested by name are not removed by autoremove.
        let named = specs.iter().filter(|spec| !spec.is_pattern() && installed.version(&spec.name).is_some());
        let automatic = match self.state {
            State::BuildDep => Vec::new(),
            _ => marks::automatic(named.map(|spec| spec.name.clone())),
        };
        let mut warnings = Vec::new();
        let mut unknown = Vec::new();
        let mut wanted = Vec::new();
        for spec in specs {
            let satisfied = installed.satisfies(&spec, host)?;
            if satisfied && matches!(self.state, State::Present | State::Fixed) {
                continue;
            }
            match cache::resolve(host, &spec, &installed, self.state == State::Latest)? {
                Ok(found) => wanted.extend(found),
                Err(missing) if host.rehearses() => unknown.push(missing),
                Err(missing) if missing.version.is_some() => return Err(missing.failure().data(cache::told(updated))),
                Err(missing) => return Err(missing.failure()),
            }
        }
        let command = if self.state == State::BuildDep { "build-dep" } else { "install" };
        let mut get = self.get().arg(command);
        if self.state == State::Fixed {
            get = get.arg("--fix-broken");
        }
        let mut plan = loop {
            if wanted.is_empty() && self.state != State::Fixed {
                break Plan::unchanged();
            }
            let what = format!("{command} {}", wanted.join(", "));
            let attempt = get.clone().arg("--").args(&wanted).told(self.told(command, &wanted, host));
            let simulated = attempt.simulate(host)?;
            if simulated.rc == 0 {
                break attempt.plan_simulated(host, &simulated, &what);
            }
            let missing = cache::Missing::named_in(&simulated);
            let before = wanted.len();
            wanted.retain(|name| !missing.iter().any(|missing| missing.is(name)));
            match missing.first() {
                Some(_) if host.rehearses() && wanted.len() < before => unknown.extend(missing),
                Some(first) if first.version.is_some() => return Err(first.failure().data(cache::told(updated))),
                Some(first) if !cache::has_no_candidate(&simulated) && command == "install" => {
                    return Err(first.failure());
                }
                _ if command == "build-dep" && host.rehearses() => {
                    warnings.push(format!("cannot simulate `{what}` yet: {}", simulated.stderr.trim()));
                    break Plan::unchanged().change(attempt.change(what));
                }
                _ => {
                    if let Some(failure) = cache::no_such_release(&simulated) {
                        return Err(failure);
                    }
                    return Err(attempt.failure(&simulated, &what).arg("name").data(cache::told(updated)));
                }
            }
        };
        if !unknown.is_empty() {
            let names = unknown.iter().map(|missing| missing.name.as_str()).collect::<Vec<_>>().join(", ");
            for missing in &unknown {
                plan = plan.assumes(host, format!("the package {}", missing.name), || missing.failure())?;
            }
            // Never executed: this is check mode.
            plan =
                plan.change(get.args(unknown.iter().map(|missing| &missing.name)).change(format!("install {names}")));
        }
        plan.warnings.extend(warnings);
        if !automatic.is_empty() {
            plan = plan.change(marks::manual(automatic));
        }
        Ok(plan)
    }
}
