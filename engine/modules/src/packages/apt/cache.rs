//! apt's package index: its age, updating it, its content.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use rplay_wire::{Failure, data};

use super::{
    AptGet,
    dpkg::{self, Installed},
    spec::{self, Spec, Wanted},
};
use crate::system::fs;
use crate::system::machine;
use crate::{Change, Host, system::program::Output};

/// Created by apt's own hook on some systems; otherwise the time of the list directory is used.
const STAMPS: [&str; 2] = ["/var/lib/apt/periodic/update-success-stamp", LISTS];
const LISTS: &str = "/var/lib/apt/lists";

/// Whether apt's list directory contains a package index, compressed or not.
fn lists_packages(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| {
        let name = name.to_string_lossy();
        name.ends_with("_Packages") || name.contains("_Packages.")
    })
}

/// The time of the last update, in seconds since 1970; 0 if never.
pub(super) fn update_time() -> i64 {
    // Images are built with the index removed, which makes the directory look recent.
    if !lists_packages(Path::new(LISTS)) {
        return 0;
    }
    STAMPS.iter().find_map(|path| fs::metadata(path).ok()).map_or(0, |meta| meta.mtime())
}

/// The stamp with higher precision, to detect whether an update changed anything.
fn stamp() -> Option<(i64, i64)> {
    STAMPS.iter().find_map(|path| fs::metadata(path).ok()).map(|meta| (meta.mtime(), meta.mtime_nsec()))
}

/// A request to update the index.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    valid: Duration,
    retries: u64,
    max_delay: Duration,
    lock_timeout: u64,
}

impl Refresh {
    /// The request, if `wanted`. Times in seconds.
    pub(crate) fn wanted(wanted: bool, valid: u64, retries: u64, max_delay: u64, lock_timeout: u64) -> Option<Self> {
        wanted.then_some(Refresh {
            valid: Duration::from_secs(valid),
            retries,
            max_delay: Duration::from_secs(max_delay),
            lock_timeout,
        })
    }

    /// The change that updates the index, unless it is recent enough. With `counts`, an update that changed the index
    /// is itself a change of the task; as in Ansible, not if packages are given too.
    pub(crate) fn change_if_due(self, counts: bool) -> Option<Change> {
        let age = machine::now()
            .duration_since(UNIX_EPOCH + Duration::from_secs(update_time().unsigned_abs()))
            .unwrap_or_default();
        if !self.valid.is_zero() && age < self.valid {
            return None;
        }
        Some(self.change(counts))
    }

    /// The change that updates the index.
    pub(crate) fn change(self, counts: bool) -> Change {
        let change = Change::maybe("update the package index", move |host, outcome| {
            let before = stamp();
            self.run(host)?;
            let updated = stamp() != before;
            outcome.extend(data! { "cache_updated" => updated, "cache_update_time" => update_time() });
            Ok(counts && updated)
        });
        if counts { change } else { change.auxiliary() }
    }

    /// Updates the index, with retries.
    pub(crate) fn run(&self, host: &Host) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            let done = AptGet::new(self.lock_timeout).arg("update").run(host)?;
            let complaints = complaints(&done);
            if complaints.is_empty() {
                return Ok(());
            }
            if tries >= self.retries {
                return Err(
                    Failure::new(format!("failed to update apt cache: {}", complaints.join("; "))).data(done.data())
                );
            }
            // Exponential, without jitter: hosts are not synchronous anyway.
            std::thread::sleep(Duration::from_secs(1 << tries.min(16)).min(self.max_delay));
            tries += 1;
        }
    }
}

/// Errors of `apt-get update`, which may exit with 0 although an index could not be downloaded.
fn complaints(done: &Output) -> Vec<&str> {
    let lines = done.stderr.lines().filter(|line| line.starts_with("E: ") || line.starts_with("W: Failed to fetch"));
    let mut complaints = lines.map(|line| line.get(3..).unwrap_or(line)).collect::<Vec<_>>();
    if done.rc != 0 && complaints.is_empty() {
        complaints.push("apt-get update gave no reason");
    }
    complaints
}

/// A package that is not in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub name: String,
    /// The requested version, if the package itself is known.
    pub version: Option<String>,
}

impl Missing {
    pub(super) fn failure(&self) -> Failure {
        match &self.version {
            Some(version) => {
                Failure::new(format!("no available installation candidate for {}={version}", self.name)).arg("name")
            }
            None => Failure::new(format!("No package matching '{}' is available", self.name))
                .arg("name")
                .help("update the index with `update_cache: true`, or check the host's package sources"),
        }
    }

    /// Whether the apt-get argument `name` (`pkg`, `pkg=version`) means this package.
    pub(super) fn is(&self, name: &str) -> bool {
        name.split('=').next() == Some(&self.name)
    }

    /// The packages that apt-get reported as missing.
    pub(super) fn named_in(done: &Output) -> Vec<Missing> {
        let quoted = |line: &str, at: usize| line.split('\'').nth(at).map(str::to_owned);
        let missing = |line: &str| {
            let line = line.strip_prefix("E: ")?;
            if let Some(name) = line.strip_prefix("Unable to locate package ") {
                Some(Missing { name: name.trim().to_owned(), version: None })
            } else if line.starts_with("Unable to find a source package for ") {
                let name = line.rsplit(' ').next()?.trim_matches('\'').to_owned();
                Some(Missing { name, version: None })
            } else if line.contains("has no installation candidate") {
                Some(Missing { name: quoted(line, 1)?, version: None })
            } else if line.starts_with("Version '") && line.ends_with("was not found") {
                Some(Missing { name: quoted(line, 3)?, version: quoted(line, 1) })
            } else {
                None
            }
        };
        done.stderr.lines().filter_map(missing).collect()
    }
}

/// The argument of apt-get for `spec`, or the missing package.
pub(super) fn resolve(
    host: &Host,
    spec: &Spec,
    installed: &Installed,
    latest: bool,
) -> Result<Result<Vec<String>, Missing>, Failure> {
    if spec.is_pattern() {
        let prefix: String = spec.name.chars().take_while(|c| !"*?[".contains(*c)).collect();
        let known = host.program("apt-cache").args(["pkgnames", "--", &prefix]).untranslated().run()?;
        let known = known.success("cannot list the known packages")?;
        let mut names = known.stdout.lines().filter(|name| spec::matches(&spec.name, name)).collect::<Vec<_>>();
        names.sort_unstable();
        if names.is_empty() {
            return Ok(Err(Missing { name: spec.name.clone(), version: None }));
        }
        names.retain(|name| latest || installed.version(name).is_none());
        return Ok(Ok(names.into_iter().map(str::to_owned).collect()));
    }
    let fits = |host: &Host, version: &str| match &spec.version {
        Wanted::Any => Ok(true),
        Wanted::Is(wanted) => Ok(spec::matches(wanted, version)),
        Wanted::AtLeast(least) => dpkg::compare(host, version, least).map(std::cmp::Ordering::is_ge),
    };
    let (exact, wanted) = match &spec.version {
        Wanted::Any => return Ok(Ok(vec![spec.name.clone()])),
        Wanted::Is(wanted) => (!crate::system::glob::is_pattern(wanted), wanted),
        Wanted::AtLeast(least) => (false, least),
    };
    if exact {
        return Ok(Ok(vec![format!("{}={wanted}", spec.name)]));
    }
    let known = host.program("apt-cache").args(["madison", "--", &spec.name]).untranslated().run()?;
    for version in versions(&known.stdout) {
        if fits(host, version)? {
            return Ok(Ok(vec![format!("{}={version}", spec.name)]));
        }
    }
    Ok(Err(Missing { name: spec.name.clone(), version: Some(wanted.clone()) }))
}

/// The versions in the output of `apt-cache madison`, highest first.
fn versions(madison: &str) -> impl Iterator<Item = &str> {
    madison.lines().filter_map(|line| {
        let mut columns = line.split(" | ");
        let version = columns.nth(1)?.trim();
        columns.next().filter(|source| source.trim_end().ends_with("Packages"))?;
        Some(version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(rc: i64, stderr: &str) -> Output {
        Output { rc, stderr: stderr.to_owned(), ..Output::default() }
    }

    #[test]
    fn missing_packages_are_named() {
        // The output format of apt 2.6.
        let said = done(
            100,
            "E: Unable to locate package nosuchpkg\nE: Version '99' for 'sl' was not found\n\
             E: Package 'mail-transport-agent' has no installation candidate\nE: Unable to find a source package for foo\n",
        );
        let missing = Missing::named_in(&said);
        assert_eq!(
            missing.iter().map(|missing| missing.name.as_str()).collect::<Vec<_>>(),
            ["nosuchpkg", "sl", "mail-transport-agent", "foo"]
        );
        assert!(missing[1].is("sl=99") && missing[1].version.as_deref() == Some("99"));
        assert_eq!(missing[0].failure().msg, "No package matching 'nosuchpkg' is available");
    }

    #[test]
    fn an_index_that_could_not_be_fetched_is_a_complaint_even_with_exit_code_0() {
        let said = done(
            0,
            "W: Failed to fetch http://a/InRelease  Could not resolve 'a'\nW: Some index files failed to download.\n",
        );
        assert_eq!(complaints(&said), ["Failed to fetch http://a/InRelease  Could not resolve 'a'"]);
        assert!(complaints(&done(0, "W: Target Packages is configured multiple times\n")).is_empty());
        assert_eq!(complaints(&done(100, "")).len(), 1);
    }

    #[test]
    fn only_a_list_of_packages_makes_an_index() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!lists_packages(&folder.path().join("missing")));
        for (name, is_index) in [
            ("lock", false),
            ("partial", false),
            ("deb.debian.org_debian_dists_bookworm_InRelease", false),
            ("deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4", true),
            ("mirror_dists_stable_main_binary-arm64_Packages", true),
        ] {
            let file = folder.path().join(name);
            fs::write(&file, "").unwrap();
            assert_eq!(lists_packages(folder.path()), is_index, "{name}");
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn madison() {
        let said = "     nginx | 1.22.1-9+deb12u1 | http://deb.debian.org/debian bookworm/main amd64 Packages\n     \
                    nginx | 1.22.1-9 | http://deb.debian.org/debian bookworm/main Sources\n";
        assert_eq!(versions(said).collect::<Vec<_>>(), ["1.22.1-9+deb12u1"]);
    }
}
