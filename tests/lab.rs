//! rplay on the lab's hosts: errors that need real ones, and modules by plays. Only with RPLAY_LAB=1, because
//! it brings up containers; RPLAY may name the executable to test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

mod seen;

/// The hosts, for one test at a time.
struct Hosts {
    _lock: nix::fcntl::Flock<fs::File>,
}

/// New hosts, or `None` with the reason printed.
fn hosts() -> Option<Hosts> {
    if std::env::var_os("RPLAY_LAB").is_none_or(|wanted| wanted != "1") {
        println!("skipped: set RPLAY_LAB=1");
        return None;
    }
    // A process for each test or a thread for each: a lock on a file knows both.
    let file = fs::File::create(std::env::temp_dir().join("rplay-lab-tests.lock")).unwrap();
    let lock = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
    script("lab", "up");
    script("passing.sh", "fresh");
    Some(Hosts { _lock: lock })
}

fn script(name: &str, word: &str) {
    let output = Command::new(lab().join(name)).arg(word).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{name} {word}: {}", String::from_utf8_lossy(&output.stderr));
}

fn lab() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab")
}

/// The recap's count of a word for a host, such as `changed`.
fn count(output: &str, host: &str, word: &str) -> u32 {
    let line = output.lines().find(|line| line.starts_with(host) && line.contains(" : ok=")).unwrap();
    let (_, rest) = line.split_once(&format!("{word}=")).unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Everything on a temporary host that might change, without what an agent leaves there.
fn state_of(host: &str) -> String {
    let script = "find / -xdev \\( -path /proc -o -path /sys -o -path /var/log -o -path /var/cache/apt -o -path '*/.cache' \
                  -o -path /var/lib/systemd -o -path /run \\) -prune -o -printf '%p %y %m %U %G %s %T@\\n' | grep -v '^/[a-z/]* d' | sort; \
                  dpkg -l; systemctl list-unit-files --no-pager; sysctl net.ipv4.ip_local_port_range";
    let output =
        Command::new("docker").args(["exec", &format!("rplay-lab-{host}"), "sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A play of `tests/lab/plays`: check mode changes nothing, a run changes something, a second run changes nothing, and
/// check mode after it reports no changes either.
fn play(name: &str) {
    let password = lab().join("errors/right-password");
    let run = |more: &str| {
        let text = format!("-i hosts.yml {name}.yml --become-password-file {} {more}", password.display());
        let text = seen::seen(&lab().join("plays"), text.trim());
        assert!(text.ends_with("exit code 0\n"), "{text}");
        text
    };
    let before = state_of("spare-1");
    let checked = run("--check --diff");
    let after = state_of("spare-1");
    let lines = differing_lines(&before, &after);
    assert!(lines.is_empty(), "check mode changed {lines:#?}");
    assert!(count(&checked, "spare-1", "changed") > 0, "{checked}");
    let first = run("");
    assert!(count(&first, "spare-1", "changed") >= count(&checked, "spare-1", "changed"), "{checked}\n{first}");
    for again in ["", "--check --diff"] {
        let text = run(again);
        assert_eq!(count(&text, "spare-1", "changed"), 0, "{text}");
    }
}

/// The lines that only one of the texts has.
fn differing_lines<'t>(one: &'t str, other: &'t str) -> Vec<&'t str> {
    let (left, right): (std::collections::HashSet<_>, std::collections::HashSet<_>) =
        (one.lines().collect(), other.lines().collect());
    left.symmetric_difference(&right).copied().collect()
}

#[test]
fn modules_change_everything_once() {
    let Some(_hosts) = hosts() else { return };
    for name in ["files", "accounts", "system"] {
        play(name);
    }
}

#[test]
fn errors_of_hosts() {
    let Some(_hosts) = hosts() else { return };
    let directory = lab().join("errors");
    let settings = seen::snapshots(&directory);
    let check = |name: &str, args: &str| {
        let text = seen::seen(&directory, &format!("-i hosts.yml {args}"));
        let port = std::env::var("LAB_SSH_PORT").unwrap_or_else(|_| "22".to_owned());
        let text = text.replace(&format!(" port {port})"), " port 22)").replace(&format!("-p {port} "), "-p 22 ");
        assert!(!text.contains("not-the-password"), "{text}");
        settings.bind(|| insta::assert_snapshot!(name, text));
    };
    check("wrong-become-password", "site.yml --become-password-file wrong-password");
    check("no-become-password", "site.yml");
    check("unknown-login", "site.yml -e ansible_user=nobody");
    check("unknown-host-key", "site.yml -e known_hosts=/dev/null");
    check("unknown-become-user", "site.yml --become-password-file right-password --become-user nosuch");

    // Killed in the middle of a task; then frozen, which only ssh's own probes reveal.
    for (name, command, limit) in [("dies", "kill", 20), ("freezes", "pause", 100)] {
        let docker = |word: &str| {
            Command::new("docker").args([word, "rplay-lab-spare-2"]).stdout(Stdio::null()).status().unwrap()
        };
        let happened = thread::scope(|scope| {
            let running = scope.spawn(|| {
                wait_for_sleep();
                (docker(command).success(), Instant::now())
            });
            check(name, "dies.yml");
            let (done, begun) = running.join().unwrap();
            assert!(begun.elapsed() < Duration::from_secs(limit), "{name}: {:?}", begun.elapsed());
            done
        });
        assert!(happened);
        if command == "pause" {
            docker("unpause");
        }
        script("passing.sh", "up");
    }
}

/// Until the task that is to be cut off runs on the second host.
fn wait_for_sleep() {
    for _ in 0..600 {
        let found = Command::new("docker").args(["exec", "rplay-lab-spare-2", "pgrep", "-f", "^sleep 60$"]).output();
        if found.is_ok_and(|output| output.status.success()) {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the task never began");
}
