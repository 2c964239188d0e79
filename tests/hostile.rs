//! A malicious host: a program that violates the protocol replaces the agent. In every case, that host is unreachable
//! with a reason, all others finish, and the recap and the exit code are right.
//!
//! The hostile agent is this test program itself, started where `docker exec` is expected, or behind a real sshd.

#[path = "hostile/agent.rs"]
mod agent;
mod sshd;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use agent::EVIL;

/// Not a test: the hostile agent's process. The variable names the scene.
#[test]
#[ignore = "started by the other tests"]
fn the_hostile_agent() {
    if let Ok(scene) = std::env::var("HOSTILE_SCENE") {
        agent::play(&scene);
        std::process::exit(0);
    }
}

/// A directory with a `docker` that starts the hostile agent, and an inventory of one hostile and one innocent host.
struct World(tempfile::TempDir);

impl World {
    fn new(scene: &str) -> Self {
        let world = World(tempfile::tempdir().unwrap());
        let script = world.at("bin/docker");
        fs::create_dir(world.at("bin")).unwrap();
        fs::write(&script, start(scene, &world.at("PWNED"))).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        world.write("hosts", "hostile ansible_connection=docker\ninnocent ansible_connection=local\n");
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    /// Runs a play with little memory and little patience.
    fn run(&self, tasks: &str, more: &[&str]) -> Told {
        self.write("play.yml", &format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}"));
        self.rplay(&[&["-i", "hosts", "play.yml"], more].concat())
    }

    fn rplay(&self, args: &[&str]) -> Told {
        let begun = Instant::now();
        let limited = format!("ulimit -v {}; exec \"$@\"", MEMORY >> 10);
        let output = Command::new("sh")
            .args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_rplay")])
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap_or_default()))
            .env("HOME", self.0.path())
            .env("RPLAY_STALL_TIMEOUT", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?}", begun.elapsed());
        Told::of(output)
    }
}

/// Bytes of address space that the controller may have.
const MEMORY: u64 = 4 << 30;

/// A script that plays the scene, whatever its arguments are.
fn start(scene: &str, mark: &Path) -> String {
    let own = std::env::current_exe().unwrap();
    format!(
        "#!/bin/sh\nexport HOSTILE_SCENE={scene} HOSTILE_MARK={}\nexec {} --exact the_hostile_agent --ignored --nocapture\n",
        mark.display(),
        own.display()
    )
}

/// What a person sees of a run.
struct Told {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

impl Told {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Told { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
    }

    /// The counts of a host in the recap, without the spaces that fill them up.
    fn recap(&self, host: &str) -> String {
        let line = self.stdout.lines().find(|line| line.starts_with(host) && line.contains(" : ok="));
        let line = line.unwrap_or_else(|| panic!("{host} is not in the recap of {self}"));
        line.split_whitespace().skip(2).take(4).collect::<Vec<_>>().join(" ")
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n--- stderr\n{}\n--- code {:?}", self.stdout, self.stderr, self.code)
    }
}

const TASKS: &str = "    - ping:\n    - copy:\n        content: \"{{ 'x' * 100000 }}\"\n        dest: \"{{ playbook_dir }}/copied\"\n    - command: echo done\n";

/// The host is given up for that reason, and the other one does all three tasks.
fn is_given_up(scene: &str, reason: &str) {
    let world = World::new(scene);
    let told = world.run(TASKS, &[]);
    assert!(told.stdout.contains("fatal: [hostile]: UNREACHABLE! => "), "{scene}: {told}");
    assert!(told.stdout.contains(reason), "{scene}: {told}");
    assert_eq!(told.recap("innocent"), "ok=3 changed=2 unreachable=0 failed=0", "{scene}: {told}");
    assert!(told.recap("hostile").contains("unreachable=1 failed=0"), "{scene}: {told}");
    assert_eq!(told.code, Some(4), "{scene}: {told}");
    assert!(!told.stderr.contains("panicked"), "{scene}: {told}");
}

macro_rules! given_up {
    ($($name:ident: $scene:literal => $reason:literal;)+) => {
        $(#[test] fn $name() { is_given_up($scene, $reason); })+
    };
}

given_up! {
    a_lying_length: "lying-length" => "the agent on hostile broke the protocol: it announced a reply of 4294967295 bytes";
    a_length_cut_in_two: "cut-length" => "broke the protocol: it stopped in the middle of a reply: no data for 1 s";
    a_frame_cut_in_two: "cut-frame" => "broke the protocol: it stopped in the middle of a reply";
    a_large_frame_cut_in_two: "huge-trickle" => "broke the protocol: it stopped in the middle of a reply";
    random_bytes_in_a_frame: "garbled" => "broke the protocol: a reply cannot be decoded";
    bytes_behind_a_reply: "trailing" => "broke the protocol: a reply cannot be decoded";
    random_bytes_without_end: "noise" => "broke the protocol: ";
    nesting: "deep" => "broke the protocol: a reply is nested deeper than the 256 levels allowed";
    thirty_million_values: "wide" => "broke the protocol: a reply holds more than the";
    an_outcome_without_end: "endless-parts" => "broke the protocol: the outcome of a call is longer than the";
    content_for_a_batch_of_nobody: "unasked-content" => "which it was never sent or has already answered";
    hanging_up: "hang-up" => "the connection to hostile was lost";
    a_second_hello: "second-hello" => "broke the protocol: it sent a second hello";
    something_before_hello: "no-hello" => "broke the protocol: it sent something else before its hello";
    a_hello_cut_in_two: "cut-hello" => "broke the protocol: it stopped in the middle of a reply";
    an_answer_before_any_question: "unasked" => "broke the protocol: it answered ";
    an_answer_for_a_batch_of_nobody: "unknown-batch" => "which it was never sent or has already answered";
    an_answer_for_a_call_of_nobody: "wrong-index" => "broke the protocol: it answered call 4000000000";
    a_batch_of_nobody_stopped: "stopped-unknown" => "broke the protocol: it answered for batch 0";
    content_that_nobody_offered: "never-offered" => "broke the protocol: it asked for content that was never offered";
    content_by_a_path: "wants-a-path" => "broke the protocol: it asked for content that was never offered";
    content_without_end: "wants-too-much" => "broke the protocol: it asked for more than 1024 contents";
    a_banner_without_end: "endless-banner" => "hostile keeps printing instead of starting the agent";
    a_line_without_end: "endless-line" => "hostile did not report its processor architecture";
}

/// The first answer counts, and comes before the second one breaks the protocol.
#[test]
fn a_call_answered_twice() {
    let told = World::new("twice").run(TASKS, &[]);
    assert!(told.stdout.contains("UNREACHABLE! => "), "{told}");
    assert!(told.stdout.contains("the agent on hostile broke the protocol: it answered "), "{told}");
    assert_eq!((told.code, &*told.recap("innocent")), (Some(4), "ok=3 changed=2 unreachable=0 failed=0"), "{told}");
}

/// An agent may take as long as its work does; only the task's own limit bounds that.
#[test]
fn an_agent_that_never_answers_ends_with_the_task_s_time() {
    for scene in ["never-answers", "reads-nothing"] {
        let tasks = "    - copy:\n        content: \"{{ 'x' * 3000000 }}\"\n        dest: \"{{ playbook_dir }}/copied\"\n      timeout: 2\n";
        let told = World::new(scene).run(tasks, &[]);
        assert!(told.stdout.contains("Timed out after 2 second(s)."), "{told}");
        assert_eq!((told.code, &*told.recap("innocent")), (Some(2), "ok=1 changed=1 unreachable=0 failed=0"), "{told}");
    }
}

#[test]
fn endless_standard_error_does_not_affect_the_controller() {
    let told = World::new("endless-stderr").run(TASKS, &[]);
    assert_eq!(told.code, Some(0), "{told}");
    assert!(told.stderr.len() < 10_000, "{}", told.stderr.len());
}

#[test]
fn floods_of_warnings_and_changes_are_cut() {
    let told = World::new("floods").run("    - ping:\n", &["-v"]);
    assert_eq!(told.code, Some(0), "{told}");
    assert!(told.stderr.contains("and 99900 more warnings"), "{}", told.stderr);
    assert!(told.stderr.lines().count() < 110, "a warning passes for more than a line");
    assert!(told.stdout.contains("and 90000 more changes"));
}

#[test]
fn no_host_sets_a_variable_that_steers() {
    let world = World::new("names");
    world.write(
        "play.yml",
        r#"
- hosts: hostile
  gather_facts: false
  vars: { mark: "{{ playbook_dir }}/PWNED" }
  tasks:
    - ping:
    - assert: { that: plain is not defined }
    - setup:
    - service_facts:
    - getent: { database: passwd }
    - ping:
    # As Ansible: what is no setting is a fact of any module that brings facts, and data.
    - assert:
        that:
          - ansible_connection == 'docker'
          - ansible_host is not defined or ansible_host == 'hostile'
          - ansible_ssh_common_args is not defined
          - ansible_ssh_executable is not defined
          - ansible_become is not defined
          - ansible_python_interpreter is not defined
          - ansible_delegated_vars is not defined
          - inventory_hostname == 'hostile'
          - role_path is not defined
          - groups.all | length == 2
          - ansible_distribution == 'Hostile'
          - ansible_ssh_host_key_rsa_public == 'AAAA'
          - ansible_facts.connection == 'local'
          - hostvars.hostile.ansible_connection == 'docker'
          - plain is search('lookup')
          - lookup('env', 'HOME') == playbook_dir
    - set_fact: { ansible_user: chosen }
    - assert: { that: ansible_user == 'chosen' }
- hosts: innocent
  gather_facts: false
  tasks:
    - ping:
      delegate_to: hostile
      delegate_facts: true
    - service_facts:
      delegate_to: hostile
    - assert:
        that:
          - ansible_connection == 'local'
          - ansible_become is not defined
          - hostvars.hostile.ansible_connection == 'docker'
    - command: "true"
"#,
    );
    let told = world.rplay(&["-i", "hosts", "play.yml"]);
    assert_eq!(told.code, Some(0), "{told}");
    assert!(!world.at("PWNED").exists(), "{told}");
    let warned = told.stderr.matches("dropped variables from the facts of hostile that a host may not set").count();
    assert!((1..=3).contains(&warned), "{told}");
    assert!(told.stderr.contains("ansible_connection"), "{told}");
}

#[test]
fn what_a_host_says_does_not_reach_the_terminal_as_commands() {
    let harmless = |told: &Told| {
        for text in [&told.stdout, &told.stderr] {
            let bad = |c: char| {
                !matches!(c, '\n' | '\t') && c.is_control()
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!text.contains(bad), "{:?} in {text:?}", text.split(bad).next());
        }
    };
    let world = World::new("escapes");
    let tasks = "    - command: x\n      register: r\n    - debug: { var: r }\n    - name: \"{{ r.stdout }}\"\n      debug: { msg: \"{{ r.stdout }}\" }\n      loop: [\"{{ r.stdout }}\"]\n    - fail: { msg: \"{{ r.stdout }}\" }\n      ignore_errors: true\n    - ping:\n      delegate_to: \"{{ r.stdout }}\"\n      ignore_unreachable: true\n      vars: { ansible_connection: local }\n    - add_host: { name: \"{{ r.stdout }}\" }\n    - group_by: { key: \"{{ r.stdout }}\" }\n    - set_stats: { data: { x: \"{{ r.stdout }}\" } }\n    - include_tasks: \"{{ r.stdout }}\"\n      ignore_errors: true\n";
    for more in [&["--limit", "hostile"][..], &["--limit", "hostile", "-vvvv", "--diff"]] {
        let told = world.run(tasks, more);
        assert!(told.stdout.contains("evil"), "{told}");
        harmless(&told);
    }
    for format in ["yaml", "json"] {
        world.write(
            "ansible.cfg",
            &format!("[defaults]\ncallback_result_format = {format}\nshow_custom_stats = true\n"),
        );
        harmless(&world.run(tasks, &["--limit", "hostile", "-v"]));
    }
    for more in
        [&["-m", "command", "-a", "x"][..], &["-m", "command", "-a", "x", "-o"], &["-m", "ping"], &["-m", "ping", "-o"]]
    {
        let told = world.rplay(&[&["adhoc", "-i", "hosts", "hostile"], more].concat());
        assert!(told.stdout.contains("evil"), "{told}");
        harmless(&told);
    }
    let failing = World::new("escapes-in-failure");
    for more in [&["--limit", "hostile"][..], &["--limit", "hostile", "-vvvv"]] {
        let told = failing.run("    - ping:\n", more);
        assert!(told.stdout.contains("evil"), "{told}");
        harmless(&told);
    }
    harmless(&failing.rplay(&["adhoc", "-i", "hosts", "hostile", "-m", "command", "-a", "x"]));
    // Inventories and playbooks come from elsewhere, too.
    world.write("play.yml", &format!("- name: \"{0}\"\n  hosts: all\n  gather_facts: false\n  tasks:\n    - name: \"{0}\"\n      no_such_module: \"{0}\"\n", EVIL.escape_unicode().to_string().replace("\\u{", "\\U{").replace("\\U{", "\\x").replace('}', "")));
    harmless(&world.rplay(&["-i", "hosts", "play.yml"]));
}

/// The task alone determines where content is stored.
#[test]
fn fetched_content_is_stored_where_the_task_says() {
    let world = World::new("elsewhere");
    let told = world.run("    - fetch: { src: /a/b, dest: got/ }\n", &["--limit", "hostile"]);
    assert_eq!(told.code, Some(0), "{told}");
    assert_eq!(fs::read_to_string(world.at("got/hostile/a/b")).unwrap(), "PWNED", "{told}");
    assert!(!world.at("escaped").exists() && !Path::new("/tmp/escaped").exists());
}

/// The same over a real connection: ssh, a login shell, the hostile program instead of the agent.
#[test]
fn behind_a_real_sshd() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("shell");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&script, start("deep", &directory.path().join("PWNED"))).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let Some(sshd) = sshd::Sshd::start(&format!("ForceCommand {}", script.display())) else { return };
    let world = World::new("deep");
    world.write(
        "hosts",
        &format!(
            "hostile ansible_host=127.0.0.1 ansible_port={} ansible_ssh_private_key_file={} ansible_ssh_common_args='-F \
             /dev/null -o UserKnownHostsFile={} -o IdentitiesOnly=yes'\ninnocent ansible_connection=local\n",
            sshd.port,
            sshd.at("user").display(),
            sshd.at("known_hosts").display()
        ),
    );
    let told = world.run(TASKS, &[]);
    assert!(told.stdout.contains("broke the protocol: a reply is nested deeper"), "{told}");
    assert_eq!((told.code, &*told.recap("innocent")), (Some(4), "ok=3 changed=2 unreachable=0 failed=0"), "{told}");
}
