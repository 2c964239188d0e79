//! What a person sees when something is wrong: each folder of `tests/errors` is run with its `args` by the
//! real executable, and the whole output and the exit code stand beside it. A new case is a new folder.
//! What needs real hosts is in `tests/lab.rs`.

use std::{fs, path::Path, process::Command};

#[test]
fn errors_as_a_person_sees_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    insta::glob!("errors/*/args", |args| {
        let case = args.parent().unwrap();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_snapshot_suffix("");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.remove_input_file();
        let name = case.file_name().unwrap().to_str().unwrap();
        settings.bind(|| insta::assert_snapshot!(name, seen(case, fs::read_to_string(args).unwrap().trim())));
    });
}

/// The command, what it said on both streams, and its exit code.
fn seen(case: &Path, args: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rplay"))
        .args(args.split(' '))
        .current_dir(case)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", std::env::var_os("HOME").unwrap_or_else(|| "/".into()))
        .envs([("NO_COLOR", "1"), ("COLUMNS", "100"), ("LC_ALL", "C.UTF-8")])
        .output()
        .unwrap();
    let mut text = format!("$ rplay {args}\n");
    text += &in_order(&String::from_utf8_lossy(&output.stdout));
    text += &in_order(&String::from_utf8_lossy(&output.stderr));
    let times = regex::Regex::new(r#""(delta|start|end)": "[^"]*""#).unwrap();
    text = times.replace_all(&text, r#""$1": "TIME""#).replace(&*case.to_string_lossy(), "FOLDER");
    assert!(!text.contains("Span {") && !text.contains("Some("), "a Debug form is shown: {text}");
    match output.status.code() {
        Some(code) => text + &format!("exit code {code}\n"),
        None => text + &format!("{}\n", output.status),
    }
}

/// Hosts answer in any order: the lines of each task are put into the order of their hosts.
fn in_order(text: &str) -> String {
    let mut tasks: Vec<Vec<String>> = vec![Vec::new()];
    for line in text.lines().map(str::trim_end) {
        let begins_host = ["ok: [", "changed: [", "skipping: [", "fatal: [", "failed: ["];
        let Some(task) = tasks.last_mut() else { continue };
        match task.last_mut() {
            _ if line.is_empty() => tasks.push(vec![String::new()]),
            Some(part) if !begins_host.iter().any(|beginning| line.starts_with(beginning)) => {
                part.push('\n');
                part.push_str(line);
            }
            _ => task.push(line.to_owned()),
        }
    }
    let host = |part: &String| part.split_once('[').map(|(_, rest)| rest.split(']').next().unwrap().to_owned());
    for task in &mut tasks {
        if let Some((_banner, hosts)) = task.split_first_mut() {
            hosts.sort_by_key(host);
        }
    }
    tasks.concat().into_iter().map(|part| part + "\n").collect()
}
