//! `mount_facts`: mounts from the sources that a task names.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::fs;
use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, Text},
    choice,
    facts::collect::mounts::{by_id, room},
    system::octal::unescaped,
    system::{glob::Pattern, paths, regular},
};

/// Tables of current mounts, in order of preference.
const DYNAMIC: [&str; 3] = ["/etc/mtab", "/proc/mounts", "/etc/mnttab"];
/// Tables of mounts at boot.
const STATIC: [&str; 2] = ["/etc/fstab", "/etc/vfstab"];

choice! {
    /// What to do if a mount does not respond in time.
    pub enum OnTimeout {
        Error = "error",
        Warn = "warn",
        Ignore = "ignore",
    }
}

args! {
    /// Collects mounts in the facts `mount_points` and `aggregate_mounts`.
    pub struct MountFacts {
        /// Patterns for the device.
        devices: Option<Vec<Text>>,
        /// Patterns for the type of the file system.
        fstypes: Option<Vec<Text>>,
        /// Tables: paths, or `all`, `static`, `dynamic`, `mount`.
        sources: Option<Vec<Text>>,
        /// The program to run if `sources` contains `mount`, or no dynamic table exists.
        mount_binary: Text = "mount".to_owned(),
        /// Time limit in seconds for one mount, or for the program; by default none.
        timeout: Option<f64>,
        /// What to do when the time is over.
        on_timeout: OnTimeout = OnTimeout::Error,
        /// Whether to return the list of all mounts too; if not set, a warning is shown if it would differ.
        include_aggregate_mounts: Option<Flag>,
    }
}

/// A line of a table.
struct Line {
    device: String,
    mount: String,
    fstype: String,
    options: String,
    /// Its `dump` and `passno`; only tables have them.
    numbers: Option<(i64, i64)>,
    source: String,
    text: String,
}

impl Line {
    /// A line of fstab(5), which has the same format as mtab and /proc/mounts.
    fn of_table(text: &str, source: &str) -> Option<Line> {
        let mut words = text.split_whitespace();
        let device = words.next().filter(|device| !device.starts_with('#'))?;
        let (mount, fstype) = (words.next()?, words.next()?);
        let options = words.next().unwrap_or("defaults");
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let numbers = Some((number(), number()));
        Some(Line {
            device: unescaped(device),
            mount: unescaped(mount),
            fstype: fstype.to_owned(),
            options: options.to_owned(),
            numbers,
            source: source.to_owned(),
            text: text.to_owned(),
        })
    }

    /// A line of mount(8): `DEVICE on PATH type KIND (OPTIONS)`.
    fn of_program(text: &str, source: &str) -> Option<Line> {
        let (device, rest) = text.split_once(" on ")?;
        let (mount, rest) = rest.rsplit_once(" type ")?;
        let (fstype, options) = rest.split_once(" (")?;
        Some(Line {
            device: device.to_owned(),
            mount: mount.to_owned(),
            fstype: fstype.to_owned(),
            options: options.trim_end_matches(')').to_owned(),
            numbers: None,
            source: source.to_owned(),
            text: text.to_owned(),
        })
    }
}

impl Module for MountFacts {
    fn check(&self) -> Result<(), ArgError> {
        match self.timeout {
            Some(timeout) if timeout.is_nan() || timeout <= 0.0 => {
                let msg = format!("argument 'timeout' must be a positive number or null, not {timeout:?}");
                Err(ArgError::new("timeout", msg).help("omit it for no limit"))
            }
            _ => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        let fits = |patterns: &Option<Vec<Text>>, text: &str| {
            patterns.as_ref().is_none_or(|all| all.iter().any(|one| Pattern::new(one).fits(text)))
        };
        let ids = by_id("/dev/disk/by-uuid".as_ref());
        let limit = self.timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let (mut points, mut all) = (Map::new(), Vec::new());
        let mut repeated = Vec::new();
        for line in self.lines(host)? {
            if !fits(&self.devices, &line.device) || !fits(&self.fstypes, &line.fstype) {
                continue;
            }
            let uuid = fs::canonicalize(&line.device).ok().and_then(|path| ids.get(&paths::text(path)).cloned());
            let mut facts = data! {
                "ansible_context" => data! { "source" => line.source, "source_data" => line.text },
                "device" => line.device, "fstype" => line.fstype, "mount" => line.mount.clone(),
                "options" => line.options, "uuid" => uuid.map_or(Value::Null, Value::from),
            };
            if let Some((dump, passno)) = line.numbers {
                facts.extend(data! { "dump" => dump, "passno" => passno });
            }
            // A day stands for no limit.
            match room(line.mount.clone(), limit.unwrap_or(Duration::from_secs(86_400))) {
                Some(room) => facts.extend(room),
                None if limit.is_some() && std::path::Path::new(&line.mount).exists() => {
                    let seconds = self.timeout.unwrap_or_default();
                    let msg = format!("Timed out getting mount facts for {} after {seconds} seconds", line.mount);
                    match self.on_timeout {
                        OnTimeout::Error => return Err(Failure::new(msg).arg("timeout")),
                        OnTimeout::Warn => plan = plan.warn(msg),
                        OnTimeout::Ignore => {}
                    }
                    continue;
                }
                None => {}
            }
            facts.sort_keys();
            all.push(Value::from(facts.clone()));
            match points.contains_key(&line.mount) {
                true => repeated.push(line.mount),
                false => drop(points.insert(line.mount, facts.into())),
            }
        }
        let aggregate = self.include_aggregate_mounts.map(|flag| flag.0);
        if aggregate.is_none() && !repeated.is_empty() {
            plan = plan.warn(format!(
                "mount_facts: ignoring duplicate mount points, which can be shown by include_aggregate_mounts: {}",
                repeated.join(", ")
            ));
        }
        plan.facts.insert("mount_points".to_owned(), points.into());
        let all = if aggregate == Some(true) { all } else { Vec::new() };
        plan.facts.insert("aggregate_mounts".to_owned(), all.into());
        Ok(plan)
    }
}

impl MountFacts {
    /// The lines of all tables, each table once.
    fn lines(&self, host: &Host) -> Result<Vec<Line>, Failure> {
        let mut lines = Vec::new();
        let mut seen: HashSet<PathBuf> = HashSet::new();
        let mut table = |path: &str, lines: &mut Vec<Line>| {
            let real = fs::canonicalize(path).unwrap_or_else(|_| path.into());
            // /proc/mounts is a link to each process's own view.
            let real = if real.starts_with("/proc") && real.ends_with("mounts") { "/proc/mounts".into() } else { real };
            if !seen.insert(real) {
                return false;
            }
            let before = lines.len();
            let text = regular::read_to_string(path).unwrap_or_default();
            lines.extend(text.lines().filter_map(|line| Line::of_table(line, path)));
            lines.len() > before
        };
        let all = vec!["all".to_owned()];
        let mut asks_program = false;
        for source in self.sources.as_ref().unwrap_or(&all) {
            if source.is_empty() {
                return Err(Failure::new("sources contains an empty string").arg("sources"));
            }
            match source.as_str() {
                "mount" => asks_program = true,
                name @ ("all" | "dynamic" | "static") => {
                    if name != "static" {
                        let found = DYNAMIC.map(|path| table(path, &mut lines));
                        asks_program |= !found.contains(&true) && lines.is_empty();
                    }
                    if name != "dynamic" {
                        for path in STATIC {
                            table(path, &mut lines);
                        }
                    }
                }
                path => drop(table(path, &mut lines)),
            }
        }
        if asks_program && !self.mount_binary.is_empty() {
            let mut program = host.program(&self.mount_binary).untranslated();
            if let Some(limit) = self.timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
                program = program.timeout(limit);
            }
            let told = program.run()?.success("cannot list the mounts")?;
            lines.extend(told.stdout.lines().filter_map(|line| Line::of_program(line, "mount")));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tables_and_of_the_program_are_read() {
        let line = Line::of_table("/dev/a /mnt\\040b ext4 rw,noatime 0 2", "/etc/fstab").unwrap();
        assert_eq!((line.mount.as_str(), line.options.as_str(), line.numbers), ("/mnt b", "rw,noatime", Some((0, 2))));
        assert!(Line::of_table("# comment here too", "x").is_none() && Line::of_table("", "x").is_none());
        let line = Line::of_program("proc on /proc type proc (rw,nosuid)", "mount").unwrap();
        assert_eq!((line.device.as_str(), line.fstype.as_str(), line.options.as_str()), ("proc", "proc", "rw,nosuid"));
    }

    #[test]
    fn the_root_is_found_and_tables_are_read_once() {
        let module = |sources: &[&str]| MountFacts {
            devices: None,
            fstypes: None,
            sources: Some(sources.iter().map(|source| (*source).to_owned()).collect()),
            mount_binary: "mount".to_owned(),
            timeout: None,
            on_timeout: OnTimeout::Error,
            include_aggregate_mounts: Some(Flag(true)),
        };
        let host = Host::new(Vec::new(), std::sync::Arc::new(crate::NoBlobs));
        let once = module(&["/proc/mounts"]).lines(&host).unwrap();
        assert!(once.iter().any(|line| line.mount == "/"));
        assert_eq!(module(&["/proc/mounts", "/proc/self/mounts"]).lines(&host).unwrap().len(), once.len());
    }
}
