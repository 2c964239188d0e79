//! The service manager and the package manager of the host.

use rplay_wire::{Map, data};

use super::{Source, distribution};

/// Package managers by program; the last one found counts.
const MANAGERS: &[(&str, &str)] = &[
    ("/usr/bin/rpm-ostree", "atomic_container"),
    ("/usr/bin/apt-get", "apt"),
    ("/usr/bin/zypper", "zypper"),
    ("/usr/sbin/urpmi", "urpmi"),
    ("/usr/bin/pacman", "pacman"),
    ("/bin/opkg", "opkg"),
    ("/usr/bin/xbps-install", "xbps"),
    ("/sbin/apk", "apk"),
    ("/usr/bin/apk", "apk"),
    ("/usr/bin/emerge", "portage"),
    ("/usr/bin/swupd", "swupd"),
    ("/usr/sbin/sorcery", "sorcery"),
];

pub(super) fn package_manager(source: &Source) -> Map {
    let distribution = distribution::gather(source);
    let is = |key: &str, word: &str| distribution.get(key).and_then(|value| value.as_str()) == Some(word);
    let has = |path: &str| source.exists(path);
    let manager = if source.exists("/run/ostree-booted") {
        "atomic_container"
    } else if is("os_family", "Debian") && has("/usr/bin/apt-get") {
        "apt"
    } else if is("os_family", "RedHat") || is("os_family", "Amazon") || has("/usr/bin/dnf") || has("/usr/bin/yum") {
        let dnf = source.path("/usr/bin/dnf");
        // From Fedora 41 on, `dnf` is a link to dnf5.
        let is_five = dnf.read_link().is_ok_and(|target| target.to_string_lossy().ends_with("dnf5"));
        match () {
            () if is_five || has("/usr/bin/dnf5") && !has("/usr/bin/dnf-3") => "dnf5",
            () if has("/usr/bin/dnf") || has("/usr/bin/dnf-3") || has("/usr/bin/microdnf") => "dnf",
            () if has("/usr/bin/yum") => "yum",
            () => "unknown",
        }
    } else {
        MANAGERS.iter().rev().find(|(path, _)| has(path)).map_or("unknown", |(_, manager)| manager)
    };
    data! { "pkg_mgr" => manager }
}

pub(super) fn service_manager(source: &Source) -> Map {
    let first = source.line("/proc/1/comm");
    let named = first.as_deref().and_then(|comm| comm.rsplit('/').next()).and_then(|comm| match comm {
        // Ambiguous names; files are decisive.
        "init" | "sh" | "bash" | "COMMAND" => None,
        "procd" => Some("openwrt_init"),
        "runit-init" => Some("runit"),
        "svscan" => Some("svc"),
        "openrc-init" => Some("openrc"),
        other => Some(other),
    });
    let booted = ["/run/systemd/system", "/dev/.run/systemd", "/dev/.systemd"];
    let manager = match named {
        Some(named) => named,
        None if source.program("systemctl").is_some() && booted.iter().any(|path| source.exists(path)) => "systemd",
        None if source.program("initctl").is_some() && source.exists("/etc/init") => "upstart",
        None if source.exists("/sbin/openrc") => "openrc",
        None if leads_to_systemd(source) => "systemd",
        None if source.exists("/etc/init.d") => "sysvinit",
        None if source.exists("/etc/dinit.d") => "dinit",
        None => "service",
    };
    data! { "service_mgr" => manager }
}

/// The version of systemd and what it was built with, where it manages the services.
pub(super) fn systemd(source: &Source) -> Map {
    if !source.exists("/run/systemd/system") || source.program("systemctl").is_none() {
        return Map::new();
    }
    let done = source.host.program("systemctl").arg("--version").untranslated().run();
    done.ok().filter(|done| done.rc == 0).and_then(|done| built(&done.stdout)).unwrap_or_default()
}

/// `systemd 252 (252.36-1)`, and a line of features.
fn built(version: &str) -> Option<Map> {
    let mut lines = version.lines();
    let number: i64 = lines.next()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(data! { "systemd" => data! { "version" => number, "features" => lines.next().unwrap_or_default() } })
}

fn leads_to_systemd(source: &Source) -> bool {
    let init = source.path("/sbin/init").read_link();
    init.is_ok_and(|target| target.file_name().is_some_and(|name| name == "systemd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_tells_its_version_and_features() {
        let facts =
            built("systemd 252 (252.36-1~deb12u1)\n+PAM +AUDIT -XKBCOMMON default-hierarchy=unified\n").unwrap();
        let systemd = data! { "version" => 252, "features" => "+PAM +AUDIT -XKBCOMMON default-hierarchy=unified" };
        assert_eq!(facts, data! { "systemd" => systemd });
        assert!(built("").is_none());
    }
}
