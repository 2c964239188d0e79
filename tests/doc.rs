//! `rplay doc` says of a collection's content what `ansible-doc` says of it. `tests/doc/record.sh` records that.

use std::{fs, path::Path, process::Command};

#[test]
fn documentation_in_files_is_shown_as_by_ansible_doc() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doc");
    let own = folder.display().to_string();
    // By Ansible's name, as scripts call it; without an ansible-core, which nothing here needs.
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
