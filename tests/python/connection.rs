//! Connection plugins in Python: ansible-core runs the modules, the plugin reaches the host.

use std::fs;

use crate::project::Project;

/// A connection plugin that works on this machine and writes down what it is asked for.
const NEAR: &str = r#"
DOCUMENTATION = '''
name: near
short_description: near
options:
  log: {required: true, vars: [{name: ansible_near_log}]}
  remote_addr: {default: inventory_hostname, vars: [{name: inventory_hostname}, {name: ansible_host}]}
  remote_user: {vars: [{name: ansible_user}], keyword: [{name: remote_user}]}
'''
import shutil, subprocess
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

class Connection(ConnectionBase):
    transport = 'near'
    has_pipelining = False

    def _connect(self):
        if self.get_option('remote_addr') == 'gone':
            raise AnsibleConnectionFailure('nobody is at home')
        self._connected = True
        return self

    def note(self, what):
        with open(self.get_option('log'), 'a') as log:
            log.write(what + ' ' + self.get_option('remote_addr') + '\n')

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self.note('exec')
        done = subprocess.run(['/bin/sh', '-c', cmd], input=in_data, capture_output=True)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path, out_path):
        self.note('put')
        shutil.copy(in_path, out_path)

    def fetch_file(self, in_path, out_path):
        self.note('fetch')
        shutil.copy(in_path, out_path)

    def close(self):
        self._connected = False
"#;

const PLAY: &str = "- hosts: all
  vars: {words: [a, b]}
  handlers:
    - {name: told, command: echo told}
  tasks:
    - assert: {that: ansible_facts.system == 'Linux' and ansible_system == 'Linux'}
    - command: echo {{ item }} {{ inventory_hostname }}
      register: said
      changed_when: said.stdout is search('b')
      loop: '{{ words }}'
    - shell: echo $((1 + 1)) $COLOUR
      environment: {COLOUR: blue}
      register: sum
    - copy: {content: '{{ words | join }}', dest: '{{ directory }}/made', mode: '640'}
      register: made
      notify: told
    - copy: {content: '{{ words | join }}', dest: '{{ directory }}/made', mode: '640'}
      register: again
    - template: {src: t.j2, dest: '{{ directory }}/rendered'}
    - slurp: {src: '{{ directory }}/rendered'}
      register: back
    - fetch: {src: '{{ directory }}/made', dest: '{{ directory }}/fetched', flat: true}
    - stat: {path: '{{ directory }}/made'}
      register: about
    - mine: {word: x}
      register: own
    - command: 'false'
      register: failed
      ignore_errors: true
    - assert:
        that:
          - said.results | map(attribute='stdout') | list == ['a one', 'b one']
          - said.results | map(attribute='changed') | list == [false, true]
          - sum.stdout == '2 blue' and made is changed and again is not changed
          - back.content | b64decode == 'rendered for one' and about.stat.mode == '0640'
          - own.word == 'x!' and failed is failed and failed.rc == 1
";

const MINE: &str = "#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({'word': {}}, supports_check_mode=True)
module.exit_json(word=module.params['word'] + '!')
";

fn project() -> Option<Project> {
    let project = Project::new()?;
    let directory = project.directory.path().display().to_string();
    let python = project.python.display().to_string();
    project.write(
        "hosts",
        &format!(
            "one ansible_connection=near ansible_near_log={directory}/log directory={directory} ansible_python_interpreter={python} \
             ansible_remote_tmp={directory}/tmp\n"
        ),
    );
    project.write("library/mine.py", MINE);
    project.write("t.j2", "rendered for {{ inventory_hostname }}");
    project.write("site.yml", PLAY);
    Some(project)
}

#[test]
fn every_kind_of_task_works_through_a_plugin_beside_the_playbook() {
    let Some(project) = project() else { return };
    project.write("connection_plugins/near.py", NEAR);
    let (out, err) = project.passes(&["-i", "hosts", "site.yml"], &[]);
    assert!(out.contains("RUNNING HANDLER [told]"), "{out}{err}");
    let log = fs::read_to_string(project.directory.path().join("log")).unwrap();
    for what in ["exec one", "put one", "fetch one"] {
        assert!(log.contains(what), "{log}");
    }
    assert_eq!(fs::read_to_string(project.directory.path().join("fetched")).unwrap(), "ab");

    // Check mode changes nothing.
    fs::remove_file(project.directory.path().join("made")).unwrap();
    let play = "- hosts: all\n  gather_facts: false\n  tasks: [{copy: {content: x, dest: '{{ directory }}/made'}, register: made}, {assert: {that: made is changed}}]\n";
    project.write("check.yml", play);
    project.passes(&["-i", "hosts", "--check", "check.yml"], &[]);
    assert!(!project.directory.path().join("made").exists());
}

#[test]
fn plugins_of_collections_are_found_and_what_fails_says_why() {
    let Some(project) = project() else { return };
    project.write("collections/ansible_collections/my/col/plugins/connection/near.py", NEAR);
    project.write("ping.yml", "- hosts: all\n  gather_facts: false\n  tasks: [{ping: }]\n");
    let of_collection = ["-i", "hosts", "-e", "ansible_connection=my.col.near", "ping.yml"];
    project.passes(&of_collection, &[]);
    let (out, err, code) = project.run(&[&of_collection[..], &["-e", "ansible_host=gone"]].concat(), &[]);
    assert!(code == 4 && out.contains("UNREACHABLE") && out.contains("nobody is at home"), "{code} {out}{err}");
    let (out, err, code) = project.run(&["-i", "hosts", "-e", "ansible_connection=nosuch", "ping.yml"], &[]);
    assert!(code == 2 && out.contains("the connection plugin 'nosuch' was not found"), "{code} {out}{err}");
    let nowhere = [("RPLAY_ANSIBLE_PYTHON", "/nowhere/python3")];
    let (out, err, code) = project.run(&of_collection, &nowhere);
    assert!(code == 2 && out.contains("the connection plugin 'my.col.near' was not found"), "{code} {out}{err}");
}

/// ansible-core searches a list of collections alone, unless it names ansible-core, too.
#[test]
fn modules_of_ansible_core_are_found_whatever_collections_the_play_names() {
    let Some(project) = project() else { return };
    project.write("connection_plugins/near.py", NEAR);
    project.write("collections/ansible_collections/my/col/plugins/modules/own.py", MINE);
    let play = "- hosts: all
  gather_facts: false
  collections: [my.col]
  vars: {prefix: ''}
  tasks:
    - file: {path: '{{ directory }}/made', state: directory}
    - action: '{{ prefix }}file path={{ directory }}/made state=absent'
      register: gone
    - own: {word: x}
      register: own
    - assert: {that: [gone is changed, own.word == 'x!']}
";
    project.write("named.yml", play);
    project.passes(&["-i", "hosts", "named.yml"], &[]);
}

/// Needs no Python: the variables of the task hold for the host that it is delegated to.
#[test]
fn variables_of_a_task_say_how_it_reaches_the_host_it_is_delegated_to() {
    let project = Project { directory: tempfile::tempdir().unwrap(), python: "/nowhere/python3".into() };
    project.write("hosts", "a ansible_connection=nosuch\nb ansible_connection=nosuch\n");
    let play = "- hosts: a
  gather_facts: false
  tasks:
    - command: echo {{ ansible_delegated_vars.b.word }}
      delegate_to: b
      vars: {ansible_connection: local, word: of the task}
      register: said
    - assert: {that: said.stdout == 'of the task'}
";
    project.write("site.yml", play);
    project.passes(&["-i", "hosts", "site.yml"], &[]);
}
