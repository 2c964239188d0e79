//! `rplay doc` documents a collection's content as `ansible-doc` does. `tests/doc/record.sh` records what that prints.

use std::{fmt::Write, fs, path::Path, process::Command};

#[test]
fn documentation_in_files_is_shown_as_by_ansible_doc() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doc");
    let own = directory.display().to_string();
    // Under Ansible's name, as scripts call it, and without an ansible-core, since nothing here needs it.
    let links = tempfile::tempdir().unwrap();
    let tool = links.path().join("ansible-doc");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rplay"), &tool).unwrap();
    let mut wrong = Vec::new();
    for line in fs::read_to_string(directory.join("cases.txt")).unwrap().lines() {
        let (name, options) = line.split_once(' ').unwrap();
        let output = Command::new(&tool)
            .args(["--playbook-dir", "."])
            .args(options.split(' '))
            .current_dir(&directory)
            .env_clear()
            .env("HOME", links.path())
            .env("RPLAY_ANSIBLE_PYTHON", "/nonexistent")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).replace(&own, "HERE");
        let expected = fs::read_to_string(directory.join("expected").join(name)).unwrap();
        if said.trim_end() != expected.trim_end() {
            let pair = said.lines().zip(expected.lines()).find(|(said, expected)| said != expected);
            let stderr = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!(
                "{line}: {pair:#?}\n{} and {} lines\n{stderr}",
                said.lines().count(),
                expected.lines().count()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each example of a filter, test or lookup has the documented value.
#[test]
fn examples_of_built_in_plugins_are_right() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/cli/doc/plugins.tsv");
    let mut play = "- hosts: localhost\n  gather_facts: false\n  tasks:\n".to_owned();
    let mut count = 0;
    for line in fs::read_to_string(table).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, name, _, _, example, value] = fields[..] else { continue };
        if value.is_empty() {
            continue;
        }
        let quoted = |text: String| serde_json::to_string(&text).unwrap();
        let shown = quoted(format!("{{{{ {example} }}}}"));
        writeln!(play, "  - name: {}", quoted(format!("{kind} {name}: {example}"))).unwrap();
        writeln!(
            play,
            "    assert: {{that: shown | to_json == expected | to_json, fail_msg: 'it gives {{{{ shown }}}}'}}"
        )
        .unwrap();
        writeln!(play, "    vars: {{shown: {shown}, expected: {value}}}").unwrap();
        writeln!(play, "    ignore_errors: true").unwrap();
        count += 1;
    }
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("users.csv", "name,uid\nann,1001\nbob,1002\n"),
        ("app.ini", "[server]\nport=8080\n"),
        ("note.txt", "all is well\n"),
        ("note.j2", "{{ 1 + 1 }} of them"),
        ("hosts", "localhost\n[web]\nweb1\nweb2\n"),
        ("play.yml", &play),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
    command
        .args(["-c", "local", "-i", "hosts", "play.yml"])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    let output = command.env("RPLAY_ANSIBLE_PYTHON", "/nonexistent").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("ok={count} ")) && said.contains("ignored=0"), "{said}");
}

/// What the examples of a module need of a host, and the examples.
struct Written {
    needs: String,
    is_play: bool,
    yaml: String,
}

/// The examples of all modules, by the name of the module, and the names of the results that are documented.
fn written() -> Vec<(String, Vec<Written>, Vec<String>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/cli/doc/modules");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut found: Vec<(String, Vec<Written>, Vec<String>)> = Vec::new();
    for file in files {
        let mut in_block = false;
        for line in fs::read_to_string(file).unwrap().lines() {
            if let Some(words) = line.strip_prefix("```") {
                in_block = !in_block;
                if in_block {
                    let needs = words.split("needs=").nth(1).unwrap_or_default().to_owned();
                    let is_play = words.contains(" play");
                    found.last_mut().unwrap().1.push(Written { needs, is_play, yaml: String::new() });
                }
            } else if in_block {
                let yaml = &mut found.last_mut().unwrap().1.last_mut().unwrap().yaml;
                writeln!(yaml, "{line}").unwrap();
            } else if let Some(name) = line.strip_prefix("# ") {
                found.push((name.to_owned(), Vec::new(), Vec::new()));
            } else if let Some(result) = line.strip_prefix("- ") {
                let name = result.split(' ').next().unwrap();
                found.last_mut().unwrap().2.push(name.trim_matches('`').to_owned());
            }
        }
    }
    let shared: Vec<(String, Vec<String>)> =
        found.iter().filter(|entry| entry.0.starts_with('*')).map(|entry| (entry.0.clone(), entry.2.clone())).collect();
    found.retain(|entry| !entry.0.starts_with('*'));
    for (_, _, results) in &mut found {
        for (name, these) in &shared {
            if results.contains(name) {
                results.extend(these.iter().cloned());
            }
        }
    }
    found
}

/// A project with what the examples name.
fn project() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["files/parts", "templates", "roles/app/tasks", "vars"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    for (name, content) in [
        ("files/app.conf", "port = 80\n"),
        ("files/parts/1", "port = 80\n"),
        ("files/app.patch", "--- app.conf\n+++ app.conf\n@@ -1 +1 @@\n-port = 80\n+port = 8080\n"),
        ("files/prepare.sh", "#!/bin/sh\necho ready\n"),
        (
            "files/deploy.pub",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f deploy\n",
        ),
        ("templates/app.conf.j2", "port = {{ 8000 + 80 }}\n"),
        ("roles/app/tasks/main.yml", "- ping:\n"),
        ("vars/region.yml", "zone: a\n"),
        ("more.yml", "- ping:\n"),
        ("base.yml", "- hosts: localhost\n  gather_facts: false\n  tasks: [{ping: }]\n"),
        ("web.yml", "- hosts: localhost\n  gather_facts: false\n  tasks: [{ping: }]\n"),
        ("Makefile", "all:\n\ttrue\n"),
        ("limits.conf", ""),
        ("sysctl.conf", ""),
        ("disk.img", ""),
    ] {
        fs::write(at(name), content).unwrap();
    }
    let packed = Command::new("tar")
        .args(["-C", "files", "-czf", "files/app.tar.gz", "app.conf"])
        .current_dir(directory.path())
        .status();
    assert!(packed.unwrap().success());
    directory
}

/// Each example of a module is a valid task. Those whose needs this machine has are run in check mode: none fails, and
/// what they return is documented.
#[test]
fn examples_of_built_in_modules_are_right() {
    let directory = project();
    let mut all = String::new();
    let mut here = String::new();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let has = |needs: &str| match needs {
        "" => true,
        "network" | "docker" | "restart" => false,
        "systemd" => Path::new("/run/systemd/system").exists(),
        program => ["/usr/bin", "/usr/sbin", "/sbin", "/bin"].iter().any(|path| Path::new(path).join(program).exists()),
    };
    let written = written();
    for (module, examples, _) in &written {
        for example in examples {
            let play = match example.is_play {
                true => example.yaml.clone(),
                false => {
                    let tasks: String = example.yaml.lines().map(|line| format!("  {line}\n")).collect();
                    let handler = "  handlers:\n  - name: Restart the application\n    debug:\n";
                    let head = "  hosts: localhost\n  gather_facts: false\n  ignore_errors: true\n";
                    let vars = "  vars: {token: t, registry_password: p, secret_id: i, secret_key: k}\n";
                    format!("- name: {module}\n{head}{vars}{handler}  tasks:\n{tasks}")
                }
            };
            all.push_str(&play);
            if has(&example.needs) {
                here.push_str(&play);
            }
        }
    }
    fs::write(directory.path().join("all.yml"), all).unwrap();
    fs::write(directory.path().join("here.yml"), here).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
        command.args(["-c", "local"]).args(args).current_dir(directory.path()).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", directory.path());
        command.env("RPLAY_ANSIBLE_PYTHON", "/nonexistent").env("ANSIBLE_STDOUT_CALLBACK", "json").output().unwrap()
    };
    let checked = run(&["--syntax-check", "all.yml"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    if !is_root {
        return;
    }
    let output = run(&["--check", "here.yml"]);
    // `pause` says how long before.
    let from = output.stdout.iter().position(|byte| *byte == b'{').unwrap_or_default();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout[from..])
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    // What any result may have.
    const COMMON: [&str; 16] = [
        "changed",
        "failed",
        "skipped",
        "skip_reason",
        "skipped_reason",
        "false_condition",
        "results",
        "action",
        "invocation",
        "diff",
        "attempts",
        "backup",
        "warnings",
        "msg",
        "stdout_lines",
        "stderr_lines",
    ];
    let mut wrong = Vec::new();
    for play in said["plays"].as_array().unwrap() {
        for task in play["tasks"].as_array().unwrap() {
            let Some(result) = task["hosts"]["localhost"].as_object() else { continue };
            let action = result["action"].as_str().unwrap().rsplit('.').next().unwrap();
            let name = task["task"]["name"].as_str().unwrap();
            let is_job = action == "async_status" || result.contains_key("ansible_job_id");
            if result.get("failed").and_then(serde_json::Value::as_bool).unwrap_or_default() {
                wrong.push(format!("{action} ({name}) fails: {}", serde_json::Value::from(result.clone())));
                continue;
            }
            let Some((_, _, documented)) = written.iter().find(|entry| entry.0 == action) else { continue };
            let is_told = |key: &str| {
                key.starts_with('_') || COMMON.contains(&key) || documented.iter().any(|known| known == key)
            };
            let untold: Vec<_> = result.keys().filter(|key| !is_told(key)).collect();
            if !untold.is_empty() && !is_job && action != "debug" {
                wrong.push(format!("{action} ({name}) also returns {untold:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
