//! Become plugins in Python: the agent is started with the command that the plugin builds.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{ansible, project::Project};

/// A become plugin whose program asks for a password, unless the option says that it needs none.
const MINE: &str = r#"
DOCUMENTATION = '''
name: mine
short_description: mine
options:
  become_user:
    default: root
    keyword: [{name: become_user}]
    vars: [{name: ansible_become_user}, {name: ansible_mine_user}]
    ini: [{section: privilege_escalation, key: become_user}]
  become_exe:
    default: nothing
    keyword: [{name: become_exe}]
    vars: [{name: ansible_become_exe}, {name: ansible_mine_exe}]
  become_flags:
    default: ''
    keyword: [{name: become_flags}]
    vars: [{name: ansible_become_flags}, {name: ansible_mine_flags}]
  become_pass:
    vars: [{name: ansible_become_password}, {name: ansible_become_pass}, {name: ansible_mine_pass}]
'''
from ansible.plugins.become import BecomeBase

class BecomeModule(BecomeBase):
    name = 'mine'
    fail = ('access denied',)
    missing = ('a secret is needed',)

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        flags = self.get_option('become_flags')
        if flags == 'broken':
            raise Exception('cannot build')
        if self.get_option('become_pass'):
            self.prompt = '[mine, key=%s] secret:' % self._id
            flags += ' --ask "%s"' % self.prompt
        return '%s %s %s %s' % (
            self.get_option('become_exe'), flags, self.get_option('become_user'), self._build_success_command(cmd, shell))
"#;

/// Asks for the password `open` if an option says so, and starts the command.
const PROGRAM: &str = r#"#!/bin/sh
if [ "$1" = --ask ]; then
  printf '%s' "$2" >&2
  read secret
  [ "$secret" = open ] || { echo 'access denied' >&2; exit 1; }
  shift 2
elif [ "$1" = --strict ]; then
  echo 'a secret is needed' >&2; exit 1
fi
user=$1; shift
echo started >> STARTS
BECAME=$user exec "$@"
"#;

const PLAY: &str = "- hosts: all
  gather_facts: false
  become: true
  become_method: METHOD
  become_user: EVE
  tasks:
    - command: printenv BECAME
      register: said
    - shell: echo $BECAME
      register: again
    - command: printenv BECAME
      become: false
      register: plain
      failed_when: plain.rc == 0
    - assert: {that: [said.stdout == 'eve', again.stdout == 'eve']}
";

fn write_program(directory: &Path) -> String {
    let path = directory.join("mine");
    fs::write(&path, PROGRAM.replace("STARTS", &directory.join("starts").display().to_string())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_plugin_beside_the_playbook_becomes_another_user_with_its_password() {
    let Some(project) = Project::new() else { return };
    let exe = write_program(project.directory.path());
    project.write("become_plugins/mine.py", MINE);
    let hosts = |more: &str| format!("one ansible_connection=local ansible_mine_exe={exe} {more}\n");
    project.write("site.yml", &PLAY.replace("METHOD", "mine").replace("EVE", "eve"));
    project.write("hosts", &hosts(""));
    project.passes(&["-i", "hosts", "site.yml"], &[]);
    // One agent of that user did all tasks.
    assert_eq!(fs::read_to_string(project.directory.path().join("starts")).unwrap(), "started\n");

    project.write("hosts", &hosts("ansible_mine_pass=open"));
    let (out, err) = project.passes(&["-vvv", "-i", "hosts", "site.yml"], &[]);
    assert!(!out.contains("open\"") && !err.contains("open\""), "{out}{err}");
    project.write("secret", "open\n");
    project.write("hosts", &hosts(""));
    project.passes(&["-i", "hosts", "--become-password-file", "secret", "site.yml"], &[]);

    for (more, message) in [
        ("ansible_mine_pass=wrong", "Incorrect mine password"),
        ("ansible_become_flags=--strict", "mine on this host requires a password"),
        ("ansible_become_flags=broken", "the become plugin 'mine' failed: cannot build"),
    ] {
        project.write("hosts", &hosts(more));
        let (out, err, code) = project.run(&["-i", "hosts", "site.yml"], &[]);
        assert!(code != 0 && (out.contains(message) || err.contains(message)), "{more}: {out}{err}");
    }
}

#[test]
fn plugins_of_collections_are_found_by_their_names_and_own_ones_come_before_native_ones() {
    let Some(project) = Project::new() else { return };
    let exe = write_program(project.directory.path());
    project.write("collections/ansible_collections/my/col/plugins/become/mine.py", MINE);
    project.write("hosts", &format!("one ansible_connection=local ansible_become_exe={exe}\n"));
    project.write("site.yml", &PLAY.replace("METHOD", "my.col.mine").replace("EVE", "eve"));
    project.passes(&["-i", "hosts", "site.yml"], &[]);
    project.write("become_plugins/sudo.py", MINE);
    project.write("site.yml", &PLAY.replace("METHOD", "sudo").replace("EVE", "eve"));
    project.passes(&["-i", "hosts", "site.yml"], &[]);
}

#[test]
fn what_cannot_become_another_user_says_so() {
    let Some(project) = Project::new() else { return };
    project.write("hosts", "one ansible_connection=local\n");
    let says = |method: &str, message: &str| {
        project.write("site.yml", &PLAY.replace("METHOD", method).replace("EVE", "eve"));
        let (out, err, code) = project.run(&["-i", "hosts", "site.yml"], &[]);
        assert!(code != 0 && (out.contains(message) || err.contains(message)), "{method}: {out}{err}");
    };
    project
        .write("become_plugins/tty.py", &MINE.replace("    name = 'mine'", "    name = 'tty'\n    require_tty = True"));
    says("tty", "needs a terminal");
    says("nosuch", "Invalid become method specified, could not find matching plugin: 'nosuch'");
    if ansible::has_collection(&project.python, "community.general") {
        says("pfexec", "pfexec");
    }
}
