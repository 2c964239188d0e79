//! `hostname`: the name of the host, now and after the next boot.

use std::path::Path;

use rplay_wire::{Diff, Failure, data};

use crate::system::machine;
use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::Text,
    choice,
    system::place::{Content, Placement},
};

choice! {
    /// How the name is stored.
    pub enum Use {
        Alpine = "alpine",
        Debian = "debian",
        FreeBsd = "freebsd",
        Generic = "generic",
        MacOs = "macos",
        MacOsX = "macosx",
        Darwin = "darwin",
        OpenBsd = "openbsd",
        OpenRc = "openrc",
        RedHat = "redhat",
        Sles = "sles",
        Solaris = "solaris",
        Systemd = "systemd",
    }
}

args! {
    /// Sets the host's name.
    pub struct Hostname {
        /// The name.
        name: Text,
        /// How the name is stored; detected by default.
        r#use: Option<Use>,
    }
}

const FILE: &str = "/etc/hostname";

impl Module for Hostname {
    fn check(&self) -> Result<(), ArgError> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if self.name.is_empty()
            || self.name.len() > 64
            || !self.name.chars().all(good)
            || self.name.starts_with(['-', '.'])
        {
            return Err(ArgError::new("name", format!("`{}` is not a host name of at most 64 characters", self.name)));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let name = self.name;
        let now = machine::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let kept = crate::system::regular::read_to_string(FILE).unwrap_or_default();
        let short = name.split('.').next().unwrap_or(&name);
        // The name that the host has after the task: in check mode, still the old one.
        let has = if host.check { &now } else { &name };
        let hosts = crate::system::regular::read_to_string("/etc/hosts").unwrap_or_default();
        let full = machine::name_in_hosts(&hosts, has).unwrap_or_else(|| has.clone());
        let domain = full.split_once('.').map_or("", |(_, domain)| domain);
        let mut plan = Plan::unchanged().set("name", name.as_str());
        plan.facts = data! {
            "ansible_hostname" => short,
            "ansible_nodename" => name.as_str(),
            "ansible_fqdn" => full.as_str(),
            "ansible_domain" => domain,
        };
        if now == name && kept.trim() == name {
            return Ok(plan);
        }
        let systemd = match self.r#use {
            Some(Use::Systemd) => true,
            // The others keep it in a file: here, that of Linux.
            Some(_) => false,
            None => Path::new("/run/systemd/system").is_dir() && host.has_program("hostnamectl"),
        };
        if !host.diff {
            // ansible-core's result has it whether it is shown or not.
            let side = |name: &str| format!("hostname = {name}\n");
            plan = plan.set("diff", data! { "before" => side(&now), "after" => side(&name) });
        }
        let diff =
            Diff { before: format!("hostname = {now}\n"), after: format!("hostname = {name}\n"), ..Diff::default() };
        if systemd {
            let change = Change::new(format!("set the host name to {name}"), move |host, _| {
                let done = host.program("hostnamectl").args(["set-hostname", "--", &name]).untranslated().run()?;
                done.success("cannot set the host's name").map(|_| ())
            });
            return Ok(plan.change(change.diff(diff)));
        }
        let content = Content::Bytes(format!("{name}\n").into_bytes());
        plan = Placement::plain(FILE, content).plan(host, plan)?;
        if now != name {
            let change = Change::new(format!("set the host name to {name}"), move |_, _| {
                machine::sethostname(&name)
                    .map_err(|error| Failure::new(format!("cannot set the host's name: {error}")))
            });
            plan = plan.change(change.diff(diff));
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Args, runner::tests::checked};

    #[test]
    fn facts_and_names() {
        let done = checked("hostname", data! { "name" => "web1.example.org" });
        assert!(done.changed && done.failure.is_none());
        assert_eq!(done.facts["ansible_hostname"], "web1".into());
        // In check mode the host still has its old name.
        assert_ne!(done.facts["ansible_fqdn"], "web1.example.org".into());
        for wrong in ["", "-a", "a b"] {
            assert!(Hostname::from_map(&data! { "name" => wrong }).unwrap().check().is_err(), "{wrong}");
        }
    }
}
