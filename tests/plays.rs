//! Whole runs: each playbook of `tests/plays`, compared with a snapshot of its whole output. A new case is a new file;
//! `# args:` in its first line adds to the command line.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// The output without what differs from run to run and from machine to machine.
fn settled(text: &str) -> String {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plays");
    let mut settled = String::new();
    for line in text.lines() {
        let mut line = line.replace(directory, "DIRECTORY");
        for name in ["start", "end", "delta"] {
            let key = format!("\"{name}\": \"");
            if let Some(at) = line.find(&key).map(|at| at + key.len())
                && let Some(length) = line[at..].find('"')
            {
                line.replace_range(at..at + length, "*");
            }
        }
        settled += &line;
        settled.push('\n');
    }
    settled
}

fn shown(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let more = text.lines().next().and_then(|line| line.strip_prefix("# args: ")).unwrap_or_default();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
    // One host after the other, so that lines come in one order; and so wide that no path is broken into lines.
    command
        .env("COLUMNS", "1000")
        .args(["-c", "local", "-f", "1"])
        .args(shell_words::split(more).unwrap())
        .arg(path.file_name().unwrap())
        .current_dir(path.parent().unwrap())
        .stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let part = |bytes: &[u8]| settled(&String::from_utf8_lossy(bytes));
    let errors = match output.stderr.is_empty() {
        true => String::new(),
        false => format!("--- standard error\n{}", part(&output.stderr)),
    };
    format!("{}{errors}--- exit code {}\n", part(&output.stdout), output.status.code().unwrap_or(-1))
}

#[test]
fn plays_are_run_and_shown() {
    insta::glob!("plays/*.yml", |path| insta::assert_snapshot!(shown(path)));
}

/// Its assertions check the result; how often it polls differs from run to run.
#[test]
fn tasks_go_on_in_the_background() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plays/background/play.yml"));
    let shown = shown(path);
    assert!(shown.ends_with("--- exit code 0\n"), "{shown}");
}

/// Its items wait for each other.
#[test]
fn items_run_side_by_side() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plays/parallel/play.yml"));
    let shown = shown(path);
    assert!(shown.ends_with("--- exit code 0\n"), "{shown}");
}

/// Its assertions check the result; where it is started from makes no difference.
#[test]
fn commands_on_the_controller_begin_in_the_directory_of_their_play() {
    for (directory, play) in [("tests/plays/directory", "play.yml"), ("tests/plays", "directory/play.yml")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let output = command.arg(play).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// As in Ansible, the address is told if it is not the name.
#[test]
fn a_delegate_is_named_with_its_address() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("hosts"), "a\nb ansible_host=b.example\nc ansible_host=c\n").unwrap();
    let play = "- hosts: a\n  gather_facts: false\n  tasks:\n  - debug: msg=x\n    delegate_to: '{{ item }}'\n    loop: [a, b, c]\n";
    std::fs::write(directory.path().join("play.yml"), play).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
    let output = command.args(["-i", "hosts", "play.yml"]).env("NO_COLOR", "1").current_dir(directory.path()).output();
    let shown = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
    for expected in ["ok: [a] =>", "ok: [a -> b(b.example)] =>", "ok: [a -> c] =>"] {
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_task_whose_results_are_all_hidden_is_not_named() {
    insta::assert_snapshot!(shown(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plays/hidden/play.yml"))));
}

#[test]
fn a_person_changes_a_failed_task_and_runs_it_again() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plays/debugger");
    let mut child = Command::new(env!("CARGO_BIN_EXE_rplay"))
        .args(["-i", "a,b", "-c", "local", "-f", "1", "play.yml"])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let typed = "p task.args\ntask.args['that'] = [true]\nr\n\
                 p task_vars['said']\ntask_vars['said'] = 'enough'\nr\n\
                 c\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    for part in
        ["[a] TASK: fails until its arguments are others (debug)> ", "{'that': False}", "'not yet'", "over on a"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    // The other host failed, since nobody changed its task.
    assert!(!told.contains("over on b") && told.contains("ok=2 "), "{told}");
    assert_eq!(output.status.code(), Some(2), "{told}");
}
