//! `dnf`, `dnf5`, `yum`: packages on Fedora, Red Hat and related systems, with whichever program the host has. The
//! actions are determined from rpm and from the program's own output with `--assumeno`.

mod rpm;
mod transaction;

use std::time::{Duration, Instant};

use rplay_wire::{Failure, Value, data};

use super::state::State;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    system::program::Output,
};
use transaction::Transaction;

choice! {
    /// The program to use.
    pub enum Backend {
        Auto = "auto" | "yum",
        Dnf4 = "dnf" | "dnf4" | "yum4",
        Dnf5 = "dnf5",
    }
}

args! {
    /// Installs, upgrades and removes packages with dnf or yum.
    pub struct Dnf {
        /// Packages: `nginx`, `nginx-1.20`, `@development`, `/srv/x.rpm`, a URL, `*` with `latest`.
        name: Vec<Text> | "pkg" = Vec::new(),
        /// `present` keeps installed packages at their version, `latest` upgrades them.
        state: Option<State>,
        /// Not supported.
        list: Option<Text>,
        /// Download the indexes again.
        update_cache: Flag | "expire-cache" = Flag(false),
        /// Disabled repositories to enable.
        enablerepo: Vec<Text> = Vec::new(),
        /// Repositories to disable.
        disablerepo: Vec<Text> = Vec::new(),
        /// Packages to exclude.
        exclude: Vec<Text> = Vec::new(),
        /// Ignore the excludes of this repository, of `main`, or of `all`.
        disable_excludes: Option<Text>,
        /// Accept packages without a valid signature.
        disable_gpg_check: Flag = Flag(false),
        /// Also remove unneeded dependencies; on its own: remove all unneeded packages.
        autoremove: Flag = Flag(false),
        /// With `latest`: only packages with security fixes.
        security: Flag = Flag(false),
        /// With `latest`: only packages with bug fixes.
        bugfix: Flag = Flag(false),
        /// With `latest`: only upgrade installed packages.
        update_only: Flag = Flag(false),
        /// Allow installing an older version than the current one.
        allow_downgrade: Flag = Flag(false),
        /// Remove conflicting packages.
        allowerasing: Flag = Flag(false),
        /// Require the newest version.
        best: Option<Flag>,
        /// Allow older versions.
        nobest: Option<Flag>,
        /// Skip packages that cannot be installed.
        skip_broken: Flag = Flag(false),
        /// Also install weak dependencies.
        install_weak_deps: Flag = Flag(true),
        /// Use the existing indexes, however old.
        cacheonly: Flag = Flag(false),
        /// The configuration file.
        conf_file: Option<Text>,
        /// Plugins to disable.
        disable_plugin: Vec<Text> = Vec::new(),
        /// Plugins to enable.
        enable_plugin: Vec<Text> = Vec::new(),
        /// Only download.
        download_only: Flag = Flag(false),
        /// The download directory.
        download_dir: Option<Text>,
        /// The root directory of the installation.
        installroot: Text = "/".to_owned(),
        /// The release to install from.
        releasever: Option<Text>,
        /// Whether to verify the servers' TLS certificates.
        sslverify: Flag = Flag(true),
        /// Alias of `sslverify`.
        validate_certs: Flag = Flag(true),
        /// Seconds to wait for another dnf or yum process.
        lock_timeout: u64 = 30,
        /// The program; detected by default.
        use_backend: Backend = Backend::Auto,
        /// Accepted for compatibility: the module has no dependencies.
        install_repoquery: Flag = Flag(true),
        /// Accepted for compatibility: the module has no dependencies.
        auto_install_module_deps: Flag = Flag(true),
    }
}

impl Module for Dnf {
    fn check(&self) -> Result<(), ArgError> {
        if self.list.is_some() {
            return Err(ArgError::new("list", "is not supported").help("use package_facts, or `command: dnf list`"));
        }
        if self.autoremove.0 && !matches!(self.state, None | Some(State::Absent)) {
            return Err(ArgError::new("autoremove", "requires `state: absent`"));
        }
        if self.best.is_some() && self.nobest.is_some() {
            return Err(ArgError::exclusive("nobest", &["best", "nobest"]));
        }
        if self.names().next().is_none() && !self.autoremove.0 && !self.update_cache.0 {
            return Err(ArgError::new("name", "one of name, autoremove, update_cache is required"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        // No effect: no Python bindings are used.
        let _ = (self.install_repoquery, self.auto_install_module_deps);
        let dnf = Manager::find(host, self.use_backend, self.lock_timeout)?;
        let mut plan =
            Plan::unchanged().set("rc", 0).set("results", Value::List(Vec::new())).set("msg", "Nothing to do");
        if self.update_cache.0 {
            let args = [self.flags(&dnf), vec!["makecache".to_owned()]].concat();
            let manager = dnf.clone();
            let refresh = Change::new("update the package indexes", move |host, _| {
                manager.run(host, "-y", &args)?.success("cannot update the package indexes").map(|_| ())
            });
            plan = plan.change(refresh.auxiliary());
            if self.names().next().is_none() && !self.autoremove.0 {
                return Ok(plan.set("msg", "Cache updated"));
            }
            return Ok(plan.then(move |host| self.plan_packages(dnf, Plan::unchanged(), host)));
        }
        self.plan_packages(dnf, plan, host)
    }
}

impl Dnf {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.name.iter().map(|name| name.trim()).filter(|name| !name.is_empty())
    }

    fn flags(&self, dnf: &Manager) -> Vec<String> {
        let mut flags = Vec::new();
        let mut value = |flag: &str, value: &str| flags.push(format!("{flag}={value}"));
        for repo in &self.disablerepo {
            value("--disablerepo", repo);
        }
        for repo in &self.enablerepo {
            value("--enablerepo", repo);
        }
        for package in &self.exclude {
            value("--exclude", package);
        }
        for plugin in &self.disable_plugin {
            value("--disableplugin", plugin);
        }
        for plugin in &self.enable_plugin {
            value("--enableplugin", plugin);
        }
        if let Some(which) = &self.disable_excludes {
            value("--disableexcludes", which);
        }
        if let Some(release) = &self.releasever {
            value("--releasever", release);
        }
        if let Some(file) = &self.conf_file {
            value("--config", file);
        }
        if self.installroot != "/" {
            value("--installroot", &self.installroot);
        }
        if let Some(directory) = &self.download_dir {
            value(if dnf.is_dnf5 { "--destdir" } else { "--downloaddir" }, directory);
        }
        if !self.sslverify.0 || !self.validate_certs.0 {
            value("--setopt", "sslverify=0");
        }
        if !self.install_weak_deps.0 && !dnf.is_yum3 {
            value("--setopt", "install_weak_deps=0");
        }
        value("--setopt", &format!("clean_requirements_on_remove={}", u8::from(self.autoremove.0)));
        let best = self.best.map(|flag| flag.0).or(self.nobest.map(|flag| !flag.0));
        for (flag, set) in [
            (if dnf.is_dnf5 { "--no-gpgchecks" } else { "--nogpgcheck" }, self.disable_gpg_check.0),
            ("--skip-broken", self.skip_broken.0),
            ("--allowerasing", self.allowerasing.0),
            ("--best", best == Some(true)),
            (if dnf.is_dnf5 { "--no-best" } else { "--nobest" }, best == Some(false)),
            ("--cacheonly", self.cacheonly.0),
            ("--downloadonly", self.download_only.0),
            ("--security", self.security.0),
            ("--bugfix", self.bugfix.0),
        ] {
            if set {
                flags.push(flag.to_owned());
            }
        }
        flags
    }

    fn plan_packages(self, dnf: Manager, plan: Plan, host: &Host) -> Result<Plan, Failure> {
        let names = self.names().map(str::to_owned).collect::<Vec<_>>();
        let state = self.state.unwrap_or(if self.autoremove.0 { State::Absent } else { State::Present });
        let job = Job { flags: self.flags(&dnf), dnf, downgrades: self.allow_downgrade.0 };
        if names.is_empty() {
            return job.plan("autoremove", Vec::new(), plan, host);
        }
        if names.iter().any(|name| name == "*") {
            return match state {
                State::Latest => job.plan("upgrade", Vec::new(), plan, host),
                _ => Err(Failure::new("`*` requires `state: latest`").arg("name")),
            };
        }
        let (there, absent) = rpm::partition(host, &self.installroot, names)?;
        match state {
            State::Absent => job.plan_named("remove", there, plan, host),
            State::Present => job.plan_named("install", absent, plan, host),
            State::Latest => {
                let plan = job.plan_named("upgrade", there, plan, host)?;
                if self.update_only.0 { Ok(plan) } else { job.plan_named("install", absent, plan, host) }
            }
        }
    }
}

/// The program, and which of its three dialects it has.
#[derive(Clone, Debug)]
struct Manager {
    program: &'static str,
    is_dnf5: bool,
    is_yum3: bool,
    lock_timeout: Duration,
}

impl Manager {
    fn find(host: &Host, backend: Backend, lock_timeout: u64) -> Result<Self, Failure> {
        let candidates: &[&str] = match backend {
            Backend::Auto => &["dnf", "dnf5", "yum"],
            Backend::Dnf4 => &["dnf-3", "dnf"],
            Backend::Dnf5 => &["dnf5"],
        };
        let program = candidates.iter().find(|program| host.has_program(program)).ok_or_else(|| {
            Failure::new("this host has neither dnf nor yum")
                .help("use `package`, or the module of its package manager")
        })?;
        // `dnf` and `yum` are links to dnf-3 (dnf 4) or dnf5; a `yum` that is not a link is yum 3.
        let file = host.find_program(program).and_then(|path| path.canonicalize().ok()).unwrap_or_default();
        let file = file.file_name().unwrap_or_default();
        Ok(Manager {
            program,
            is_dnf5: file == "dnf5",
            is_yum3: file == "yum",
            lock_timeout: Duration::from_secs(lock_timeout),
        })
    }

    /// Runs it, waiting for locks. `answer` is `-y` or `--assumeno`.
    fn run(&self, host: &Host, answer: &str, args: &[String]) -> Result<Output, Failure> {
        let deadline = Instant::now() + self.lock_timeout;
        loop {
            let mut program = host.program(self.program).arg(answer).untranslated();
            if !self.is_dnf5 {
                // Otherwise it waits forever.
                program = program.arg("--setopt=exit_on_lock=1");
            }
            let done = program.args(args).run()?;
            let is_locked = done.rc == 200 || done.stderr.contains("already locked");
            if !is_locked || Instant::now() >= deadline {
                return Ok(done);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// The common part of all commands of a task.
struct Job {
    dnf: Manager,
    flags: Vec<String>,
    downgrades: bool,
}

impl Job {
    /// Adds what `command` would do with these packages, if there are any.
    fn plan_named(&self, command: &str, names: Vec<String>, plan: Plan, host: &Host) -> Result<Plan, Failure> {
        if names.is_empty() { Ok(plan) } else { self.plan(command, names, plan, host) }
    }

    /// Adds what `command` would do with these packages; without names, with all packages.
    fn plan(&self, command: &str, mut names: Vec<String>, mut plan: Plan, host: &Host) -> Result<Plan, Failure> {
        let mut unknown: Vec<String> = Vec::new();
        let simulated = loop {
            let done = self.dnf.run(host, "--assumeno", &self.line(command, &names))?;
            let transaction = Transaction::parse(&done.stdout);
            let missing = transaction::missing(&done, &names);
            if !missing.is_empty() {
                for name in &missing {
                    plan = plan.assumes(host, format!("the package {name}"), || unavailable(&missing))?;
                }
                names.retain(|name| !missing.contains(name));
                unknown.extend(missing);
                if names.is_empty() {
                    break None;
                }
                continue;
            }
            if host.rehearses() && command == "install" && transaction::lacks_repositories(&done) {
                for name in &names {
                    plan = plan.assumes(host, format!("the package {name}"), || unavailable(&names))?;
                }
                unknown.append(&mut names);
                break None;
            }
            if transaction.is_empty() && done.rc != 0 && !transaction::says_nothing_to_do(&done) {
                return Err(done.failure(&format!("cannot {command} {}", names.join(", "))).arg("name"));
            }
            break Some(transaction);
        };
        let is_guess = !unknown.is_empty();
        if is_guess {
            names.extend(unknown);
        }
        let transaction = simulated.unwrap_or_default();
        if transaction.is_empty() && !is_guess {
            return Ok(plan);
        }
        if transaction.downgrades() && !self.downgrades {
            return Err(Failure::new(format!("{command} {} would install an older version", names.join(", ")))
                .arg("name")
                .help("set `allow_downgrade: true` to allow it"));
        }
        let results = transaction.results();
        let what = format!("{command} {}", names.join(", "));
        let line = self.line(command, &names);
        let dnf = self.dnf.clone();
        let (diff, planned) = (transaction.diff(), results.clone());
        let change = Change::new(what.clone(), move |host, outcome| {
            dnf.run(host, "-y", &line)?.success(&format!("cannot {what}"))?;
            outcome.extend(data! { "rc" => 0, "msg" => "" });
            Ok(())
        });
        let mut all = plan.data.get("results").and_then(Value::as_list).map(<[Value]>::to_vec).unwrap_or_default();
        all.extend(planned.into_iter().map(Value::from));
        Ok(plan.set("results", Value::List(all)).change(change.diff(diff)))
    }

    fn line(&self, command: &str, names: &[String]) -> Vec<String> {
        let mut line = self.flags.clone();
        line.push(command.to_owned());
        line.extend(names.iter().cloned());
        line
    }
}

/// The failure for packages that are in no repository.
fn unavailable(names: &[String]) -> Failure {
    let failures = names.iter().map(|name| format!("No package {name} available.")).collect::<Vec<_>>();
    Failure::new(format!("Failed to install some of the specified packages: {}", names.join(", ")))
        .arg("name")
        .help("check the host's package sources, or enable the right one with `enablerepo`")
        .data(data! { "failures" => failures, "rc" => 1, "results" => Value::List(Vec::new()) })
}
