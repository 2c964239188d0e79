//! apt's package index: its age, updating it, its content.

use std::{
    cell::Cell,
    os::unix::fs::MetadataExt,
    path::Path,
    rc::Rc,
    time::{Duration, UNIX_EPOCH},
};

use rplay_wire::{Failure, Map, data};

use super::{
    AptGet,
    dpkg::{self, Installed},
    spec::{self, Spec, Wanted},
};
use crate::system::machine;
use crate::system::{fs, glob};
use crate::{Change, Host, system::program::Output};

/// Created by apt's own hook on some systems; otherwise the time of the list directory is used.
const STAMPS: [&str; 2] = ["/var/lib/apt/periodic/update-success-stamp", LISTS];
const LISTS: &str = "/var/lib/apt/lists";

/// Whether apt's list directory contains a package index, compressed or not.
fn lists_packages(directory: &Path) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
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

/// What results tell of the index.
pub(super) fn told(updated: bool) -> Map {
    data! { "cache_updated" => updated, "cache_update_time" => update_time() }
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
    /// is itself a change of the task; as in Ansible, not if packages are given too. `updated` will tell whether it
    /// changed the index.
    pub(super) fn change_if_due(self, counts: bool, updated: Rc<Cell<bool>>) -> Option<Change> {
        let age = machine::now()
            .duration_since(UNIX_EPOCH + Duration::from_secs(update_time().unsigned_abs()))
            .unwrap_or_default();
        if !self.valid.is_zero() && age < self.valid {
            return None;
        }
        let change = Change::maybe("update the package index", move |host, _| {
            let before = stamp();
            self.run(host)?;
            updated.set(stamp() != before);
            Ok(counts && updated.get())
        });
        Some(if counts { change } else { change.auxiliary() })
    }

    /// Updates the index, with retries.
    pub(super) fn run(&self, host: &Host) -> Result<(), Failure> {
        self.run_with(
            host,
            |tries, reason| format!("Failed to update cache after {tries} retries due to {reason}"),
            "refresh",
        )
    }

    /// Updates the index for a new source, whose module words its warnings differently.
    pub(crate) fn run_for_source(&self, host: &Host) -> Result<(), Failure> {
        self.run_with(
            host,
            |tries, reason| format!("Failed to update cache after {tries} due to {reason} retry"),
            "update",
        )
    }

    fn run_with(&self, host: &Host, failed: fn(u64, &str) -> String, verb: &str) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            let done = AptGet::new(self.lock_timeout).arg("update").run(host)?;
            if complaints(&done).is_empty() {
                return Ok(());
            }
            tries += 1;
            let reason = errors(&done);
            // Exponential, without jitter: hosts are not synchronous anyway.
            let pause = Duration::from_secs(1 << (tries - 1).min(16)).min(self.max_delay);
            if self.retries > 0 {
                let seconds = pause.as_secs();
                host.warn(format!("{}, retrying", failed(tries, &reason)));
                host.warn(format!("Sleeping for {seconds} seconds, before attempting to {verb} the cache again"));
            }
            if tries >= self.retries {
                let reason = if self.retries == 0 { "unknown reason" } else { reason.as_str() };
                let msg = format!("Failed to update apt cache after {} retries: {reason}", self.retries);
                return Err(Failure::new(msg).help(complaints(&done).join("; ")));
            }
            std::thread::sleep(pause);
        }
    }
}

/// The errors of apt-get on one line, as apt's library writes them.
fn errors(done: &Output) -> String {
    let errors = done.stderr.lines().filter_map(|line| Some(format!("E:{}", line.strip_prefix("E: ")?)));
    errors.collect::<Vec<_>>().join(", ")
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
    /// The requested version with its comparison (`=1.2`), if the package itself is known.
    pub version: Option<String>,
}

impl Missing {
    pub(super) fn failure(&self) -> Failure {
        match &self.version {
            Some(version) => {
                Failure::new(format!("no available installation candidate for {}{version}", self.name)).arg("name")
            }
            None if glob::is_pattern(&self.name) => {
                Failure::new(format!("No package(s) matching '{}' available", self.name)).arg("name")
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
                Some(Missing { name: quoted(line, 3)?, version: Some(format!("={}", quoted(line, 1)?)) })
            } else {
                None
            }
        };
        done.stderr.lines().filter_map(missing).collect()
    }
}

/// Whether apt-get knows a package of which it can install no version.
pub(super) fn has_no_candidate(done: &Output) -> bool {
    done.stderr.lines().any(|line| line.contains("has no installation candidate"))
}

/// The failure for a `default_release` that no source has, which apt's library finds before anything else.
pub(super) fn no_such_release(done: &Output) -> Option<Failure> {
    let is_it = |line: &&str| line.starts_with("E: The value '") && line.contains("APT::Default-Release");
    let line = done.stderr.lines().find(is_it)?;
    let msg = format!("Task failed: Module failed: E:{}", line.trim_start_matches("E: "));
    Some(Failure::new(msg).arg("default_release"))
}

/// The names in the index that match the pattern of `spec`, sorted.
pub(super) fn matching(host: &Host, spec: &Spec) -> Result<Vec<String>, Failure> {
    let prefix: String = spec.name.chars().take_while(|c| !"*?[".contains(*c)).collect();
    let known = host.program("apt-cache").args(["pkgnames", "--", &prefix]).untranslated().run()?;
    let known = known.success("cannot list the known packages")?;
    let names = known.stdout.lines().filter(|name| spec::matches(&spec.name, name));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    crate::system::order::sort(&mut names);
    Ok(names)
}

/// The argument of apt-get for `spec`, or the missing package.
pub(super) fn resolve(
    host: &Host,
    spec: &Spec,
    installed: &Installed,
    latest: bool,
) -> Result<Result<Vec<String>, Missing>, Failure> {
    if spec.is_pattern() {
        let mut names = matching(host, spec)?;
        if names.is_empty() {
            return Ok(Err(Missing { name: spec.name.clone(), version: None }));
        }
        names.retain(|name| latest || installed.version(name).is_none());
        return Ok(Ok(names));
    }
    let fits = |host: &Host, version: &str| match &spec.version {
        Wanted::Any => Ok(true),
        Wanted::Is(wanted) => Ok(spec::matches(wanted, version)),
        Wanted::AtLeast(least) => dpkg::compare(host, version, least).map(std::cmp::Ordering::is_ge),
    };
    let wanted = match &spec.version {
        Wanted::Any => return Ok(Ok(vec![spec.name.clone()])),
        Wanted::Is(wanted) if !glob::is_pattern(wanted) => return Ok(Ok(vec![format!("{}={wanted}", spec.name)])),
        Wanted::Is(wanted) => format!("={wanted}"),
        // As in ansible-core, a package that is not installed is, in the version that there is.
        Wanted::AtLeast(_) if installed.version(&spec.name).is_none() => return Ok(Ok(vec![spec.name.clone()])),
        Wanted::AtLeast(least) => format!(">={least}"),
    };
    let known = host.program("apt-cache").args(["madison", "--", &spec.name]).untranslated().run()?;
    for version in versions(&known.stdout) {
        if fits(host, version)? {
            return Ok(Ok(vec![format!("{}={version}", spec.name)]));
        }
    }
    Ok(Err(Missing { name: spec.name.clone(), version: Some(wanted) }))
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
        assert!(missing[1].is("sl=99") && missing[1].version.as_deref() == Some("=99"));
        assert_eq!(missing[0].failure().msg, "No package matching 'nosuchpkg' is available");
        let pattern = Missing { name: "nosuch*".to_owned(), version: None };
        assert_eq!(pattern.failure().msg, "No package(s) matching 'nosuch*' available");
        assert!(has_no_candidate(&said) && !has_no_candidate(&done(100, "E: Unable to locate package x\n")));
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
        assert_eq!((errors(&said).as_str(), errors(&done(100, "E: a\nW: b\nE: c\n")).as_str()), ("", "E:a, E:c"));
    }

    #[test]
    fn only_a_list_of_packages_makes_an_index() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!lists_packages(&directory.path().join("missing")));
        for (name, is_index) in [
            ("lock", false),
            ("partial", false),
            ("deb.debian.org_debian_dists_bookworm_InRelease", false),
            ("deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4", true),
            ("mirror_dists_stable_main_binary-arm64_Packages", true),
        ] {
            let file = directory.path().join(name);
            fs::write(&file, "").unwrap();
            assert_eq!(lists_packages(directory.path()), is_index, "{name}");
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
