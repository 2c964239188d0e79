//! `selinux`: the SELinux mode, now and after the next boot.

use std::path::Path;

use rplay_wire::Failure;

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::{
        paths,
        place::{Content, Placement},
    },
};

choice! {
    /// The SELinux mode.
    pub enum State {
        Disabled = "disabled",
        Enforcing = "enforcing",
        Permissive = "permissive",
    }
}

args! {
    /// Sets the SELinux mode, now and for the next boot.
    pub struct Selinux {
        /// The mode.
        state: State,
        /// The policy: `targeted`, `mls`; required unless `state` is `disabled`.
        policy: Option<Text>,
        /// The configuration file.
        configfile: PathArg | "conf" | "file" = PathArg("/etc/selinux/config".to_owned()),
        /// Not supported.
        update_kernel_param: Flag = Flag(false),
    }
}

impl Module for Selinux {
    fn check(&self) -> Result<(), ArgError> {
        if self.update_kernel_param.0 {
            return Err(
                ArgError::new("update_kernel_param", "is not supported").help("run `grubby` with the module command")
            );
        }
        if self.state != State::Disabled && self.policy.is_none() {
            return Err(ArgError::new("policy", "is required if state is not 'disabled'"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let path = paths::real(&self.configfile.on(host));
        let text = match crate::system::regular::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if host.rehearses() => String::new(),
            Err(error) => {
                return Err(Failure::new(format!("Unable to find file {}: {error}", path.display()))
                    .arg("configfile")
                    .help("SELinux may not be installed on this host"));
            }
        };
        let runtime = runtime(Path::new("/sys/fs/selinux/enforce"));
        self.plan_from(&path, &text, runtime, host)
    }
}

/// The current mode.
fn runtime(enforce: &Path) -> State {
    match crate::system::regular::read_to_string(enforce).as_deref().map(str::trim) {
        Ok("1") => State::Enforcing,
        Ok(_) => State::Permissive,
        Err(_) => State::Disabled,
    }
}

impl Selinux {
    fn plan_from(self, path: &Path, text: &str, runtime: State, host: &Host) -> Result<Plan, Failure> {
        let (state, policy) = (setting(text, "SELINUX"), setting(text, "SELINUXTYPE"));
        let wanted_policy = self.policy.clone().or(policy.clone()).unwrap_or_else(|| "targeted".to_owned());
        let mut said = Vec::new();
        let mut edited = text.to_owned();
        if policy.as_ref() != Some(&wanted_policy) && self.policy.is_some() {
            said.push(format!(
                "SELinux policy configuration in '{}' changed from '{}' to '{wanted_policy}'",
                path.display(),
                policy.unwrap_or_default()
            ));
            edited = with_setting(&edited, "SELINUXTYPE", &wanted_policy);
        }
        if state.as_deref() != Some(self.state.word()) {
            said.push(format!(
                "Config SELinux state changed from '{}' to '{}'",
                state.unwrap_or_default(),
                self.state.word()
            ));
            edited = with_setting(&edited, "SELINUX", self.state.word());
        }
        // Enabling and disabling SELinux requires a reboot.
        let reboot = (runtime == State::Disabled) != (self.state == State::Disabled);
        let mut plan = Plan::unchanged()
            .set("configfile", paths::text(path))
            .set("policy", wanted_policy)
            .set("state", self.state.word())
            .set("reboot_required", reboot);
        let now = match (runtime, self.state) {
            (State::Enforcing, State::Permissive | State::Disabled) => Some("0"),
            (State::Permissive, State::Enforcing) => Some("1"),
            _ => None,
        };
        if let Some(value) = now {
            let after = if value == "1" { "enforcing" } else { "permissive" };
            said.push(format!("SELinux state changed from '{}' to '{after}'", runtime.word()));
            plan = plan.change(Change::new(format!("set SELinux to {after}"), move |host, _| {
                host.program("setenforce")
                    .arg(value)
                    .untranslated()
                    .run()?
                    .success("cannot set the SELinux mode")
                    .map(|_| ())
            }));
        }
        if reboot {
            plan = plan.warn("SELinux state change will take effect next reboot");
        }
        if edited != text {
            plan = Placement::plain(path, Content::Bytes(edited.into_bytes())).plan(host, plan)?;
        }
        Ok(plan.set("msg", said.join(", ")))
    }
}

fn setting(text: &str, key: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == key).then(|| value.trim().to_owned())
    })
}

fn with_setting(text: &str, key: &str, value: &str) -> String {
    let mut done = false;
    let mut edited = String::new();
    for line in text.lines() {
        match line.split_once('=') {
            Some((found, _)) if found.trim() == key => {
                edited.push_str(&format!("{key}={value}\n"));
                done = true;
            }
            _ => edited.push_str(&format!("{line}\n")),
        }
    }
    if !done {
        edited.push_str(&format!("{key}={value}\n"));
    }
    edited
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rplay_wire::data;

    use super::*;
    use crate::{Args, stand_in::host};

    const CONFIG: &str = "# This file controls the state of SELinux on the system.\n# SELINUX= can take one of these\nSELINUX=enforcing\nSELINUXTYPE=targeted\n";

    fn planned(state: &str, text: &str, runtime: State) -> Plan {
        let wanted = Selinux::from_map(&data! { "state" => state, "policy" => "targeted" }).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        fs::write(&path, text).unwrap();
        wanted.plan_from(&path, text, runtime, &host()).unwrap()
    }

    #[test]
    fn as_it_should_be() {
        assert!(planned("enforcing", CONFIG, State::Enforcing).changes.is_empty());
    }

    #[test]
    fn now_and_after_the_next_boot() {
        let plan = planned("permissive", CONFIG, State::Enforcing);
        assert_eq!(plan.changes.len(), 2);
        let diff = plan.changes[1].diff.as_ref().unwrap();
        assert_eq!(diff.after, CONFIG.replace("SELINUX=enforcing", "SELINUX=permissive"));
        assert_eq!(plan.data["reboot_required"], false.into());
        let disabling = planned("disabled", CONFIG, State::Enforcing);
        assert_eq!((disabling.changes.len(), &disabling.data["reboot_required"]), (2, &true.into()));
        let enabling = planned("enforcing", &CONFIG.replace("enforcing", "disabled"), State::Disabled);
        assert_eq!((enabling.changes.len(), &enabling.data["reboot_required"]), (1, &true.into()));
    }
}
