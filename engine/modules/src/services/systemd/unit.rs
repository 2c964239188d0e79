//! A unit, as described by systemctl.

use rplay_wire::{Failure, Map, Value};

use crate::system::machine;
use crate::{
    Host,
    system::program::{Output, Program},
};

/// Which service manager to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    System,
    User,
    Global,
}

impl Scope {
    /// The option of `systemctl` for it.
    pub(crate) fn option(self) -> Option<&'static str> {
        match self {
            Scope::System => None,
            Scope::User => Some("--user"),
            Scope::Global => Some("--global"),
        }
    }

    /// A `systemctl` command for this scope.
    pub(crate) fn systemctl(self, host: &Host) -> Program {
        let process = host.program("systemctl").untranslated().env("SYSTEMD_COLORS", "0").env("SYSTEMD_PAGER", "");
        let process = process.args(self.option());
        match self {
            Scope::System | Scope::Global => process,
            Scope::User => {
                match host.variable("XDG_RUNTIME_DIR") {
                    Some(_) => process,
                    // Missing in sessions without a login shell; without it, the user's manager is not found.
                    None => process.env("XDG_RUNTIME_DIR", format!("/run/user/{}", machine::geteuid())),
                }
            }
        }
    }
}

/// The state of a unit.
pub(crate) struct Unit {
    name: String,
    scope: Scope,
    /// All properties from `systemctl show`; empty if systemd is not running.
    pub status: Map,
    /// Whether a unit file exists although systemd is not running.
    on_disk: bool,
    /// What systemctl said if systemd is not running.
    pub offline: Option<Output>,
}

impl Unit {
    /// Queries systemd about the unit. A missing unit is not an error.
    pub(crate) fn look(name: &str, scope: Scope, host: &Host) -> Result<Self, Failure> {
        if scope == Scope::Global {
            let file = scope.systemctl(host).args(["cat", "--", name]).run()?;
            return Ok(Unit { name: name.to_owned(), scope, status: Map::new(), on_disk: file.rc == 0, offline: None });
        }
        let done = scope.systemctl(host).args(["show", "--no-pager", "--", name]).run()?;
        if done.rc != 0 {
            let offline =
                ["not been booted with systemd", "Failed to connect to bus", "Failed to get D-Bus connection"];
            if !offline.iter().any(|sign| done.stderr.contains(sign)) {
                return Err(done.failure(&format!("cannot query systemd about {name}")));
            }
            let file = scope.systemctl(host).args(["is-enabled", "--", name]).run()?;
            return Ok(Unit {
                name: name.to_owned(),
                scope,
                status: Map::new(),
                on_disk: !file.stdout.trim().is_empty() && file.stdout.trim() != "not-found",
                offline: Some(done),
            });
        }
        Ok(Unit { name: name.to_owned(), scope, status: properties(&done.stdout), on_disk: false, offline: None })
    }

    fn property(&self, name: &str) -> &str {
        self.status.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether systemd knows the unit, so that it can be started and stopped.
    pub(crate) fn is_managed(&self) -> bool {
        !self.status.is_empty()
    }

    pub(crate) fn exists(&self) -> bool {
        self.on_disk || !matches!(self.property("LoadState"), "not-found" | "")
    }

    pub(crate) fn is_masked(&self) -> bool {
        self.property("LoadState") == "masked"
    }

    /// `active`, `inactive`, `failed`, `activating` ...
    pub(crate) fn active_state(&self) -> &str {
        match self.property("ActiveState") {
            "" => "unknown",
            state => state,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.active_state(), "active" | "activating" | "reloading")
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.active_state() == "deactivating"
    }

    /// Whether it starts at boot.
    pub(crate) fn is_enabled(&self, host: &Host) -> Result<bool, Failure> {
        let done = self.scope.systemctl(host).args(["is-enabled", "-l", "--", &self.name]).run()?;
        Ok(enabled(done.rc, &done.stdout))
    }
}

/// Parses the output of `systemctl is-enabled`.
fn enabled(rc: i64, stdout: &str) -> bool {
    match stdout.trim() {
        // Enabled under another name, or through another unit, but not itself.
        "alias" | "indirect" => false,
        // Only until the next boot.
        "enabled-runtime" => false,
        // For an init script, the answer follows the output of another program. Units without an install section
        // (`static`) count as enabled, as in Ansible: disabling them may remove links to them.
        other => rc == 0 || other.lines().last() == Some("enabled"),
    }
}

/// Parses `systemctl show`: `Key=value` lines, where a value that begins with `{` continues until a line ends in `}`.
fn properties(text: &str) -> Map {
    let mut properties = Map::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some((key, mut value)) = open.take() {
            value.push('\n');
            value.push_str(line);
            if line.trim_end().ends_with('}') {
                properties.insert(key, Value::Str(value));
            } else {
                open = Some((key, value));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.starts_with("Exec") && value.starts_with('{') && !value.trim_end().ends_with('}') {
            open = Some((key.to_owned(), value.to_owned()));
        } else {
            properties.insert(key.to_owned(), value.trim().into());
        }
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn show_is_read() {
        let said = "Type=forking\nExecStart={ path=/bin/sh ; argv[]=/bin/sh -c a\nB=2 ; pid=0 }\nActiveState=active\n\
                    LoadState=loaded\nEnvironment=A=1 C=2\nExecReload={ path=/bin/kill ; argv[]=/bin/kill }\n";
        let properties = properties(said);
        assert_eq!(properties["ActiveState"], Value::from("active"));
        assert_eq!(properties["Environment"], Value::from("A=1 C=2"));
        assert!(properties["ExecStart"].as_str().is_some_and(|exec| exec.ends_with("B=2 ; pid=0 }")));
        assert!(!properties.contains_key("B"));
    }

    #[test]
    fn is_enabled_is_read() {
        for (rc, said, expected) in [
            (0, "enabled\n", true),
            (0, "enabled-runtime\n", false),
            (1, "disabled\n", false),
            (1, "masked\n", false),
            (0, "static\n", true),
            (0, "indirect\n", false),
            (0, "ssh.service is not a native service, redirecting.\nenabled\n", true),
        ] {
            assert_eq!(enabled(rc, said), expected, "{said}");
        }
    }

    #[test]
    fn states() {
        let unit = |text: &str| Unit {
            name: "a".into(),
            scope: Scope::System,
            status: properties(text),
            on_disk: false,
            offline: None,
        };
        assert!(!unit("LoadState=not-found\nActiveState=inactive\n").exists());
        let masked = unit("LoadState=masked\nActiveState=inactive\n");
        assert!(masked.exists() && masked.is_masked() && !masked.is_running());
        assert!(unit("LoadState=loaded\nActiveState=activating\n").is_running());
        // A removed unit that is still running.
        let gone = unit("LoadState=not-found\nActiveState=active\n");
        assert!(!gone.exists() && gone.is_running());
    }
}
