//! A fixture's own view of the host: directories of the fixture are mounted over those of the host, for its thread
//! alone.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

/// The fixture's own directories are mounted over these.
const DIRECTORIES: [&str; 9] = ["/etc", "/var", "/run", "/root", "/home", "/srv", "/opt", "/boot", "/sys"];
/// Where programs are. Of the host's own programs, only those in [`PROGRAMS`] remain.
const BIN: [&str; 6] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];
/// Programs that scripts and modules can rely on.
const PROGRAMS: [&str; 37] = [
    "sh", "bash", "dash", "busybox", "cat", "cp", "mv", "rm", "ls", "mkdir", "rmdir", "chmod", "chown", "touch",
    "true", "false", "env", "sleep", "echo", "printf", "sed", "grep", "sort", "head", "tail", "tar", "gzip",
    "readlink", "tr", "cut", "date", "dirname", "basename", "id", "stat", "mktemp", "ln",
];

thread_local! {
    static IS_LEFT: Cell<bool> = const { Cell::new(false) };
}

/// Whether this process can have views at all.
pub(crate) fn has_views() -> bool {
    nix::unistd::geteuid().is_root()
        && std::thread::spawn(|| unshare(CloneFlags::CLONE_NEWNS).is_ok()).join().unwrap_or_default()
}

/// Gives the thread its own mounts and host name.
pub(crate) fn leave_the_host() {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    nix::unistd::sethostname("fixture").unwrap();
    IS_LEFT.set(true);
}

/// Whether the thread has its own view.
pub(super) fn is_left() -> bool {
    IS_LEFT.get()
}

/// The directories of the view: their names and where they are.
pub(super) fn directories(at: &Path) -> Vec<(String, PathBuf)> {
    if !is_left() {
        return Vec::new();
    }
    let there = DIRECTORIES.iter().filter(|path| Path::new(path).is_dir() && !Path::new(path).is_symlink());
    there.map(|path| ((*path).to_owned(), at.join("view").join(path.trim_start_matches('/')))).collect()
}

/// What every host has.
pub(super) fn seed(at: &Path) {
    let view = at.join("view");
    for directory in DIRECTORIES {
        fs::create_dir_all(view.join(directory.trim_start_matches('/'))).unwrap();
    }
    fs::create_dir_all(view.join("home/me")).unwrap();
    let files = [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000:Me,,,:/home/me:/bin/sh\n"),
        ("etc/group", "root:x:0:\nadm:x:4:me\nme:x:1000:\n"),
        ("etc/shadow", "root:*:19000:0:99999:7:::\nme:!:19000:0:99999:7:::\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
    ];
    for (path, text) in files {
        fs::write(view.join(path), text).unwrap();
    }
}

fn bind(from: &Path, to: &Path) {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .unwrap_or_else(|error| panic!("cannot mount {} at {}: {error}", from.display(), to.display()));
}

/// Mounts the fixture's directories over the host's, and single files over those in `/proc`.
pub(super) fn enter(views: &[(String, PathBuf)], at: &Path) {
    let bin = at.join("programs");
    fs::create_dir(&bin).unwrap();
    // File by file: a directory of the host that is mounted below one that is removed afterwards would be at risk.
    for (name, program) in programs() {
        fs::write(bin.join(&name), "").unwrap();
        bind(&program, &bin.join(name));
    }
    for directory in BIN.iter().filter(|directory| is_own(directory)) {
        bind(&bin, Path::new(directory));
    }
    for (path, own) in views {
        bind(own, Path::new(path));
    }
    let mut directories = vec![at.join("view/proc")];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(&directory).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else {
                let to = Path::new("/").join(path.strip_prefix(at.join("view")).unwrap());
                bind(&path, &to);
            }
        }
    }
}

/// Those of [`PROGRAMS`] that the host has, by name.
fn programs() -> BTreeMap<String, PathBuf> {
    let places =
        PROGRAMS.iter().flat_map(|name| BIN.map(|directory| ((*name).to_owned(), Path::new(directory).join(name))));
    places.filter(|(_, program)| program.is_file()).collect()
}

fn is_own(directory: &str) -> bool {
    Path::new(directory).is_dir() && !Path::new(directory).is_symlink()
}

/// Unmounts everything, so that the fixture's directory can be removed.
pub(super) fn exit(views: &[(String, PathBuf)], at: &Path) {
    let paths =
        views.iter().map(|(path, _)| path.as_str()).chain(BIN.into_iter().filter(|directory| is_own(directory)));
    for path in paths {
        let _ = umount2(path, MntFlags::MNT_DETACH);
    }
    for program in PROGRAMS {
        let _ = umount2(&at.join("programs").join(program), MntFlags::MNT_DETACH);
    }
}
