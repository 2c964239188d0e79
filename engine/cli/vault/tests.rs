//! Tests of `rplay vault`.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::args::{Cli, Command};

fn config(directory: &Path) -> Config {
    Config::read(&rplay::config::ConfigInputs { env: &|_| None, directory }).unwrap().0
}

fn vault(directory: &Path, words: &[&str], mut input: &[u8]) -> Result<String, String> {
    let words = ["rplay", "vault"].iter().chain(words);
    let Some(Command::Vault(args)) = Cli::read(words).unwrap().command else { panic!("not vault") };
    run(&args, &config(directory), &mut input)
        .map(|shown| String::from_utf8(shown.text).unwrap())
        .map_err(|ended| ended.problems.0[0].to_string())
}

#[test]
fn files_are_encrypted_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("pw"), "secret\n").unwrap();
    std::fs::write(path("file"), "a: 1\n").unwrap();
    std::fs::set_permissions(path("file"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let (file, pw) = (path("file"), path("pw"));
    let run = |action: &str| vault(directory.path(), &[action, &file, "--vault-password-file", &pw], b"");
    assert_eq!(run("encrypt").unwrap(), "");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert!(run("encrypt").unwrap_err().contains("already encrypted"));
    assert_eq!(run("view").unwrap(), "a: 1\n");
    run("decrypt").unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a: 1\n");
    assert!(run("decrypt").unwrap_err().contains("Input is not vault encrypted data"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
}

/// Only the user who encrypts or decrypts a file can read it then; a new password changes nothing about who can.
#[test]
fn modes_are_those_that_ansible_vault_sets() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("pw"), "secret\n").unwrap();
    std::fs::write(path("file"), "a: 1\n").unwrap();
    let (file, pw) = (path("file"), path("pw"));
    for (action, after) in [("encrypt", 0o600), ("rekey", 0o644), ("decrypt", 0o600)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut words = vec![action, &file, "--vault-password-file", &pw];
        if action == "rekey" {
            words.extend(["--new-vault-password-file", &pw]);
        }
        vault(directory.path(), &words, b"").unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, after, "{action}");
    }
    let out = path("out");
    std::fs::write(&out, "").unwrap();
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o644)).unwrap();
    files::write(Path::new(&out), b"a: 1\n").unwrap();
    assert_eq!(std::fs::metadata(&out).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn values_are_encrypted_for_use_in_yaml() {
    let directory = tempfile::tempdir().unwrap();
    let pw = directory.path().join("pw").display().to_string();
    std::fs::write(&pw, "secret\n").unwrap();
    let id = format!("dev@{pw}");
    let text = vault(directory.path(), &["encrypt-string", "-n", "key", "--vault-id", &id], b"hunter2").unwrap();
    assert!(text.starts_with("key: !vault |\n          $ANSIBLE_VAULT;1.2;AES256;dev\n          "), "{text}");
    let envelope: String = text.lines().skip(1).map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(vault(directory.path(), &["decrypt", "--vault-id", &id], envelope.as_bytes()).unwrap(), "hunter2");
    let none = vault(directory.path(), &["encrypt", "--vault-id", &id, "--encrypt-vault-id", "ops"], b"x");
    assert_eq!(none.unwrap_err(), "Did not find a match for --encrypt-vault-id=ops in the known vault-ids ['dev']");
    let two = vault(directory.path(), &["encrypt", "--vault-id", &id, "--vault-id", &format!("ops@{pw}")], b"x");
    assert!(two.unwrap_err().starts_with("The vault-ids dev,ops are available to encrypt."));
    let both = ["encrypt_string", "--vault-id", &id, "a", "b", "-n", "x", "-n", "y"];
    let both = vault(directory.path(), &both, b"").unwrap();
    assert!(both.starts_with("x: !vault |\n") && both.contains("\ny: !vault |\n"), "{both}");
    let empty = vault(directory.path(), &["encrypt_string", "--vault-id", &id], b"").unwrap_err();
    assert_eq!(empty, "stdin was empty, not encrypting");
}

/// A file keeps its ID when it is edited, and gets the new one when its password changes.
#[test]
fn files_are_edited_and_rekeyed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("pw"), "secret\n").unwrap();
    std::fs::write(path("new"), "other\n").unwrap();
    std::fs::write(path("file"), "a: 1\n").unwrap();
    let (file, pw, new) = (path("file"), format!("dev@{}", path("pw")), path("new"));
    std::fs::write(path("ansible.cfg"), "[defaults]\neditor = sh -c 'echo b: 2 >> \"$1\"' editor\n").unwrap();
    let vault = |words: &[&str]| vault(directory.path(), words, b"");
    vault(&["encrypt", &file, "--vault-id", &pw]).unwrap();
    vault(&["edit", &file, "--vault-id", &pw]).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n"));
    assert_eq!(vault(&["view", &file, "--vault-id", &pw]).unwrap(), "a: 1\nb: 2\n");
    vault(&["rekey", &file, "--vault-id", &pw, "--new-vault-password-file", &new]).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    let output = path("plain");
    let text = vault(&["decrypt", &file, "--vault-password-file", &new, "--output", "-"]).unwrap();
    assert_eq!(text, "a: 1\nb: 2\n");
    assert!(vault(&["view", &file, "--vault-id", &pw]).unwrap_err().contains("no vault secrets were found"));
    vault(&["create", &output, "--skip-tty-check", "--vault-password-file", &new]).unwrap();
    assert_eq!(vault(&["view", &output, "--vault-password-file", &new]).unwrap(), "b: 2\n");
    let again = vault(&["create", &output, "--skip-tty-check", "--vault-password-file", &new]);
    assert!(again.unwrap_err().contains("please use 'edit' instead"));
}
