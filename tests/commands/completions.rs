//! Completions: shells complete what the project has.

use std::{fs, path::Path, process::Command};

use crate::seen;

fn project() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("ansible.cfg", "[defaults]\ninventory = hosts\n");
    write("hosts", "[web]\nweb1\nweb2\n[db]\ndb1\n");
    write("shop.yml", "- hosts: all\n  tasks:\n    - debug:\n      tags: [deploy, drain]\n");
    directory
}

#[test]
fn words_are_those_of_the_project() {
    let directory = project();
    let words = |kind: &str| {
        let output = seen::rplay().args(["self", "words", kind]).current_dir(directory.path()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(words("hosts"), "all\ndb\ndb1\nungrouped\nweb\nweb1\nweb2\n");
    assert_eq!(words("tags"), "deploy\ndrain\n");
    assert_eq!(words("playbooks"), "shop.yml\n");
    assert!(words("modules").contains("\ncopy\n"));
    // The inventory of the command line: a directory, or a list.
    fs::create_dir_all(directory.path().join("stage/group_vars")).unwrap();
    fs::write(directory.path().join("stage/group_vars/all.yml"), "a: 1\n").unwrap();
    fs::write(directory.path().join("stage/hosts"), "stage1\n").unwrap();
    let of_line = |line: &str| {
        let words = ["self", "words", "hosts", "--"].into_iter().chain(line.split(' '));
        let output = seen::rplay().args(words).current_dir(directory.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(of_line("rplay -i stage site.yml -l"), "all\nstage1\nungrouped\n");
    assert_eq!(of_line("rplay --inventory = x,y, site.yml -l"), "all\nungrouped\nx\ny\n");
}

/// What bash completes after these words.
fn completed(directory: &Path, words: &[&str]) -> String {
    let executable = std::path::PathBuf::from(seen::rplay().get_program());
    let path = format!("{}:/usr/bin:/bin", executable.parent().unwrap().display());
    let script = r#"
        source <(rplay self completions bash) || exit
        COMP_WORDS=(rplay "$@") COMP_CWORD=$#
        _rplay_project rplay "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        echo "${COMPREPLY[*]}"
    "#;
    let output =
        Command::new("bash").args(["-c", script, "bash"]).args(words).env("PATH", path).current_dir(directory).output();
    let output = output.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn bash_completes_hosts_tags_modules_playbooks() {
    let directory = project();
    let directory = directory.path();
    assert_eq!(completed(directory, &["shop.yml", "-l", "web"]), "web web1 web2");
    assert_eq!(completed(directory, &["shop.yml", "--limit", "web1,d"]), "web1,db web1,db1");
    assert_eq!(completed(directory, &["shop.yml", "--tags", "de"]), "deploy");
    assert_eq!(completed(directory, &["shop.yml", "--limit", "=", "web"]), "web web1 web2");
    assert_eq!(completed(directory, &["-i", "x1,x2,", "shop.yml", "-l", "x"]), "x1 x2");
    assert_eq!(completed(directory, &["sh"]), "shop.yml");
    assert_eq!(completed(directory, &["shop.yml", "s"]), "shop.yml", "and not `self`");
    assert_eq!(completed(directory, &["-i", "x1,x2,", "adhoc", "x"]), "x1 x2");
    assert_eq!(completed(directory, &["adhoc", "db"]), "db db1");
    assert!(completed(directory, &["doc", "cop"]).contains("copy"));
    assert!(completed(directory, &["adhoc", "all", "-m", "pin"]).contains("ping"));
    assert!(completed(directory, &["--start"]).contains("--start-at-task"), "what clap knows stays");
}

/// Where they are installed, the other shells read their scripts.
#[test]
fn scripts_are_read_by_their_shells() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = seen::rplay().args(["self", "completions", shell]).output().unwrap();
        let path = directory.path().join(shell);
        fs::write(&path, output.stdout).unwrap();
        match Command::new(shell).arg("-n").arg(&path).output() {
            Ok(read) => assert!(read.status.success(), "{shell}: {}", String::from_utf8_lossy(&read.stderr)),
            Err(_) => eprintln!("skipped: no {shell}"),
        }
    }
}

/// Asks fish, where it is installed.
#[test]
fn fish_completes_what_it_is_asked() {
    let script = "rplay self completions fish | source; complete -C $argv[1]";
    let executable = std::path::PathBuf::from(seen::rplay().get_program());
    let path = format!("{}:/usr/bin:/bin", executable.parent().unwrap().display());
    if Command::new("fish").arg("--version").output().is_err() {
        eprintln!("skipped: no fish");
        return;
    }
    let directory = project();
    for (line, expected) in [
        ("rplay shop.yml -l d", "db1"),
        ("rplay shop.yml --limit=web1,d", "web1,db1"),
        ("rplay adhoc d", "db1"),
        ("rplay adhoc all -m pin", "ping"),
        ("rplay doc cop", "copy"),
        ("rplay shop.yml --tags deploy,dr", "deploy,drain"),
        ("rplay -i x1,x2, adhoc x", "x2"),
    ] {
        let mut command = Command::new("fish");
        command.args(["-N", "-c", script, line]).env("PATH", &path).env("HOME", directory.path());
        let output = command.current_dir(directory.path()).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains(expected), "{line}: {shown} {}", String::from_utf8_lossy(&output.stderr));
    }
}
