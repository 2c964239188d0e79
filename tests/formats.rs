//! Output formats and additions by Ansible's names: the play of `tests/formats` is shown as ansible-core 2.19 and the
//! collections of Ansible 12 show it, whose output is recorded in `tests/formats/expected` (`record.sh`). Times,
//! identifiers and the words of the error messages differ; so do the places of failures, which each explains in its own
//! way.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use regex::Regex;
use serde_json::Value as Json;

#[allow(dead_code, reason = "only the executable is wanted of it, not its snapshots")]
mod seen;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats")
}

fn expected(name: &str) -> String {
    fs::read_to_string(directory().join("expected").join(name)).unwrap()
}

/// Runs the play with these variables of the environment.
fn run(env: &[(&str, &str)]) -> Output {
    let mut command = seen::rplay();
    command.envs(env.iter().copied()).args(["-f1", "-i", "hosts", "site.yml"]).current_dir(directory());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn shown(name: &str) -> String {
    // Ansible will remove one of them.
    let output = run(&[("ANSIBLE_STDOUT_CALLBACK", name), ("ANSIBLE_DEPRECATION_WARNINGS", "0")]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    String::from_utf8(output.stdout).unwrap()
}

/// Without what must differ.
fn settled(text: &str) -> String {
    let mut text = text.replace(&*directory().to_string_lossy(), "DIRECTORY");
    for (pattern, with) in [
        // ansible-core's places of failures, and rplay's.
        (r"(?s)\[ERROR\]: .*?\n *\^ column \d+\n\n", ""),
        (r"(?ms)^  × .*?^    ╰─+\n", ""),
        (r"An exception occurred during task execution.*\n", ""),
        (r"\Ainventory .*\n", ""),
        // ansible-core's oneline shows the failure of a command twice.
        (r#"(?m)^. \| FAILED! => .*"rc".*\n"#, ""),
        (r#"("?(?:delta|start|end)"?): ?['"]?\d[^'",\n]*['"]?"#, "$1: TIME"),
        // YAML folds it where the words of ssh happen to be.
        ("Task failed: Failed to connect to[^\"\n]*(\n {4}[^\"\n]*)*", "WHY"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

#[test]
fn formats_for_people_are_ansibles() {
    for name in ["minimal", "oneline", "ansible.posix.debug", "community.general.yaml"] {
        same(&settled(&shown(name)), &settled(&expected(&format!("{name}.txt"))), name);
    }
}

#[track_caller]
fn same(ours: &str, theirs: &str, name: &str) {
    for (number, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}, line {}", number + 1);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{name}:\n{ours}");
}

/// JSON without what must differ: ansible-core's marks for itself, tracebacks, times, identifiers.
fn settled_json(value: &mut Json) {
    match value {
        Json::Object(map) => {
            let hidden = ["exception", "id", "delta", "start", "end", "_timestamp", "invocation"];
            map.retain(|key, _| !hidden.contains(&key.as_str()) && !key.starts_with("_ansible_"));
            map.values_mut().for_each(settled_json);
        }
        Json::Array(items) => items.iter_mut().for_each(settled_json),
        Json::String(text) => *text = settled(text),
        _ => {}
    }
}

#[test]
fn json_is_ansibles() {
    let read = |text: &str| {
        let mut json: Json = serde_json::from_str(text).unwrap();
        settled_json(&mut json);
        serde_json::to_string_pretty(&json).unwrap()
    };
    let ours = shown("json");
    same(&read(&ours), &read(&expected("ansible.posix.json.txt")), "json");
    assert!(
        ours.starts_with("{\n    \"custom_stats\": {},\n    \"global_custom_stats\": {},\n    \"plays\": [\n        {")
    );
    assert!(ours.contains("\"invocation\": {\n"), "arguments of modules");
    let lines = |text: &str| text.lines().map(read).collect::<Vec<_>>().join("\n");
    let ours = shown("ansible.posix.jsonl");
    same(&lines(&ours), &lines(&expected("ansible.posix.jsonl.txt")), "jsonl");
    assert!(ours.starts_with("{\"_event\":\"v2_playbook_on_play_start\",\"_timestamp\":\"20"));
}

#[test]
fn json_obeys_its_settings_and_stays_json() {
    let env = [
        ("ANSIBLE_STDOUT_CALLBACK", "json"),
        ("ANSIBLE_JSON_INDENT", "0"),
        ("ANSIBLE_SHOW_CUSTOM_STATS", "1"),
        ("ANSIBLE_CALLBACKS_ENABLED", "timer"),
    ];
    let output = run(&env);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["global_custom_stats"]["answer"], 84, "the sum of two hosts");
    assert!(text.contains("\"changed\": 3, \"failures\": 1"), "spaces as Python has them");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("Playbook run took 0 days"), "what is added does not stand in the JSON: {err}");
}

#[test]
fn null_shows_nothing_and_dense_what_changed_or_failed() {
    assert_eq!(shown("null"), "");
    let dense = shown("community.general.dense");
    let lines: Vec<&str> = dense.lines().collect();
    assert_eq!(
        lines[..3],
        ["PLAY 1: WEB SERVERS", "task 3 (Words): a (changed) b (changed)", "task 4 (Several): a (changed) b (changed)"]
    );
    assert!(dense.contains("task 7 (Ignored): a (ignored) b (ignored)\n  a: non-zero return code\n"), "{dense}");
    assert!(
        dense.contains("PLAY 2: NOBODY\nskipping: no hosts matched\nPLAY 3: LOST\ntask 1 (Reach): c (unreachable)\n")
    );
    assert!(dense.ends_with("c: ok=0 changed=0 unreachable=1 failed=0 skipped=0 rescued=0 ignored=0\n"), "{dense}");
}

/// Times are masked, and the rows of tables sorted, since they stand in the order of times.
fn without_times(text: &str) -> String {
    let mut text = settled(text);
    for (pattern, with) in [
        (r"\w+ \d\d \w+ \d{4}  [\d:]{8} [+-]\d{4}", "DATE"),
        // Stars fill the line behind them, as many as the day's name and the month's leave.
        (r"\d+:\d\d:\d\d\.\d{3}( \*+)?", "TIME"),
        (r" -+ \d+\.\d\ds", " SECONDS"),
        (r"took \d+ days, \d+ hours, \d+ minutes, \d+ seconds", "took TIME"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    let mut lines: Vec<&str> = text.trim_end().lines().collect();
    lines.chunk_by_mut(|a, b| a.ends_with(" SECONDS") && b.ends_with(" SECONDS")).for_each(|rows| {
        if rows.len() > 1 {
            rows.sort_unstable();
        }
    });
    lines.join("\n")
}

#[test]
fn additions_are_ansibles() {
    let made = tempfile::tempdir().unwrap();
    let path = |name: &str| made.path().join(name).to_string_lossy().into_owned();
    let names = "ansible.posix.profile_tasks,profile_roles,ansible.posix.timer,community.general.log_plays,junit,tree";
    let output = run(&[
        ("ANSIBLE_CALLBACKS_ENABLED", names),
        ("ANSIBLE_CALLBACK_TREE_DIR", &path("tree")),
        ("JUNIT_OUTPUT_DIR", &path("junit")),
        ("ANSIBLE_LOG_FOLDER", &path("log")),
    ]);
    let ours = String::from_utf8(output.stdout).unwrap();
    same(&without_times(&ours), &without_times(&expected("additions.txt")), "profile and timer");

    for host in ["a", "b", "c"] {
        let read = |text: &str| {
            let mut json: Json = serde_json::from_str(text).unwrap();
            settled_json(&mut json);
            json
        };
        let ours = fs::read_to_string(made.path().join("tree").join(host)).unwrap();
        assert_eq!(read(&ours), read(&expected(&format!("tree.{host}"))));
        let entries = |text: &str| -> Vec<String> {
            let entries = text.split("\n\n").filter_map(|entry| entry.split_once(" - "));
            entries.filter_map(|(_, rest)| rest.split_once(" - {")).map(|(head, _)| head.to_owned()).collect()
        };
        let ours = fs::read_to_string(made.path().join("log").join(host)).unwrap();
        assert_eq!(entries(&ours), entries(&expected(&format!("log_plays.{host}"))));
    }

    let file = fs::read_dir(made.path().join("junit")).unwrap().next().unwrap().unwrap().path();
    assert!(file.file_name().unwrap().to_string_lossy().starts_with("site-"));
    let mut ours = cases(&fs::read_to_string(file).unwrap());
    // ansible-core leaves out hosts that cannot be reached; for a CI system that is a failure.
    let lost = ours.pop().unwrap();
    assert!(lost.contains("[c] Lost: Reach") && lost.ends_with("failure"), "{lost}");
    assert_eq!(ours, cases(&expected("junit.xml")));
}

/// Class, name and outcome of each test case. ansible-core 2.19 calls each failure an error with a traceback.
fn cases(xml: &str) -> Vec<String> {
    let case =
        |found: regex::Captures<'_>| format!("{} {} {}", &found[1], &found[2], found[3].replace("error", "failure"));
    let pattern = Regex::new(r#"(?s)<testcase classname="([^"]*)" name="([^"]*)" time="[\d.]+">\s*<([\w-]+)"#).unwrap();
    pattern.captures_iter(xml).map(case).map(|text| settled(&text)).collect()
}

#[test]
fn settings_of_additions_are_obeyed() {
    let made = tempfile::tempdir().unwrap();
    let junit = made.path().join("junit").to_string_lossy().into_owned();
    let output = run(&[
        ("ANSIBLE_STDOUT_CALLBACK", "null"),
        ("ANSIBLE_CALLBACKS_ENABLED", "profile_tasks,junit"),
        ("PROFILE_TASKS_SUMMARY_ONLY", "yes"),
        ("PROFILE_TASKS_SORT_ORDER", "none"),
        ("PROFILE_TASKS_TASK_OUTPUT_LIMIT", "2"),
        ("JUNIT_OUTPUT_DIR", &junit),
        ("JUNIT_FAIL_ON_CHANGE", "true"),
        ("JUNIT_FAIL_ON_IGNORE", "true"),
        ("JUNIT_HIDE_TASK_ARGUMENTS", "true"),
        ("JUNIT_TASK_CLASS", "true"),
        ("JUNIT_TEST_CASE_PREFIX", "S"),
    ]);
    let err = String::from_utf8_lossy(&output.stderr);
    let rows: Vec<&str> = err.lines().filter(|line| line.ends_with('s') && line.contains(" ---")).collect();
    assert_eq!(rows.len(), 2, "{err}");
    assert!(rows[0].starts_with("web : Task of a role -") && rows[1].starts_with("Say -"), "{err}");
    assert_eq!(err.matches(" (0:00:0").count(), 1, "no line at each task: {err}");
    let file = fs::read_dir(&junit).unwrap().next().unwrap().unwrap().path();
    let cases = cases(&fs::read_to_string(file).unwrap());
    assert!(cases.contains(&"DIRECTORY/site [a] Web servers: Say system-out".to_owned()), "{cases:#?}");
    assert!(cases.contains(&"DIRECTORY/site [a] Web servers: Words failure".to_owned()), "{cases:#?}");
    assert!(cases.contains(&"DIRECTORY/site [b] Web servers: Ignored failure".to_owned()), "{cases:#?}");
    assert!(!cases.iter().any(|case| case.contains("Mend") || case.contains("Task of a role")), "{cases:#?}");

    let mut command = seen::rplay();
    command.envs([("ANSIBLE_CALLBACKS_ENABLED", "profile_tasks"), ("PROFILE_TASKS_SORT_ORDER", "up")]);
    let output = command.args(["-i", "hosts", "site.yml"]).current_dir(directory()).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("sort_order must be descending, ascending or none, not `up`"), "{err}");
}
