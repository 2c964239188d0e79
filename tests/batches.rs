//! Batches change only the time: each playbook of `tests/batches` runs twice over real ssh, as usual and with
//! `--no-batch`. The output, the exit code, and the state of the hosts must be the same.
//!
//! `# args:` in the first line of a playbook adds to the command line. `# together: N` says how many tasks at least one
//! batch must have, so that a case does not pass because nothing was sent ahead.

#[allow(dead_code)]
mod seen;
mod sshd;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use sshd::Sshd;

/// What is compared of a run.
struct Told {
    shown: String,
    /// The largest number of tasks in one batch.
    together: usize,
    /// The files that it left, by name.
    files: BTreeMap<String, String>,
}

/// Three hosts that differ in their addresses and in their directories.
fn inventory(sshd: &Sshd, world: &Path) -> String {
    let options = format!(
        "-F /dev/null -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes",
        sshd.at("known_hosts").display()
    );
    let hosts = ["a", "b", "c"].iter().zip(2..).map(|(name, at)| {
        let home = world.join(name);
        fs::create_dir_all(&home).unwrap();
        // For any user that a task becomes.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
        format!("{name} ansible_host=127.0.0.{at} home={}\n", home.display())
    });
    format!(
        "{}host ansible_host=127.0.0.1 home={}\n[all:vars]\nansible_port={}\nansible_ssh_private_key_file={}\nansible_ssh_common_args='{options}'\nworld={}\n",
        hosts.collect::<String>(),
        world.join("a").display(),
        sshd.port,
        sshd.at("user").display(),
        world.display()
    )
}

fn run(sshd: &Sshd, play: &Path, more: &[String]) -> Told {
    let directory = tempfile::tempdir().unwrap();
    let world = directory.path().join("world");
    fs::create_dir(&world).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(directory.path().join("hosts"), inventory(sshd, &world)).unwrap();
    let mut command = Command::new(sshd::executable());
    command.env_clear().envs([("NO_COLOR", "1"), ("COLUMNS", "100"), ("LC_ALL", "C.UTF-8")]);
    command.envs(std::env::vars().filter(|(name, _)| name == "PATH" || name == "HOME"));
    // Connections end with the test, not a minute later.
    command.env("XDG_RUNTIME_DIR", sshd.directory.path());
    command.arg("-i").arg(directory.path().join("hosts")).args(more).arg("-vvv").arg(play.file_name().unwrap());
    let output = command.current_dir(play.parent().unwrap()).stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let (batches, rest): (Vec<&str>, Vec<&str>) = stdout.lines().partition(|line| line.contains("> sent together: "));
    // Programs that Python would have been started with are those of each task alone.
    let rest: Vec<&str> = rest.into_iter().filter(|line| !line.contains("> EXEC ")).collect();
    let count = |line: &&str| line.split_once("tasks ")?.1.split(',').next()?.parse().ok();
    let together = batches.iter().filter_map(count).max().unwrap_or(0);
    // These appear when hosts answer, in any order.
    let (mut notified, rest): (Vec<&str>, Vec<&str>) = rest
        .into_iter()
        .partition(|line| line.starts_with("NOTIFIED HANDLER ") || line.starts_with("Notification for handler "));
    notified.sort_unstable();
    // Load and memory change all the time.
    let rest: Vec<&str> =
        rest.into_iter().map(|line| if line.contains("ansible_loadavg") { "all facts" } else { line }).collect();
    let mut shown = seen::in_order(&rest.join("\n")) + &notified.join("\n");
    shown += &seen::in_order(&String::from_utf8_lossy(&output.stderr));
    shown += &format!("exit code {:?}\n", output.status.code());
    let varying = r#""(delta|start|end|atime|ctime|mtime|inode|pid|epoch_int|elapsed)": ("[^"]*"|[0-9.]+)"#;
    shown = regex::Regex::new(varying).unwrap().replace_all(&shown, r#""$1": *"#).into_owned();
    shown = shown.replace(&*directory.path().to_string_lossy(), "DIRECTORY");
    let mut files = BTreeMap::new();
    gather(&world, &world, &mut files);
    Told { shown, together, files }
}

fn gather(root: &Path, directory: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            gather(root, &path, files);
            continue;
        }
        let name = path.strip_prefix(root).unwrap().display().to_string();
        files.insert(name, settled(&fs::read_to_string(&path).unwrap(), path.ends_with("order")));
    }
}

/// In the file `order`, which all hosts share, the lines of one task may be in any order; each line begins with the
/// task's name.
fn settled(text: &str, shared: bool) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if shared {
        for group in lines.chunk_by_mut(|a, b| a.split(' ').next() == b.split(' ').next()) {
            group.sort_unstable();
        }
    }
    lines.join("\n")
}

/// Runs all plays of a directory both ways.
fn compare(sshd: &Sshd, directory: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut plays: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    plays.retain(|path| path.extension().is_some_and(|ext| ext == "yml"));
    plays.sort();
    assert!(!plays.is_empty());
    let mut differing = Vec::new();
    for play in plays {
        let name = play.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&play).unwrap();
        let mark = |mark: &str| text.lines().find_map(|line| line.strip_prefix(mark));
        let args = shell_words::split(mark("# args: ").unwrap_or_default()).unwrap();
        let least: usize = mark("# together: ").map_or(2, |number| number.trim().parse().unwrap());
        let one = run(sshd, &play, &[args.as_slice(), &["--no-batch".to_owned()]].concat());
        let many = run(sshd, &play, &args);
        // A handler that does not exist ends the run.
        let ended = ["PLAY RECAP", "The requested handler"].iter().any(|end| one.shown.contains(end));
        assert!(ended, "{name}: {}", one.shown);
        if (&one.shown, &one.files) != (&many.shown, &many.files) {
            differing.push(format!("{name}\n{}", differences(&one, &many)));
        }
        let allowed: usize = mark("# at most: ").map_or(usize::MAX, |number| number.trim().parse().unwrap());
        let most = many.together;
        if most < least || most > allowed || one.together > 1 {
            differing.push(format!("{name}: {most} tasks went out together, not {least} to {allowed}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn plays_have_the_same_result_with_and_without_batches() {
    let Some(sshd) = Sshd::start("ListenAddress 127.0.0.2\nListenAddress 127.0.0.3\nListenAddress 127.0.0.4") else {
        return;
    };
    let known = fs::read_to_string(sshd.at("known_hosts")).unwrap();
    let all: String = (2..5).map(|at| known.replace("127.0.0.1", &format!("127.0.0.{at}"))).collect();
    fs::write(sshd.at("known_hosts"), known + &all).unwrap();
    compare(&sshd, "tests/batches");
}

#[test]
fn so_do_plays_with_several_users() {
    let Some(sshd) = Sshd::with_accounts() else { return };
    compare(&sshd, "tests/batches/users");
}

/// Both in full, to find the difference.
fn differences(one: &Told, many: &Told) -> String {
    let text = |told: &Told| {
        let files: Vec<String> = told.files.iter().map(|(name, text)| format!("--- {name}\n{text}\n")).collect();
        format!("{}{}", told.shown, files.concat())
    };
    let (one, many) = (text(one), text(many));
    format!("--- without batches\n{one}\n--- with batches\n{many}")
}
