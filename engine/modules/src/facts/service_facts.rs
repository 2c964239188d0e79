//! `service_facts`: all services of the host, and their state.

use std::path::Path;

use rplay_wire::{Failure, Map, data};

use crate::{Host, Module, Plan, args};

args! {
    /// Lists services and their state.
    pub struct ServiceFacts {}
}

impl Module for ServiceFacts {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        // Units of systemd have the ending `.service`, init scripts have none: both stand side by side.
        let mut services = Map::new();
        if host.has_program("service") {
            let done = host.program("service").arg("--status-all").untranslated().run()?;
            services.extend(sysv(&done.stdout));
        }
        if Path::new("/run/systemd/system").is_dir() {
            let list = |args: &[&str]| {
                let program = host.program("systemctl").args(args).args([
                    "--no-pager",
                    "--no-legend",
                    "--type",
                    "service",
                    "--all",
                ]);
                program.untranslated().run()?.success("cannot list the services").map(|done| done.stdout)
            };
            let (units, files) = (list(&["list-units", "--plain"])?, list(&["list-unit-files"])?);
            services.extend(systemd(&units, &files));
            follow_aliases(&mut services, |names| {
                let program = host.program("systemctl").args(["show", "--property=ActiveState", "--"]).args(names);
                Ok(program.untranslated().run()?.stdout)
            })?;
        }
        let mut plan = Plan::unchanged();
        if services.is_empty() {
            let msg = "Failed to find any services. Sometimes this is due to insufficient privileges.";
            plan.skipped = Some(msg.to_owned());
            return Ok(plan);
        }
        plan.facts.insert("services".to_owned(), services.into());
        Ok(plan)
    }
}

/// From `list-units` (UNIT LOAD ACTIVE SUB DESCRIPTION) and `list-unit-files` (UNIT STATE ...).
fn systemd(units: &str, files: &str) -> Map {
    let mut services = Map::new();
    let mut bad = std::collections::HashSet::new();
    for line in units.lines() {
        let words = line.split_whitespace().filter(|word| *word != "●").collect::<Vec<_>>();
        let [unit, load, active, sub, ..] = words.as_slice() else { continue };
        let troubled = ["not-found", "masked", "failed"].into_iter().find(|word| [load, active, sub].contains(&word));
        if troubled.is_some() {
            bad.insert(*unit);
        }
        let state = if *sub == "running" { "running" } else { "stopped" };
        let status = troubled.unwrap_or(active);
        services.insert((*unit).to_owned(), service(unit, state, status));
    }
    for line in files.lines() {
        let mut words = line.split_whitespace();
        let (Some(unit), Some(status)) = (words.next(), words.next()) else { continue };
        match services.get_mut(unit) {
            Some(rplay_wire::Value::Map(known)) if !bad.contains(unit) => {
                known.insert("status".to_owned(), status.into());
            }
            Some(_) => {}
            None => {
                // It is not loaded, so it is inactive; a template cannot run itself.
                let state = if unit.contains("@.") { "unknown" } else { "inactive" };
                services.insert(unit.to_owned(), service(unit, state, status));
            }
        }
    }
    services
}

/// Other names of units are not loaded by themselves: they are in the state of the unit that they lead to. `show` tells it
/// for some names, one after the other: `ActiveState=active`.
fn follow_aliases(services: &mut Map, show: impl FnOnce(&[String]) -> Result<String, Failure>) -> Result<(), Failure> {
    let is = |service: &rplay_wire::Value, key: &str, word: &str| {
        service.as_map().and_then(|known| known.get(key)?.as_str()).is_some_and(|found| found == word)
    };
    let aliases = services.iter().filter(|(_, known)| is(known, "status", "alias") && is(known, "state", "inactive"));
    let aliases: Vec<String> = aliases.map(|(name, _)| name.clone()).collect();
    if aliases.is_empty() {
        return Ok(());
    }
    let shown = show(&aliases)?;
    let states = shown.lines().filter_map(|line| line.strip_prefix("ActiveState="));
    for (name, state) in aliases.iter().zip(states) {
        if let Some(rplay_wire::Value::Map(known)) = services.get_mut(name) {
            known.insert("state".to_owned(), state.into());
        }
    }
    Ok(())
}

fn service(name: &str, state: &str, status: &str) -> rplay_wire::Value {
    data! { "name" => name, "state" => state, "status" => status, "source" => "systemd" }.into()
}

/// From `service --status-all`: ` [ + ]  cron`.
fn sysv(text: &str) -> Map {
    let line = |line: &str| {
        let (sign, name) = line.split_once('[')?.1.split_once(']')?;
        let state = if sign.trim() == "+" { "running" } else { "stopped" };
        let name = name.trim();
        Some((name.to_owned(), data! { "name" => name, "state" => state, "source" => "sysv" }.into()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_lists() {
        let units = "ssh.service loaded active running OpenBSD Secure Shell server\n\
                     apparmor.service not-found inactive dead apparmor.service\n\
                     dbus-x.service loaded failed failed Broken\n\
                     keyboard-setup.service loaded active exited Set the console keyboard layout\n";
        let files = "ssh.service enabled enabled\ngetty@.service enabled enabled\ndebug-shell.service disabled disabled\ndbus-x.service enabled enabled\n";
        let services = systemd(units, files);
        let of = |name: &str| {
            let service = services[name].as_map().unwrap();
            (service["state"].as_str().unwrap().to_owned(), service["status"].as_str().unwrap().to_owned())
        };
        assert_eq!(of("ssh.service"), ("running".into(), "enabled".into()));
        assert_eq!(of("apparmor.service"), ("stopped".into(), "not-found".into()));
        assert_eq!(of("dbus-x.service"), ("stopped".into(), "failed".into()));
        assert_eq!(of("keyboard-setup.service"), ("stopped".into(), "active".into()));
        assert_eq!(of("debug-shell.service"), ("inactive".into(), "disabled".into()));
        assert_eq!(of("getty@.service"), ("unknown".into(), "enabled".into()));
    }

    #[test]
    fn an_alias_is_in_the_state_of_its_unit() {
        let files =
            "syslog.service alias -\nsshd.service alias -\ngetty.service disabled enabled\nautovt@.service alias -\n";
        let mut services = systemd("", files);
        let shown = |names: &[String]| {
            assert_eq!(names, ["syslog.service", "sshd.service"]);
            Ok("ActiveState=inactive\n\nActiveState=active\n".to_owned())
        };
        follow_aliases(&mut services, shown).unwrap();
        let of = |name: &str| services[name].as_map().unwrap()["state"].as_str().unwrap().to_owned();
        assert_eq!((of("sshd.service"), of("syslog.service")), ("active".to_owned(), "inactive".to_owned()));
        assert_eq!(of("getty.service"), "inactive");
    }

    #[test]
    fn what_init_scripts_say() {
        let services = sysv(" [ + ]  cron\n [ - ]  x11-common\n [ ? ]  hwclock.sh\n");
        assert_eq!(services["cron"].as_map().unwrap()["state"], "running".into());
        assert_eq!(services["x11-common"].as_map().unwrap()["state"], "stopped".into());
    }
}
