//! Facts that are kept between runs: `jsonfile`, which needs no Python, and cache plugins in Python.

use std::{fs, process::Command};

use crate::{ansible, project::Project};

/// A cache plugin of the user's: one file for all hosts, and a log of what is asked of it.
const OWN: &str = r#"
DOCUMENTATION = '''
name: own
short_description: one file
options:
  _uri:
    required: true
    env: [{name: ANSIBLE_CACHE_PLUGIN_CONNECTION}]
    ini: [{key: fact_caching_connection, section: defaults}]
  _prefix: {env: [{name: ANSIBLE_CACHE_PLUGIN_PREFIX}]}
  _timeout: {type: int, default: 5, env: [{name: ANSIBLE_CACHE_PLUGIN_TIMEOUT}]}
'''
import json, os
from ansible.plugins.cache import BaseCacheModule

class CacheModule(BaseCacheModule):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.path = self.get_option('_uri')
        self.all = json.load(open(self.path)) if os.path.exists(self.path) else {}

    def get(self, key):
        return self.all[key]

    def set(self, key, value):
        if 'refuse' in json.dumps(value):
            raise Exception('no room')
        self.all[key] = value
        json.dump(self.all, open(self.path, 'w'))

    def keys(self):
        return list(self.all)

    def contains(self, key):
        return key in self.all

    def delete(self, key):
        del self.all[key]
        json.dump(self.all, open(self.path, 'w'))

    def flush(self):
        self.all = {}

    def copy(self):
        return dict(self.all)
"#;

const LEARN: &str = "- hosts: all
  tasks:
    - set_fact: {colour: blue, shape: [1, {a: null}], template: \"{{ '{' ~ '{ 1 }}' }}\", cacheable: true}
    - set_fact: {passing: 1}
";

const RECALL: &str = "- hosts: one
  gather_facts: false
  tasks:
    - assert:
        that:
          - colour == 'blue' and ansible_facts.colour == 'blue' and shape[0] == 1 and shape[1].a is none
          - template | length == 7
          - ansible_os_family is defined and ansible_facts.os_family == ansible_os_family
          - passing is not defined
          # Hosts that the play does not reach have theirs, too.
          - hostvars.two.colour == 'blue' and hostvars.two.ansible_kernel is defined
";

const FORGOTTEN: &str = "- hosts: one
  gather_facts: false
  tasks:
    - assert: {that: [colour is not defined, ansible_facts.os_family is not defined, hostvars.two.colour == 'blue']}
";

const CLEAR: &str = "- hosts: one\n  gather_facts: false\n  tasks: [{meta: clear_facts}]\n";

fn write_plays(project: &Project) {
    project.write("hosts", "[all:vars]\nansible_connection=local\n[all]\none\ntwo\n");
    for (name, text) in [("learn", LEARN), ("recall", RECALL), ("forgotten", FORGOTTEN), ("clear", CLEAR)] {
        project.write(&format!("{name}.yml"), text);
    }
}

/// Facts come back in later runs, until a task or the command line removes them.
#[track_caller]
fn keeps(project: &Project, env: &[(&str, &str)]) {
    write_plays(project);
    project.passes(&["-i", "hosts", "learn.yml"], env);
    project.passes(&["-i", "hosts", "recall.yml"], env);
    project.passes(&["-i", "hosts", "clear.yml"], env);
    project.passes(&["-i", "hosts", "forgotten.yml"], env);
    project.passes(&["-i", "hosts", "learn.yml"], env);
    project.passes(&["-i", "hosts", "recall.yml"], env);
    project.passes(&["-i", "hosts", "-l", "one", "--flush-cache", "forgotten.yml"], env);
}

fn gatherings(project: &Project, words: &[&str], env: &[(&str, &str)]) -> usize {
    project.passes(words, env).0.matches("[Gathering Facts]").count()
}

/// A project of which nothing is in Python.
fn native() -> Project {
    Project { directory: tempfile::tempdir().unwrap(), python: "/nowhere/python3".into() }
}

const JSONFILE: [(&str, &str); 2] =
    [("ANSIBLE_CACHE_PLUGIN", "jsonfile"), ("ANSIBLE_CACHE_PLUGIN_CONNECTION", "facts")];

#[test]
fn jsonfile_keeps_facts_without_python() {
    let project = native();
    keeps(&project, &JSONFILE);
    assert!(project.directory.path().join("facts/s1_two").is_file());
    assert!(!project.directory.path().join("facts/s1_one").exists());

    // A damaged file gives a warning and is not used.
    project.write("facts/s1_one", "{");
    let (_, err) = project.passes(&["-i", "hosts", "forgotten.yml"], &JSONFILE);
    assert!(err.contains("the cached facts of one are not used") && err.contains("s1_one"), "{err}");
    // Without a directory nothing is kept, and the run goes on.
    let (_, err) = project.passes(&["-i", "hosts", "learn.yml"], &JSONFILE[..1]);
    assert!(err.contains("Required config '_uri' for 'jsonfile' cache plugin not provided."), "{err}");
}

#[test]
fn smart_gathering_trusts_what_is_cached() {
    let project = native();
    write_plays(&project);
    let learn = ["-i", "hosts", "learn.yml"];
    let smart = [JSONFILE.as_slice(), &[("ANSIBLE_GATHERING", "smart")]].concat();
    assert_eq!(gatherings(&project, &learn, &smart), 1);
    assert_eq!(gatherings(&project, &learn, &smart), 0);
    let flushed = ["-i", "hosts", "--flush-cache", "learn.yml"];
    assert_eq!(gatherings(&project, &flushed, &smart), 1);
    assert_eq!(gatherings(&project, &learn, &JSONFILE), 1);
    // What is too old is gathered again.
    for host in ["one", "two"] {
        let file = fs::File::options()
            .write(true)
            .open(project.directory.path().join("facts/s1_").with_file_name(format!("s1_{host}")));
        file.unwrap().set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(100)).unwrap();
    }
    assert_eq!(
        gatherings(&project, &learn, &[smart.as_slice(), &[("ANSIBLE_CACHE_PLUGIN_TIMEOUT", "50")]].concat()),
        1
    );
}

/// Facts of a host have bounds, also when they come back from a cache.
#[test]
fn cached_facts_steer_nothing() {
    let project = native();
    project.write("hosts", "one\n");
    let payload = r#"{\"ansible_connection\": \"ssh\", \"ansible_host\": \"elsewhere\", \"ansible_kernel\": \"k\"}"#;
    project.write("facts/s1_one", &format!("{{\"__payload__\": \"{payload}\"}}"));
    let play = "- hosts: one
  connection: local
  gather_facts: false
  tasks:
    - command: echo reached
      register: said
    - assert: {that: [said.stdout == 'reached', ansible_kernel == 'k', ansible_host == 'one', ansible_connection == 'local']}
";
    project.write("site.yml", play);
    project.passes(&["-i", "hosts", "site.yml"], &JSONFILE);
}

#[test]
fn a_cache_plugin_of_the_users_keeps_facts() {
    let Some(project) = Project::new() else { return };
    project.write("cache_plugins/own.py", OWN);
    let env = [("ANSIBLE_CACHE_PLUGIN", "own"), ("ANSIBLE_CACHE_PLUGIN_CONNECTION", "own.json")];
    keeps(&project, &env);
    let kept = fs::read(project.directory.path().join("own.json")).unwrap();
    let kept: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&kept).unwrap();
    // ansible-core puts its format before the names.
    assert_eq!(kept.keys().map(|key| key.trim_start_matches("s1_")).collect::<Vec<_>>(), ["two"]);

    // A failure gives a warning, and the run continues.
    project.write("site.yml", "- hosts: one\n  gather_facts: false\n  tasks: [{set_fact: {a: refuse, cacheable: true}}, {assert: {that: a == 'refuse'}}]\n");
    let (_, err) = project.passes(&["-i", "hosts", "site.yml"], &env);
    assert!(err.contains("The cache plugin 'own' failed: no room"), "{err}");
    let (_, err) = project.passes(&["-i", "hosts", "site.yml"], &[("ANSIBLE_CACHE_PLUGIN", "nothing")]);
    assert!(err.contains("Unable to load the cache plugin 'nothing'"), "{err}");
}

#[test]
fn cache_plugins_of_collections_keep_facts() {
    let Some(project) = Project::new() else { return };
    if !ansible::has_collection(&project.python, "community.general") {
        return;
    }
    keeps(&project, &[("ANSIBLE_CACHE_PLUGIN", "community.general.yaml"), ("ANSIBLE_CACHE_PLUGIN_CONNECTION", "yaml")]);
}

/// The files are ansible-core's: what one writes, the other reads.
#[test]
fn ansible_core_reads_what_jsonfile_kept_and_the_other_way_round() {
    let Some(project) = Project::new() else { return };
    if ansible::version(&project.python) < (2, 19) {
        println!("skipped: before 2.19 ansible-core's files have another format");
        return;
    }
    write_plays(&project);
    let ansible = |play: &str| {
        let mut command = Command::new(project.python.with_file_name("ansible-playbook"));
        command.args(["-i", "hosts", play]).current_dir(project.directory.path()).envs(JSONFILE);
        command.env("ANSIBLE_PYTHON_INTERPRETER", &project.python);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    project.passes(&["-i", "hosts", "learn.yml"], &JSONFILE);
    ansible("recall.yml");
    fs::remove_dir_all(project.directory.path().join("facts")).unwrap();
    ansible("learn.yml");
    project.passes(&["-i", "hosts", "recall.yml"], &JSONFILE);
}
