//! `rplay init`: the project that it makes runs, here and under ansible-lint.

use std::{fs, path::Path, process::Command};

use crate::seen;

fn rplay(directory: &Path, args: &[&str]) -> (String, Option<i32>) {
    let output = seen::rplay().args(args).current_dir(directory).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.code())
}

#[test]
fn a_new_project_runs_in_check_mode_and_for_real() {
    let directory = tempfile::tempdir().unwrap();
    let (text, code) = rplay(directory.path(), &["init", "shop"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("shop/site.yml\n") && text.contains("cd shop && rplay --check --diff"), "{text}");
    let project = directory.path().join("shop");
    let written = directory.path().join("greeting.txt");
    let path = format!("greeting_path={}", written.display());

    let (text, code) = rplay(&project, &["--check", "--diff", "-e", &path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("+Hello from localhost, which runs ") && text.contains("changed=1"), "{text}");
    assert!(!written.exists());
    let (text, code) = rplay(&project, &["-e", &path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(fs::read_to_string(&written).unwrap().starts_with("Hello from localhost, which runs "));
    let (text, _) = rplay(&project, &["-e", &path]);
    assert!(text.contains("changed=0"), "the second run changes nothing: {text}");
}

#[test]
fn editors_find_the_schema() {
    let directory = tempfile::tempdir().unwrap();
    rplay(directory.path(), &["init"]);
    for (file, beside) in [("site.yml", ""), ("roles/greeting/tasks/main.yml", "roles/greeting/tasks")] {
        let text = fs::read_to_string(directory.path().join(file)).unwrap();
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let schema = fs::read_to_string(directory.path().join(beside).join(named)).unwrap();
        let (printed, _) = rplay(directory.path(), &["doc", "--schema"]);
        assert_eq!(schema, printed);
    }
}

#[test]
fn nothing_is_replaced_and_nothing_made_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("site.yml"), "mine").unwrap();
    let (text, code) = rplay(directory.path(), &["init"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("./site.yml exists already") && text.contains("nothing was made"), "{text}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(directory.path().join("site.yml")).unwrap(), "mine");
}

/// With the ansible-lint that ANSIBLE_LINT names, or that of PATH; where there is none, this is skipped.
#[test]
fn ansible_lint_finds_nothing() {
    let lint = std::env::var_os("ANSIBLE_LINT").unwrap_or_else(|| "ansible-lint".into());
    if Command::new(&lint).arg("--version").output().is_err() {
        eprintln!("skipped: no ansible-lint");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    rplay(directory.path(), &["init"]);
    let output =
        Command::new(lint).args(["-q", "--offline", "--profile", "production"]).current_dir(directory.path()).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}
