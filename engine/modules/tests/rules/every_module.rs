//! Rules for every module, including future ones: check mode changes nothing, and no FIFO, socket, device or broken
//! link blocks it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{MetadataExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use nix::sys::stat::{Mode as Bits, SFlag, makedev, mknod};
use rplay_modules::{
    Arg, Entry, Host, NoBlobs,
    registry::MODULES,
    runner,
    system::jobs::{JobFile, Progress},
    wire::{Call, Map, Mode, Outcome, Value, data},
};

/// Far longer than any call takes on a busy machine, and shorter than a call that hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// A directory with one of everything.
struct Tree {
    directory: tempfile::TempDir,
    /// The directory for programs' temporary files.
    scratch: tempfile::TempDir,
    _socket: UnixListener,
    /// Only root can create one.
    has_device: bool,
}

impl Tree {
    fn new() -> Tree {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "[s]\na = 1\n").unwrap();
        fs::create_dir_all(at("dir/inner")).unwrap();
        fs::write(at("dir/f"), "x\n").unwrap();
        fs::create_dir(at("home")).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("gone", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Bits::from_bits_truncate(0o644)).unwrap();
        symlink("fifo", at("to-fifo")).unwrap();
        let socket = UnixListener::bind(at("socket")).unwrap();
        let mode = Bits::from_bits_truncate(0o644);
        // Like /dev/zero, which never ends.
        let device = mknod(&at("device"), SFlag::S_IFCHR, mode, makedev(1, 5));
        let tree =
            Tree { scratch: tempfile::tempdir().unwrap(), _socket: socket, has_device: device.is_ok(), directory };
        let job = JobFile::of("j1", &tree.host()).unwrap();
        job.write(&Progress::Done(Box::default())).unwrap();
        tree
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn environment(&self) -> Vec<(String, String)> {
        let scratch = self.scratch.path().to_str().unwrap().to_owned();
        let set = [("HOME", self.path("home")), ("ANSIBLE_ASYNC_DIR", self.path("jobs")), ("TMPDIR", scratch)];
        set.map(|(name, path)| (name.to_owned(), path)).to_vec()
    }

    fn host(&self) -> Host {
        Host::new(self.environment(), Arc::new(NoBlobs))
    }

    fn call(&self, module: &str, args: Map, check: bool) -> Option<Outcome> {
        let environment = self.environment();
        let mode = Mode { check, diff: true, ..Mode::default() };
        let call = Call { module: module.to_owned(), args, mode, environment: environment.clone(), background: None };
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let host = Host::new(environment, Arc::new(NoBlobs));
            let _ = tell.send(runner::run(&call, &host));
        });
        told.recv_timeout(LIMIT).ok()
    }

    /// Everything that could have been changed.
    fn state(&self) -> BTreeMap<PathBuf, String> {
        let mut state = BTreeMap::new();
        let mut directories = vec![self.directory.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).chain([directory.clone()])
            {
                let meta = fs::symlink_metadata(&path).unwrap();
                if meta.is_dir() && path != directory {
                    directories.push(path);
                    continue;
                }
                let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                let target = fs::read_link(&path).ok();
                state.insert(
                    path,
                    format!(
                        "{:o} {}:{} {} {}.{} {content:?} {target:?}",
                        meta.mode(),
                        meta.uid(),
                        meta.gid(),
                        meta.ino(),
                        meta.mtime(),
                        meta.mtime_nsec()
                    ),
                );
            }
        }
        state
    }
}

/// What a module needs in addition to what its argument types suggest. None of it contacts other machines.
fn more(module: &str, tree: &Tree) -> Map {
    match module {
        "async_status" => data! { "jid" => "j1", "mode" => "cleanup" },
        "alternatives" => data! { "path" => tree.path("file"), "link" => tree.path("home/link") },
        "capabilities" => data! { "capability" => "cap_net_raw=ep" },
        "make" => data! { "chdir" => tree.path("dir") },
        "kernel_blacklist" => data! { "blacklist_file" => tree.path("file") },
        "pam_limits" => {
            data! { "domain" => "x", "limit_type" => "soft", "limit_item" => "nofile", "value" => "1", "dest" => tree.path("file") }
        }
        "sudoers" => data! { "commands" => "ALL", "user" => "x", "sudoers_path" => tree.path("dir") },
        "timezone" => data! { "name" => "Europe/Berlin" },
        "git_config" => data! { "name" => "user.x", "value" => "x", "scope" => "file", "file" => tree.path("file") },
        "at" => data! { "command" => "true", "count" => 1, "units" => "days" },
        "patch" => data! { "dest" => tree.path("file"), "remote_src" => true },
        "openssh_keypair" => data! { "path" => tree.path("home/key") },
        "npm" => data! { "path" => tree.path("dir"), "name" => "x" },
        "filesystem" => data! { "dev" => tree.path("file"), "fstype" => "ext4" },
        "ufw" => data! { "rule" => "allow", "to_port" => "1" },
        "archive" => data! { "path" => tree.path("dir"), "dest" => tree.path("home/a.tgz") },
        "lvol" => data! { "lv" => "x", "size" => "1" },
        "apk" | "pacman" | "zypper" => data! { "name" => "x" },
        "apt_key" => data! { "id" => "ABCDEF01", "state" => "absent" },
        "apt_repository" => data! { "repo" => "deb http://127.0.0.1:9/ stable main" },
        "assemble" => data! { "src" => tree.path("dir"), "dest" => tree.path("file") },
        "authorized_key" => data! {
            "user" => "root", "path" => tree.path("file"),
            "key" => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8h8d2o3Yk3YwQ1o4S9pC3tQk0h8bqf5u4z0m7c8d9e x",
        },
        "reboot" => data! { "boot_time_command" => format!("cat {}", tree.path("file")) },
        "rpm_key" => data! { "key" => tree.path("file") },
        "subversion" => data! { "repo" => format!("file://{}", tree.path("dir")), "dest" => tree.path("home/svn") },
        "sysvinit" => data! { "name" => "x", "state" => "started" },
        "expect" => data! { "command" => "true", "responses" => Map::new() },
        "known_hosts" => data! { "name" => "h", "key" => "h ssh-rsa A", "path" => tree.path("file") },
        "command" | "shell" | "raw" => data! { "_raw_params" => "true" },
        "script" => data! { "_raw_params" => "true", "_content" => "true" },
        "copy" => data! { "src" => tree.path("dir/f"), "dest" => tree.path("file"), "remote_src" => true },
        "cron" => data! { "name" => "x", "job" => "true", "user" => "root", "cron_file" => tree.path("file") },
        "deb822_repository" => data! { "name" => "x", "uris" => "http://127.0.0.1:9/", "suites" => "x" },
        "debconf" => data! { "name" => "x", "question" => "x/y", "vtype" => "string", "value" => "x" },
        "dnf" | "dnf5" | "yum" => data! { "name" => tree.path("file") },
        "docker_container_exec" => data! { "container" => "x", "command" => "true" },
        "docker_image" => data! { "name" => "x", "source" => "load", "load_path" => tree.path("file") },
        "docker_login" => data! { "username" => "x", "password" => "x", "registry_url" => "http://127.0.0.1:9" },
        "firewalld" => data! { "service" => "http", "state" => "enabled", "permanent" => true },
        "iptables" => data! { "chain" => "INPUT", "jump" => "ACCEPT" },
        "pip" => data! { "requirements" => tree.path("file") },
        "service" | "systemd" | "systemd_service" => data! { "name" => "x", "state" => "started" },
        "file" => data! { "path" => tree.path("file"), "state" => "touch" },
        "find" => data! { "paths" => tree.path("dir"), "contains" => "x", "get_checksum" => true, "recurse" => true },
        "get_url" => data! { "url" => "http://127.0.0.1:9/x", "dest" => tree.path("file") },
        "git" => data! { "repo" => tree.path("dir"), "dest" => tree.path("home/git") },
        "hostname" => data! { "name" => "x" },
        "lineinfile" => data! { "path" => tree.path("file"), "line" => "x" },
        "blockinfile" => data! { "path" => tree.path("file"), "block" => "x" },
        "modprobe" => data! { "name" => "x" },
        "mount" => data! {
            "path" => tree.path("dir"), "src" => "/dev/x", "fstype" => "ext4", "state" => "present",
            "fstab" => tree.path("file"),
        },
        "replace" => data! { "path" => tree.path("file"), "regexp" => "a", "replace" => "b" },
        "ini_file" => data! { "path" => tree.path("file"), "section" => "s", "option" => "a", "value" => "2" },
        "run_lock" => data! { "name" => "x", "path" => tree.path("home/lock") },
        "stat" => data! { "path" => tree.path("file") },
        "sysctl" => data! { "name" => "vm.swappiness", "value" => "61", "sysctl_file" => tree.path("file") },
        "tencentcloud_api" => data! {
            "version" => "2017-03-12", "changes" => true, "endpoint" => "http://127.0.0.1:9/",
        },
        "unarchive" => data! { "src" => tree.path("file"), "dest" => tree.path("dir"), "remote_src" => true },
        "uri" => data! { "url" => "http://127.0.0.1:9/x" },
        "wait_for" => data! { "path" => tree.path("file"), "search_regex" => "x", "timeout" => 1 },
        "yum_repository" => data! {
            "name" => "x", "baseurl" => "http://127.0.0.1:9/", "description" => "x", "reposdir" => tree.path("dir"),
        },
        _ => Map::new(),
    }
}

/// Arguments that the module takes.
fn arguments(entry: &Entry, tree: &Tree) -> Map {
    let mut args = Map::new();
    for arg in (entry.args)().into_iter().filter(|arg| arg.required) {
        let value: Value = match (arg.kind, arg.choices.first()) {
            (_, Some(choice)) => (*choice).into(),
            ("path", _) => tree.path("file").into(),
            ("bool", _) => true.into(),
            ("int" | "float", _) => 1.into(),
            ("list", _) => vec!["x"].into(),
            ("dict", _) => Value::Map(Map::new()),
            _ => "x".into(),
        };
        args.insert(arg.name.to_owned(), value);
    }
    args.extend(more(entry.name, tree));
    args
}

/// Whether an argument may name a file of the host.
fn names_a_file(arg: &Arg) -> bool {
    const WORDS: [&str; 12] =
        ["src", "dest", "path", "file", "dir", "fstab", "requirements", "keyring", "deb", "script", "socket", "repo"];
    !arg.name.starts_with('_')
        && (arg.kind == "path"
            || matches!(arg.kind, "str" | "raw" | "list") && WORDS.iter().any(|word| arg.name.contains(word)))
}

/// Modules whose plan runs a slow program or contacts a slow service: only what could hang is tested.
fn is_slow(entry: &Entry) -> bool {
    entry.collection.ends_with("docker") || ["apt_key", "setup"].contains(&entry.name)
}

#[test]
fn check_mode_changes_nothing_and_nothing_blocks_a_module() {
    let tree = Tree::new();
    let mut errors = Vec::new();
    let mut before = tree.state();
    let kinds = ["file", "dir", "fifo", "to-fifo", "socket", "device", "dangling", "loop", "/proc/version"];
    for entry in MODULES {
        let args = arguments(entry, &tree);
        let taken = (entry.check)(&args, &[]);
        if !taken.is_empty() {
            errors.push(format!("add what {} needs to `more`: {taken:?}", entry.name));
            continue;
        }
        let files: Vec<_> = (entry.args)().into_iter().filter(names_a_file).map(|arg| arg.name).collect();
        let mut calls = vec![(args.clone(), String::new())];
        for arg in &files {
            let tried = if is_slow(entry) { &["fifo"] } else { kinds.as_slice() };
            for kind in tried.iter().filter(|kind| **kind != "device" || tree.has_device) {
                let path = if kind.starts_with('/') { (*kind).to_owned() } else { tree.path(kind) };
                let mut args = args.clone();
                args.insert((*arg).to_owned(), path.into());
                calls.push((args, format!(" with {arg}: {kind}")));
            }
        }
        for (args, shown) in calls {
            let begun = std::time::Instant::now();
            if tree.call(entry.name, args, true).is_none() {
                errors.push(format!("{}{shown} waits", entry.name));
            }
            if begun.elapsed() > Duration::from_secs(1) {
                eprintln!("{}{shown}: {:?}", entry.name, begun.elapsed());
            }
            let after = tree.state();
            if after != before {
                let changed: Vec<_> = after.iter().filter(|(path, state)| before.get(*path) != Some(state)).collect();
                errors.push(format!("{}{shown} changes something in check mode: {changed:?}", entry.name));
                before = after;
            }
        }
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Like [`check_mode_changes_nothing_and_nothing_blocks_a_module`], but without check mode, for modules that write
/// files.
#[test]
fn a_special_file_is_refused_at_once_and_left_alone() {
    let tree = Tree::new();
    let writers = [
        ("assemble", "dest"),
        ("authorized_key", "path"),
        ("blockinfile", "path"),
        ("copy", "dest"),
        ("cron", "cron_file"),
        ("get_url", "dest"),
        ("ini_file", "path"),
        ("lineinfile", "path"),
        ("mount", "fstab"),
        ("replace", "path"),
        ("sysctl", "sysctl_file"),
        ("uri", "dest"),
    ];
    let readers = [("copy", "src"), ("fetch", "src"), ("slurp", "src"), ("unarchive", "src"), ("wait_for", "path")];
    for (module, arg) in writers.into_iter().chain(readers) {
        let entry = rplay_modules::registry::find(module).unwrap();
        for (kind, said) in [("fifo", "a FIFO"), ("socket", "a socket"), ("device", "a character device")] {
            if kind == "device" && !tree.has_device {
                continue;
            }
            let before = tree.state();
            let mut args = arguments(entry, &tree);
            args.insert(arg.to_owned(), tree.path(kind).into());
            let outcome = tree.call(module, args, false).unwrap_or_else(|| panic!("{module} waits for {said}"));
            let failure = outcome.failure.unwrap_or_else(|| panic!("{module} takes {said} as {arg}"));
            assert!(failure.msg.contains(said) || failure.msg.contains("is not a file"), "{module}: {}", failure.msg);
            assert_eq!(tree.state(), before, "{module} with {arg}: {kind}");
        }
    }
}

#[test]
fn special_files_have_a_state_a_mode_and_an_end() {
    let tree = Tree::new();
    for kind in ["fifo", "socket", "device"] {
        if kind == "device" && !tree.has_device {
            continue;
        }
        let path = tree.path(kind);
        let call = |module: &str, more: Map| {
            let mut args = data! { "path" => path.as_str() };
            args.extend(more);
            let outcome = tree.call(module, args, false).unwrap();
            assert!(outcome.failure.is_none(), "{module} of {kind}: {outcome:?}");
            outcome
        };
        let stat = call("stat", Map::new());
        let stat = stat.data["stat"].as_map().unwrap().clone();
        assert!(stat["exists"] == true.into() && stat["isreg"] == false.into() && !stat.contains_key("checksum"));
        assert!(call("file", data! { "state" => "touch" }).changed);
        assert!(call("file", data! { "mode" => "0600" }).changed);
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(call("file", data! { "state" => "absent" }).changed);
        assert!(!Path::new(&path).exists());
    }
    let slurped = tree.call("slurp", data! { "src" => "/dev/null" }, false).unwrap();
    assert_eq!(slurped.data["content"], "".into());
    for src in ["/proc/version", "/proc/self/mounts"] {
        let slurped = tree.call("slurp", data! { "src" => src }, false).unwrap();
        assert!(slurped.data["content"].as_str().is_some_and(|content| !content.is_empty()));
    }
}
