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

use rplay_wire::{Failure, data};

use crate::{
    ArgError, Host, Module, Plan, args,
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
        No = "no",
        Safe = "safe" | "yes",
        Full = "full" | "dist",
    }
}

args! {
    /// Installs, upgrades and removes packages with apt-get.
    pub struct Apt {
        /// Packages: `nginx`, `nginx=1.22*`, `nginx>=1.20`, `linux-image-*`, `libc6:i386`.
        name: Vec<Text> | "package" | "pkg" = Vec::new(),
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
        /// Upgrade all packages: `safe` never removes one, `full` may.
        upgrade: Upgrade = Upgrade::No,
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
            [("name", !self.name.is_empty()), ("deb", self.deb.is_some()), ("upgrade", self.upgrade != Upgrade::No)];
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
        let mut plan = Plan::unchanged().set("cache_updated", false).set("cache_update_time", cache::update_time());
        if self.clean.0 {
            plan = plan.change(AptGet::new(self.lock_timeout).arg("clean").change("empty the package cache"));
        }
        if let Some(change) = refresh.and_then(|refresh| refresh.change_if_due(alone)) {
            plan = plan.change(change);
        }
        Ok(if alone { plan } else { plan.then(move |host| self.plan_packages(host)) })
    }
}

impl Apt {
    fn asks_for_packages(&self) -> bool {
        self.deb.is_some()
            || self.upgrade != Upgrade::No
            || self.autoremove.0
            || self.autoclean.0
            || self.name.iter().any(|name| !name.trim().is_empty())
    }

    /// apt-get with the options from the arguments.
    fn get(&self) -> AptGet {
        let mut get = AptGet::new(self.lock_timeout).policy_rc_d(self.policy_rc_d);
        for option in self.dpkg_options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            get = get.args(["-o", &format!("Dpkg::Options::=--{}", option.trim_start_matches("--"))]);
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

    fn plan_packages(self, host: &Host) -> Result<Plan, Failure> {
        match (&self.deb, self.upgrade) {
            (Some(deb), _) => return self.plan_deb(host, &deb.0),
            (_, Upgrade::Safe) => {
                return self.get().args(["upgrade", "--with-new-pkgs"]).plan(host, "upgrade all packages");
            }
            (_, Upgrade::Full) => return self.get().arg("dist-upgrade").plan(host, "upgrade the distribution"),
            _ => {}
        }
        let specs = self
            .name
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
            .map(Spec::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::new(error).arg("name"))?;
        if specs.is_empty() {
            return self.plan_cleaning(host);
        }
        if let ([only], State::Latest) = (specs.as_slice(), self.state)
            && only.name == "*"
        {
            return self.get().args(["upgrade", "--with-new-pkgs"]).plan(host, "upgrade all packages");
        }
        match self.state {
            State::Absent => self.plan_absent(host, &specs),
            _ => self.plan_present(host, specs),
        }
    }

    fn plan_cleaning(&self, host: &Host) -> Result<Plan, Failure> {
        if self.autoclean.0 {
            // It is simulated as "Del" lines, which no transaction has.
            let get = AptGet::new(self.lock_timeout).arg("autoclean");
            let simulated = get.simulate(host)?.success("cannot simulate `apt-get autoclean`")?;
            if !simulated.stdout.lines().any(|line| line.starts_with("Del ")) {
                return Ok(Plan::unchanged());
            }
            let mut plan = Plan::unchanged().change(get.change("remove outdated package files"));
            plan.data.extend(data! { "stdout" => simulated.stdout, "stderr" => simulated.stderr });
            return Ok(plan);
        }
        let mut get = AptGet::new(self.lock_timeout).arg("autoremove");
        if self.purge.0 {
            get = get.arg("--purge");
        }
        get.plan(host, "remove unneeded packages")
    }

    fn plan_absent(&self, host: &Host, specs: &[Spec]) -> Result<Plan, Failure> {
        let known = dpkg::Installed::look(host, specs)?;
        let doomed = specs.iter().flat_map(|spec| known.removable(spec, self.purge.0)).collect::<Vec<_>>();
        if doomed.is_empty() {
            return Ok(Plan::unchanged());
        }
        let get = self.get().arg(if self.purge.0 { "purge" } else { "remove" }).arg("--").args(&doomed);
        get.plan(host, &format!("remove {}", doomed.join(", ")))
    }

    fn plan_present(&self, host: &Host, specs: Vec<Spec>) -> Result<Plan, Failure> {
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
            let attempt = get.clone().arg("--").args(&wanted);
            let simulated = attempt.simulate(host)?;
            if simulated.rc == 0 {
                break attempt.plan_simulated(&simulated, &what);
            }
            let missing = cache::Missing::named_in(&simulated);
            let before = wanted.len();
            wanted.retain(|name| !missing.iter().any(|missing| missing.is(name)));
            match missing.first() {
                Some(_) if host.rehearses() && wanted.len() < before => unknown.extend(missing),
                Some(first) => return Err(first.failure().data(simulated.data())),
                None if command == "build-dep" && host.rehearses() => {
                    warnings.push(format!("cannot simulate `{what}` yet: {}", simulated.stderr.trim()));
                    break Plan::unchanged().change(attempt.change(what));
                }
                None => return Err(simulated.failure(&format!("cannot {what}")).arg("name")),
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
