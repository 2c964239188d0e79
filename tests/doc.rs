//! `rplay doc` documents a collection's content as `ansible-doc` does. `tests/doc/record.sh` records what that prints.

use std::{fmt::Write, fs, path::Path, process::Command};

#[test]
fn documentation_in_files_is_shown_as_by_ansible_doc() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doc");
    let own = folder.display().to_string();
    // Under Ansible's name, as scripts call it, and without an ansible-core, since nothing here needs it.
    let links = tempfile::tempdir().unwrap();
    let tool = links.path().join("ansible-doc");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rplay"), &tool).unwrap();
    let mut wrong = Vec::new();
    for line in fs::read_to_string(folder.join("cases.txt")).unwrap().lines() {
        let (name, options) = line.split_once(' ').unwrap();
        let output = Command::new(&tool)
            .args(["--playbook-dir", "."])
            .args(options.split(' '))
            .current_dir(&folder)
            .env_clear()
            .env("HOME", links.path())
            .env("RPLAY_ANSIBLE_PYTHON", "/nonexistent")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).replace(&own, "HERE");
        let expected = fs::read_to_string(folder.join("expected").join(name)).unwrap();
        if said.trim_end() != expected.trim_end() {
            let pair = said.lines().zip(expected.lines()).find(|(said, expected)| said != expected);
            let stderr = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!(
                "{line}: {pair:#?}\n{} and {} lines\n{stderr}",
                said.lines().count(),
                expected.lines().count()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each example of a filter, test or lookup has the documented value.
#[test]
fn examples_of_built_in_plugins_are_right() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/cli/doc/plugins.tsv");
    let mut play = "- hosts: localhost\n  gather_facts: false\n  tasks:\n".to_owned();
    let mut count = 0;
    for line in fs::read_to_string(table).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, name, _, _, example, value] = fields[..] else { continue };
        if value.is_empty() {
            continue;
        }
        let quoted = |text: String| serde_json::to_string(&text).unwrap();
        let shown = quoted(format!("{{{{ {example} }}}}"));
        writeln!(play, "  - name: {}", quoted(format!("{kind} {name}: {example}"))).unwrap();
        writeln!(
            play,
            "    assert: {{that: shown | to_json == expected | to_json, fail_msg: 'it gives {{{{ shown }}}}'}}"
        )
        .unwrap();
        writeln!(play, "    vars: {{shown: {shown}, expected: {value}}}").unwrap();
        writeln!(play, "    ignore_errors: true").unwrap();
        count += 1;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("play.yml"), play).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
    command.args(["-c", "local", "play.yml"]).current_dir(folder.path()).env_clear().env("PATH", "/usr/bin:/bin");
    let output = command.env("RPLAY_ANSIBLE_PYTHON", "/nonexistent").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("ok={count} ")) && said.contains("ignored=0"), "{said}");
}
