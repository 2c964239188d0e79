//! `apt: deb=...`: a package file.

use std::cmp::Ordering;

use rplay_wire::Failure;

use super::{Apt, dpkg};
use crate::{Host, Plan};

impl Apt {
    pub(super) fn plan_deb(&self, host: &Host, deb: &str) -> Result<Plan, Failure> {
        if deb.contains("://") {
            return Err(Failure::new("`deb` takes a path on the host, not yet a URL")
                .arg("deb")
                .help("fetch the file with get_url first"));
        }
        let path = std::path::absolute(deb)?;
        let path = path.to_string_lossy().into_owned();
        let what = format!("install {path}");
        if host.check && !std::path::Path::new(&path).exists() {
            return Ok(Plan::unchanged()
                .change(self.get().args(["install", "--", &path]).change(what))
                .warn(format!("check mode: {path} is not there yet; taken for one that an earlier task brings")));
        }
        let done = host
            .program("dpkg-deb")
            .args(["-W", "--showformat=${Package}\\t${Architecture}\\t${Version}\\n", "--", &path])
            .untranslated()
            .run()?
            .success(&format!("{path} is not a package file"))
            .map_err(|failure| failure.arg("deb"))?;
        let line = done.stdout.trim().to_owned();
        let mut parts = line.split('\t');
        let (Some(name), Some(architecture), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(done.failure(&format!("{path} does not say which package it is")).arg("deb"));
        };
        let qualified = if architecture == "all" { name.to_owned() } else { format!("{name}:{architecture}") };
        let installed = dpkg::Installed::named(host, [name])?;
        if let Some(present) = installed.version(&qualified) {
            match dpkg::compare(host, present, version)? {
                Ordering::Equal => return Ok(Plan::unchanged()),
                Ordering::Greater if !self.allow_downgrade.0 && !self.force.0 => {
                    return Err(Failure::new(format!("a later version of {name} is already installed: {present}, not {version}"))
                        .arg("deb")
                        .help("`allow_downgrade: true` installs the older one"));
                }
                _ => {}
            }
        }
        self.get().args(["install", "--", &path]).plan(host, &what)
    }
}
