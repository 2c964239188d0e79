//! What a person sees of a run of the real executable: its whole output and its exit code, in an order and
//! with times that do not change.

use std::{path::Path, process::Command};

/// Runs `rplay` with arguments as in a shell, in a directory.
pub(crate) fn seen(directory: &Path, args: &str) -> String {
    let output = rplay().args(shell_words::split(args).unwrap()).current_dir(directory).output().unwrap();
    let mut text = format!("$ rplay {args}\n");
    text += &in_order(&String::from_utf8_lossy(&output.stdout));
    text += &in_order(&String::from_utf8_lossy(&output.stderr));
    let times = regex::Regex::new(r#""(delta|start|end)": "[^"]*""#).unwrap();
    let jobs = regex::Regex::new(r#""j[0-9]+\.[0-9]+""#).unwrap();
    text = jobs.replace_all(&text, r#""JOB""#).into_owned();
    // Independent of the width of headings.
    text = regex::Regex::new(r"\*{4,}").unwrap().replace_all(&text, "****").into_owned();
    text = times.replace_all(&text, r#""$1": "TIME""#).replace(&*directory.to_string_lossy(), "DIRECTORY");
    assert!(!text.contains("Span {") && !text.contains("Some("), "a Debug form is shown: {text}");
    match output.status.code() {
        Some(code) => text + &format!("exit code {code}\n"),
        None => text + &format!("{}\n", output.status),
    }
}

/// The executable, of RPLAY or just built, without anything of this user's settings.
pub(crate) fn rplay() -> Command {
    let built = env!("CARGO_BIN_EXE_rplay").into();
    let mut command = Command::new(std::env::var_os("RPLAY").unwrap_or(built));
    command.env_clear().envs([("NO_COLOR", "1"), ("COLUMNS", "100"), ("LC_ALL", "C.UTF-8")]);
    // Independent of this machine's Python content.
    command.envs([("RPLAY_ANSIBLE_PYTHON", "/nowhere/python3"), ("ANSIBLE_COLLECTIONS_PATH", "/nowhere")]);
    command.envs(std::env::vars().filter(|(name, _)| name == "PATH" || name == "HOME" || name.starts_with("LAB_")));
    command.stdin(std::process::Stdio::null());
    command
}

/// Snapshots are stored next to the cases, under their names.
pub(crate) fn snapshots(directory: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(directory);
    settings.set_snapshot_suffix("");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.remove_input_file();
    settings
}

/// Hosts answer in any order: the lines of each task are sorted by host, and explanations of failures follow them.
pub(crate) fn in_order(text: &str) -> String {
    const EXPLAINS: [&str; 2] = ["  help for ", "  × "];
    const BEGINNINGS: [&str; 7] =
        ["ok: [", "changed: [", "skipping: [", "fatal: [", "failed: [", EXPLAINS[0], EXPLAINS[1]];
    let mut tasks: Vec<Vec<String>> = vec![Vec::new()];
    for line in text.lines().map(str::trim_end) {
        let Some(task) = tasks.last_mut() else { continue };
        match task.last_mut() {
            _ if line.is_empty() => tasks.push(vec![String::new()]),
            Some(part) if !BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)) => {
                part.push('\n');
                part.push_str(line);
            }
            _ => task.push(line.to_owned()),
        }
    }
    let order = |part: &String| {
        let host = part.split_once('[').map(|(_, rest)| rest.split(']').next().unwrap().to_owned());
        match EXPLAINS.iter().position(|beginning| part.starts_with(beginning)) {
            None => (0, host),
            // Each help names its hosts; explanations keep their order.
            Some(0) => (1, Some(part.clone())),
            Some(_) => (2, None),
        }
    };
    for task in &mut tasks {
        if let Some((_banner, hosts)) = task.split_first_mut() {
            hosts.sort_by_key(order);
        }
    }
    tasks.concat().into_iter().map(|part| part + "\n").collect()
}
