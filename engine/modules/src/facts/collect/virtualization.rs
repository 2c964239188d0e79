//! Whether the host is a virtual machine or a container, or runs any.

use std::collections::BTreeSet;

use rplay_wire::{Map, Value, data};

use super::Source;

pub(super) fn gather(source: &Source) -> Map {
    let mut found = Found::default();
    containers(source, &mut found);
    machines(source, &mut found);
    hosts(source, &mut found);
    let (kind, role) = found.first.unwrap_or(("NA", "NA"));
    let list = |set: BTreeSet<&'static str>| Value::from(set.into_iter().collect::<Vec<_>>());
    data! {
        "virtualization_type" => kind,
        "virtualization_role" => role,
        "virtualization_tech_guest" => list(found.guest),
        "virtualization_tech_host" => list(found.host),
    }
}

/// The findings; the first one determines the type.
#[derive(Default)]
struct Found {
    first: Option<(&'static str, &'static str)>,
    guest: BTreeSet<&'static str>,
    host: BTreeSet<&'static str>,
}

impl Found {
    fn guest(&mut self, kind: &'static str) {
        self.guest.insert(kind);
        self.first.get_or_insert((kind, "guest"));
    }

    fn host(&mut self, kind: &'static str) {
        self.host.insert(kind);
        self.first.get_or_insert((kind, "host"));
    }
}

fn containers(source: &Source, found: &mut Found) {
    let groups = source.text("/proc/1/cgroup");
    let first = source.text("/proc/1/environ");
    let container = first.split('\0').find_map(|pair| pair.strip_prefix("container="));
    let has = |words: &[&str]| groups.lines().any(|line| words.iter().any(|word| line.contains(word)));
    let kind = match container {
        _ if source.exists("/.dockerenv") || source.exists("/.dockerinit") || has(&["/docker/", "/docker-"]) => {
            "docker"
        }
        _ if source.exists("/run/.containerenv") => "podman",
        Some("podman") => "podman",
        Some("lxc") => "lxc",
        _ if has(&["/lxc/"]) => "lxc",
        Some("systemd-nspawn") => "systemd-nspawn",
        _ if source.exists("/proc/vz") && !source.exists("/proc/bc") => "openvz",
        Some(_) => "container",
        None if has(&["/kubepods", "/containerd"]) => "container",
        None => return,
    };
    found.guest(kind);
    if !matches!(kind, "lxc" | "openvz") {
        found.guest("container");
    } else {
        found.guest.insert("container");
    }
}

fn machines(source: &Source, found: &mut Found) {
    let dmi = |file: &str| source.line(&format!("/sys/devices/virtual/dmi/id/{file}")).unwrap_or_default();
    let (product, vendor, bios, family) =
        (dmi("product_name"), dmi("sys_vendor"), dmi("bios_vendor"), dmi("product_family"));
    if source.exists("/proc/xen") || source.line("/sys/hypervisor/type").as_deref() == Some("xen") {
        let capabilities = source.text("/proc/xen/capabilities");
        match capabilities.contains("control_d") {
            true => found.host("xen"),
            false => found.guest("xen"),
        }
    }
    let is_of = |words: &[&str]| words.iter().any(|word| vendor == *word || product == *word || bios == *word);
    let kind = match () {
        () if product.starts_with("VMware") || is_of(&["VMware, Inc."]) => Some("VMware"),
        () if is_of(&["VirtualBox", "innotek GmbH"]) => Some("virtualbox"),
        () if product == "Virtual Machine" && vendor == "Microsoft Corporation" => Some("VirtualPC"),
        () if is_of(&["Xen", "HVM domU"]) => Some("xen"),
        () if family == "RHEV Hypervisor" || is_of(&["RHEV Hypervisor"]) => Some("RHEV"),
        () if product == "oVirt Node" || family == "oVirt Node" => Some("oVirt"),
        () if product.starts_with("OpenStack") => Some("openstack"),
        () if product == "KubeVirt" || family == "KubeVirt" => Some("KubeVirt"),
        () if is_of(&["Parallels Software International Inc.", "Parallels International GmbH."]) => Some("parallels"),
        () if is_of(&["bhyve", "BHYVE"]) => Some("bhyve"),
        () if is_of(&["KVM", "KVM Server", "Bochs", "AHV", "QEMU", "Google", "Google Compute Engine"]) => Some("kvm"),
        () if is_of(&["Amazon EC2", "DigitalOcean", "Hetzner", "Alibaba Cloud", "Linode", "Nutanix", "Scaleway"]) => {
            Some("kvm")
        }
        () if source.text("/proc/cpuinfo").contains("QEMU") => Some("kvm"),
        () => None,
    };
    if let Some(kind) = kind {
        found.guest(kind);
    }
    let system = source.text("/proc/sysinfo");
    if system.contains("Control Program") {
        found.guest(if system.contains("z/VM") { "PR/SM" } else { "kvm" });
    }
}

fn hosts(source: &Source, found: &mut Found) {
    let modules = source.text("/proc/modules");
    let is_loaded = |name: &str| modules.lines().any(|line| line.split(' ').next() == Some(name));
    if source.exists("/dev/kvm") || is_loaded("kvm") && (is_loaded("kvm_intel") || is_loaded("kvm_amd")) {
        found.host("kvm");
    }
    if is_loaded("vboxdrv") {
        found.host("virtualbox");
    }
    if source.exists("/proc/vz") && source.exists("/proc/bc") {
        found.host("openvz");
    }
}
