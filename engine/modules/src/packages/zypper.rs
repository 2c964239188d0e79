//! `zypper`: packages, patches and patterns of SUSE.

mod answer;

use std::collections::HashSet;

use rplay_wire::{Failure, Map, Value, data};

use self::answer::{Answer, Package};
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    system::{fs, program::Output, regular},
};

choice! {
    /// Whether packages should be there.
    pub enum State {
        Present = "present",
        Latest = "latest",
        Absent = "absent",
        DistUpgrade = "dist-upgrade",
        Installed = "installed",
        Removed = "removed",
    }
}

choice! {
    /// What is to be installed.
    pub enum Kind {
        Package = "package",
        Patch = "patch",
        Pattern = "pattern",
        Product = "product",
        Srcpackage = "srcpackage",
        Application = "application",
    }
}

args! {
    /// Installs, upgrades and removes packages with zypper.
    pub struct Zypper {
        /// Packages, files or URLs: `nmap`, `nmap>=7`, `/tmp/x.rpm`; `-nmap` removes while others are installed. `*` with
        /// `latest` and `dist-upgrade` stands for all.
        name: Vec<Text> | "pkg",
        /// `present` keeps installed packages at their version, `latest` upgrades them, `dist-upgrade` upgrades all, from all
        /// repositories.
        state: State = State::Present,
        /// What the names are names of.
        r#type: Kind = Kind::Package,
        /// More options before zypper's command.
        extra_args_precommand: Option<Text>,
        /// Do not check signatures.
        disable_gpg_check: Flag = Flag(false),
        /// Take new keys of repositories without asking.
        auto_import_keys: Flag = Flag(false),
        /// Leave out packages that are only recommended.
        disable_recommends: Flag = Flag(true),
        /// Install an older version, or one of another vendor, too.
        force: Flag = Flag(false),
        /// Let zypper choose what to do about conflicts.
        force_resolution: Flag = Flag(false),
        /// Read the repositories first.
        update_cache: Flag | "refresh" = Flag(false),
        /// Allow an older version; so does a version in a name.
        oldpackage: Flag = Flag(false),
        /// More options for zypper's command.
        extra_args: Option<Text>,
        /// With `dist-upgrade`: allow packages of other vendors.
        allow_vendor_change: Flag = Flag(false),
        /// Install packages even if they replace files of others.
        replacefiles: Flag = Flag(false),
        /// Also remove dependencies that nothing needs any more.
        clean_deps: Flag = Flag(false),
        /// In a failure, tell only zypper's messages.
        simple_errors: Flag = Flag(false),
        /// Have zypper print less.
        quiet: Flag = Flag(true),
        /// Go on after errors of scripts that run after an installation.
        skip_post_errors: Flag = Flag(false),
    }
}

/// zypper's exit code for scripts of packages that failed.
const SCRIPT_FAILED: i64 = 107;
/// For packages that no repository has.
const UNKNOWN_PACKAGE: i64 = 104;
/// For a repository that was left out.
const REPOSITORY_SKIPPED: i64 = 106;
/// zypper itself was upgraded, and is to be called again.
const RESTART: i64 = 103;
/// The host should be restarted.
const REBOOT: i64 = 102;

/// A name of the task, taken apart.
struct Wanted {
    /// `-` to remove it, `+` to install it.
    sign: Option<char>,
    name: String,
    /// The version, with what is before it: `>=7`.
    version: String,
}

impl Wanted {
    fn read(text: &str) -> Wanted {
        let sign = text.chars().next().filter(|sign| "+-~".contains(*sign));
        let rest = if sign.is_some() { &text[1..] } else { text };
        let version = rest.find(['<', '>', '=']).filter(|at| {
            let name = &rest[..*at];
            !name.is_empty() && !name.contains(char::is_whitespace)
        });
        let (name, version) = rest.split_at(version.unwrap_or(rest.len()));
        let sign = sign.map(|sign| if sign == '+' { '+' } else { '-' });
        Wanted { sign, name: name.to_owned(), version: version.to_owned() }
    }

    fn is_removed(&self) -> bool {
        self.sign == Some('-')
    }

    fn full(&self) -> String {
        format!("{}{}", self.name, self.version)
    }
}

fn is_url(name: &str) -> bool {
    name.contains("://") || name.ends_with(".rpm")
}

impl Zypper {
    fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent | State::Removed)
    }

    fn is_latest(&self) -> bool {
        matches!(self.state, State::Latest | State::DistUpgrade)
    }

    fn names(&self) -> Vec<String> {
        self.name.iter().filter(|name| !name.is_empty()).cloned().collect()
    }
}

impl Module for Zypper {
    fn check(&self) -> Result<(), ArgError> {
        let refused = |msg: String| Err(ArgError { arg: Some("name".into()), msg, help: None });
        let names = self.names();
        for name in names.iter().filter(|name| !is_url(name)) {
            let wanted = Wanted::read(name);
            if wanted.name.is_empty() || wanted.name.starts_with('-') {
                return refused(format!("`{name}` is not a package name"));
            }
        }
        if self.is_absent() {
            if names.iter().any(|name| name.starts_with('+')) {
                return refused("Can not combine '+' prefix with state=remove/absent.".to_owned());
            }
            if names.iter().any(|name| is_url(name)) {
                return refused("Can not remove via URL.".to_owned());
            }
        }
        if self.state == State::DistUpgrade && names != ["*"] {
            return refused("Can not dist-upgrade specific packages.".to_owned());
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if host.rehearses() && !host.has_program("zypper") {
            plan = plan.assumption("the program zypper");
            return Ok(plan.change(Change::new("change packages", |_, _| Ok(()))));
        }
        let zypper = Caller::new(&self, host)?;
        if self.update_cache.0 {
            let zypper = zypper.clone();
            plan = plan.change(
                Change::new("read the repositories", move |host, _| {
                    let done = zypper.run(host, &zypper.line("refresh", None, true, &[]))?;
                    match done.rc {
                        0 => Ok(()),
                        _ => Err(zypper.failure(&done, "Zypper refresh run failed.")),
                    }
                })
                .auxiliary(),
            );
        }
        let told =
            data! { "name" => self.names(), "state" => self.state.word(), "update_cache" => self.update_cache.0 };
        Ok(plan.then(move |host| self.packages(host, zypper, told)))
    }
}

impl Zypper {
    fn packages(self, host: &Host, zypper: Caller, told: Map) -> Result<Plan, Failure> {
        let plan = || {
            let mut plan = Plan { data: told.clone(), ..Plan::unchanged() }.set("rc", 0);
            if host.diff {
                plan = plan.set("diff", data! { "prepared" => "" });
            }
            plan
        };
        let Some((line, what)) = self.line(host, &zypper)? else { return Ok(plan()) };
        // Only zypper knows whether anything changes.
        let found = if host.check { Some(zypper.act(host, &line)?) } else { None };
        match found {
            Some(done) if done.packages.is_empty() => Ok(Plan { data: done.tell(told, host), ..Plan::unchanged() }),
            Some(done) => {
                let plan = Plan { data: done.tell(told, host), ..Plan::unchanged() };
                Ok(plan.change(Change::new(what, |_, _| Ok(()))))
            }
            None => Ok(plan().change(Change::maybe(what, move |host, outcome| {
                let done = zypper.act(host, &line)?;
                let is_changed = !done.packages.is_empty();
                outcome.extend(done.tell(told, host));
                Ok(is_changed)
            }))),
        }
    }

    /// The command line and what it does; `None` if nothing is to be done.
    fn line(&self, host: &Host, zypper: &Caller) -> Result<Option<(Vec<String>, String)>, Failure> {
        let names = self.names();
        let dry = |options: Vec<String>| {
            let dry = host.check.then(|| "--dry-run".to_owned());
            dry.into_iter().chain(options).collect::<Vec<_>>()
        };
        if names == ["*"] && self.is_latest() {
            let (command, kind) = match (self.state, self.r#type) {
                (_, Kind::Patch) => ("patch", None),
                (State::DistUpgrade, _) => ("dist-upgrade", None),
                (_, kind) => ("update", Some(kind)),
            };
            let line = zypper.line(command, kind, true, &dry(self.install_options(false)));
            return Ok(Some((line, "upgrade all packages".to_owned())));
        }
        let (urls, names): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| is_url(name));
        let wanted: Vec<Wanted> = names.iter().map(|name| Wanted::read(name)).collect();
        let asked = wanted.iter().filter(|wanted| self.is_absent() || wanted.version.is_empty());
        let asked: Vec<String> = asked.map(|wanted| wanted.name.clone()).collect();
        let installed = match self.is_latest() || asked.is_empty() {
            true => HashSet::new(),
            false => zypper.installed(host, self.r#type, &asked)?,
        };
        if self.is_absent() {
            let names: Vec<String> =
                wanted.iter().filter(|wanted| installed.contains(&wanted.name)).map(Wanted::full).collect();
            if names.is_empty() {
                return Ok(None);
            }
            let clean = self.clean_deps.0.then(|| "--clean-deps".to_owned());
            let mut line = zypper.line("remove", Some(self.r#type), false, &dry(clean.into_iter().collect()));
            line.extend(names.iter().cloned());
            return Ok(Some((line, format!("remove {}", names.join(" ")))));
        }
        let needs = |wanted: &&Wanted| self.is_latest() || installed.contains(&wanted.name) == wanted.is_removed();
        let words = wanted.iter().filter(needs).map(|wanted| match wanted.is_removed() {
            true => format!("-{}", wanted.full()),
            false => format!("+{}", wanted.full()),
        });
        let words: Vec<String> = words.chain(urls).collect();
        if words.is_empty() {
            return Ok(None);
        }
        let is_versioned = wanted.iter().any(|wanted| !wanted.version.is_empty());
        let mut line = zypper.line("install", Some(self.r#type), true, &dry(self.install_options(is_versioned)));
        line.push("--".to_owned());
        line.extend(words.iter().cloned());
        Ok(Some((line, format!("install {}", words.join(" ")))))
    }

    fn install_options(&self, is_versioned: bool) -> Vec<String> {
        let options = [
            (true, "--auto-agree-with-licenses"),
            (self.disable_recommends.0, "--no-recommends"),
            (self.force.0, "--force"),
            (self.force_resolution.0, "--force-resolution"),
            (self.oldpackage.0 || is_versioned, "--oldpackage"),
            (self.replacefiles.0, "--replacefiles"),
            (self.allow_vendor_change.0 && self.state == State::DistUpgrade, "--allow-vendor-change"),
        ];
        options.into_iter().filter(|(wanted, _)| *wanted).map(|(_, option)| option.to_owned()).collect()
    }
}

/// What calls zypper.
#[derive(Clone)]
struct Caller {
    /// The program and what stands before zypper's command.
    before: Vec<String>,
    signatures: Vec<String>,
    imports: Vec<String>,
    extra: Vec<String>,
    tells_messages: bool,
    skips_script_errors: bool,
}

/// What a call of zypper did.
struct Done {
    rc: i64,
    stdout: String,
    stderr: String,
    cmd: Vec<String>,
    packages: Vec<Package>,
    messages: Vec<String>,
}

impl Caller {
    fn new(args: &Zypper, host: &Host) -> Result<Caller, Failure> {
        let mut before = Vec::new();
        // The system of a transactional server is read-only: changes go to a snapshot for the next boot.
        if fs::metadata("/usr/sbin/transactional-update").is_ok()
            && is_read_only(&regular::read_to_string("/proc/mounts").unwrap_or_default())
        {
            before = host.required_program("transactional-update")?.words();
            before.extend(["--continue", "--drop-if-no-change", "--quiet", "run"].map(str::to_owned));
        }
        before.extend(host.required_program("zypper")?.words());
        before.extend(["--non-interactive", "--xmlout"].map(str::to_owned));
        before.extend(args.quiet.0.then(|| "--quiet".to_owned()));
        let words =
            |text: &Option<Text>| text.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
        before.extend::<Vec<String>>(words(&args.extra_args_precommand));
        let option = |wanted: Flag, option: &str| wanted.0.then(|| option.to_owned()).into_iter().collect();
        Ok(Caller {
            before,
            signatures: option(args.disable_gpg_check, "--no-gpg-checks"),
            imports: option(args.auto_import_keys, "--gpg-auto-import-keys"),
            extra: words(&args.extra_args),
            tells_messages: args.simple_errors.0,
            skips_script_errors: args.skip_post_errors.0,
        })
    }

    /// The command line: up to the names, with the options given by the task.
    fn line(&self, command: &str, kind: Option<Kind>, from_repositories: bool, options: &[String]) -> Vec<String> {
        let mut line = self.before.clone();
        if from_repositories {
            line.extend(self.signatures.iter().cloned());
        }
        if from_repositories && command != "refresh" {
            line.extend(self.imports.iter().cloned());
        }
        line.push(command.to_owned());
        line.extend(kind.into_iter().flat_map(|kind| ["--type".to_owned(), kind.word().to_owned()]));
        line.extend(options.iter().chain(&self.extra).cloned());
        line
    }

    /// Runs zypper, and once more if it wants that.
    ///
    /// # Errors
    /// If it fails or does not answer in XML.
    fn run(&self, host: &Host, line: &[String]) -> Result<Done, Failure> {
        let mut done = self.once(host, line)?;
        if done.rc == RESTART || done.rc == SCRIPT_FAILED && self.skips_script_errors {
            let packages = std::mem::take(&mut done.packages);
            done = self.once(host, line)?;
            let is_new = |package: &Package| !packages.iter().any(|known| known.name == package.name);
            let new: Vec<Package> = done.packages.into_iter().filter(is_new).collect();
            done.packages = packages.into_iter().chain(new).collect();
        }
        Ok(done)
    }

    fn once(&self, host: &Host, line: &[String]) -> Result<Done, Failure> {
        let [program, args @ ..] = line else { return Err(host.missing_program("zypper")) };
        let Output { rc, stdout, stderr, .. } = host.program(program).args(args).untranslated().run()?;
        let mut done = Done { rc, stdout, stderr, cmd: line.to_vec(), packages: Vec::new(), messages: Vec::new() };
        let answer = Answer::read(&done.stdout)
            .map_err(|error| Failure::new(format!("Failed to parse zypper xml output: {error}")).data(done.told()))?;
        done.packages = answer.packages;
        done.messages = answer.messages;
        match rc {
            0 | REBOOT | RESTART | REPOSITORY_SKIPPED | SCRIPT_FAILED => Ok(done),
            // A search that finds nothing.
            UNKNOWN_PACKAGE if line.iter().any(|word| word == "search") => Ok(done),
            UNKNOWN_PACKAGE => {
                let msg = done.messages.last().map_or("", String::as_str).to_owned();
                Err(Failure::new(msg).arg("name").data(done.told()))
            }
            _ => Err(self.failure(&done, &format!("Zypper run command failed with return code {rc}."))),
        }
    }

    /// Runs what changes packages.
    fn act(&self, host: &Host, line: &[String]) -> Result<Done, Failure> {
        let done = self.run(host, line)?;
        match done.rc {
            0 | REBOOT => Ok(done),
            _ => Err(self.failure(&done, "Zypper run failed.")),
        }
    }

    fn failure(&self, done: &Done, msg: &str) -> Failure {
        let mut told = done.told();
        if self.tells_messages {
            let lines: Vec<&str> = done.messages.iter().map(|message| message.trim_end()).collect();
            told.insert("stdout".to_owned(), lines.join(" \n").into());
        }
        Failure::new(msg).data(told)
    }

    /// Which of the names are installed.
    fn installed(&self, host: &Host, kind: Kind, names: &[String]) -> Result<HashSet<String>, Failure> {
        let mut line = self.before.clone();
        line.extend(["--disable-repositories", "search", "--type", kind.word()].map(str::to_owned));
        line.extend(self.extra.iter().cloned());
        line.extend(["--match-exact", "--details", "--installed-only"].map(str::to_owned));
        line.extend(names.iter().cloned());
        Ok(self.run(host, &line)?.packages.into_iter().map(|package| package.name).collect())
    }
}

impl Done {
    fn told(&self) -> Map {
        data! {
            "rc" => self.rc, "stdout" => self.stdout.as_str(), "stderr" => self.stderr.as_str(), "cmd" => self.cmd.clone()
        }
    }

    /// The result: the output only if it changed something.
    fn tell(&self, mut data: Map, host: &Host) -> Map {
        let mut told = self.told();
        if self.packages.is_empty() {
            told.retain(|key, _| key != "stdout" && key != "stderr");
        }
        data.extend(told);
        if host.diff {
            data.insert("diff".to_owned(), Value::from(data! { "prepared" => prepared(&self.packages) }));
        }
        data
    }
}

/// The changes, one kind a line.
fn prepared(packages: &[Package]) -> String {
    let kinds = [("to-install", "installed"), ("to-remove", "removed"), ("to-upgrade", "upgraded")];
    let lines = kinds.into_iter().filter_map(|(group, done)| {
        let shown = packages.iter().filter(|package| package.group == group).map(|package| match group {
            "to-upgrade" => format!("{} ({} => {})", package.name, package.old_version, package.version),
            _ => package.name.clone(),
        });
        let shown: Vec<String> = shown.collect();
        (!shown.is_empty()).then(|| format!("{done}: {}\n", shown.join(", ")))
    });
    lines.collect()
}

/// Whether the root of the host is a read-only Btrfs.
fn is_read_only(mounts: &str) -> bool {
    let mut mounts = mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let root = mounts.find(|words| words.get(1) == Some(&"/"));
    root.is_some_and(|words| {
        words.get(2) == Some(&"btrfs")
            && words.get(3).is_some_and(|options| options.split(',').any(|word| word == "ro"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;

    #[test]
    fn names_are_taken_apart() {
        let read = |text| {
            let wanted = Wanted::read(text);
            (wanted.sign, wanted.name, wanted.version)
        };
        assert_eq!(read("nmap"), (None, "nmap".to_owned(), String::new()));
        assert_eq!(read("~a+b>=1.0"), (Some('-'), "a+b".to_owned(), ">=1.0".to_owned()));
        assert_eq!(read("+x==1"), (Some('+'), "x".to_owned(), "==1".to_owned()));
        assert_eq!(read("curl <= 8"), (None, "curl <= 8".to_owned(), String::new()));
    }

    #[test]
    fn a_transactional_server_is_known() {
        assert!(is_read_only("proc /proc proc rw 0 0\n/dev/vda / btrfs ro,relatime 0 0\n"));
        for other in
            ["/dev/vda / btrfs rw,relatime 0 0", "/dev/vda / ext4 ro 0 0", "rootfs / rootfs rw 0 0\nx / btrfs ro 0 0"]
        {
            assert!(!is_read_only(other), "{other}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (args, msg) in [
            (data! { "name" => "+a", "state" => "absent" }, "Can not combine '+' prefix with state=remove/absent."),
            (data! { "name" => "/x.rpm", "state" => "removed" }, "Can not remove via URL."),
            (data! { "name" => "a", "state" => "dist-upgrade" }, "Can not dist-upgrade specific packages."),
            (data! { "name" => "--root" }, "`--root` is not a package name"),
        ] {
            assert_eq!(Zypper::from_map(&args).unwrap().check().unwrap_err().msg, msg);
        }
    }
}
