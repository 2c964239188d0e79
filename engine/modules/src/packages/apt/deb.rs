//! `apt: deb=...`: a package file.

use std::{cmp::Ordering, io, os::unix::fs::PermissionsExt};

use rplay_wire::Failure;

use super::{Apt, dpkg, get};
use crate::system::fs;
use crate::{
    Change, Host, Plan,
    io_failure::{io_failure, reason},
    system::{
        http::{Address, Request},
        regular, scratch,
    },
};

impl Apt {
    pub(super) fn plan_deb(&self, host: &Host, deb: &str) -> Result<Plan, Failure> {
        if deb.contains("://") {
            return self.plan_fetched(host, deb);
        }
        let path = std::path::absolute(deb)?;
        regular::refuse_special_target(&path).map_err(|error| io_failure("read", &path, &error).arg("deb"))?;
        let path = path.to_string_lossy().into_owned();
        let what = format!("install {path}");
        if host.rehearses() && !std::path::Path::new(&path).exists() {
            return Ok(Plan::unchanged()
                .change(self.get().args(["install", "--", &path]).change(what))
                .assumption(format!("the package file {path}")));
        }
        let unusable = |reason: String| Failure::new(format!("Unable to install package: E:{reason}")).arg("deb");
        if let Err(error) = regular::open(&path) {
            let number = error.raw_os_error().unwrap_or_default();
            let reason = reason(&error);
            return Err(unusable(format!("Could not open file {path} - open ({number}: {reason})")));
        }
        let done = host
            .program("dpkg-deb")
            .args(["-W", "--showformat=${Package}\\t${Architecture}\\t${Version}\\n", "--", &path])
            .untranslated()
            .run()?;
        if done.rc != 0 {
            return Err(unusable("Invalid archive signature".to_owned()).help(done.stderr.trim()));
        }
        let line = done.stdout.trim().to_owned();
        let mut parts = line.split('\t');
        let (Some(name), Some(architecture), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(done.failure(&format!("{path} does not contain a package name")).arg("deb"));
        };
        let qualified = if architecture == "all" { name.to_owned() } else { format!("{name}:{architecture}") };
        let installed = dpkg::Installed::named(host, [name])?;
        if let Some(present) = installed.version(&qualified) {
            match dpkg::compare(host, present, version)? {
                Ordering::Equal => {
                    return Ok(Plan::unchanged().set("stdout", "").set("stderr", "").set("diff", ""));
                }
                Ordering::Greater if !self.allow_downgrade.0 && !self.force.0 => {
                    let help = format!(
                        "{name} {present} is newer than {version}; set `allow_downgrade: true` to install the older one"
                    );
                    return Err(Failure::new("A later version is already installed").arg("deb").help(help));
                }
                _ => {}
            }
        }
        let get = self.get().args(["install", "--", &path]);
        let simulated = get.simulate(host)?;
        if simulated.rc != 0 {
            return Err(get.failure(&simulated, &what));
        }
        if !get::Transaction::parse(&simulated.stdout).packages.iter().all(|(found, ..)| found == name) {
            // Only apt finds what the package needs and the host lacks.
            return Ok(get.plan_simulated(host, &simulated, &what));
        }
        // As in ansible-core, dpkg installs the file itself; apt would take a package of its sources that has the same
        // version.
        let mut dpkg: Vec<String> = self.dpkg_options().map(|option| format!("--{option}")).collect();
        dpkg.extend(["-i".to_owned(), path.clone()]);
        let run = move |host: &Host, first: Option<&str>| {
            let program = host.program("dpkg").args(first).args(&dpkg).untranslated();
            program.env("DEBIAN_FRONTEND", "noninteractive").env("DEBIAN_PRIORITY", "critical").run()
        };
        let simulated = run(host, Some("--simulate"))?;
        let policy = self.policy_rc_d;
        let plan = Plan { data: get::said(&simulated, host.diff), ..Plan::default() };
        Ok(plan.change(Change::new(what, move |host, data| {
            let _policy = get::PolicyRcD::wanted(policy)?;
            let done = run(host, None)?;
            if done.rc != 0 {
                return Err(done.failure(&format!("{path} failed to install")));
            }
            data.extend(get::said(&done, host.diff));
            Ok(())
        })))
    }

    /// A package file on a server: downloaded to a temporary file to read the package name from it.
    fn plan_fetched(&self, host: &Host, url: &str) -> Result<Plan, Failure> {
        let about = |msg: String| Failure::new(msg).arg("deb");
        let shown = Address::parse(url).map_err(about)?.without_login();
        let response =
            Request::get(url).send(host).map_err(|error| format!("Request failed: {error}")).and_then(|response| {
                match response.status {
                    200 => Ok(response),
                    status => Err(format!("HTTP Error {status}: {}", response.reason)),
                }
            });
        let mut response = match response {
            Ok(response) => response,
            Err(error) if host.rehearses() => {
                let what = format!("install {shown}");
                let change = self.get().args(["install", "--", url]).change(what);
                return Ok(Plan::unchanged()
                    .change(change)
                    .warn(format!("check mode: cannot download {shown}: {error}")));
            }
            Err(error) => return Err(about(format!("Failure downloading {shown}, {error}"))),
        };
        let mut file = scratch::file(".deb")?;
        io::copy(&mut response.reader(), &mut file)
            .map_err(|error| about(format!("the response from {shown} is incomplete: {error}")))?;
        // apt reads it as another user.
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        let plan = self.plan_deb(host, &file.path().to_string_lossy())?;
        // The file must exist as long as the plan.
        Ok(plan.finish(move |_, _| file.close().map_err(Failure::from)))
    }
}
