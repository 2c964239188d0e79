//! Security features: SELinux, AppArmor, FIPS, capabilities, host keys.

use std::os::unix::fs::MetadataExt;

use rplay_wire::{Map, Value, data};

use super::{Source, assignments};

/// Names of capabilities by number (capabilities(7)).
const CAPABILITIES: &[&str] = &[
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

pub(super) fn apparmor(source: &Source) -> Map {
    let status = if source.exists("/sys/kernel/security/apparmor") { "enabled" } else { "disabled" };
    data! { "apparmor" => data! { "status" => status } }
}

pub(super) fn fips(source: &Source) -> Map {
    data! { "fips" => source.line("/proc/sys/crypto/fips_enabled").as_deref() == Some("1") }
}

/// The capabilities of this process. If it has all, nothing is enforced.
pub(super) fn capabilities(source: &Source) -> Map {
    let status = source.text("/proc/self/status");
    let mask = |name: &str| {
        let hex = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(hex.trim(), 16).ok()
    };
    let Some(effective) = mask("CapEff:") else {
        return data! { "system_capabilities_enforced" => "NA", "system_capabilities" => Vec::<String>::new() };
    };
    let last = source.line("/proc/sys/kernel/cap_last_cap").and_then(|last| last.parse::<u32>().ok());
    let all = u64::MAX >> (63 - last.unwrap_or(40).min(63));
    let is_enforced = effective & all != all;
    let names = CAPABILITIES.iter().enumerate().filter(|(bit, _)| is_enforced && effective >> bit & 1 == 1);
    let names: Vec<String> = names.map(|(_, name)| format!("cap_{name}")).collect();
    data! {
        "system_capabilities_enforced" => if is_enforced { "True" } else { "False" },
        "system_capabilities" => names,
    }
}

pub(super) fn selinux(source: &Source) -> Map {
    let mut facts = data! { "selinux_python_present" => has_library(source) };
    let enforcing = source.line("/sys/fs/selinux/enforce");
    let Some(enforcing) = enforcing else {
        facts.extend(data! { "selinux" => data! { "status" => "disabled" } });
        return facts;
    };
    let config = assignments(&source.text("/etc/selinux/config"));
    let set = |key: &str| config.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    let version = source.line("/sys/fs/selinux/policyvers").and_then(|version| version.parse::<i64>().ok());
    facts.extend(data! {
        "selinux" => data! {
            "status" => "enabled",
            "policyvers" => version,
            "config_mode" => set("SELINUX").unwrap_or_else(|| "unknown".to_owned()),
            "mode" => if enforcing == "1" { "enforcing" } else { "permissive" },
            "type" => set("SELINUXTYPE").unwrap_or_else(|| "unknown".to_owned()),
        },
    });
    facts
}

/// Whether the host has the library that ansible-core uses for SELinux.
fn has_library(source: &Source) -> bool {
    let triplet = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    ["/usr/lib64", "/lib64", &triplet, "/usr/lib", "/lib"]
        .iter()
        .any(|directory| source.exists(&format!("{directory}/libselinux.so.1")))
}

/// Whether this process's root differs from that of PID 1.
pub(super) fn chroot(source: &Source) -> Map {
    let id = |path: &str| source.path(path).metadata().map(|meta| (meta.dev(), meta.ino()));
    let is_chroot = match (id("/"), id("/proc/1/root/.")) {
        (Ok(own), Ok(first)) => own != first,
        // Not permitted: the root inode of a file system is 2, on btrfs 256, on xfs 128.
        (Ok((_, inode)), Err(_)) => !matches!(inode, 2 | 128 | 256),
        _ => false,
    };
    data! { "is_chroot" => is_chroot || source.host.variable("debian_chroot").is_some() }
}

pub(super) fn ssh_keys(source: &Source) -> Map {
    let mut facts = Map::new();
    for kind in ["dsa", "rsa", "ecdsa", "ed25519"] {
        let directories = ["/etc/ssh", "/etc/openssh", "/etc"];
        let key = directories.iter().find_map(|directory| source.line(&format!("{directory}/ssh_host_{kind}_key.pub")));
        let key = key.unwrap_or_default();
        let mut words = key.split_whitespace();
        if let (Some(name), Some(key)) = (words.next(), words.next()) {
            facts.insert(format!("ssh_host_key_{kind}_public"), Value::from(key));
            facts.insert(format!("ssh_host_key_{kind}_public_keytype"), Value::from(name));
        }
    }
    facts
}
