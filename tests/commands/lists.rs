//! `--list-tasks`, `--list-hosts` and `--syntax-check`: the same text and exit code as ansible-core 2.19, where an order
//! is not by chance.

use std::{fs, path::Path};

use crate::seen::rplay;

/// The exit code and the output of a playbook with the hosts a, b and c.
fn listed(directory: &Path, play: &str, args: &[&str]) -> (Option<i32>, String) {
    fs::write(directory.join("p.yml"), play).unwrap();
    let output = rplay().args(["-i", "a,b,c,", "p.yml"]).args(args).current_dir(directory).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// The hosts of a play are rendered, with `-e`, its own variables, defaults of questions and the inventory's groups.
#[test]
fn hosts_are_rendered() {
    let directory = tempfile::tempdir().unwrap();
    let list = |play: &str, args: &[&str]| listed(directory.path(), play, args);
    let tasks = "  tasks: [{ping: }]\n";
    for (head, args, shown) in [
        ("- hosts: \"{{ who | default('a') }}\"\n", &[][..], "play #1 (a): a\tTAGS: []\n"),
        ("- hosts: \"{{ who | default('a') }}\"\n", &["-e", "who=b"], "play #1 (b): b\tTAGS: []\n"),
        ("- hosts: web:&{{ who }}\n", &["-e", "who=b"], "play #1 (web:&b): web:&b\tTAGS: []\n"),
        (
            "- name: play {{ who }}\n  hosts: [\"{{ who }}\", b]\n  vars: {who: c}\n",
            &[],
            "play #1 (c,b): play c\tTAGS: []\n",
        ),
        ("- hosts: [\"{{ who }}\", b]\n  vars: {who: c}\n", &[], "play #1 (c,b): {{ who }},b\tTAGS: []\n"),
        ("- hosts: \"{{ all }}\"\n  vars: {all: [a, c]}\n", &[], "play #1 (a,c): ['a', 'c']\tTAGS: []\n"),
        ("- hosts: \"{{ groups['ungrouped'][1] }}\"\n", &[], "play #1 (b): b\tTAGS: []\n"),
        (
            "- hosts: \"{{ groups['none'] | default([]) }}\"\n",
            &["--list-hosts"],
            "play #1 (): []\tTAGS: []\n    pattern: []\n    hosts (0):\n",
        ),
        ("- hosts: all\n", &["-l", "b,nosuch"], "Could not match supplied host pattern, ignoring: nosuch"),
        (
            "- hosts: \"{{ who }}\"\n  vars_prompt: [{name: who, default: c}]\n  tags: [a, b]\n",
            &[],
            "play #1 (c): c\tTAGS: [a,b]\n",
        ),
    ] {
        let (code, text) = list(&format!("{head}{tasks}"), &[args, &["--list-tasks"]].concat());
        assert!(code == Some(0) && text.contains(shown), "{head}: {text}");
    }
    let play = format!("- hosts: \"{{{{ who | default('a') }}}}:b\"\n{tasks}");
    let (_, text) = list(&play, &["--list-hosts"]);
    assert!(text.ends_with("    pattern: ['a:b']\n    hosts (2):\n      a\n      b\n"), "{text}");
    for (head, keyword) in [("- hosts: \"{{ who }}\"\n", "name"), ("- name: x\n  hosts: \"{{ who }}\"\n", "hosts")] {
        for list_what in ["--list-tasks", "--list-hosts", "--syntax-check"] {
            let (code, text) = list(&format!("{head}{tasks}"), &[list_what]);
            let told = format!("Error processing keyword '{keyword}': 'who' is undefined");
            assert!(code == Some(4) && text.contains(&told) && !text.contains("playbook:"), "{code:?} {text}");
        }
    }
}

/// Names are shown as their values, templates unrendered, not as they stand in the file.
#[test]
fn names_are_not_rendered() {
    let directory = tempfile::tempdir().unwrap();
    for (name, shown) in [
        ("Set to \"{{ x }}\"", "Set to \"{{ x }}\""),
        ("Set to '{{ x }}'", "Set to '{{ x }}'"),
        ("\"quoted \\\"{{ x }}\\\"\"", "quoted \"{{ x }}\""),
        ("over\n      lines {{ x }}", "over lines {{ x }}"),
        (">-\n      folded\n      lines {{ x }}", "folded lines {{ x }}"),
    ] {
        let play = format!("- hosts: all\n  tasks:\n  - name: {name}\n    ping:\n");
        let (code, text) = listed(directory.path(), &play, &["--list-tasks"]);
        assert!(code == Some(0) && text.contains(&format!("\n      {shown}\tTAGS: []\n")), "{name}: {text}");
    }
}

/// What ends a list, with ansible-core's exit code.
#[test]
fn exit_codes_are_those_of_ansible() {
    let directory = tempfile::tempdir().unwrap();
    for (play, expected) in [
        ("- include: x.yml\n", 4),
        ("- hosts: all\n  tasks: [{include: x.yml}]\n", 1),
        ("- hosts: all\n  handlers: [{include: x.yml}]\n", 1),
        ("- hosts: all\n  tasks: [{import_tasks: \"{{ x }}.yml\"}]\n", 4),
        ("- import_playbook: \"{{ x }}.yml\"\n", 4),
        ("- hosts: all\n  tasks: [{import_role: {name: \"{{ x }}\"}}]\n", 1),
        ("- hosts: all\n  roles: [\"{{ x }}\"]\n", 1),
        ("- hosts: all\n  tasks: [{ping: , tags: \"{{ x }}\"}]\n", 1),
    ] {
        let (code, text) = listed(directory.path(), play, &["--list-tasks"]);
        assert_eq!(code, Some(expected), "{play}: {text}");
    }
}

/// Last, a role's name is a path from the working directory, whose last part names it.
#[test]
fn a_role_is_found_from_the_working_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("roles/web/tasks")).unwrap();
    fs::write(directory.path().join("roles/web/tasks/main.yml"), "- {name: found, ping: }\n").unwrap();
    fs::create_dir(directory.path().join("plays")).unwrap();
    fs::write(directory.path().join("plays/site.yml"), "- hosts: all\n  roles: [roles/web, ./roles/web]\n").unwrap();
    let mut command = rplay();
    command.args(["-i", "a,", "plays/site.yml", "--list-tasks"]).current_dir(directory.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.matches("      web : found\tTAGS: []\n").count(), 2, "{text}");
}

/// A role may be named by a path that leaves a directory that does not exist, as `roles` beside the playbook.
#[test]
fn a_role_outside_of_directories_that_are_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let (role, tests) = (directory.path().join("role"), directory.path().join("role/tests"));
    fs::create_dir_all(role.join("tasks")).unwrap();
    fs::create_dir_all(&tests).unwrap();
    fs::write(role.join("tasks/main.yml"), "- {name: found, ping: }\n").unwrap();
    let (code, text) = listed(&tests, "- hosts: all\n  roles: [../../]\n", &["--list-tasks"]);
    assert!(code == Some(0) && text.contains("      ../../ : found\tTAGS: []\n"), "{text}");
}
