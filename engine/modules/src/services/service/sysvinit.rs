//! `service` with init scripts: Debian's update-rc.d, Red Hat's chkconfig.

use std::{path::Path, time::Duration};

use rplay_wire::{Failure, Map};

use crate::{
    Change, Host, Plan,
    services::systemd::State,
    system::{
        fs, machine,
        program::{Output, words},
    },
};

pub(crate) const SCRIPTS: &str = "/etc/init.d";

/// A service with an init script, and its desired state.
pub(crate) struct InitScript {
    pub name: String,
    pub state: Option<State>,
    /// Whether it starts at boot.
    pub enabled: Option<bool>,
    /// Text in the command line of its process, for scripts without `status`.
    pub pattern: Option<String>,
    /// Seconds between stopping and starting in a restart; `None` lets the script restart it.
    pub sleep: Option<u64>,
    /// Further arguments for the script, as a shell would split them.
    pub arguments: String,
}

impl InitScript {
    /// The script of this name; nothing is wanted of it.
    pub(crate) fn named(name: String) -> Self {
        InitScript { name, state: None, enabled: None, pattern: None, sleep: None, arguments: String::new() }
    }

    /// Whether it is there, and a plan with its name. If it is missing, the message ends in `end`.
    ///
    /// # Errors
    /// If it is not there, unless an earlier task may make it.
    pub(crate) fn found(&self, host: &Host, end: &str) -> Result<(bool, Plan), Failure> {
        let name = self.name.as_str();
        if name.contains('/') || name.starts_with('-') {
            return Err(Failure::new(format!("`{name}` is not a valid service name")).arg("name"));
        }
        let mut plan = Plan::unchanged().set("name", name);
        let exists = Path::new(SCRIPTS).join(name).exists();
        if !exists {
            plan = plan.assumes(host, format!("the script {SCRIPTS}/{name}"), || {
                let msg = format!("Could not find the requested service {name}: {end}");
                Failure::new(msg).arg("name").help(format!("there is no {SCRIPTS}/{name}"))
            })?;
        }
        Ok((exists, plan))
    }

    pub(crate) fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let (exists, mut plan) = self.found(host, "host")?;
        let name = self.name.as_str();
        if let Some(enabled) = self.enabled {
            plan = plan.set("enabled", enabled);
            if !exists || is_enabled(Path::new("/etc"), name) != enabled {
                plan = plan.change(boot_change(name.to_owned(), enabled));
            }
        }
        let Some(state) = self.state else { return Ok(plan) };
        plan = plan.set("state", if state == State::Stopped { "stopped" } else { "started" });
        let running = exists && self.is_running(host)?;
        let verbs: &[&str] = match state {
            State::Started if running => return Ok(plan),
            State::Stopped if !running => return Ok(plan),
            State::Stopped => &["stop"],
            State::Restarted if running && self.sleep.is_some() => &["stop", "start"],
            State::Restarted if running => &["restart"],
            State::Reloaded if running => &["reload"],
            _ => &["start"],
        };
        let change = Change::new(format!("{} {name}", verbs.join(", ")), move |host, _: &mut Map| {
            for (at, verb) in verbs.iter().enumerate() {
                if let Some(pause) = self.sleep.filter(|_| at > 0) {
                    std::thread::sleep(Duration::from_secs(pause));
                }
                self.script(host, verb)?.success(&format!("unable to {verb} {}", self.name))?;
            }
            Ok(())
        });
        // As in Ansible, there is no difference to show: the result has the state.
        Ok(plan.change(change))
    }

    fn script(&self, host: &Host, verb: &str) -> Result<Output, Failure> {
        let arguments = words("arguments", &self.arguments)?;
        let process = match host.has_program("service") {
            true => host.program("service").args([self.name.as_str(), verb]),
            false => host.program(&format!("{SCRIPTS}/{}", self.name)).arg(verb),
        };
        process.args(arguments).untranslated().run()
    }

    pub(crate) fn is_running(&self, host: &Host) -> Result<bool, Failure> {
        if let Some(pattern) = &self.pattern {
            return Ok(some_command_line_holds(Path::new("/proc"), pattern));
        }
        let done = self.script(host, "status")?;
        Ok(says_running(done.rc, &done.stdout))
    }
}

/// By LSB, `status` exits with 0 if running and 3 if not; older scripts only print it.
fn says_running(rc: i64, stdout: &str) -> bool {
    let said = stdout.to_ascii_lowercase();
    match rc {
        0 => !["not running", "is stopped", "stop/waiting"].iter().any(|sign| said.contains(sign)),
        _ => false,
    }
}

fn some_command_line_holds(proc: &Path, pattern: &str) -> bool {
    let own = machine::process_id().to_string();
    let Ok(entries) = fs::read_dir(proc) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let is_process =
            name.to_str().is_some_and(|name| name != own && name.bytes().all(|byte| byte.is_ascii_digit()));
        is_process
            && crate::system::regular::read(entry.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).replace('\0', " ").contains(pattern))
    })
}

/// Whether one of the runlevels 2 to 5 has a start link.
pub(crate) fn is_enabled(etc: &Path, name: &str) -> bool {
    (2..=5).any(|level| {
        [format!("rc{level}.d"), format!("rc.d/rc{level}.d")].iter().any(|directory| {
            let Ok(entries) = fs::read_dir(etc.join(directory)) else { return false };
            entries.flatten().any(|entry| {
                let link = entry.file_name();
                let link = link.to_string_lossy();
                link.get(..1) == Some("S") && link.get(3..) == Some(name)
            })
        })
    })
}

fn boot_change(name: String, enabled: bool) -> Change {
    let verb = if enabled { "enable" } else { "disable" };
    Change::new(format!("{verb} {name}"), move |host, _| {
        boot(host, &name, enabled, &[])?.success(&format!("unable to {verb} {name}")).map(|_| ())
    })
}

/// Makes the service start at boot, or not: in these runlevels, or in those that its script names.
pub(crate) fn boot(host: &Host, name: &str, enabled: bool, levels: &[String]) -> Result<Output, Failure> {
    let word = |on, off| if enabled { on } else { off };
    let run = |program: &str, args: &[&str]| host.program(program).args(args).args(levels).untranslated().run();
    if host.has_program("update-rc.d") {
        if enabled && levels.is_empty() {
            let done = run("update-rc.d", &[name, "defaults"])?;
            if done.rc != 0 || is_enabled(Path::new("/etc"), name) {
                return Ok(done);
            }
        }
        return run("update-rc.d", &[name, word("enable", "disable")]);
    }
    if !host.has_program("chkconfig") {
        return Err(Failure::new("the host has neither update-rc.d nor chkconfig").arg("enabled"));
    }
    let word = word("on", "off");
    if !levels.is_empty() {
        return host.program("chkconfig").args(["--level", &levels.concat(), name, word]).run();
    }
    if enabled {
        let done = run("chkconfig", &["--add", name])?;
        if done.rc != 0 {
            return Ok(done);
        }
    }
    run("chkconfig", &[name, word])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_links() {
        let etc = tempfile::tempdir().unwrap();
        fs::create_dir_all(etc.path().join("rc3.d")).unwrap();
        fs::write(etc.path().join("rc3.d/S01cron"), "").unwrap();
        fs::write(etc.path().join("rc3.d/K01nginx"), "").unwrap();
        assert!(is_enabled(etc.path(), "cron"));
        assert!(!is_enabled(etc.path(), "nginx") && !is_enabled(etc.path(), "cro"));
    }

    #[test]
    fn status_in_its_dialects() {
        assert!(says_running(0, "cron is running."));
        assert!(!says_running(3, "cron is not running ... failed!"));
        assert!(!says_running(0, "foo is stopped"));
    }
}
