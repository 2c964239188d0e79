//! What a person at a terminal is asked.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
    process::{Child, Command},
};

use nix::pty::openpty;

/// A tool that has a terminal of its own.
struct Session {
    child: Child,
    terminal: File,
    shown: String,
}

impl Session {
    fn start(directory: &Path, args: &[&str]) -> Session {
        let pair = openpty(None, None).unwrap();
        let other = || pair.slave.try_clone().unwrap();
        fs::create_dir_all(directory.join("bin")).unwrap();
        let tool = directory.join("bin/ansible-playbook");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rplay"), &tool).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(tool);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
            command.env_remove(name);
        }
        command.args(args).current_dir(directory).env("HOME", directory).env("NO_COLOR", "1");
        command.stdin(other()).stdout(other()).stderr(other());
        let child = command.spawn().unwrap();
        Session { child, terminal: File::from(pair.master), shown: String::new() }
    }

    /// Reads until the text was shown; what follows it is left.
    fn until(&mut self, text: &str) {
        let mut byte = [0];
        while !self.shown.ends_with(text) {
            assert_eq!(self.terminal.read(&mut byte).unwrap_or(0), 1, "`{text}` is missing: {}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// What was shown, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = Vec::new();
        // A terminal without the other side is an error instead of an end.
        let _ = self.terminal.read_to_end(&mut rest);
        (self.shown + &String::from_utf8_lossy(&rest), self.child.wait().unwrap().code())
    }
}

fn play(tasks: &str) -> String {
    format!("- hosts: localhost\n  connection: local\n  gather_facts: false\n{tasks}")
}

/// The password for escalation defaults to that of the login, if both are asked for.
#[test]
fn passwords_are_asked_for_as_by_ansible() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("site.yml"), play("  tasks: [{debug: {msg: done}}]\n")).unwrap();
    let mut session = Session::start(directory.path(), &["-k", "-K", "site.yml"]);
    session.until("SSH password: ");
    session.type_in("typed-unseen\n");
    session.until("BECOME password[defaults to SSH password]: ");
    session.type_in("\n");
    let (shown, code) = session.end();
    assert!(code == Some(0) && !shown.contains("typed-unseen"), "{shown}");
    // Nothing is shown on the line of a question.
    assert!(shown.contains("SSH password: \r\n") && shown.contains("to SSH password]: \r\n"), "{shown}");
}

#[test]
fn one_who_leaves_a_question_ends_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let tasks = "  vars_prompt: [{name: who, private: false}]\n  tasks: [{debug: {msg: not reached}}]\n";
    fs::write(directory.path().join("site.yml"), play(tasks)).unwrap();
    let mut session = Session::start(directory.path(), &["site.yml"]);
    session.until("who: ");
    session.type_in("\u{4}");
    let (shown, code) = session.end();
    assert!(code == Some(99) && shown.contains("User interrupted execution"), "{shown}");
    assert!(!shown.contains("not reached"), "{shown}");
}
