//! dpkg's information about packages.

use std::cmp::Ordering;

use rplay_wire::Failure;

use super::spec::{self, Spec, Wanted};
use crate::Host;

/// The packages in dpkg's database.
#[derive(Debug, Default)]
pub(super) struct Installed(Vec<Package>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Package {
    name: String,
    architecture: String,
    /// `installed`, `config-files`, `half-configured` ...
    status: String,
    version: String,
}

const FORMAT: &str = "-f=${Package}\\t${Architecture}\\t${db:Status-Status}\\t${Version}\\n";

impl Installed {
    /// Queries dpkg about `specs`; unknown ones are omitted.
    pub(super) fn look(host: &Host, specs: &[Spec]) -> Result<Self, Failure> {
        Self::named(host, specs.iter().map(|spec| spec.name.as_str()))
    }

    /// Queries dpkg about packages by name.
    pub(super) fn named<'a>(host: &Host, names: impl IntoIterator<Item = &'a str>) -> Result<Self, Failure> {
        let done = host.program("dpkg-query").args(["-W", FORMAT, "--"]).args(names).untranslated().run()?;
        // 1: some of them are unknown.
        if done.rc > 1 {
            return Err(done.failure("cannot query dpkg about installed packages"));
        }
        Ok(Self::parse(&done.stdout))
    }

    fn parse(text: &str) -> Self {
        let package = |line: &str| {
            let mut parts = line.split('\t').map(str::to_owned);
            Some(Package {
                name: parts.next()?,
                architecture: parts.next()?,
                status: parts.next()?,
                version: parts.next()?,
            })
        };
        Installed(text.lines().filter_map(package).collect())
    }

    fn of<'s, 'n>(&'s self, name: &'n str) -> impl Iterator<Item = &'s Package> + use<'s, 'n> {
        let (name, architecture) = name.split_once(':').unwrap_or((name, ""));
        self.0.iter().filter(move |package| {
            spec::matches(name, &package.name)
                && (matches!(architecture, "" | "any") || package.architecture == architecture)
        })
    }

    /// The installed version of a package.
    pub(super) fn version<'s>(&'s self, name: &str) -> Option<&'s str> {
        self.of(name).find(|package| package.is_installed()).map(|package| package.version.as_str())
    }

    /// Whether `spec` is installed. Always false for a name pattern, which may match more packages than dpkg knows.
    pub(super) fn satisfies(&self, spec: &Spec, host: &Host) -> Result<bool, Failure> {
        let Some(version) = self.version(&spec.name).filter(|_| !spec.is_pattern()) else { return Ok(false) };
        Ok(match &spec.version {
            Wanted::Any => true,
            Wanted::Is(wanted) => spec::matches(wanted, version),
            Wanted::AtLeast(least) => compare(host, version, least)? != Ordering::Less,
        })
    }

    /// The packages to remove for `spec`; with `purge`, including those with only configuration files left.
    pub(super) fn removable(&self, spec: &Spec, purge: bool) -> Vec<String> {
        let there = self.of(&spec.name).filter(|package| match package.status.as_str() {
            "not-installed" => false,
            "config-files" => purge,
            _ => match &spec.version {
                Wanted::Is(wanted) => spec::matches(wanted, &package.version),
                _ => true,
            },
        });
        match spec.is_pattern() {
            true => there.map(|package| package.name.clone()).collect(),
            false => there.take(1).map(|_| spec.name.clone()).collect(),
        }
    }
}

impl Package {
    fn is_installed(&self) -> bool {
        matches!(self.status.as_str(), "installed" | "triggers-pending" | "triggers-awaited")
    }
}

/// Compares two versions by Debian's rules.
pub(super) fn compare(host: &Host, a: &str, b: &str) -> Result<Ordering, Failure> {
    for (relation, ordering) in [("eq", Ordering::Equal), ("lt", Ordering::Less)] {
        let done = host.program("dpkg").args(["--compare-versions", a, relation, b]).untranslated().run()?;
        match done.rc {
            0 => return Ok(ordering),
            1 => {}
            _ => return Err(done.failure(&format!("cannot compare the versions {a} and {b}"))),
        }
    }
    Ok(Ordering::Greater)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "gcc\tamd64\tinstalled\t4:12.2.0-3\nlibc6\tamd64\tinstalled\t2.36-9\n\
                            libc6\ti386\tinstalled\t2.36-9\nnginx\tamd64\tconfig-files\t1.22.1-9\n";

    fn spec(text: &str) -> Spec {
        Spec::parse(text).unwrap()
    }

    #[test]
    fn what_is_installed() {
        let known = Installed::parse(RECORDED);
        let host = Host::new(Vec::new(), std::sync::Arc::new(crate::NoBlobs));
        for (text, expected) in [
            ("gcc", true),
            ("gcc=4:12.2.*", true),
            ("gcc=4:13*", false),
            ("libc6:i386", true),
            ("gcc:i386", false),
            ("nginx", false),
            ("nosuch", false),
            ("gc*", false),
        ] {
            assert_eq!(known.satisfies(&spec(text), &host).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_removing_means() {
        let known = Installed::parse(RECORDED);
        assert_eq!(known.removable(&spec("libc*"), false), ["libc6", "libc6"]);
        assert_eq!(known.removable(&spec("nginx"), true), ["nginx"]);
        assert!(known.removable(&spec("nginx"), false).is_empty());
        assert!(known.removable(&spec("gcc=9*"), false).is_empty());
    }
}
