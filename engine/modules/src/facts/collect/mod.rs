//! Facts about a host, gathered without starting processes where possible. One file per topic; names are Ansible's,
//! without the prefix `ansible_`.

mod accounts;
mod date_time;
mod devices;
mod distribution;
mod dmi;
mod local;
mod memory;
pub(crate) mod mounts;
mod network;
mod platform;
mod processor;
mod security;
mod service;
mod storage;
mod virtualization;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use rplay_wire::Map;

use crate::system::fs;
use crate::{Host, argtypes::PathArg};

/// Where facts are read from.
pub struct Source<'h> {
    pub host: &'h Host,
    /// `/`, except in tests.
    pub root: PathBuf,
    /// The directory of local facts.
    pub fact_path: PathArg,
    /// Time limit for operations that may hang, such as the size of a network mount.
    pub timeout: Duration,
}

impl Source<'_> {
    /// A path below the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file; empty if it cannot be read.
    pub fn text(&self, path: &str) -> String {
        text(&self.path(path))
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The trimmed first line of a file; `None` if there is none.
    pub fn line(&self, path: &str) -> Option<String> {
        let line = self.text(path).lines().next().unwrap_or_default().trim().to_owned();
        (!line.is_empty()).then_some(line)
    }

    /// The path of a program, if it is in a standard directory.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let directories = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];
        directories.iter().map(|directory| self.path(directory).join(name)).find(|path| path.is_file())
    }
}

/// The text of a file, with invalid bytes replaced; empty if it cannot be read.
fn text(path: &Path) -> String {
    crate::system::regular::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    crate::system::order::sort(&mut names);
    names
}

/// `KEY=value` lines, parsed like in a shell.
fn assignments(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| {
            let words = shell_words::split(value).unwrap_or_else(|_| vec![value.to_owned()]);
            (key.trim().to_owned(), words.join(" "))
        })
        .collect()
}

/// Related facts.
struct Topic {
    name: &'static str,
    /// The larger subset it belongs to: `min`, `hardware`, `network`, `virtual`; empty for none.
    group: &'static str,
    /// Facts whose names also select it.
    facts: &'static [&'static str],
    gather: fn(&Source) -> Map,
}

const fn topic(
    name: &'static str,
    group: &'static str,
    facts: &'static [&'static str],
    gather: fn(&Source) -> Map,
) -> Topic {
    Topic { name, group, facts, gather }
}

static TOPICS: &[Topic] = &[
    topic("apparmor", "min", &[], security::apparmor),
    topic("caps", "min", &["system_capabilities", "system_capabilities_enforced"], security::capabilities),
    topic("chroot", "", &["is_chroot"], security::chroot),
    topic("cmdline", "min", &["proc_cmdline"], platform::cmdline),
    topic("date_time", "min", &[], date_time::gather),
    topic(
        "distribution",
        "min",
        &["os_family", "distribution_release", "distribution_version", "distribution_major_version"],
        distribution::gather,
    ),
    topic("dns", "min", &[], network::dns),
    topic("env", "min", &[], platform::environment),
    topic("fips", "min", &[], security::fips),
    topic(
        "hardware",
        "hardware",
        &["processor", "processor_cores", "processor_count", "flags", "processor_vcpus"],
        processor::gather,
    ),
    topic("memory", "hardware", &["memtotal_mb", "memfree_mb", "swaptotal_mb", "memory_mb"], memory::gather),
    topic("dmi", "hardware", &["bios_version", "product_name", "system_vendor", "form_factor"], dmi::gather),
    topic("devices", "hardware", &["device_links"], devices::gather),
    topic("mounts", "hardware", &[], mounts::gather),
    topic("uptime", "hardware", &["uptime_seconds"], platform::uptime),
    topic("loadavg", "", &[], platform::load),
    topic("fibre_channel_wwn", "", &[], storage::fibre_channel),
    topic("iscsi", "", &[], storage::iscsi),
    topic("nvme", "", &[], storage::nvme),
    topic("lvm", "hardware", &[], storage::volumes),
    topic("systemd", "", &[], service::systemd),
    topic("local", "min", &[], local::gather),
    topic("lsb", "min", &[], distribution::lsb),
    topic(
        "network",
        "network",
        &["interfaces", "default_ipv4", "default_ipv6", "all_ipv4_addresses", "all_ipv6_addresses"],
        network::gather,
    ),
    topic("pkg_mgr", "min", &[], service::package_manager),
    topic(
        "platform",
        "min",
        &[
            "machine_id",
            "architecture",
            "kernel",
            "kernel_version",
            "machine",
            "python_version",
            "system",
            "fqdn",
            "hostname",
        ],
        platform::gather,
    ),
    topic("python", "min", &[], platform::python),
    topic("selinux", "min", &[], security::selinux),
    topic("service_mgr", "min", &[], service::service_manager),
    topic(
        "ssh_pub_keys",
        "min",
        &[
            "ssh_host_pub_keys",
            "ssh_host_key_dsa_public",
            "ssh_host_key_ecdsa_public",
            "ssh_host_key_ed25519_public",
            "ssh_host_key_rsa_public",
        ],
        security::ssh_keys,
    ),
    topic(
        "user",
        "min",
        &[
            "user_id",
            "user_dir",
            "user_gecos",
            "user_gid",
            "user_shell",
            "user_uid",
            "effective_user_id",
            "effective_group_ids",
            "real_user_id",
        ],
        accounts::gather,
    ),
    topic(
        "virtual",
        "virtual",
        &["virtualization_type", "virtualization_role", "virtualization_tech_guest", "virtualization_tech_host"],
        virtualization::gather,
    ),
];

/// Ansible's subsets without facts here, since their programs would have to be run.
const NOTHING_TO_ADD: &[&str] = &["facter", "ohai"];

/// The names that ansible-core lists where it refuses one. More are understood.
pub const SUBSETS: &[&str] = &[
    "all",
    "all_ipv4_addresses",
    "all_ipv6_addresses",
    "apparmor",
    "architecture",
    "caps",
    "chroot",
    "cmdline",
    "date_time",
    "default_ipv4",
    "default_ipv6",
    "devices",
    "distribution",
    "distribution_major_version",
    "distribution_release",
    "distribution_version",
    "dns",
    "effective_group_ids",
    "effective_user_id",
    "env",
    "facter",
    "fibre_channel_wwn",
    "fips",
    "hardware",
    "interfaces",
    "is_chroot",
    "iscsi",
    "kernel",
    "kernel_version",
    "loadavg",
    "local",
    "lsb",
    "machine",
    "machine_id",
    "mounts",
    "network",
    "nvme",
    "ohai",
    "os_family",
    "pkg_mgr",
    "platform",
    "processor",
    "processor_cores",
    "processor_count",
    "python",
    "python_version",
    "real_user_id",
    "selinux",
    "service_mgr",
    "ssh_host_key_dsa_public",
    "ssh_host_key_ecdsa_public",
    "ssh_host_key_ed25519_public",
    "ssh_host_key_rsa_public",
    "ssh_host_pub_keys",
    "ssh_pub_keys",
    "system",
    "system_capabilities",
    "system_capabilities_enforced",
    "systemd",
    "user",
    "user_dir",
    "user_gecos",
    "user_gid",
    "user_id",
    "user_shell",
    "user_uid",
    "virtual",
    "virtualization_role",
    "virtualization_tech_guest",
    "virtualization_tech_host",
    "virtualization_type",
];

/// What topics of a group rely on, and bring with them.
const NEEDS: &[(&str, &[&str])] = &[
    ("network", &["platform", "distribution"]),
    ("hardware", &["platform"]),
    ("service_mgr", &["platform", "distribution"]),
    ("pkg_mgr", &["distribution"]),
];

/// All facts of the subsets.
///
/// # Errors
/// The name of a subset that does not exist.
pub fn gather(source: &Source, subsets: &[String]) -> Result<Map, String> {
    let chosen = chosen(subsets)?;
    let topics = TOPICS.iter().filter(|topic| chosen.contains(topic.name));
    let mut facts: Map = topics.flat_map(|topic| (topic.gather)(source)).collect();
    // It is found together with the other facts about Python.
    match (chosen.contains("platform"), chosen.contains("python")) {
        (true, false) => {
            facts.extend(platform::python(source).into_iter().filter(|(name, _)| name == platform::PYTHON_VERSION));
        }
        (false, true) => drop(facts.shift_remove(platform::PYTHON_VERSION)),
        _ => {}
    }
    Ok(facts)
}

/// The topics selected by subsets such as `min`, `!hardware` or `mounts`.
fn chosen(subsets: &[String]) -> Result<BTreeSet<&'static str>, String> {
    let found = |name: &str| -> Vec<&'static str> {
        let is_it =
            |topic: &&Topic| name == "all" || topic.name == name || topic.group == name || topic.facts.contains(&name);
        TOPICS.iter().filter(is_it).map(|topic| topic.name).collect()
    };
    let named = |name: &str| match found(name) {
        none if none.is_empty() && !NOTHING_TO_ADD.contains(&name) => Err(name.to_owned()),
        some => Ok(some),
    };
    let (without, with): (Vec<_>, Vec<_>) = subsets.iter().map(|s| s.trim()).partition(|name| name.starts_with('!'));
    let without: Vec<&str> = without.into_iter().map(|name| name.trim_start_matches('!')).collect();
    // Exclusions apply to everything, unless subsets are named explicitly.
    let mut all: BTreeSet<_> = if with.is_empty() { named("all")? } else { named("min")? }.into_iter().collect();
    for name in &without {
        let minimum = named("min")?;
        // A name that does not exist has nothing to leave out.
        let gone = found(name);
        // `!all` leaves the minimum, which only `!min` excludes.
        all.retain(|topic| !gone.contains(topic) || *name == "all" && minimum.contains(topic));
    }
    if without.contains(&"min") && with.is_empty() {
        all.clear();
    }
    for name in with {
        let gone: Vec<_> = without.iter().filter(|gone| **gone != "all").flat_map(|gone| found(gone)).collect();
        let mut chosen = named(name)?;
        // To ansible-core, each of its names for hardware is one for all of it.
        if SUBSETS.contains(&name)
            && TOPICS.iter().any(|topic| topic.group == "hardware" && chosen.contains(&topic.name))
        {
            chosen.extend(found("hardware"));
        }
        // What is named itself stays, by whatever name.
        let is_named =
            |topic: &str| topic == name || TOPICS.iter().any(|all| all.name == topic && all.facts.contains(&name));
        all.extend(chosen.into_iter().filter(|topic| !gone.contains(topic) || is_named(topic)));
    }
    for (who, needs) in NEEDS {
        if TOPICS.iter().any(|topic| (topic.name == *who || topic.group == *who) && all.contains(topic.name)) {
            all.extend(needs.iter().copied());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subset(written: &[&str]) -> Vec<&'static str> {
        let written: Vec<_> = written.iter().map(|s| s.to_string()).collect();
        chosen(&written).unwrap().into_iter().collect()
    }

    #[test]
    fn subsets_add_and_leave_out() {
        assert_eq!(subset(&["all"]).len(), TOPICS.len());
        assert_eq!(subset(&[]).len(), TOPICS.len());
        assert!(subset(&["!all"]).contains(&"distribution") && !subset(&["!all"]).contains(&"mounts"));
        assert!(subset(&["!all", "!min"]).is_empty());
        assert_eq!(subset(&["!all", "!min", "network"]), ["distribution", "network", "platform"]);
        assert_eq!(subset(&["!all", "!min", "!nope", "iscsi"]), ["iscsi"]);
        assert!(subset(&["mounts"]).contains(&"mounts") && subset(&["mounts"]).contains(&"devices"));
        assert!(subset(&["memory"]).contains(&"memory") && !subset(&["memory"]).contains(&"devices"));
        assert!(!subset(&["all", "!hardware"]).contains(&"devices"));
        assert!(subset(&["!hardware"]).contains(&"network"));
        assert!(subset(&["hardware", "!devices"]).contains(&"mounts"));
        assert_eq!(subset(&["!all", "!min", "system_capabilities"]), ["caps"]);
        assert_eq!(chosen(&["nope".to_owned()]), Err("nope".to_owned()));
        for name in SUBSETS {
            assert!(chosen(&[(*name).to_owned()]).is_ok(), "{name}");
        }
    }
}
