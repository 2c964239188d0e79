//! `package_facts`: all packages that are installed.

use std::collections::HashMap;

use rplay_wire::{Failure, Map, Value, data};

use crate::{Host, Module, Plan, args, argtypes::Text, choice};

choice! {
    /// Which package managers to query.
    pub enum Strategy {
        First = "first",
        All = "all",
    }
}

args! {
    /// Lists the installed packages.
    pub struct PackageFacts {
        /// The package managers to query, in this order: `auto` for all, `apt`, `rpm` (also as `dnf`, `dnf5`, `yum`,
        /// `zypper`), `apk`. Others that Ansible knows are not usable here.
        manager: Vec<Text> = vec!["auto".to_owned()],
        /// Query only the first available one, or all.
        strategy: Strategy = Strategy::First,
    }
}

/// What ansible-core's module knows, by its names.
const KNOWN: [&str; 15] = [
    "auto",
    "rpm",
    "yum",
    "dnf",
    "dnf5",
    "zypper",
    "apk",
    "apt",
    "openbsd_pkg",
    "pacman",
    "pkg",
    "pkg5",
    "pkg_info",
    "portage",
    "pkgng",
];

/// A package manager that is queried here.
struct Manager {
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    read: fn(&str) -> Option<(String, Map)>,
}

const MANAGERS: [Manager; 3] = [
    Manager { name: "apt", program: "dpkg-query", args: &["-W", DPKG], read: dpkg },
    Manager { name: "rpm", program: "rpm", args: &["-qa", RPM], read: rpm },
    Manager { name: "apk", program: "apk", args: &["info", "-v"], read: apk },
];

impl Manager {
    /// The installed packages. The failure says why there are none.
    fn packages(&self, host: &Host) -> Result<Vec<(String, Map)>, String> {
        let done = host.program(self.program).args(self.args).untranslated().run().map_err(|failure| failure.msg)?;
        if done.rc != 0 {
            return Err(format!("Unable to list packages rc={} : {}", done.rc, done.stderr.trim()));
        }
        let mut packages: Vec<(String, Map)> = done.stdout.lines().filter_map(self.read).collect();
        if self.name == "apt" && host.has_program("apt-cache") {
            add_origins(&mut packages, host).map_err(|failure| failure.msg)?;
        }
        Ok(packages)
    }
}

impl Module for PackageFacts {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let unknown: Vec<&str> = self.manager.iter().map(String::as_str).filter(|name| !KNOWN.contains(name)).collect();
        if !unknown.is_empty() {
            let msg = format!("Unsupported package managers requested: {}", unknown.join(", "));
            return Err(Failure::new(msg).arg("manager"));
        }
        let asks_all = self.manager.iter().any(|name| name == "auto");
        let wanted: Vec<&str> = match asks_all {
            true => MANAGERS.iter().map(|manager| manager.name).collect(),
            false => self.manager.iter().map(String::as_str).collect(),
        };
        let mut plan = Plan::unchanged();
        let mut packages = Map::new();
        let mut found = false;
        for name in wanted {
            let alias = if matches!(name, "yum" | "dnf" | "dnf5" | "zypper") { "rpm" } else { name };
            let usable = match MANAGERS.iter().find(|manager| manager.name == alias) {
                None => Err("rplay cannot query it".to_owned()),
                Some(manager) if host.has_program(manager.program) => Ok(manager),
                Some(manager) => Err(host.missing_program(manager.program).msg),
            };
            let manager = match usable {
                Ok(manager) => manager,
                // Package managers that the task does not name are skipped without a warning.
                Err(_) if asks_all => continue,
                Err(why) => {
                    plan = plan.warn(format!("Requested package manager {name} was not usable by this module: {why}"));
                    continue;
                }
            };
            let some = match manager.packages(host) {
                Ok(some) => some,
                Err(why) => {
                    plan = plan.warn(format!("Failed to retrieve packages with {name}: {why}"));
                    continue;
                }
            };
            // An rpm on a Debian host lists nothing: then the next one is queried.
            if some.is_empty() {
                continue;
            }
            found = true;
            for (name, package) in some {
                match packages.entry(name).or_insert_with(|| Value::List(Vec::new())) {
                    Value::List(list) => list.push(package.into()),
                    _ => continue,
                }
            }
            if self.strategy == Strategy::First {
                break;
            }
        }
        if !found {
            plan.warnings.drain(..).for_each(|warning| host.warn(warning));
            let shown = self.manager.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
            let msg = format!(
                "Could not detect a supported package manager from the following list: [{shown}], or the required \
                 Python library is not installed. Check warnings for details."
            );
            return Err(Failure::new(msg).arg("manager"));
        }
        plan.facts.insert("packages".to_owned(), packages.into());
        Ok(plan)
    }
}

/// Adds to each package who provides its installed version; empty if the index of no source has it.
fn add_origins(packages: &mut [(String, Map)], host: &Host) -> Result<(), Failure> {
    let policy = |names: &[String]| -> Result<String, Failure> {
        let done = host.program("apt-cache").arg("policy").args(names).untranslated().run()?;
        Ok(done.success("cannot list the sources of packages")?.stdout)
    };
    let names: Vec<String> = packages.iter().map(|(name, _)| name.clone()).collect();
    let (sources, installed) = (policy(&[])?, policy(&names)?);
    let (origins, sources) = (origins(&sources), sources_of(&installed));
    for (name, package) in packages {
        let origin = sources.get(name.as_str()).and_then(|source| origins.get(source)).copied();
        package.insert("origin".to_owned(), origin.unwrap_or_default().into());
    }
    Ok(())
}

/// Who provides each source, from `apt-cache policy`: a line with priority and source, then one with its release.
fn origins(policy: &str) -> HashMap<&str, &str> {
    let mut origins = HashMap::new();
    let mut source = "";
    for line in policy.lines().map(str::trim) {
        if let Some(release) = line.strip_prefix("release ") {
            let origin = release.split(',').find_map(|field| field.strip_prefix("o=")).unwrap_or_default();
            origins.insert(source, origin);
        } else {
            source = line.split_once(' ').map_or(line, |(_, source)| source);
        }
    }
    origins
}

/// The first source of each package's installed version, from `apt-cache policy NAME...`.
fn sources_of(policy: &str) -> HashMap<&str, &str> {
    let mut sources = HashMap::new();
    let (mut name, mut is_next) = ("", false);
    for line in policy.lines() {
        if let Some(package) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            name = package;
        } else if is_next && let Some((_, source)) = line.trim().split_once(' ') {
            sources.insert(name, source);
        }
        is_next = line.starts_with(" *** ");
    }
    sources
}

const DPKG: &str = "-f=${Package}\\t${Version}\\t${Architecture}\\t${Section}\\t${db:Status-Status}\\n";
const RPM: &str = "--qf=%{NAME}\\t%{VERSION}\\t%{RELEASE}\\t%{EPOCH}\\t%{ARCH}\\n";

fn dpkg(line: &str) -> Option<(String, Map)> {
    let parts = line.split('\t').collect::<Vec<_>>();
    let [name, version, arch, category, "installed"] = parts.as_slice() else { return None };
    let package = data! {
        "name" => *name, "version" => *version, "arch" => *arch, "category" => *category, "source" => "apt",
    };
    Some(((*name).to_owned(), package))
}

fn rpm(line: &str) -> Option<(String, Map)> {
    let parts = line.split('\t').collect::<Vec<_>>();
    let [name, version, release, epoch, arch] = parts.as_slice() else { return None };
    let package = data! {
        "name" => *name, "version" => *version, "release" => *release, "epoch" => epoch.parse::<i64>().ok(),
        "arch" => Some(*arch).filter(|arch| *arch != "(none)"), "source" => "rpm",
    };
    Some(((*name).to_owned(), package))
}

/// `name-version-release`, where a name may have hyphens, too.
fn apk(line: &str) -> Option<(String, Map)> {
    let mut parts = line.trim().rsplitn(3, '-');
    let (release, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    let package = data! { "name" => name, "version" => version, "release" => release, "source" => "apk" };
    Some((name.to_owned(), package))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn who_cannot_list_packages_is_warned_of_and_the_next_one_asked() {
        let base = tempfile::tempdir().unwrap();
        let program = |name: &str, script: &str| {
            let path = base.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        program("rpm", "exit 0");
        program("apk", "echo broken >&2; exit 3");
        program("dpkg-query", "printf 'tar\\t1\\tall\\tutils\\tinstalled\\n'");
        let host = |directory: &std::path::Path| {
            let path = ("PATH".to_owned(), directory.display().to_string());
            Host::new(vec![path], std::sync::Arc::new(crate::NoBlobs))
        };
        let facts = |names: &[&str]| PackageFacts {
            manager: names.iter().map(|name| (*name).to_owned()).collect(),
            strategy: Strategy::First,
        };
        let plan = facts(&["rpm", "apk", "portage", "apt"]).plan(&host(base.path())).unwrap();
        assert!(plan.facts["packages"].as_map().unwrap().contains_key("tar"));
        assert_eq!(plan.warnings[0], "Failed to retrieve packages with apk: Unable to list packages rc=3 : broken");
        assert!(plan.warnings[1].starts_with("Requested package manager portage was not usable by this module: "));
        let unknown = facts(&["bogus", "apt"]).plan(&host(base.path())).err().unwrap();
        assert_eq!(unknown.msg, "Unsupported package managers requested: bogus");
        let none = facts(&["portage"]).plan(&host(base.path())).err().unwrap();
        assert!(
            none.msg.starts_with("Could not detect a supported package manager from the following list: ['portage']")
        );
    }

    #[test]
    fn the_first_source_tells_the_origin() {
        let sources = "Package files:\n 100 /var/lib/dpkg/status\n     release a=now\n \
                       500 http://deb.example/debian bookworm/main amd64 Packages\n     \
                       release v=12,o=Debian,a=stable,b=amd64\n     origin deb.example\nPinned packages:\n";
        let installed = "acl:\n  Installed: 2\n  Candidate: 2\n  Version table:\n *** 2 500\n        \
                         500 http://deb.example/debian bookworm/main amd64 Packages\n        100 /var/lib/dpkg/status\n\
                         own:\n  Installed: 1\n  Candidate: 1\n  Version table:\n *** 1 100\n        \
                         100 /var/lib/dpkg/status\n";
        let (origins, sources) = (origins(sources), sources_of(installed));
        assert_eq!(origins[sources["acl"]], "Debian");
        assert_eq!(origins[sources["own"]], "");
    }

    #[test]
    fn lines_of_both() {
        let (name, package) = dpkg("tar\t1.34+dfsg-1.2\tamd64\tutils\tinstalled").unwrap();
        assert_eq!((name.as_str(), &package["version"]), ("tar", &"1.34+dfsg-1.2".into()));
        assert!(dpkg("nginx\t1.22\tamd64\thttpd\tconfig-files").is_none());
        let (_, package) = rpm("alpha\t2.0\t1\t(none)\tnoarch").unwrap();
        assert_eq!((&package["epoch"], &package["release"]), (&Value::Null, &"1".into()));
        let (name, package) = apk("so:lib-x-1.2-r3").unwrap();
        assert_eq!(
            (name.as_str(), &package["version"], &package["release"]),
            ("so:lib-x", &"1.2".into(), &"r3".into())
        );
        assert_eq!(rpm("gpg-pubkey\t1\t2\t3\t(none)").unwrap().1["arch"], Value::Null);
    }
}
