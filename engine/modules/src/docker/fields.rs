//! The fields of a container, by their names in the Engine and in playbooks, and how each is compared.

use serde_json::{Value as Json, json};

/// The label with the hash of all desired settings.
pub(super) const CONFIG_LABEL: &str = "rplay.config";
/// The label with a short hash of each field, so that a replacement can report what differs.
pub(super) const SPEC_LABEL: &str = "rplay.spec";

/// The location of a field in the Engine's structure.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    Config,
    HostConfig,
}

/// How a field's value is split into entries that are compared one by one.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Whole,
    /// An unordered list.
    Set,
    /// `NAME=value`.
    Pairs,
    Map,
    /// `source:/target:mode`, keyed by target.
    Binds,
    /// Objects with a Target.
    Mounts,
}

/// A field of the create request.
pub(super) struct Field {
    /// The Engine's name.
    pub key: &'static str,
    /// The name of the argument.
    pub arg: &'static str,
    pub place: Place,
    pub kind: Kind,
    /// Whether the Engine can change it while the container runs; it is then compared by its actual value, not by hash.
    pub live: bool,
}

const fn config(key: &'static str, arg: &'static str, kind: Kind) -> Field {
    Field { key, arg, place: Place::Config, kind, live: false }
}

const fn host(key: &'static str, arg: &'static str, kind: Kind) -> Field {
    Field { key, arg, place: Place::HostConfig, kind, live: false }
}

const fn live(key: &'static str, arg: &'static str) -> Field {
    Field { key, arg, place: Place::HostConfig, kind: Kind::Whole, live: true }
}

/// All of them.
pub(super) static FIELDS: &[Field] = &[
    config("Hostname", "hostname", Kind::Whole),
    config("Domainname", "domainname", Kind::Whole),
    config("User", "user", Kind::Whole),
    config("Tty", "tty", Kind::Whole),
    config("OpenStdin", "interactive", Kind::Whole),
    config("Cmd", "command", Kind::Whole),
    config("Entrypoint", "entrypoint", Kind::Whole),
    config("WorkingDir", "working_dir", Kind::Whole),
    config("MacAddress", "mac_address", Kind::Whole),
    config("StopSignal", "stop_signal", Kind::Whole),
    config("StopTimeout", "stop_timeout", Kind::Whole),
    config("Healthcheck", "healthcheck", Kind::Whole),
    config("Env", "env", Kind::Pairs),
    config("Labels", "labels", Kind::Map),
    config("ExposedPorts", "exposed_ports", Kind::Map),
    config("Volumes", "volumes", Kind::Map),
    host("Binds", "volumes", Kind::Binds),
    host("Mounts", "mounts", Kind::Mounts),
    host("VolumesFrom", "volumes_from", Kind::Set),
    host("VolumeDriver", "volume_driver", Kind::Whole),
    host("Tmpfs", "tmpfs", Kind::Map),
    host("PortBindings", "published_ports", Kind::Map),
    host("PublishAllPorts", "publish_all_ports", Kind::Whole),
    host("NetworkMode", "network_mode", Kind::Whole),
    host("ExtraHosts", "etc_hosts", Kind::Set),
    host("Dns", "dns_servers", Kind::Whole),
    host("DnsSearch", "dns_search_domains", Kind::Whole),
    host("DnsOptions", "dns_opts", Kind::Set),
    host("Links", "links", Kind::Set),
    host("GroupAdd", "groups", Kind::Set),
    host("Init", "init", Kind::Whole),
    host("MemorySwappiness", "memory_swappiness", Kind::Whole),
    host("ShmSize", "shm_size", Kind::Whole),
    host("OomKillDisable", "oom_killer", Kind::Whole),
    host("OomScoreAdj", "oom_score_adj", Kind::Whole),
    host("Ulimits", "ulimits", Kind::Set),
    host("Sysctls", "sysctls", Kind::Map),
    host("CapAdd", "capabilities", Kind::Set),
    host("CapDrop", "cap_drop", Kind::Set),
    host("Privileged", "privileged", Kind::Whole),
    host("ReadonlyRootfs", "read_only", Kind::Whole),
    host("SecurityOpt", "security_opts", Kind::Set),
    host("Devices", "devices", Kind::Set),
    host("DeviceCgroupRules", "device_cgroup_rules", Kind::Set),
    host("DeviceRequests", "device_requests", Kind::Whole),
    host("BlkioDeviceReadBps", "device_read_bps", Kind::Set),
    host("BlkioDeviceWriteBps", "device_write_bps", Kind::Set),
    host("BlkioDeviceReadIOps", "device_read_iops", Kind::Set),
    host("BlkioDeviceWriteIOps", "device_write_iops", Kind::Set),
    host("IpcMode", "ipc_mode", Kind::Whole),
    host("PidMode", "pid_mode", Kind::Whole),
    host("UTSMode", "uts", Kind::Whole),
    host("UsernsMode", "userns_mode", Kind::Whole),
    host("CgroupnsMode", "cgroupns_mode", Kind::Whole),
    host("CgroupParent", "cgroup_parent", Kind::Whole),
    host("Runtime", "runtime", Kind::Whole),
    host("StorageOpt", "storage_opts", Kind::Map),
    host("LogConfig", "log_driver", Kind::Whole),
    host("AutoRemove", "auto_remove", Kind::Whole),
    live("RestartPolicy", "restart_policy"),
    live("Memory", "memory"),
    live("MemoryReservation", "memory_reservation"),
    live("MemorySwap", "memory_swap"),
    live("NanoCpus", "cpus"),
    live("CpuShares", "cpu_shares"),
    live("CpuPeriod", "cpu_period"),
    live("CpuQuota", "cpu_quota"),
    live("CpusetCpus", "cpuset_cpus"),
    live("CpusetMems", "cpuset_mems"),
    live("BlkioWeight", "blkio_weight"),
    live("PidsLimit", "pids_limit"),
];

/// Fields whose values are never shown; commands may contain passwords too (`redis-server --requirepass`).
pub(super) const HIDDEN: &[&str] =
    &["env", "command", "entrypoint", "healthcheck", "labels", "log_driver", "storage_opts"];

/// The value of a field as entries that are compared one by one.
pub(super) fn split(field: &Field, value: &Json) -> Vec<(String, Json)> {
    let entry = |name: &str, value: Json| (format!("{}.{name}", field.arg), value);
    let strings = || value.as_array().into_iter().flatten().filter_map(Json::as_str);
    match field.kind {
        Kind::Whole => vec![(field.arg.to_owned(), value.clone())],
        Kind::Set => {
            let mut items = value.as_array().cloned().unwrap_or_default();
            // Newer Engines return NET_ADMIN as CAP_NET_ADMIN.
            for item in &mut items {
                if let Some(short) = item.as_str().and_then(|text| text.strip_prefix("CAP_")) {
                    *item = json!(short);
                }
            }
            crate::system::order::sort_by(&mut items, |a, b| a.to_string().cmp(&b.to_string()));
            vec![(field.arg.to_owned(), Json::Array(items))]
        }
        Kind::Pairs => strings()
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| entry(name, json!(value)))
            .collect(),
        Kind::Map => {
            let map = value.as_object().into_iter().flatten();
            let foreign = map.filter(|(name, _)| *name != CONFIG_LABEL && *name != SPEC_LABEL);
            foreign.map(|(name, value)| entry(name, everywhere(value))).collect()
        }
        Kind::Binds => strings()
            .map(|bind| {
                let mut parts = bind.splitn(3, ':');
                let (source, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                entry(target, json!(format!("{source}:{target}:{}", parts.next().unwrap_or("rw"))))
            })
            .collect(),
        Kind::Mounts => value
            .as_array()
            .into_iter()
            .flatten()
            .map(|mount| entry(mount.get("Target").and_then(Json::as_str).unwrap_or_default(), mount.clone()))
            .collect(),
    }
}

/// Binding a port to 0.0.0.0 is the same as binding it to no address.
fn everywhere(value: &Json) -> Json {
    let mut value = value.clone();
    for binding in value.as_array_mut().into_iter().flatten() {
        if binding.get("HostIp").and_then(Json::as_str) == Some("0.0.0.0") {
            binding["HostIp"] = json!("");
        }
    }
    value
}
