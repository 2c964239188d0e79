//! Modules that are not built in, without any ansible-core: scripts of a `library/`, of roles and of a collection
//! created here. Each case is a play that asserts its results; hosts are this machine.

#[allow(dead_code)]
mod seen;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// A module that returns its arguments: `{"got": {...}}`.
const ECHO: &str = "#!/bin/sh\n# WANT_JSON\nprintf '{\"changed\": false, \"got\": %s}' \"$(cat \"$1\")\"\n";

fn says(json: &str) -> String {
    format!("#!/bin/sh\nprintf '%s' '{json}'\n")
}

/// Files of a project by their paths, and the tasks of its play on two hosts that are this machine.
fn project(files: &[(&str, &str)], play: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::write(
        directory.path().join("hosts"),
        "one ansible_connection=local my_fact=old\ntwo ansible_connection=local\n",
    )
    .unwrap();
    fs::write(directory.path().join("site.yml"), play).unwrap();
    directory
}

/// The output of rplay, with its exit code.
fn run(directory: &Path, more: &[&str]) -> (String, i32) {
    let mut command = seen::rplay();
    command
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .args(["-i", "hosts", "site.yml"])
        .args(more)
        .current_dir(directory);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (text, output.status.code().unwrap_or(-1))
}

#[track_caller]
fn passes(files: &[(&str, &str)], play: &str) -> String {
    let directory = project(files, play);
    let (text, code) = run(directory.path(), &[]);
    assert_eq!(code, 0, "{text}");
    text
}

#[test]
fn scripts_of_a_library_support_all_task_keywords() {
    let slow = "#!/bin/sh\nsleep 0.1\necho '{\"changed\": true, \"rc\": 0}'\n";
    let files = [
        ("library/echo", ECHO),
        ("library/ping.sh", &says(r#"{"ping": "mine"}"#)),
        ("library/env.sh", "#!/bin/sh\nprintf '{\"word\": \"%s\", \"user\": \"%s\"}' \"$WORD\" \"$(id -un)\"\n"),
        ("library/slow.sh", slow),
        ("library/hang.sh", "#!/bin/sh\nsleep 300\n"),
        ("library/fails.sh", &says(r#"{"failed": true, "msg": "no luck", "token": "T0K3N"}"#)),
    ];
    let play = "
- hosts: one
  gather_facts: false
  module_defaults: {echo: {b: from defaults, a: 0}}
  tasks:
    - echo: {a: 1}
      register: r
      check_mode: true
      diff: true
    - assert:
        that:
          - r.got.a == 1 and r.got.b == 'from defaults' and r is not changed and r is not failed
          # Keys of the engine are taken out of a result.
          - r.got.keys() | list | sort == ['a', 'b']
    - echo: {a: '{{ item }}'}
      loop: [x, y]
      register: loop
    - assert: {that: \"loop.results | map(attribute='got.a') | list == ['x', 'y']\"}
    - ping:
      register: mine
    - ansible.builtin.ping:
      register: native
    - ansible.legacy.ping:
      register: legacy
    - assert: {that: [mine.ping == 'mine', legacy.ping == 'mine', native.ping == 'pong']}
    - env:
      environment: {WORD: given}
      register: env
      delegate_to: two
    - assert: {that: env.word == 'given'}
    - slow:
      async: 30
      poll: 0
      register: job
    - async_status: {jid: '{{ job.ansible_job_id }}'}
      register: done
      until: done is finished
      retries: 300
      delay: 0.1
    - assert: {that: [done is changed, done.rc == 0]}
    - hang:
      timeout: 1
      register: late
      ignore_errors: true
    - assert: {that: late is failed}
    - fails:
      no_log: true
      register: failed
      failed_when: false
    - assert: {that: [failed.msg == 'no luck', failed is not failed]}
    - action: \"{{ 'ec' ~ 'ho' }}\"
      register: late_name
    - assert: {that: late_name.got.a == 0}
";
    let text = passes(&files, play);
    assert!(!text.contains("T0K3N"), "{text}");
}

#[test]
fn facts_that_a_module_brings_are_read_by_the_next_task_and_steer_nothing() {
    let facts = says(r#"{"ansible_facts": {"my_fact": "new", "ansible_connection": "ssh"}, "warnings": ["careful"]}"#);
    let play = "
- hosts: one
  gather_facts: false
  tasks:
    - learn:
    - debug: {msg: 'it is {{ my_fact }}'}
    - command: echo {{ my_fact }}
      register: r
      changed_when: false
    - assert: {that: [r.stdout == 'new', ansible_facts.my_fact == 'new']}
";
    let text = passes(&[("library/learn.sh", &facts)], play);
    assert!(text.contains("it is new") && text.contains("[WARNING]: careful"), "{text}");
    assert!(text.contains("[WARNING]: Removed restricted key from module data: ansible_connection\n"), "{text}");
}

#[test]
fn collections_roles_and_their_meta_data_lead_to_modules() {
    let runtime = "
plugin_routing:
  modules:
    old: {redirect: my.coll.new, deprecation: {removal_version: 9.0.0, warning_text: Use new.}}
    moved: {redirect: ansible.builtin.ping}
    gone: {tombstone: {removal_version: 1.0.0, warning_text: Use new}}
action_groups:
  all: [new, {metadata: {extend_group: [more]}}]
  more: [echo]
";
    let root = "collections/ansible_collections/my/coll";
    let at = |path: &str| format!("{root}/{path}");
    let (meta, new, echo, acts, action) = (
        at("meta/runtime.yml"),
        at("plugins/modules/new.sh"),
        at("plugins/modules/sub/echo"),
        at("plugins/modules/acts.py"),
        at("plugins/action/acts.py"),
    );
    let new_text = says(r#"{"who": "new"}"#);
    let role_text = says(r#"{"who": "role"}"#);
    let files: Vec<(&str, &str)> = vec![
        (&meta, runtime),
        (&new, &new_text),
        (&echo, ECHO),
        (&acts, ""),
        (&action, ""),
        ("roles/r/library/of_role.sh", &role_text),
        ("roles/r/tasks/main.yml", "- of_role:\n  register: of_role\n- assert: {that: of_role.who == 'role'}\n"),
    ];
    let play = "
- hosts: one
  gather_facts: false
  collections: [my.coll]
  module_defaults: {group/my.coll.all: {g: 1}}
  roles: [r]
  tasks:
    - my.coll.new:
      register: a
    - my.coll.old:
      register: b
    - new:
      register: c
    - my.coll.moved:
      register: d
    - my.coll.sub.echo:
      register: e
    - assert: {that: [a.who == 'new', b.who == 'new', c.who == 'new', d.ping == 'pong']}
    # Another role's, as in Ansible.
    - of_role:
";
    let text = passes(&files, play);
    assert!(text.contains("my.coll.old has been deprecated. Use new. This feature will be removed from collection 'my.coll' version 9.0.0."), "{text}");

    for (task, expected, place) in [
        ("my.coll.gone:", "The 'my.coll.gone' module has been removed. Use new.", "site.yml:5:7"),
        (
            "my.coll.acts:",
            "The action plugin 'my.coll.acts' failed: it needs ansible-core on the controller",
            "site.yml:4:7",
        ),
        ("my.coll.nwe:", "there is no module `nwe` in the collection my.coll", "site.yml:5:7"),
        (
            "no.such.thing:",
            "there is no module `no.such.thing`: the collection no.such is not installed",
            "site.yml:5:7",
        ),
    ] {
        let play = format!("- hosts: one\n  gather_facts: false\n  tasks:\n    - name: it\n      {task}\n");
        let directory = project(&files, &play);
        let (text, code) = run(directory.path(), &[]);
        assert!(text.contains(expected) && text.contains(place), "{task}: {text}");
        assert_ne!(code, 0);
    }
}

#[test]
fn a_role_brings_its_modules_to_the_whole_play_and_the_first_role_counts() {
    let (first, second) = (says(r#"{"who": "first"}"#), says(r#"{"who": "second"}"#));
    let asks = "- ping:\n  register: r\n- assert: {that: r.who == 'first'}\n";
    let files = [
        ("roles/first/library/ping.sh", &*first),
        ("roles/first/tasks/main.yml", asks),
        ("roles/second/library/ping.sh", &second),
        ("roles/second/tasks/main.yml", asks),
    ];
    let play = "
- hosts: one
  gather_facts: false
  pre_tasks:
    - ping:
      register: before
  roles: [first, second]
  tasks:
    - ping:
      register: after
    - ansible.builtin.ping:
      register: native
    - assert: {that: [before.who == 'first', after.who == 'first', native.ping == 'pong']}
";
    passes(&files, play);
}

#[test]
fn differences_are_shown_where_the_command_line_or_the_task_wants_them_and_something_changed() {
    let changes = says(r#"{"changed": true, "rc": 3, "diff": {"before": "old\n", "after": "new\n"}}"#);
    let play = "
- hosts: one
  gather_facts: false
  tasks:
    - {changes: , diff: true, failed_when: false, register: shown}
    - {changes: , diff: false, failed_when: false, register: hidden}
    - {changes: , diff: true, failed_when: false, changed_when: false}
    - {changes: , diff: true, ignore_errors: true}
    - assert:
        that: [shown.diff == hidden.diff, shown.msg is undefined, shown.failed_when_suppressed_exception is undefined]
";
    let directory = project(&[("library/changes.sh", &changes)], play);
    for (argument, times) in [("--forks=1", 1), ("--diff", 2)] {
        let (text, code) = run(directory.path(), &[argument]);
        assert_eq!((text.matches("+new").count(), code), (times, 0), "{text}");
    }
}

#[test]
fn without_ansible_core_a_python_module_says_what_it_needs_and_all_others_run() {
    let files = [
        ("library/uses.py", "from ansible.module_utils.basic import AnsibleModule\n"),
        ("library/plain.py", "#!/usr/bin/python\nimport json\nprint(json.dumps(dict(changed=True, who='plain')))\n"),
    ];
    let play = "
- hosts: one
  gather_facts: false
  tasks:
    - plain:
      register: plain
    - assert: {that: plain.who == 'plain'}
    - uses:
";
    let directory = project(&files, play);
    let (text, code) = run(directory.path(), &[]);
    assert_eq!(code, 2, "{text}");
    for expected in [
        "the module ansible.legacy.uses is written in Python and needs ansible-core on the controller",
        "/nowhere/python3",
        "site.yml:8:7",
        "pip install ansible-core",
        "RPLAY_ANSIBLE_PYTHON",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_module_that_prints_garbage_fails_alone() {
    let files = [
        ("library/mute.sh", "#!/bin/sh\nexit 3\n"),
        ("library/deep.sh", "#!/bin/sh\nprintf '{\"x\": '; head -c 1000 /dev/zero | tr '\\0' '['\n"),
        ("library/endless.sh", "#!/bin/sh\nyes '{'\n"),
        ("library/lost.lua", "#!/nowhere/lua\n"),
        ("library/shell.ps1", "#Requires -Module Ansible.ModuleUtils.Legacy\n"),
    ];
    let play = "
- hosts: one
  gather_facts: false
  vars: {rplay_max_output: 100000}
  tasks:
    - mute:
      register: mute
      ignore_errors: true
    - deep:
      register: deep
      ignore_errors: true
    - endless:
      register: endless
      ignore_errors: true
    - lost:
      register: lost
      ignore_errors: true
    - shell.ps1:
      when: false
    - assert:
        that:
          - mute.msg is search('No start of json char found') and mute.rc == 3
          - deep is failed and endless is failed
          - lost.msg == \"The module interpreter '/nowhere/lua' was not found.\"
";
    let play = play.replace("    - shell.ps1:\n      when: false\n", "");
    passes(&files, &play);
}
