//! Runs that end early: by signals, bugs of rplay itself, and readers that stop reading.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const HEAD: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n  - {name: first, debug: {msg: x}}\n";

/// What is left of a run that has ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn shows(&self) -> String {
        format!("{:?}\n{}--- standard error\n{}", self.code, self.out, self.err)
    }
}

fn rplay(directory: &Path, play: &str, hosts: &str) -> Command {
    fs::write(directory.join("play.yml"), play).unwrap();
    fs::write(directory.join("hosts"), hosts).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
        command.env_remove(name);
    }
    command.args(["-i", "hosts", "play.yml"]).current_dir(directory).env("XDG_RUNTIME_DIR", directory);
    command.env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Sends a signal once the output has a word in it, and waits for the end.
fn signalled(mut command: Command, word: &str, signal: Signal) -> Ended {
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut seen = Vec::new();
    // A prompt has no line end.
    while !String::from_utf8_lossy(&seen).contains(word) {
        let piece = out.fill_buf().unwrap();
        assert!(!piece.is_empty(), "it ended by itself: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(piece);
        let length = piece.len();
        out.consume(length);
    }
    // While the next task runs.
    std::thread::sleep(Duration::from_millis(100));
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    let begun = Instant::now();
    let _input = child.stdin.take();
    out.read_to_end(&mut seen).unwrap();
    let ended = ended(child, seen);
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}\n{}", begun.elapsed(), ended.shows());
    ended
}

fn ended(mut child: Child, out: Vec<u8>) -> Ended {
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let status = child.wait().unwrap();
    assert!(status.signal().is_none(), "killed by {:?}\n{err}", status.signal());
    Ended { code: status.code(), out: String::from_utf8_lossy(&out).into_owned(), err }
}

/// Plays whose second task takes long, in several ways.
const LONG: [(&str, &str, &str); 6] = [
    ("a command", "command: sleep 60", "TASK [long"),
    ("a pause", "pause: {seconds: 60}", "TASK [long"),
    ("a retry", "command: 'false', retries: 60, delay: 60", "RETRYING"),
    ("a background task", "command: sleep 60, async: 60, poll: 1", "TASK [long"),
    (
        "templates",
        "debug: {msg: '{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}'}",
        "\"msg\": \"x\"",
    ),
    ("a connection", "ping: , delegate_to: far", "TASK [long"),
];

#[test]
fn an_interrupt_shows_what_is_known() {
    for (what, task, word) in LONG {
        let directory = tempfile::tempdir().unwrap();
        // Simulates an ssh that cannot connect.
        let ssh = directory.path().join("ssh");
        fs::write(&ssh, "#!/bin/sh\nexec sleep 60\n").unwrap();
        fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let hosts = format!(
            "a ansible_connection=local\n[away]\nfar ansible_host=127.0.0.1 ansible_ssh_executable={}\n",
            ssh.display()
        );
        let play = format!("{}  - {{name: long, {task}}}\n", HEAD.replace("all", "a"));
        let ended = signalled(rplay(directory.path(), &play, &hosts), word, Signal::SIGINT);
        assert_eq!(ended.code, Some(99), "{what}: {}", ended.shows());
        assert!(ended.err.contains("[ERROR]: User interrupted execution\n"), "{what}: {}", ended.shows());
        let recap = ended.out.split_once("PLAY RECAP").map(|(_, recap)| recap).unwrap_or_default();
        assert!(recap.contains("ok=1 "), "{what}: {}", ended.shows());
    }
}

#[test]
fn an_interrupt_at_a_prompt() {
    let directory = tempfile::tempdir().unwrap();
    let play = HEAD.replace("  tasks:", "  vars_prompt: [{name: x, prompt: What, private: false}]\n  tasks:");
    let ended = signalled(rplay(directory.path(), &play, "a ansible_connection=local\n"), "What: ", Signal::SIGINT);
    assert_eq!(ended.code, Some(99), "{}", ended.shows());
}

#[test]
fn other_signals_end_a_run_in_the_same_way() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let directory = tempfile::tempdir().unwrap();
        let play = format!("{HEAD}  - {{name: long, command: sleep 60}}\n");
        let ended = signalled(rplay(directory.path(), &play, "a ansible_connection=local\n"), "TASK [long", signal);
        assert_eq!(ended.code, Some(code), "{}", ended.shows());
        assert!(ended.out.contains("PLAY RECAP") && ended.out.contains("ok=1 "), "{}", ended.shows());
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let play = format!("{HEAD}  - {{name: long, command: sleep 1}}\n");
    let inner = rplay(directory.path(), &play, "a ansible_connection=local\n");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(directory.path()).env("XDG_RUNTIME_DIR", directory.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = signalled(command, "TASK [long", Signal::SIGHUP);
    assert_eq!(ended.code, Some(0), "{}", ended.shows());
}

/// Only debug builds have the places where a test can cause a panic.
#[test]
#[cfg(debug_assertions)]
fn a_panic_of_rplay_shows_what_is_known() {
    for place in ["task", "render", "link", "report"] {
        let directory = tempfile::tempdir().unwrap();
        let play = "- hosts: all\n  gather_facts: false\n  tasks:\n  - {name: first, command: 'true'}\n";
        let mut command = rplay(directory.path(), play, "a ansible_connection=local\nb ansible_connection=local\n");
        let mut child = command.env("RPLAY_TEST_PANIC", place).spawn().unwrap();
        let mut out = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        let ended = ended(child, out);
        assert_eq!(ended.code, Some(250), "{place}: {}", ended.shows());
        assert!(ended.err.contains("[ERROR]: internal error"), "{place}: {}", ended.shows());
        assert!(!ended.err.contains("panicked"), "{place}: {}", ended.shows());
        assert!(ended.out.contains("PLAY RECAP"), "{place}: {}", ended.shows());
    }
}

#[test]
fn a_closed_output_is_not_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let play = format!("{HEAD}  - {{name: many, debug: {{msg: x}}, loop: '{{{{ range(3000) | list }}}}'}}\n");
    let lists: [&[&str]; 4] = [
        &["doc", "--schema"],
        &["inventory", "-i", "hosts", "--list"],
        &["-i", "hosts", "play.yml", "--list-tasks"],
        &["-i", "hosts", "play.yml"],
    ];
    let more: String = (0..5000).map(|host| format!("host-of-the-test-{host}\n")).collect();
    for words in lists {
        let hosts = if words[0] == "inventory" { more.as_str() } else { "a ansible_connection=local\n" };
        let mut command = rplay(directory.path(), &play, hosts);
        let mut plain = Command::new(command.get_program());
        plain.args(words).current_dir(directory.path()).env("XDG_RUNTIME_DIR", directory.path());
        command = plain;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = ended(child, Vec::new());
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.shows());
        assert_eq!(ended.err, "", "{words:?}");
    }
}

/// With `retry_files_enabled`, the hosts that a playbook lost are in a file that `--limit` reads.
#[test]
fn lost_hosts_are_written_to_a_retry_file() {
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n  - fail:\n    when: inventory_hostname != 'b'\n";
    let hosts = "c ansible_connection=local\nb ansible_connection=local\na ansible_connection=local\n";
    let directory = tempfile::tempdir().unwrap();
    let run = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = rplay(directory.path(), play, hosts);
        let output = command.envs(variables.iter().copied()).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let file = fs::canonicalize(directory.path()).unwrap().join("play.retry");
    assert!(!run(&[], &[]).contains("to retry"));
    assert!(!file.exists());

    let on = ("ANSIBLE_RETRY_FILES_ENABLED", "1");
    let said = run(&[on], &[]);
    assert!(said.contains(&format!("\n\tto retry, use: --limit @{}\n\nPLAY RECAP", file.display())), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "a\nc\n");
    let said = run(&[], &["--limit", &format!("@{}", file.display())]);
    assert!(said.contains("a  ") && said.contains("c  ") && !said.contains("b  "), "{said}");

    let said = run(&[on, ("ANSIBLE_RETRY_FILES_SAVE_PATH", "some/where")], &[]);
    assert_eq!(fs::read_to_string(directory.path().join("some/where/play.retry")).unwrap(), "a\nc\n", "{said}");
    let said = run(&[on, ("ANSIBLE_RETRY_FILES_SAVE_PATH", "/dev/null/x")], &[]);
    assert!(said.contains("Could not create retry file '/dev/null/x/play.retry'."), "{said}");

    fs::remove_file(&file).unwrap();
    assert!(!run(&[on], &["--limit", "b"]).contains("to retry"));
    assert!(!file.exists());
}
