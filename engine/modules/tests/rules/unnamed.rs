//! What a task does not name is neither compared nor changed: in files that others write to as well, and on hosts
//! whose state a module manages. Containers, networks and volumes: `tests/docker`.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use rplay_modules::{
    Host, NoBlobs, runner,
    wire::{Call, Map, Mode, Outcome, Value, data},
};

/// Runs a module with these programs instead of the host's: each is a shell script under its name.
fn run(module: &str, args: Map, check: bool, programs: Option<&Path>) -> Outcome {
    let mut environment = Vec::new();
    if let Some(directory) = programs {
        environment.push(("PATH".to_owned(), format!("{}:/usr/bin:/bin", directory.display())));
    }
    let host = Host::new(environment.clone(), Arc::new(NoBlobs));
    let mode = Mode { check, diff: true, ..Mode::default() };
    let outcome = runner::run(&Call { module: module.into(), args, mode, environment, background: None }, &host);
    assert_eq!(outcome.failure, None, "{module}");
    outcome
}

fn text(path: &Path) -> Value {
    path.to_string_lossy().as_ref().into()
}

/// Files with content of others, including a byte that is not UTF-8, and for each a task that names one thing.
#[test]
fn lines_of_others_stay_to_the_byte() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let user = rplay_modules::system::accounts::User::numbered(nix::unistd::geteuid().as_raw()).unwrap().name;
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMe me@home";
    let cases: Vec<(&str, &str, &[u8], Map)> = vec![
        (
            "ini_file",
            "a.ini",
            b"; caf\xe9\n[one]\nkept = 1\n\n[two]\nx = old\ny = 2\n",
            data! { "path" => text(&at("a.ini")), "section" => "two", "option" => "x", "value" => "new" },
        ),
        (
            "cron",
            "jobs",
            b"# caf\xe9\nMAILTO=root\n#Ansible: other\n5 5 * * * root other\n17 3 * * * root by-hand\n",
            data! {
                "name" => "mine", "job" => "run", "user" => "root", "minute" => "1", "cron_file" => text(&at("jobs")),
            },
        ),
        (
            "mount",
            "fstab",
            b"# caf\xe9\nUUID=1 / ext4 errors=remount-ro 0 1\n",
            data! {
                "path" => "/srv", "src" => "/dev/sdb1", "fstype" => "ext4", "state" => "present",
                "fstab" => text(&at("fstab")),
            },
        ),
        (
            "sysctl",
            "sysctl.conf",
            b"# caf\xe9\nvm.swappiness = 10\n",
            data! {
                "name" => "net.ipv4.ip_forward", "value" => "1", "reload" => false, "sysctl_file" => text(&at("sysctl.conf")),
            },
        ),
        (
            "authorized_key",
            "keys",
            b"# caf\xe9\ncommand=\"true\",no-pty ssh-rsa AAAAB3NzaC1yc2EAAAADAQABYou you\n",
            data! { "user" => user.as_str(), "key" => key, "path" => text(&at("keys")), "manage_dir" => false },
        ),
        (
            "yum_repository",
            "all.repo",
            b"# caf\xe9\n[other]\nname = Other\nbaseurl = http://127.0.0.1/\nenabled = 0\n\n",
            data! {
                "name" => "mine", "description" => "Mine", "baseurl" => "http://127.0.0.1/", "file" => "all",
                "reposdir" => text(directory.path()),
            },
        ),
        (
            "lineinfile",
            "lines",
            b"caf\xe9\r\nlast without an end",
            data! { "path" => text(&at("lines")), "line" => "mine" },
        ),
        ("blockinfile", "block", b"caf\xe9\nlast\n", data! { "path" => text(&at("block")), "block" => "mine" }),
    ];
    for (module, name, before, args) in cases {
        fs::write(at(name), before).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(run(module, args.clone(), false, None).changed, "{module}");
        let after = fs::read(at(name)).unwrap();
        for line in before.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && *line != b"x = old") {
            assert!(after.windows(line.len()).any(|found| found == line), "{module} lost {:?}", line.escape_ascii());
        }
        assert_eq!(fs::metadata(at(name)).unwrap().mode() & 0o777, 0o640, "{module}: nobody named a mode");
        assert!(!run(module, args, false, None).changed, "{module} changes it again");
    }
}

#[test]
fn only_named_properties_of_an_account_change() {
    let root = rplay_modules::system::accounts::User::named("root").unwrap();
    assert!(!run("user", data! { "name" => "root" }, true, None).changed);
    let other = format!("{} once more", root.gecos);
    let outcome = run("user", data! { "name" => "root", "comment" => other.as_str() }, true, None);
    assert_eq!(outcome.changes.len(), 1, "{:?}", outcome.changes);
    assert!(outcome.changes[0].contains(" -c "), "{:?}", outcome.changes);
    for option in [" -g ", " -G ", " -d ", " -s ", " -u ", " -L", " -U", " -e ", " -p "] {
        assert!(!outcome.changes[0].contains(option), "{:?}", outcome.changes);
    }
    assert!(!run("group", data! { "name" => "root" }, true, None).changed);
}

#[test]
fn only_named_properties_of_a_unit_change() {
    let directory = tempfile::tempdir().unwrap();
    let systemctl = directory.path().join("systemctl");
    let script = r#"#!/bin/sh
echo "$*" >>"${0%/*}/asked"
case "$*" in
    *show*) printf 'Id=x.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=disabled\n' ;;
    *is-enabled*) echo disabled; exit 1 ;;
esac
"#;
    fs::write(&systemctl, script).unwrap();
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    let asked = |args: Map| -> Vec<String> {
        let _ = fs::remove_file(directory.path().join("asked"));
        run("systemd", args, false, Some(directory.path()));
        let all = fs::read_to_string(directory.path().join("asked")).unwrap();
        let acts = ["enable ", "disable ", "start ", "stop ", "restart ", "mask ", "unmask ", "daemon-re"];
        all.lines().filter(|line| acts.iter().any(|act| line.contains(act))).map(str::to_owned).collect()
    };
    assert_eq!(asked(data! { "name" => "x" }), [""; 0]);
    let enabled = asked(data! { "name" => "x", "enabled" => true });
    assert!(enabled.len() == 1 && enabled[0].contains("enable "), "{enabled:?}");
    let started = asked(data! { "name" => "x", "state" => "started" });
    assert!(started.len() == 1 && started[0].contains("start "), "{started:?}");
}
