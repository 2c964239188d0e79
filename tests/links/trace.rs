//! `-vvvv` shows contributors what was sent where and why, and no secret.

use std::{fs, path::Path, process::Command};

use rplay::vault::encrypt;

use crate::sshd::{self, Sshd};

const PLAY: &str = "
- hosts: web
  gather_facts: false
  vars_files: [secret.yml]
  tasks:
    - copy: {content: '{{ planted }}', dest: '{{ directory }}/one', mode: '0600'}
    - command: 'echo zk9q-argument'
    - file: {path: '{{ directory }}/one', state: absent}
      register: removed
    - debug: {msg: '{{ removed.changed }}'}
";

/// Runs the play with these words, and returns standard error.
fn run(sshd: &Sshd, directory: &Path, words: &[&str]) -> String {
    let output = Command::new(sshd::executable())
        .args(words)
        .args(["-i", "hosts", "play.yml", "-e"])
        .arg(format!("directory={}", directory.display()))
        .current_dir(directory)
        .env("HOME", directory)
        .env("XDG_RUNTIME_DIR", sshd.at("ctl"))
        .env("ANSIBLE_VAULT_PASSWORD_FILE", "pw")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{shown}{errors}");
    errors
}

#[test]
fn trace_lines_show_what_was_sent_and_why_look_ahead_stopped() {
    let Some(sshd) = Sshd::start("") else { return };
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(sshd.at("ctl")).unwrap();
    let common = format!(
        "-F /dev/null -o IdentitiesOnly=yes -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null",
        sshd.at("known_hosts").display()
    );
    let host = format!(
        "web ansible_host=127.0.0.1 ansible_port={} ansible_ssh_private_key_file={} ansible_ssh_common_args=\"{common} -o SetEnv=A={{{{ planted }}}}\"\n",
        sshd.port,
        sshd.at("user").display()
    );
    fs::write(at("hosts"), host).unwrap();
    fs::write(at("pw"), "zk9q-vault\n").unwrap();
    fs::write(at("secret.yml"), encrypt(b"planted: zk9q-secret\n", b"zk9q-vault", None).unwrap()).unwrap();
    fs::write(at("play.yml"), PLAY).unwrap();

    let first = run(&sshd, directory.path(), &["-vvvv"]);
    contains(
        &first,
        &[
            r#"rplay::link::ssh::master: starting ssh host="web" command=ssh -M -f -N -S"#,
            "-o 'SetEnv=A=********'",
            r#"rplay::link::ssh::master: ssh has logged in host="web""#,
            r#"rplay::link::arrival: the host has no agent: sending it host="web""#,
            r#"rplay::link::arrival: the agent that was sent has started host="web""#,
            r#"rplay::link::links: connected: the agent says hello host="web""#,
            "rplay::run::lookahead::look_ahead: look-ahead stopped: it reads what earlier tasks set \
                first=copy at play.yml:6 together=3 hosts=1 at=debug at play.yml:10",
            r#"rplay::link::conversation: sending a batch host="web" batch=1 calls=3"#,
            "modules=copy, command, file",
            r#"rplay::link::conversation: a call was answered host="web" batch=1 call=2 changed=true failed=false"#,
        ],
    );
    let second = run(&sshd, directory.path(), &["-vvvv"]);
    contains(
        &second,
        &[
            r#"rplay::link::ssh: found the ssh connection of an earlier run or task host="web""#,
            r#"rplay::link::arrival: found the agent on the host host="web""#,
        ],
    );
    assert!(!run(&sshd, directory.path(), &["-vvv"]).contains(" rplay::"));
    for errors in [first, second] {
        assert!(!errors.contains("zk9q"), "{errors}");
    }
}

fn contains(errors: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(errors.contains(wanted), "{wanted}\n{errors}");
    }
}
