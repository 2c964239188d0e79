//! The lines at the end of a terminal that say what runs, on a pseudo-terminal.

use std::{fs, io::Read, process::Stdio};

use nix::pty::{Winsize, openpty};
use regex::Regex;

use crate::seen;

const PLAY: &str = "- hosts: all
  gather_facts: false
  strategy: linear
  tasks:
    - name: Some take longer
      command: \"{{ 'false' if inventory_hostname == 'bad' else 'sleep 3' }}\"
";

/// What a terminal of 60 columns is sent by a run.
fn on_a_terminal() -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("site.yml"), PLAY).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    let mut command = seen::rplay();
    command.args(["-i", "a,b,bad,", "-c", "local", "site.yml"]).current_dir(directory.path());
    let errors = pty.slave.try_clone().unwrap();
    let mut child = command.stdout(Stdio::from(pty.slave)).stderr(Stdio::from(errors)).spawn().unwrap();
    drop(command);
    let mut text = Vec::new();
    let mut master = fs::File::from(pty.master);
    let mut bytes = [0; 4096];
    // A terminal without a program fails to be read.
    while let Ok(count @ 1..) = master.read(&mut bytes) {
        text.extend_from_slice(&bytes[..count]);
    }
    assert_eq!(child.wait().unwrap().code(), Some(2));
    String::from_utf8(text).unwrap()
}

#[test]
fn a_terminal_is_told_what_runs_and_what_failed_until_the_output_goes_on() {
    let text = on_a_terminal();
    let first = Regex::new(r"running for 0:0\d on a, b; 1 of 3 hosts done\r\nfailed: bad").unwrap();
    assert!(first.is_match(&text), "{text:?}");
    // Whatever was written last is removed before the output goes on.
    let (_, after) = text.split_at(text.rfind("running for").unwrap());
    let (_, output) = after.split_once("failed: bad\r\u{1b}[1A\u{1b}[J").unwrap_or_else(|| panic!("{after:?}"));
    assert!(output.starts_with("changed: [") && output.contains("PLAY RECAP"), "{output:?}");
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines.iter().any(|line| line.starts_with("fatal: [bad]: FAILED!")), "{text:?}");
}

#[test]
fn a_pipe_gets_the_output_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("site.yml"), PLAY).unwrap();
    let output =
        seen::rplay().args(["-i", "a,bad,", "-c", "local", "site.yml"]).current_dir(directory.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("running for") && !text.contains('\u{1b}'), "{text:?}");
}
