//! `seboolean`: an SELinux boolean.

use std::path::Path;

use rplay_wire::{Diff, Failure};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::{Flag, Text},
};

args! {
    /// Turns an SELinux boolean on or off.
    pub struct SeBoolean {
        /// The boolean: `httpd_can_network_connect`.
        name: Text,
        /// On or off.
        state: Flag,
        /// Keep the value after the next boot.
        persistent: Flag = Flag(false),
        /// Try even if SELinux is disabled, as in an image that is being built.
        ignore_selinux_state: Flag = Flag(false),
    }
}

impl Module for SeBoolean {
    fn check(&self) -> Result<(), ArgError> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.name.is_empty() || !self.name.chars().all(good) {
            return Err(ArgError::new("name", format!("`{}` is not a valid SELinux boolean name", self.name)));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let plan = Plan::unchanged()
            .set("name", self.name.as_str())
            .set("state", self.state.0)
            .set("persistent", self.persistent.0);
        let is_enabled = Path::new("/sys/fs/selinux/enforce").exists();
        if !is_enabled && !self.ignore_selinux_state.0 {
            return Err(Failure::new("SELinux is disabled on this host.")
                .help("skip the task with `when: ansible_facts.selinux.status == 'enabled'`"));
        }
        let now = match host.program("getsebool").arg(&self.name).untranslated().run() {
            Ok(done) if done.rc == 0 => current(&done.stdout),
            Ok(done) if !host.rehearses() && is_enabled => {
                return Err(done.failure(&format!("SELinux boolean {} does not exist", self.name)).arg("name"));
            }
            Err(failure) if !host.rehearses() => {
                return Err(failure.help("install libselinux-utils and policycoreutils"));
            }
            _ => None,
        };
        let wanted = self.state.0;
        let kept = if self.persistent.0 { self.kept(host)? } else { Some(wanted) };
        if now == Some(wanted) && kept == Some(wanted) {
            return Ok(plan);
        }
        let word = |on| if on { "on" } else { "off" };
        let shown = |on: Option<bool>| on.map(|on| format!("{}: {}\n", self.name, word(on))).unwrap_or_default();
        let diff = Diff { before: shown(now), after: shown(Some(wanted)), ..Diff::default() };
        let mut plan = plan;
        if now.is_none() && is_enabled {
            plan = plan.assumption(format!("the SELinux boolean {}", self.name));
        }
        let what = format!("turn the SELinux boolean {} {}", self.name, word(wanted));
        Ok(plan.change(
            Change::new(what.clone(), move |host, _| {
                let program = host.program("setsebool").untranslated();
                let program = if self.persistent.0 { program.arg("-P") } else { program };
                let done = program.args([self.name.as_str(), word(wanted)]).run()?;
                // It exits with 0 even if the policy store is not writable.
                if done.stderr.contains("Could not change") {
                    return Err(done.failure(&format!("cannot {what}")));
                }
                done.success(&format!("cannot {what}")).map(|_| ())
            })
            .diff(diff),
        ))
    }
}

impl SeBoolean {
    /// The value after the next boot; `None` if it cannot be determined. It is then set again, after which it can.
    fn kept(&self, host: &Host) -> Result<Option<bool>, Failure> {
        if host.has_program("semanage") {
            let done = host.program("semanage").args(["boolean", "-l"]).untranslated().run()?;
            if let Some(on) = kept_of(&done.stdout, &self.name) {
                return Ok(Some(on));
            }
        }
        // The directories of libsemanage: before and since version 2.4.
        for pattern in ["/etc/selinux/*/modules/active/booleans.local", "/var/lib/selinux/*/active/booleans.local"] {
            for path in crate::system::glob::matching(Path::new(pattern)) {
                let text = crate::system::regular::read_to_string(path).unwrap_or_default();
                if let Some(on) = local(&text, &self.name) {
                    return Ok(Some(on));
                }
            }
        }
        Ok(None)
    }
}

/// `httpd_can_network_connect --> off`
fn current(said: &str) -> Option<bool> {
    match said.trim().rsplit_once("--> ")?.1 {
        "on" | "active" => Some(true),
        "off" | "inactive" => Some(false),
        _ => None,
    }
}

/// `httpd_can_network_connect (off , on) Allow ...`: the current value, and that after the next boot.
fn kept_of(list: &str, name: &str) -> Option<bool> {
    list.lines().find_map(|line| {
        let (found, rest) = line.split_once(char::is_whitespace)?;
        let (_, rest) = rest.split_once('(')?;
        let (values, _) = rest.split_once(')')?;
        let (_, kept) = values.split_once(',')?;
        (found == name).then(|| kept.trim() == "on")
    })
}

fn local(text: &str, name: &str) -> Option<bool> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == name).then(|| value.trim() == "1")
    })
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::runner::tests::call;

    #[test]
    fn what_the_tools_say() {
        assert_eq!(current("httpd_can_network_connect --> off\n"), Some(false));
        assert_eq!(current("httpd_can_network_connect --> on\n"), Some(true));
        let list = "SELinux boolean                State  Default Description\n\n\
                    httpd_can_network_connect_db   (on   ,   on)  Allow httpd to can network connect db\n\
                    httpd_can_network_connect      (on   ,  off)  Allow httpd to can network connect\n";
        assert_eq!(kept_of(list, "httpd_can_network_connect"), Some(false));
        assert_eq!(kept_of(list, "httpd_can_network_connect_db"), Some(true));
        assert_eq!(kept_of(list, "nosuch"), None);
        let file = "# This file is auto-generated by libsemanage\nhttpd_can_network_connect=1\n";
        assert_eq!((local(file, "httpd_can_network_connect"), local(file, "httpd")), (Some(true), None));
    }

    #[test]
    fn a_host_without_selinux_says_so() {
        if !Path::new("/sys/fs/selinux/enforce").exists() {
            let done = call("seboolean", data! { "name" => "httpd_can_network_connect", "state" => true });
            assert_eq!(done.failure.unwrap().msg, "SELinux is disabled on this host.");
        }
    }
}
