//! The distribution of the host, from its release files.

use rplay_wire::{Map, data};

use super::{Source, assignments};

/// Distributions by `ID` of os-release: their name in Ansible, and their family.
const KNOWN: &[(&str, &str, &str)] = &[
    ("almalinux", "AlmaLinux", "RedHat"),
    ("alpine", "Alpine", "Alpine"),
    ("altlinux", "Altlinux", "Altlinux"),
    ("amzn", "Amazon", "RedHat"),
    ("arch", "Archlinux", "Archlinux"),
    ("archarm", "Archlinux", "Archlinux"),
    ("centos", "CentOS", "RedHat"),
    ("clear-linux-os", "Clear Linux OS", "ClearLinux"),
    ("cloudlinux", "CloudLinux", "RedHat"),
    ("coreos", "Coreos", "Coreos"),
    ("cumulus-linux", "Cumulus Linux", "Debian"),
    ("debian", "Debian", "Debian"),
    ("deepin", "Deepin", "Debian"),
    ("Deepin", "Deepin", "Debian"),
    ("devuan", "Devuan", "Debian"),
    ("elementary", "Elementary", "Debian"),
    ("eurolinux", "EuroLinux", "RedHat"),
    ("fedora", "Fedora", "RedHat"),
    ("flatcar", "Flatcar", "Flatcar"),
    ("funtoo", "Funtoo", "Gentoo"),
    ("gentoo", "Gentoo", "Gentoo"),
    ("kali", "Kali", "Debian"),
    ("kylin", "Kylin Linux Advanced Server", "RedHat"),
    ("linuxmint", "Linux Mint", "Debian"),
    ("manjaro", "Manjaro", "Archlinux"),
    ("miraclelinux", "MIRACLE", "RedHat"),
    ("neon", "KDE neon", "Debian"),
    ("nixos", "NixOS", "NixOS"),
    ("ol", "OracleLinux", "RedHat"),
    ("openEuler", "openEuler", "RedHat"),
    ("opensuse", "openSUSE", "Suse"),
    ("opensuse-leap", "openSUSE Leap", "Suse"),
    ("opensuse-microos", "openSUSE MicroOS", "Suse"),
    ("opensuse-tumbleweed", "openSUSE Tumbleweed", "Suse"),
    ("osmc", "OSMC", "Debian"),
    ("parrot", "Parrot", "Debian"),
    ("photon", "Photon", "RedHat"),
    ("pop", "Pop!_OS", "Debian"),
    ("raspbian", "Debian", "Debian"),
    ("rhel", "RedHat", "RedHat"),
    ("rocky", "Rocky", "RedHat"),
    ("scientific", "Scientific", "RedHat"),
    ("sl-micro", "SL-Micro", "Suse"),
    ("sled", "SLED", "Suse"),
    ("sles", "SLES", "Suse"),
    ("sles_sap", "SLES_SAP", "Suse"),
    ("steamos", "SteamOS", "Debian"),
    ("tencentos", "TencentOS", "RedHat"),
    ("ubuntu", "Ubuntu", "Debian"),
    ("uos", "Uos", "Debian"),
    ("UOS", "Uos", "Debian"),
    ("void", "Void", "Void"),
    ("virtuozzo", "Virtuozzo", "RedHat"),
];

/// The release files of varieties, in search order.
const FILES: &[(&str, &str)] = &[
    ("/etc/altlinux-release", "Altlinux"),
    ("/etc/oracle-release", "OracleLinux"),
    ("/etc/slackware-version", "Slackware"),
    ("/etc/centos-release", "CentOS"),
    ("/etc/redhat-release", "RedHat"),
    ("/etc/vmware-release", "VMwareESX"),
    ("/etc/openwrt_release", "OpenWrt"),
    ("/etc/system-release", "Amazon"),
    ("/etc/alpine-release", "Alpine"),
    ("/etc/arch-release", "Archlinux"),
    ("/etc/SuSE-release", "SUSE"),
    ("/etc/gentoo-release", "Gentoo"),
];

/// The content of the release files.
struct Release {
    fields: Vec<(String, String)>,
}

impl Release {
    fn read(source: &Source) -> Release {
        let files = ["/etc/os-release", "/usr/lib/os-release"];
        let text = files.iter().map(|path| source.text(path)).find(|text| !text.is_empty()).unwrap_or_default();
        Release { fields: assignments(&text) }
    }

    fn get(&self, key: &str) -> &str {
        self.fields.iter().rev().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }
}

pub(super) fn gather(source: &Source) -> Map {
    let release = Release::read(source);
    let redhat = ["/etc/centos-release", "/etc/redhat-release", "/etc/system-release"];
    let redhat = redhat.iter().find_map(|path| source.line(path));
    let id = match (release.get("ID"), redhat.as_deref()) {
        // CentOS 6, RHEL 6: before os-release.
        ("", Some(line)) => old_id(line),
        ("", None) if source.exists("/etc/debian_version") => "debian",
        ("", None) if source.exists("/etc/alpine-release") => "alpine",
        ("", None) if source.exists("/etc/arch-release") => "arch",
        (id, _) => id,
    };
    let known = KNOWN.iter().find(|(known, ..)| *known == id);
    let name = match (known, release.get("NAME")) {
        // Old openSUSE has one ID for all variants, and so has Linux Mint.
        (Some((_, known, _)), said) if said.starts_with(known) && matches!(id, "opensuse" | "linuxmint") => {
            said.to_owned()
        }
        (_, "LMDE") => "Linux Mint Debian Edition".to_owned(),
        _ if id == "sles" && release.get("VARIANT_ID") == "sles-sap" => "SLES_SAP".to_owned(),
        (Some((_, name, _)), _) => (*name).to_owned(),
        (None, _) => capitalized(id),
    };
    let family = known.map_or_else(|| family_of(release.get("ID_LIKE"), &name), |(.., family)| (*family).to_owned());
    let version = version(source, &release, id, redhat.as_deref());
    let mut parts = version.split('.');
    let major = parts.next().filter(|major| !major.is_empty());
    let (path, variety) = variety(source, &family, id);
    let mut facts = data! {
        "distribution" => name,
        "distribution_release" => codename(source, &release, id, redhat.as_deref()),
        "distribution_version" => if version.is_empty() { "NA" } else { version.as_str() },
        "distribution_major_version" => major.unwrap_or("NA"),
        "os_family" => family,
    };
    if let Some(minor) = parts.next() {
        facts.insert("distribution_minor_version".to_owned(), minor.into());
    }
    if let Some(path) = path {
        facts.extend(data! {
            "distribution_file_path" => path,
            "distribution_file_variety" => variety,
            "distribution_file_parsed" => true,
        });
    }
    facts
}

fn old_id(line: &str) -> &'static str {
    let starts = [
        ("CentOS", "centos"),
        ("Red Hat", "rhel"),
        ("Fedora", "fedora"),
        ("Scientific", "scientific"),
        ("Oracle", "ol"),
        ("Amazon", "amzn"),
    ];
    starts.iter().find(|(start, _)| line.starts_with(start)).map_or("rhel", |(_, id)| id)
}

fn capitalized(id: &str) -> String {
    let mut chars = id.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => "Linux".to_owned(),
    }
}

fn family_of(like: &str, name: &str) -> String {
    let families = [
        ("debian", "Debian"),
        ("ubuntu", "Debian"),
        ("rhel", "RedHat"),
        ("fedora", "RedHat"),
        ("centos", "RedHat"),
        ("suse", "Suse"),
        ("opensuse", "Suse"),
        ("arch", "Archlinux"),
        ("gentoo", "Gentoo"),
        ("alpine", "Alpine"),
    ];
    let found = like.split_whitespace().find_map(|word| families.iter().find(|(id, _)| *id == word));
    found.map_or_else(|| name.to_owned(), |(_, family)| (*family).to_owned())
}

fn version(source: &Source, release: &Release, id: &str, redhat: Option<&str>) -> String {
    let said = release.get("VERSION_ID").to_owned();
    // The number after "release" in "CentOS Linux release 7.9.2009 (Core)".
    let number = redhat.and_then(|line| {
        line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
    });
    match id {
        "debian" => {
            let exact =
                source.line("/etc/debian_version").filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
            exact.unwrap_or(said)
        }
        "centos" => match number {
            Some(number) => number.splitn(3, '.').take(2).collect::<Vec<_>>().join("."),
            None => said,
        },
        _ if said.is_empty() => match number.or_else(|| source.line("/etc/alpine-release")) {
            Some(number) => number,
            None => release.get("BUILD_ID").to_owned(),
        },
        "alpine" => source.line("/etc/alpine-release").unwrap_or(said),
        // The release file may be more precise: 7.3, where os-release has 7.
        _ if number.as_deref().is_some_and(|number| number.starts_with(&format!("{said}."))) => number.unwrap_or(said),
        _ => said,
    }
}

fn codename(source: &Source, release: &Release, id: &str, redhat: Option<&str>) -> String {
    let parenthesis =
        |text: &str| text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(name, _)| name.to_owned());
    let suse_minor = || {
        let version = release.get("VERSION_ID");
        version.split_once('.').map_or("0", |(_, minor)| minor).to_owned()
    };
    match id {
        "sles" | "sles_sap" | "sled" => return suse_minor(),
        "opensuse" if release.get("NAME").contains("Tumbleweed") => return String::new(),
        "opensuse" | "opensuse-leap" => return suse_minor(),
        "amzn" | "flatcar" => return "NA".to_owned(),
        "opensuse-tumbleweed" | "opensuse-microos" => return String::new(),
        "centos" if redhat.is_some_and(|line| line.contains("Stream")) => return "Stream".to_owned(),
        _ => {}
    }
    let said = [release.get("VERSION_CODENAME"), release.get("UBUNTU_CODENAME"), release.get("DEBIAN_CODENAME")];
    if let Some(name) = said.into_iter().find(|name| !name.is_empty()) {
        return name.to_owned();
    }
    let has_empty_name = release.fields.iter().any(|(key, _)| key == "VERSION_CODENAME");
    if let Some(name) = redhat.filter(|_| id != "fedora" || !has_empty_name).and_then(parenthesis) {
        return name;
    }
    let lsb = assignments(&source.text("/etc/lsb-release"));
    if let Some((_, name)) = lsb.iter().find(|(key, name)| key == "DISTRIB_CODENAME" && !name.is_empty()) {
        return name.clone();
    }
    if has_empty_name && id == "fedora" {
        return String::new();
    }
    parenthesis(release.get("VERSION")).unwrap_or_else(|| "NA".to_owned())
}

/// The decisive file, and its variety.
fn variety(source: &Source, family: &str, id: &str) -> (Option<&'static str>, &'static str) {
    let is_there = |path: &str| source.path(path).is_file();
    // Amazon Linux and openSUSE have files that others have too.
    if let Some((path, variety)) = FILES.iter().find(|(path, variety)| {
        is_there(path) && (*variety != "Amazon" || id == "amzn") && (*variety != "SUSE" || family == "Suse")
    }) {
        return (Some(path), variety);
    }
    let variety = match family {
        "Suse" => "SUSE",
        "Debian" => "Debian",
        "Archlinux" => "Archlinux",
        "ClearLinux" => "ClearLinux",
        "Coreos" => "Coreos",
        "Flatcar" => "Flatcar",
        "RedHat" if id == "amzn" => "Amazon",
        _ => "NA",
    };
    match () {
        () if is_there("/etc/os-release") => (Some("/etc/os-release"), variety),
        () if is_there("/usr/lib/os-release") => (Some("/usr/lib/os-release"), variety),
        () => (None, variety),
    }
}

/// The output of lsb_release(1); empty without it and its file.
pub(super) fn lsb(source: &Source) -> Map {
    let file = assignments(&source.text("/etc/lsb-release"));
    let is_installed = source.program("lsb_release").is_some();
    let release = Release::read(source);
    let get = |key: &str, other: &str| {
        let found = file.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        found.or_else(|| is_installed.then(|| release.get(other).to_owned())).filter(|value| !value.is_empty())
    };
    let mut facts = Map::new();
    let id = get("DISTRIB_ID", "ID").map(|id| match KNOWN.iter().find(|(known, ..)| *known == id) {
        Some((_, name, _)) => (*name).to_owned(),
        None => id,
    });
    let number = get("DISTRIB_RELEASE", "VERSION_ID");
    let major = number.as_deref().and_then(|number| number.split('.').next()).map(str::to_owned);
    for (key, value) in [
        ("codename", get("DISTRIB_CODENAME", "VERSION_CODENAME")),
        ("description", get("DISTRIB_DESCRIPTION", "PRETTY_NAME")),
        ("id", id),
        ("release", number),
        ("major_release", major),
    ] {
        if let Some(value) = value {
            facts.insert(key.to_owned(), value.into());
        }
    }
    data! { "lsb" => facts }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc, time::Duration};

    use super::*;
    use crate::{Host, NoBlobs, argtypes::PathArg};

    /// The facts of a host with these files.
    fn of(files: &[(&str, &str)], gather: fn(&Source) -> Map) -> Map {
        let directory = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = directory.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        gather(&Source {
            host: &host,
            root: directory.path().to_owned(),
            fact_path: PathArg(String::new()),
            timeout: Duration::from_secs(1),
        })
    }

    const OS: &str = "/etc/os-release";

    #[test]
    fn distributions_are_told_by_their_files() {
        let centos7 = [
            (OS, "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nVERSION_ID=\"7\"\n"),
            ("/etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n"),
            ("/etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n"),
        ];
        let stream = [
            (OS, "NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nVERSION_ID=\"9\"\n"),
            ("/etc/centos-release", "CentOS Stream release 9\n"),
        ];
        let debian = [
            (OS, "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nVERSION=\"12 (bookworm)\"\n"),
            ("/etc/debian_version", "12.11\n"),
        ];
        let ubuntu = [
            (OS, "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n"),
            ("/etc/debian_version", "trixie/sid\n"),
        ];
        let rocky = [
            (OS, "ID=\"rocky\"\nVERSION_ID=\"9.3\"\nVERSION=\"9.3 (Blue Onyx)\"\n"),
            ("/etc/redhat-release", "Rocky Linux release 9.3 (Blue Onyx)\n"),
        ];
        let alma = [
            (OS, "ID=\"almalinux\"\nVERSION_ID=\"9.3\"\n"),
            ("/etc/redhat-release", "AlmaLinux release 9.3 (Shamrock Pampas Cat)\n"),
        ];
        let fedora = [
            (OS, "ID=fedora\nVERSION_ID=40\nVERSION=\"40 (Cloud Edition)\"\nVERSION_CODENAME=\"\"\n"),
            ("/etc/redhat-release", "Fedora release 40 (Forty)\n"),
        ];
        let leap = [(OS, "NAME=\"openSUSE Leap\"\nID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n")];
        let sles = [(OS, "NAME=\"SLES\"\nID=\"sles\"\nVERSION_ID=\"15.6\"\n")];
        let alpine = [(OS, "ID=alpine\nVERSION_ID=3.19.1\n"), ("/etc/alpine-release", "3.19.1\n")];
        let arch = [(OS, "ID=arch\nBUILD_ID=rolling\n"), ("/etc/arch-release", "")];
        let centos6 = [("/etc/redhat-release", "CentOS release 6.10 (Final)\n")];
        let unknown = [(OS, "ID=newos\nID_LIKE=\"rhel fedora\"\nVERSION_ID=1\n")];
        type Files<'f> = &'f [(&'f str, &'f str)];
        let cases: &[(Files, [&str; 6])] = &[
            (&centos7, ["CentOS", "7.9", "7", "Core", "RedHat", "CentOS"]),
            (&stream, ["CentOS", "9", "9", "Stream", "RedHat", "CentOS"]),
            (&debian, ["Debian", "12.11", "12", "bookworm", "Debian", "Debian"]),
            (&ubuntu, ["Ubuntu", "24.04", "24", "noble", "Debian", "Debian"]),
            (&rocky, ["Rocky", "9.3", "9", "Blue Onyx", "RedHat", "RedHat"]),
            (&alma, ["AlmaLinux", "9.3", "9", "Shamrock Pampas Cat", "RedHat", "RedHat"]),
            (&fedora, ["Fedora", "40", "40", "", "RedHat", "RedHat"]),
            (&leap, ["openSUSE Leap", "15.6", "15", "6", "Suse", "SUSE"]),
            (&sles, ["SLES", "15.6", "15", "6", "Suse", "SUSE"]),
            (&alpine, ["Alpine", "3.19.1", "3", "NA", "Alpine", "Alpine"]),
            (&arch, ["Archlinux", "rolling", "rolling", "NA", "Archlinux", "Archlinux"]),
            (&centos6, ["CentOS", "6.10", "6", "Final", "RedHat", "RedHat"]),
            (&unknown, ["Newos", "1", "1", "NA", "RedHat", "NA"]),
        ];
        let keys = [
            "distribution",
            "distribution_version",
            "distribution_major_version",
            "distribution_release",
            "os_family",
            "distribution_file_variety",
        ];
        for (files, expected) in cases {
            let facts = of(files, gather);
            assert_eq!(keys.map(|key| facts[key].as_str().unwrap().to_owned()), *expected);
        }
    }

    #[test]
    fn lsb_is_told_where_there_is_such_a_thing() {
        assert_eq!(of(&[(OS, "ID=debian\n")], lsb)["lsb"], Map::new().into());
        let file = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_CODENAME=noble\nDISTRIB_DESCRIPTION=\"Ubuntu 24.04 LTS\"\n";
        let facts = of(&[("/etc/lsb-release", file)], lsb)["lsb"].as_map().unwrap().clone();
        assert_eq!((&facts["major_release"], &facts["description"]), (&"24".into(), &"Ubuntu 24.04 LTS".into()));
    }
}
