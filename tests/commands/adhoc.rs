//! `rplay adhoc` with the actions that bring other tasks.

use std::process::{Command, Stdio};

fn adhoc(directory: &std::path::Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
    command.args(["adhoc", "a", "-i", "a,", "-c", "local"]).args(args).current_dir(directory).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn roles_and_task_files_are_included_and_imported() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("roles/r/tasks")).unwrap();
    std::fs::write(directory.path().join("roles/r/tasks/main.yml"), "- debug: {msg: of the role}\n").unwrap();
    std::fs::write(directory.path().join("t.yml"), "- command: echo of the file\n").unwrap();
    // As ansible-core 2.19 shows them: an include has a result of its own, an import has none.
    let role = "a | SUCCESS => {\n    \"msg\": \"of the role\"\n}\n";
    let file = "a | CHANGED | rc=0 >>\nof the file\n";
    let included =
        "a | SUCCESS => {\n    \"changed\": false,\n    \"include\": \"t.yml\",\n    \"include_args\": {}\n}\n";
    let named =
        "a | SUCCESS => {\n    \"changed\": false,\n    \"include_args\": {\n        \"name\": \"r\"\n    }\n}\n";
    for (module, args, shown) in [
        ("include_role", "name=r", format!("{named}{role}")),
        ("ansible.builtin.import_role", "name=r", role.to_owned()),
        ("include_tasks", "t.yml", format!("{included}{file}")),
        ("import_tasks", "t.yml", file.to_owned()),
    ] {
        assert_eq!(adhoc(directory.path(), &["-m", module, "-a", args]), (Some(0), shown), "{module}");
    }
    let (code, told) = adhoc(directory.path(), &["-m", "import_playbook", "-a", "t.yml"]);
    assert_eq!(code, Some(5), "{told}");
    assert!(told.contains("'import_playbook' is not a valid action for ad-hoc commands"), "{told}");
}

/// Variables of an encrypted file are hidden, whatever the task asks for.
#[test]
fn variables_of_an_encrypted_file_are_hidden() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("password"), "pw\n").unwrap();
    std::fs::create_dir(directory.path().join("dir")).unwrap();
    std::fs::write(directory.path().join("dir/plain.yml"), "open: shown\n").unwrap();
    std::fs::write(directory.path().join("dir/secret.yml"), "closed: zk9q-secret\n").unwrap();
    let args = ["-m", "include_vars", "-a", "dir=dir", "--vault-password-file", "password"];
    let (code, told) = adhoc(directory.path(), &args);
    assert!(code == Some(0) && told.contains("plain.yml"), "{told}");
    let mut vault = Command::new(env!("CARGO_BIN_EXE_rplay"));
    vault
        .args(["vault", "encrypt", "--vault-password-file", "password", "dir/secret.yml"])
        .current_dir(directory.path());
    assert!(vault.output().unwrap().status.success());
    let (code, told) = adhoc(directory.path(), &args);
    assert!(code == Some(0) && told.contains("output has been hidden") && !told.contains("zk9q"), "{told}");
}

/// A task may write anything, so not even -vvv shows it among the arguments.
#[test]
fn the_content_of_a_copy_is_not_shown_as_an_argument() {
    let directory = tempfile::tempdir().unwrap();
    for more in [&["--check"][..], &[]] {
        let args = [&["-m", "copy", "-a", "content=zk9q-written dest=f", "-vvv"], more].concat();
        let (code, told) = adhoc(directory.path(), &args);
        assert!(code == Some(0) && told.contains("\"invocation\"") && !told.contains("zk9q"), "{told}");
        assert!(!told.contains("\"_content\""), "{told}");
    }
}

/// As in ansible-core: 5 for arguments that are no mapping, 4 for unreadable ones, 2 for a module that nobody knows.
#[test]
fn exit_codes_tell_misuse_from_failure() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("list.yml"), "- 1\n").unwrap();
    let cases: [(&[&str], i32); 6] = [
        (&["-m", "debug", "-e", "[1]"], 5),
        (&["-m", "debug", "-e", "@list.yml"], 5),
        (&["-m", "debug", "-e", "/x"], 5),
        (&["-m", "debug", "-e", "[1"], 4),
        (&["-m", "debug", "-e", "@missing.yml"], 1),
        (&["-m", "nope"], 2),
    ];
    for (args, expected) in cases {
        let (code, told) = adhoc(directory.path(), args);
        assert_eq!(code, Some(expected), "{args:?}\n{told}");
    }
}
