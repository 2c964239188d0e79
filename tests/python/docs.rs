//! Documentation and settings that only an ansible-core, or a plugin's own file, knows: under Ansible's names.

use std::{os::unix::process::CommandExt, process::Command};

use crate::{project::Project, seen};

const ECHO: &str = r#"
DOCUMENTATION = """
name: echo
short_description: says it again
options:
  words:
    description: [What to say., Nothing by default.]
    type: list
    ini: [{section: echo, key: words}]
    env: [{name: ECHO_WORDS}]
    vars: [{name: echo_words}]
  loud:
    description: Whether to shout.
    type: bool
    default: false
    ini: [{section: echo, key: loud}]
    env: [{name: ECHO_LOUD}]
    vars: [{name: echo_loud}]
"""
"#;

/// What one of Ansible's tools prints on standard output.
#[track_caller]
fn tool(project: &Project, name: &str, words: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = Command::new(seen::rplay().get_program());
    command.arg0(name).args(words).current_dir(project.directory.path()).env_clear();
    command.env("HOME", project.directory.path()).env("RPLAY_ANSIBLE_PYTHON", &project.python);
    let output = command.envs(env.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn jinjas_own_filters_and_tests_are_documented_as_ansible_core_s() {
    let Some(project) = Project::new() else { return };
    let list = tool(&project, "ansible-doc", &["-t", "filter", "-l", "-j"], &[]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    for (name, said) in [
        ("sum", "Returns the sum of a sequence of numbers plus the value of parameter 'start'."),
        ("default", "passed default value"),
    ] {
        let told = list[format!("ansible.builtin.{name}")].as_str().unwrap();
        assert!(told.contains(said), "{name}: {told}");
    }
    let files = tool(&project, "ansible-doc", &["-t", "test", "-F", "ansible.builtin"], &[]);
    let file = |name: &str| {
        let line = files.lines().find(|line| line.starts_with(&format!("ansible.builtin.{name} ")));
        line.unwrap().split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(file("even"), "None");
    assert!(file("superset").ends_with("mathstuff.py"), "{files}");
    let page = tool(&project, "ansible-doc", &["-t", "test", "defined"], &[]);
    assert!(page.starts_with("> TEST ansible.builtin.defined (Jinja2)\n\n  Return true if the variable is defined.\n"));
}

#[test]
fn ansible_core_s_inner_collection_is_listed_when_it_is_named() {
    let Some(project) = Project::new() else { return };
    let named = tool(&project, "ansible-doc", &["-t", "filter", "-l", "ansible._protomatter"], &[]);
    assert!(!named.is_empty() && named.lines().all(|line| line.starts_with("ansible._protomatter.")), "{named}");
    assert!(!tool(&project, "ansible-doc", &["-t", "filter", "-l"], &[]).contains("_protomatter"));
}

#[test]
fn settings_of_a_plugin_of_the_users_are_those_of_its_documentation() {
    let Some(project) = Project::new() else { return };
    project.write("plugins/deep/echo.py", ECHO);
    // A file of data beside it is no plugin.
    project.write("plugins/echo.yml", "[]\n");
    let env = [("ANSIBLE_LOOKUP_PLUGINS", "plugins"), ("ECHO_LOUD", "yes")];
    let init = |format: &str| tool(&project, "ansible-config", &["init", "-t", "lookup", "echo", "-f", format], &env);
    assert_eq!(
        init("ini"),
        "[echo]\n# (bool) Whether to shout.\nloud=False\n\n# (list) What to say.\n# Nothing by default.\nwords=\n\n"
    );
    assert_eq!(
        init("env"),
        "# words(list): What to say.\n#Nothing by default.\nECHO_WORDS=\n\n# loud(bool): Whether to shout.\nECHO_LOUD=0\n"
    );
    assert_eq!(
        init("vars"),
        "# words(list): What to say.\n#Nothing by default.\necho_words: ''\n\n\n# loud(bool): Whether to shout.\n\
         echo_loud: false\n\n"
    );
    let dump = tool(&project, "ansible-config", &["dump", "-t", "lookup", "echo"], &env);
    assert!(dump.contains("loud(env: ECHO_LOUD) = True\nwords(default) = None\n"), "{dump}");
}
