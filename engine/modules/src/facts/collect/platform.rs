//! The machine, its kernel and its name.

use std::{io::Read, path::Path};

use rplay_wire::{Map, Value, data};

use super::Source;
use crate::system::machine::{self, uname};

pub(super) fn gather(source: &Source) -> Map {
    let mut facts = Map::new();
    if let Ok(name) = uname() {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        let machine = text(name.machine());
        let nodename = text(name.nodename());
        let fqdn = full_name(source, &nodename);
        facts.extend(data! {
            "system" => text(name.sysname()),
            "kernel" => text(name.release()),
            "kernel_version" => text(name.version()),
            "machine" => machine.as_str(),
            "architecture" => architecture(&machine),
            "userspace_bits" => usize::BITS.to_string(),
            "userspace_architecture" => architecture(std::env::consts::ARCH),
            "nodename" => nodename.as_str(),
            "hostname" => nodename.split('.').next().unwrap_or_default(),
            "domain" => fqdn.split_once('.').map_or("", |(_, domain)| domain),
            "fqdn" => fqdn.as_str(),
        });
    }
    let id = ["/var/lib/dbus/machine-id", "/etc/machine-id"].iter().find_map(|path| source.line(path));
    if let Some(id) = id {
        facts.insert("machine_id".to_owned(), id.into());
    }
    facts
}

fn architecture(machine: &str) -> &str {
    match machine {
        "i386" | "i486" | "i586" | "i686" | "x86" => "i386",
        other => other,
    }
}

/// The fully qualified host name: from /etc/hosts, or like `hostname -f`.
fn full_name(source: &Source, nodename: &str) -> String {
    if let Some(name) = machine::name_in_hosts(&source.text("/etc/hosts"), nodename) {
        return name;
    }
    if nodename.contains('.') {
        return nodename.to_owned();
    }
    let output = source.host.program("hostname").arg("-f").run();
    let found = output.ok().filter(|output| output.rc == 0).map(|output| output.stdout.trim().to_owned());
    found.filter(|name| !name.is_empty() && name != "localhost").unwrap_or_else(|| nodename.to_owned())
}

pub(super) fn environment(source: &Source) -> Map {
    let mut all: Map = machine::environment()
        .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned().into()))
        .collect();
    all.extend(source.host.environment.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
    data! { "env" => all }
}

/// The kernel command line: as a dict of the last values, and of all values.
pub(super) fn cmdline(source: &Source) -> Map {
    let line = source.text("/proc/cmdline");
    let words = shell_words::split(&line).unwrap_or_else(|_| line.split_whitespace().map(str::to_owned).collect());
    let (mut last, mut all) = (Map::new(), Map::new());
    for word in &words {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Value::from(value)),
            None => (word.as_str(), Value::Bool(true)),
        };
        last.insert(key.to_owned(), value.clone());
        match all.get_mut(key) {
            Some(Value::List(values)) => values.push(value),
            Some(one) => *one = Value::List(vec![one.clone(), value]),
            None => {
                all.insert(key.to_owned(), value);
            }
        }
    }
    data! { "cmdline" => last, "proc_cmdline" => all }
}

pub(super) fn uptime(source: &Source) -> Map {
    let seconds = source.line("/proc/uptime").and_then(|line| line.split('.').next()?.parse::<i64>().ok());
    seconds.map(|seconds| data! { "uptime_seconds" => seconds }).unwrap_or_default()
}

pub(super) fn load(source: &Source) -> Map {
    let line = source.line("/proc/loadavg").unwrap_or_default();
    let figures: Vec<f64> = line.split(' ').take(3).filter_map(|figure| figure.parse().ok()).collect();
    match figures.as_slice() {
        [one, five, fifteen] => data! { "loadavg" => data! { "1m" => *one, "5m" => *five, "15m" => *fifteen } },
        _ => Map::new(),
    }
}

/// The Python of the host, if there is one. It is not started: the version is in its name and in its executable.
pub(super) fn python(source: &Source) -> Map {
    let interpreters =
        ["/usr/bin/python3", "/usr/local/bin/python3", "/usr/libexec/platform-python", "/usr/bin/python"];
    let found = interpreters.iter().find_map(|path| {
        let real = source.path(path).canonicalize().ok()?;
        version_in(&real).map(|version| (*path, real, version))
    });
    let Some((executable, real, (major, minor))) = found else { return Map::new() };
    let libraries = ["/usr/lib64", "/usr/lib", "/usr/local/lib"];
    let libraries = libraries.map(|directory| source.path(directory).join(format!("libpython{major}.{minor}.so.1.0")));
    let micro = std::iter::once(&real).chain(&libraries).find_map(|path| micro_in(path, major, minor));
    let mut version = data! { "major" => major, "minor" => minor };
    let mut info: Vec<Value> = vec![major.into(), minor.into()];
    if let Some(micro) = micro {
        version.extend(data! { "micro" => micro, "releaselevel" => "final", "serial" => 0 });
        info.extend([micro.into(), "final".into(), 0.into()]);
    }
    data! {
        "python" => data! {
            "executable" => executable,
            "has_sslcontext" => true,
            "type" => "cpython",
            "version" => version,
            "version_info" => info,
        },
        "discovered_interpreter_python" => discovered(source, executable, major, minor),
        PYTHON_VERSION => micro.map_or_else(|| format!("{major}.{minor}"), |micro| format!("{major}.{minor}.{micro}")),
    }
}

/// The path at which Ansible discovers this Python: it looks for names with a version first.
fn discovered(source: &Source, executable: &str, major: i64, minor: i64) -> String {
    let directory = Path::new(executable).parent().unwrap_or(Path::new("/usr/bin"));
    let versioned = directory.join(format!("python{major}.{minor}"));
    match source.path(&versioned.display().to_string()).exists() {
        true => versioned.display().to_string(),
        false => executable.to_owned(),
    }
}

/// The fact that Ansible counts among those of the platform.
pub(super) const PYTHON_VERSION: &str = "python_version";

/// The third number of the version `MAJOR.MINOR`, which stands between zero bytes in Python's executable or library.
fn micro_in(path: &Path, major: i64, minor: i64) -> Option<i64> {
    let file = crate::system::regular::open(path).ok()?;
    let pattern = regex::bytes::Regex::new(&format!(r"(?-u)\x00{major}\.{minor}\.(\d{{1,3}})\x00")).ok()?;
    // The end of one piece is looked at again with the next, which may continue it.
    const OVERLAP: usize = 16;
    let mut piece = Vec::new();
    let mut reader = std::io::BufReader::new(file);
    loop {
        let read = reader.by_ref().take(1 << 18).read_to_end(&mut piece).ok()?;
        if let Some(found) = pattern.captures(&piece) {
            return std::str::from_utf8(&found[1]).ok()?.parse().ok();
        }
        if read == 0 {
            return None;
        }
        piece.drain(..piece.len().saturating_sub(OVERLAP));
    }
}

fn version_in(path: &Path) -> Option<(i64, i64)> {
    let name = path
        .file_name()?
        .to_str()?
        .strip_prefix("python")
        .or_else(|| path.file_name()?.to_str()?.strip_prefix("platform-python"))?;
    let (major, minor) = name.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pythons_version_is_in_its_name() {
        assert_eq!(version_in(Path::new("/usr/bin/python3.11")), Some((3, 11)));
        assert_eq!(version_in(Path::new("/usr/bin/python3")), None);
    }

    #[test]
    fn the_third_number_is_in_the_executable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut content = vec![1; (1 << 18) - 4];
        content.extend(b"\x003.11.2\x00strict");
        std::fs::write(file.path(), content).unwrap();
        assert_eq!(micro_in(file.path(), 3, 11), Some(2));
        assert_eq!((micro_in(file.path(), 3, 1), micro_in(Path::new("/no/such"), 3, 11)), (None, None));
    }
}
