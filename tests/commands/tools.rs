//! The commands by the names of Ansible's tools.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Standard output and standard error of a tool, and its exit code.
fn tool(
    directory: &Path,
    name: &str,
    args: &[&str],
    env: &[(&str, &str)],
    typed: &str,
) -> (String, String, Option<i32>) {
    let path = directory.join(name);
    if !path.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rplay"), &path).unwrap();
    }
    let mut command = Command::new(path);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
        command.env_remove(name);
    }
    let mut child = command
        .args(args)
        .envs(env.iter().copied())
        .env("HOME", directory)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn the_version_is_told_wherever_it_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    for (name, args) in [
        ("ansible-inventory", &["-i", "hosts", "--version"][..]),
        ("ansible", &["--version"]),
        ("ansible-vault", &["view", "--version"]),
    ] {
        let (out, _, code) = tool(directory.path(), name, args, &[], "");
        assert!(out.starts_with(&format!("{name} [core ")) && code == Some(0), "{out}");
    }
}

#[test]
fn verbose_runs_name_the_tool_and_its_configuration() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("site.yml"), "- hosts: localhost\n").unwrap();
    let run = |args: &[&str]| tool(directory.path(), "ansible-playbook", &[args, &["site.yml"]].concat(), &[], "").0;
    let about = "No config file found; using defaults\n";
    assert!(run(&["-v", "--syntax-check"]).starts_with(about));
    let twice = run(&["-vv", "--list-tasks"]);
    assert!(twice.starts_with("ansible-playbook [core ") && twice.contains(about), "{twice}");
}

/// Molecule sets this.
#[test]
fn what_the_verbosity_asks_for_goes_to_standard_error_if_the_settings_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let tasks = "  tasks:\n  - {command: 'true', notify: h}\n  handlers:\n  - {name: h, ping: }\n";
    let play = format!("- hosts: localhost\n  connection: local\n  gather_facts: false\n{tasks}");
    std::fs::write(directory.path().join("site.yml"), play).unwrap();
    let asked = [
        "No config file found; using defaults\n",
        "1 plays in site.yml\n",
        "Notification for handler h has been saved.\n",
        "NOTIFIED HANDLER h for localhost\n",
    ];
    for (value, is_aside) in [("1", true), ("0", false)] {
        let env = [("ANSIBLE_VERBOSE_TO_STDERR", value)];
        let (out, err, code) = tool(directory.path(), "ansible-playbook", &["-vv", "site.yml"], &env, "");
        assert!(code == Some(0) && out.contains("PLAYBOOK: site.yml ") && out.contains("task path: "), "{out}{err}");
        for line in asked {
            assert!(out.contains(line) != is_aside && err.contains(line) == is_aside, "{line}: {out}{err}");
        }
    }
    let args = ["localhost", "-m", "ping", "-v"];
    let (out, err, _) = tool(directory.path(), "ansible", &args, &[("ANSIBLE_VERBOSE_TO_STDERR", "1")], "");
    assert!(!out.contains(asked[0]) && err.contains(asked[0]), "{out}{err}");
}

#[test]
fn settings_are_listed_and_dumped_as_documents() {
    let directory = tempfile::tempdir().unwrap();
    let document = |args: &[&str]| -> serde_json::Value {
        let (out, err, code) = tool(directory.path(), "ansible-config", args, &[], "");
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str(&out).unwrap()
    };
    let listed = document(&["list", "--format", "json"]);
    assert_eq!(
        listed["DEFAULT_FORKS"],
        serde_json::json!({
            "default": 5, "type": "integer", "env": [{"name": "ANSIBLE_FORKS"}], "ini": [{"key": "forks", "section": "defaults"}],
        })
    );
    let of_plugins = document(&["list", "-t", "cache", "-f", "json"]);
    assert_eq!(of_plugins["PLUGINS"]["cache"]["jsonfile"]["_timeout"]["default"], 86400);
    let yaml = tool(directory.path(), "ansible-config", &["list"], &[], "").0;
    assert!(yaml.contains("DEFAULT_FORKS:\n  default: 5\n  env:\n  - name: ANSIBLE_FORKS\n"), "{yaml}");
    let dumped = document(&["dump", "--only-changed", "--format", "json"]);
    let file = serde_json::json!({"name": "CONFIG_FILE", "origin": "", "value": null});
    assert!(dumped.as_array().unwrap().contains(&file), "{dumped}");
    let required = document(&["dump", "-t", "become", "--format", "json"]);
    assert!(required.to_string().contains(r#""origin":"REQUIRED""#), "{required}");
}

#[test]
fn passwords_without_an_id_have_that_of_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pw"), "secret\n").unwrap();
    let args = ["encrypt_string", "--vault-password-file", "pw", "text"];
    let of = |env: &[(&str, &str)]| tool(directory.path(), "ansible-vault", &args, env, "").0;
    assert!(of(&[("ANSIBLE_VAULT_IDENTITY", "ops")]).contains("$ANSIBLE_VAULT;1.2;AES256;ops\n"));
    assert!(of(&[]).contains("$ANSIBLE_VAULT;1.1;AES256\n"));
    let missing = ["view", "--vault-password-file", "nope", "pw"];
    let err = tool(directory.path(), "ansible-vault", &missing, &[], "").1;
    assert!(err.contains("The vault password file ") && err.contains("/nope was not found"), "{err}");
}

#[test]
fn options_of_ansible_that_will_be_removed_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let args = ["localhost", "-m", "debug", "-o"];
    let of = |env: &[(&str, &str)]| tool(directory.path(), "ansible", &args, env, "").1;
    let told = of(&[]);
    assert!(
        told.starts_with(
            "[WARNING]: Deprecation warnings can be disabled by setting `deprecation_warnings=False` in ansible.cfg.\n"
        ) && told.contains("[DEPRECATION WARNING]: The '-o' argument is deprecated. ")
            && told.contains("[DEPRECATION WARNING]: The oneline callback plugin is deprecated. ")
            && told.matches("can be disabled").count() == 1,
        "{told}"
    );
    assert!(!of(&[("ANSIBLE_DEPRECATION_WARNINGS", "0")]).contains("DEPRECATION"));
}

#[test]
fn the_strategy_debug_shows_failures_to_a_person() {
    let directory = tempfile::tempdir().unwrap();
    let play = "- hosts: localhost\n  gather_facts: false\n  strategy: debug\n  tasks:\n    - {name: asks, fail: }\n";
    std::fs::write(directory.path().join("site.yml"), play).unwrap();
    let (out, err, code) = tool(directory.path(), "ansible-playbook", &["site.yml"], &[], "p task\nq\n");
    assert!(out.contains("[localhost] TASK: asks (debug)> "), "{out}{err}");
    assert_eq!(code, Some(99), "{out}{err}");
    assert!(err.contains("[ERROR]: User interrupted execution\n"), "{out}{err}");
}

#[test]
fn usage_errors_end_with_argparses_words() {
    let directory = tempfile::tempdir().unwrap();
    for (name, args, said) in [
        (
            "ansible-playbook",
            &["x.yml", "--tags"][..],
            "ansible-playbook: error: argument -t/--tags: expected one argument",
        ),
        ("ansible-playbook", &[], "ansible-playbook: error: the following arguments are required: playbook"),
        (
            "ansible-config",
            &["dump", "-t", "x"],
            "ansible-config dump: error: argument -t/--type: invalid choice: 'x' (choose",
        ),
    ] {
        let (_, err, code) = tool(directory.path(), name, args, &[], "");
        assert!(err.starts_with(&format!("usage: {name} ")) && err.contains(&format!("\n{said}")), "{err}");
        assert_eq!(code, Some(2), "{err}");
    }
}

#[test]
fn passwords_come_from_programs_and_may_be_missing_at_a_prompt() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(
        at("site.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {var: ansible_become_password}}]\n",
    )
    .unwrap();
    std::fs::write(at("empty"), "\n").unwrap();
    std::fs::write(at("fails"), "#!/bin/sh\necho no >&2; exit 3\n").unwrap();
    std::fs::set_permissions(at("fails"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |args: &[&str]| {
        let args = [&["-i", "a,", "-c", "local", "site.yml"], args].concat();
        tool(directory.path(), "ansible-playbook", &args, &[], "")
    };
    for (file, said) in [
        ("nosuch", "The password file {} was not found"),
        ("empty", "Empty password was provided from file ({})"),
        ("fails", "The password script {} returned an error (rc=3): no"),
    ] {
        let (_, err, code) = run(&["--become-password-file", file]);
        let said = said.replace("{}", &at(file).display().to_string());
        assert!(err.starts_with(&format!("[ERROR]: {said}")) && code == Some(1), "{err}");
    }
}

#[test]
fn colours_have_the_names_of_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let env = [("ANSIBLE_FORCE_COLOR", "1"), ("ANSIBLE_COLOR_OK", "blue"), ("ANSIBLE_COLOR_ERROR", "nosuch")];
    let (out, err, code) =
        tool(directory.path(), "ansible", &["localhost", "-m", "ping", "-i", "localhost,", "-c", "local"], &env, "");
    assert!(out.starts_with("\x1b[0;34mlocalhost | SUCCESS => {\x1b[0m\n\x1b[0;34m    "), "{out:?}");
    assert!(err.contains("`nosuch` is no colour (ANSIBLE_COLOR_ERROR)") && code == Some(0), "{err}");
}

#[test]
fn ad_hoc_tasks_have_their_own_format() {
    let directory = tempfile::tempdir().unwrap();
    let args = ["localhost", "-m", "ping", "-i", "localhost,", "-c", "local"];
    let run = |env: &[(&str, &str)]| tool(directory.path(), "ansible", &args, env, "").0;
    let usual = run(&[]);
    assert_eq!(run(&[("ANSIBLE_STDOUT_CALLBACK", "oneline")]), usual);
    assert_eq!(run(&[("ANSIBLE_STDOUT_CALLBACK", "nosuch")]), usual);
    let called = [("ANSIBLE_STDOUT_CALLBACK", "oneline"), ("ANSIBLE_LOAD_CALLBACK_PLUGINS", "1")];
    assert!(run(&called).starts_with("localhost | SUCCESS => {\"changed\": false,"));
}
