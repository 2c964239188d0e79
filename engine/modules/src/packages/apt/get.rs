//! Runs apt-get: non-interactive, waiting for locks, simulated first.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rplay_wire::{Diff, Failure, Map, data};

use crate::system::fs;
use crate::system::machine;
use crate::{Change, Host, Plan, system::program::Output};

/// An apt-get command line under construction.
#[derive(Clone, Debug)]
pub(crate) struct AptGet {
    args: Vec<String>,
    lock_timeout: Duration,
    policy_rc_d: Option<i64>,
    /// The command as failures tell it.
    told: Option<String>,
    /// What of its output goes into the result.
    says: Says,
}

/// What of apt-get's output goes into the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    Output,
    /// The output, and the same as `msg`.
    OutputAndMessage,
}

impl AptGet {
    /// `lock_timeout`: seconds to wait for another apt or dpkg process.
    pub(crate) fn new(lock_timeout: u64) -> Self {
        AptGet {
            args: Vec::new(),
            lock_timeout: Duration::from_secs(lock_timeout),
            policy_rc_d: None,
            told: None,
            says: Says::Output,
        }
    }

    /// The command as failures tell it.
    pub(super) fn told(mut self, command: String) -> Self {
        self.told = Some(command);
        self
    }

    /// Leaves its output out of the result.
    pub(super) fn quiet(mut self) -> Self {
        self.says = Says::Nothing;
        self
    }

    /// Repeats the output as `msg`.
    pub(super) fn repeats_in_msg(mut self) -> Self {
        self.says = Says::OutputAndMessage;
        self
    }

    /// The failure of a run; `what` describes it unless the command is told.
    pub(super) fn failure(&self, done: &Output, what: &str) -> Failure {
        match &self.told {
            Some(told) => Failure::new(format!("'{told}' failed: {}", done.stderr)).data(done.data()),
            None => done.failure(&format!("cannot {what}")),
        }
    }

    /// What of a run goes into the result.
    fn said(&self, done: &Output, with_diff: bool) -> Map {
        let mut said = said(done, with_diff);
        match self.says {
            Says::Nothing => said.clear(),
            Says::Output => {}
            Says::OutputAndMessage => drop(said.insert("msg".to_owned(), done.stdout.as_str().into())),
        }
        said
    }

    /// The exit code of `policy-rc.d` during the run.
    pub(crate) fn policy_rc_d(mut self, code: Option<i64>) -> Self {
        self.policy_rc_d = code;
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<str>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<I: IntoIterator<Item: AsRef<str>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Simulates it.
    pub(crate) fn simulate(&self, host: &Host) -> Result<Output, Failure> {
        self.start(host, &["-s"])
    }

    /// Runs it.
    pub(crate) fn run(&self, host: &Host) -> Result<Output, Failure> {
        let _policy = PolicyRcD::wanted(self.policy_rc_d)?;
        self.start(host, &[])
    }

    fn start(&self, host: &Host, first: &[&str]) -> Result<Output, Failure> {
        let deadline = Instant::now() + self.lock_timeout;
        loop {
            let done = host
                .program("apt-get")
                .args(first)
                .args(["-q", "-y"])
                .args(&self.args)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .env("DEBIAN_PRIORITY", "critical")
                // Also seen by maintainer scripts, which create databases with this locale: UTF-8.
                .env("LC_ALL", "C.UTF-8")
                .env("LANGUAGE", "C")
                .run()?;
            if done.rc == 0 || !is_locked(&done.stderr) || Instant::now() >= deadline {
                return Ok(done);
            }
            std::thread::sleep(Duration::from_secs(1).min(deadline.saturating_duration_since(Instant::now())));
        }
    }

    /// The change that runs it; `what` describes it in errors.
    pub(crate) fn change(self, what: impl Into<String>) -> Change {
        let what = what.into();
        Change::new(what.clone(), move |host, outcome| {
            let done = self.run(host)?;
            if done.rc != 0 {
                return Err(self.failure(&done, &what));
            }
            outcome.extend(self.said(&done, host.diff));
            Ok(())
        })
    }

    /// Simulates it, and plans it if it would have an effect.
    pub(crate) fn plan(self, host: &Host, what: &str) -> Result<Plan, Failure> {
        let simulated = self.simulate(host)?;
        match simulated.rc {
            0 => Ok(self.plan_simulated(host, &simulated, what)),
            _ => Err(self.failure(&simulated, what)),
        }
    }

    /// The plan after a successful simulation.
    pub(crate) fn plan_simulated(self, host: &Host, simulated: &Output, what: &str) -> Plan {
        let transaction = Transaction::parse(&simulated.stdout);
        if transaction.is_empty() {
            return Plan::unchanged();
        }
        let said = self.said(simulated, host.diff);
        Plan { data: said, ..Plan::unchanged().change(self.change(what).diff(transaction.diff())) }
    }
}

/// The output of a run for the result, with the part of it that ansible-core shows as the difference.
pub(super) fn said(done: &Output, with_diff: bool) -> Map {
    let mut diff = Map::new();
    if with_diff {
        diff.insert("prepared".to_owned(), announced(&done.stdout).into());
    }
    data! { "stdout" => done.stdout.as_str(), "stderr" => done.stderr.as_str(), "diff" => diff }
}

/// What apt-get announces: from the packages' names to the line that counts them; the whole output if it has neither.
fn announced(stdout: &str) -> String {
    let lines: Vec<&str> = stdout.lines().collect();
    let begin = lines.iter().position(|line| *line == "Reading state information...").map_or(0, |at| at + 1);
    let counts = |line: &&str| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < line.len() && (rest.starts_with(" upgraded") || rest.starts_with(" packages upgraded"))
    };
    let end = lines.iter().position(counts).map_or(lines.len(), |at| at + 1);
    lines.get(begin..end).unwrap_or_default().join("\n")
}

/// Whether apt-get failed because of another process's lock.
fn is_locked(stderr: &str) -> bool {
    ["Could not get lock", "Unable to lock", "is another process using it", "Unable to acquire the dpkg frontend lock"]
        .iter()
        .any(|sign| stderr.contains(sign))
}

/// The packages affected by a run of apt-get, from `apt-get -s`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Transaction {
    /// Name, previous version, new version.
    pub packages: Vec<(String, Option<String>, Option<String>)>,
}

impl Transaction {
    /// Parses the `Inst`, `Remv` and `Purg` lines of a simulation.
    pub(super) fn parse(stdout: &str) -> Self {
        let package = |line: &str| {
            let (verb, rest) = line.split_once(' ')?;
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let before = between(rest, '[', ']').filter(|_| rest.starts_with('['));
            let after = between(rest, '(', ')').and_then(|found| found.split(' ').next().map(str::to_owned));
            match verb {
                "Inst" => Some((name.to_owned(), before, after)),
                "Remv" | "Purg" => Some((name.to_owned(), before, None)),
                _ => None,
            }
        };
        Transaction { packages: stdout.lines().filter_map(package).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }

    /// The packages' versions before and after, one per line.
    pub(super) fn diff(&self) -> Diff {
        let mut diff =
            Diff { before_header: "packages".to_owned(), after_header: "packages".to_owned(), ..Diff::default() };
        for (name, before, after) in &self.packages {
            for (text, version) in [(&mut diff.before, before), (&mut diff.after, after)] {
                if let Some(version) = version {
                    text.push_str(&format!("{name} {version}\n"));
                }
            }
        }
        diff
    }
}

fn between(text: &str, open: char, close: char) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside.to_owned())
}

/// Replaces `/usr/sbin/policy-rc.d` while it lives, and restores the previous file.
pub(super) struct PolicyRcD {
    aside: Option<PathBuf>,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl PolicyRcD {
    /// It, for the exit code that a task wants.
    pub(super) fn wanted(code: Option<i64>) -> Result<Option<Self>, Failure> {
        code.map(PolicyRcD::install).transpose()
    }

    fn install(code: i64) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("cannot write {POLICY}: {error}")).arg("policy_rc_d");
        let aside = PathBuf::from(format!("{POLICY}.rplay-{}", machine::process_id()));
        let aside = match fs::rename(POLICY, &aside) {
            Ok(()) => Some(aside),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        // From here on, drop restores the previous file.
        let policy = PolicyRcD { aside };
        fs::write(POLICY, format!("#!/bin/sh\nexit {code}\n")).map_err(failed)?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(policy)
    }
}

impl Drop for PolicyRcD {
    fn drop(&mut self) {
        // Nothing can be done if this fails.
        let _ = match &self.aside {
            Some(aside) => fs::rename(aside, Path::new(POLICY)),
            None => fs::remove_file(POLICY),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `apt-get -s -y` on Debian 12.
    const RECORDED: &str = "\
Reading package lists...
The following NEW packages will be installed:
  sl
0 upgraded, 1 newly installed, 0 to remove and 131 not upgraded.
Inst sl (5.02-1+b1 Debian:12.15/oldstable [amd64])
Inst base-files [12.4+deb12u11] (12.4+deb12u15 Debian:12.15/oldstable [amd64])
Inst libfoo [1] (2 Debian:12 [amd64]) []
Purg mmdebstrap [1.3.5-7]
Remv nullmailer [1:2.2-4] [cron:amd64 ]
Conf sl (5.02-1+b1 Debian:12.15/oldstable [amd64])
";

    #[test]
    fn a_simulation_is_read() {
        let transaction = Transaction::parse(RECORDED);
        let versions = |name: &str| {
            let (_, before, after) = transaction.packages.iter().find(|(found, ..)| found == name).unwrap();
            (before.as_deref(), after.as_deref())
        };
        assert_eq!(transaction.packages.len(), 5);
        assert_eq!(versions("sl"), (None, Some("5.02-1+b1")));
        assert_eq!(versions("base-files"), (Some("12.4+deb12u11"), Some("12.4+deb12u15")));
        assert_eq!(versions("mmdebstrap"), (Some("1.3.5-7"), None));
        assert_eq!(versions("nullmailer"), (Some("1:2.2-4"), None));
        let diff = transaction.diff();
        assert!(diff.before.contains("libfoo 1\n") && diff.after.contains("libfoo 2\n"));
        assert!(Transaction::parse("sl is already the newest version (5.02-1+b1).\n").is_empty());
    }

    #[test]
    fn what_is_announced_ends_with_the_counts() {
        let announced_packages = "The following NEW packages will be installed:\n  sl\n\
                                  0 upgraded, 1 newly installed, 0 to remove and 131 not upgraded.";
        let said = format!("Reading package lists...\nReading state information...\n{announced_packages}\nInst sl\n");
        assert_eq!(announced(&said), announced_packages);
        assert_eq!(announced("Unpacking sl ...\n"), "Unpacking sl ...");
    }

    #[test]
    fn a_failure_tells_the_command() {
        let done = Output { rc: 100, stderr: "E: no\n".to_owned(), name: "apt-get".to_owned(), ..Output::default() };
        let get = AptGet::new(1).told("apt-get remove 'dpkg'".to_owned());
        assert_eq!(get.failure(&done, "remove dpkg").msg, "'apt-get remove 'dpkg'' failed: E: no\n");
        assert_eq!(AptGet::new(1).failure(&done, "remove dpkg").msg, "cannot remove dpkg: E: no");
    }

    #[test]
    fn locks_are_told_from_other_errors() {
        assert!(is_locked("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)"));
        assert!(!is_locked("E: Unable to locate package nosuch"));
    }
}
