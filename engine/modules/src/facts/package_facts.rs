//! `package_facts`: all packages that are installed.

use rplay_wire::{Failure, Map, Value, data};

use crate::{Host, Module, Plan, args, choice};

choice! {
    /// A package manager.
    pub enum Manager {
        Auto = "auto",
        Apt = "apt",
        Rpm = "rpm" | "dnf" | "dnf5" | "yum" | "zypper",
    }
}

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
        /// The package managers to query, in this order.
        manager: Vec<Manager> = vec![Manager::Auto],
        /// Query only the first available one, or all.
        strategy: Strategy = Strategy::First,
    }
}

impl Module for PackageFacts {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut managers = Vec::new();
        for manager in self.manager {
            match manager {
                Manager::Auto => managers.extend([Manager::Apt, Manager::Rpm]),
                other => managers.push(other),
            }
        }
        let mut packages = Map::new();
        let mut found = false;
        for manager in managers {
            let (program, args): (_, [&str; 2]) = match manager {
                Manager::Rpm => ("rpm", ["-qa", RPM]),
                _ => ("dpkg-query", ["-W", DPKG]),
            };
            if !host.has_program(program) {
                continue;
            }
            let done = host.program(program).args(args).untranslated().run()?;
            let listed = done.success("cannot list the installed packages")?.stdout;
            let read = if manager == Manager::Rpm { rpm } else { dpkg };
            // An rpm on a Debian host lists nothing: then the next one is queried.
            let some = listed.lines().filter_map(read).collect::<Vec<_>>();
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
            return Err(Failure::new("could not detect a supported package manager: there is neither dpkg nor rpm"));
        }
        let mut plan = Plan::unchanged();
        plan.facts.insert("packages".to_owned(), packages.into());
        Ok(plan)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both() {
        let (name, package) = dpkg("tar\t1.34+dfsg-1.2\tamd64\tutils\tinstalled").unwrap();
        assert_eq!((name.as_str(), &package["version"]), ("tar", &"1.34+dfsg-1.2".into()));
        assert!(dpkg("nginx\t1.22\tamd64\thttpd\tconfig-files").is_none());
        let (_, package) = rpm("alpha\t2.0\t1\t(none)\tnoarch").unwrap();
        assert_eq!((&package["epoch"], &package["release"]), (&Value::Null, &"1".into()));
        assert_eq!(rpm("gpg-pubkey\t1\t2\t3\t(none)").unwrap().1["arch"], Value::Null);
    }
}
