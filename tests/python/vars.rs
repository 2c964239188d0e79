//! Vars plugins written in Python, next to the built-in `host_group_vars`.

use std::fs;

use crate::project::Project;

/// A vars plugin that says where it was asked, and for whom. `NAME` is the prefix of its variables.
const ASKED: &str = r#"
from ansible.plugins.vars import BaseVarsPlugin
from ansible.inventory.host import Host
from ansible.inventory.group import Group
import os

class VarsModule(BaseVarsPlugin):
    def get_vars(self, loader, path, entities):
        found = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            assert isinstance(entity, (Host, Group)), entity
            found['NAME_' + entity.name] = os.path.basename(path)
            found['by'] = 'NAME of ' + entity.name + ' in ' + os.path.basename(path)
            if isinstance(entity, Host):
                found['NAME_groups'] = sorted(group.name for group in entity.get_groups())
                found['NAME_own'] = entity.vars.get('own')
        return found
"#;

/// A plugin with a setting `stage`, that must be enabled.
const STAGED: &str = r#"
DOCUMENTATION = '''
name: staged
version_added: "1"
short_description: staged
extends_documentation_fragment: [vars_plugin_staging]
options:
  stage: {ini: [{key: stage, section: vars_staged}], env: [{name: STAGED_STAGE}]}
'''
from ansible.plugins.vars import BaseVarsPlugin

class VarsModule(BaseVarsPlugin):
    REQUIRES_ENABLED = True
    asked = 0

    def get_vars(self, loader, path, entities):
        VarsModule.asked += 1
        return {'staged': VarsModule.asked, 'template': '{{ 1 + 1 }}'}
"#;

const HOSTS: &str = "[web]\none own=yes\n[sub]\ntwo\n[web:children]\nsub\n[web:vars]\nby=source\n";

/// A play with these conditions, with `&` between them.
fn asks(that: &str) -> String {
    let that: String = that.split(" & ").map(|condition| format!("          - \"{condition}\"\n")).collect();
    format!("- hosts: one\n  connection: local\n  gather_facts: false\n  tasks:\n    - assert:\n        that:\n{that}")
}

#[test]
fn plugins_beside_the_playbook_are_asked_for_groups_and_hosts_of_each_directory() {
    let Some(project) = Project::new() else { return };
    project.write("plays/vars_plugins/asked.py", &ASKED.replace("NAME", "asked"));
    project.write("inv/hosts", HOSTS);
    project.write(
        "plays/site.yml",
        &asks("asked_all == 'plays' & asked_web == 'plays' & asked_one == 'plays' & asked_groups == ['all', 'web'] & asked_own == 'yes' & by == 'asked of one in plays' & asked_two is not defined"),
    );
    project.passes(&["-i", "inv/hosts", "plays/site.yml"], &[]);
    // Files count more than plugins that need not be enabled, for the same directory.
    project.write("plays/group_vars/web.yml", "asked_web: file\nby: group file\n");
    project.write("inv/host_vars/one.yml", "asked_one: inventory file\nby: host file\n");
    project
        .write("plays/site.yml", &asks("asked_web == 'file' & asked_one == 'plays' & by == 'asked of one in plays'"));
    project.passes(&["-i", "inv/hosts", "plays/site.yml"], &[]);
    project.write("plays/host_vars/one.yml", "by: play file\n");
    project.write("plays/site.yml", &asks("by == 'play file' & hostvars.two.by == 'asked of two in plays'"));
    project.passes(&["-i", "inv/hosts", "plays/site.yml"], &[]);
    let (out, _) = project.passes(&["inventory", "-i", "inv/hosts", "--playbook-dir", "plays", "--host", "two"], &[]);
    assert!(out.contains(r#""by": "asked of two in plays""#), "{out}");
}

#[test]
fn plugins_that_must_be_enabled_and_those_of_collections_are_asked_where_they_are_named() {
    let Some(project) = Project::new() else { return };
    project.write("vars_plugins/staged.py", STAGED);
    project.write("collections/ansible_collections/my/col/plugins/vars/given.py", &ASKED.replace("NAME", "given"));
    project.write("hosts", HOSTS);
    project.write("group_vars/web.yml", "from_file: true\nby: file\n");
    project.write("site.yml", &asks("staged is not defined & given_one is not defined & from_file"));
    project.passes(&["-i", "hosts", "site.yml"], &[]);
    project.write("site.yml", &asks("staged is defined & template | length == 11 & given_one is defined & from_file"));
    let enabled = [("ANSIBLE_VARS_ENABLED", "host_group_vars,staged,my.col.given")];
    project.passes(&["-i", "hosts", "site.yml"], &enabled);
    // Without `host_group_vars` files are not read.
    project.write("site.yml", &asks("staged is defined & from_file is not defined"));
    project.passes(&["-i", "hosts", "site.yml"], &[("ANSIBLE_VARS_ENABLED", "staged")]);
}

#[test]
fn stages_say_when_plugins_are_asked() {
    let Some(project) = Project::new() else { return };
    project.write("vars_plugins/staged.py", STAGED);
    project.write("hosts", "[web]\none\n");
    let two = format!("{}{}", asks("staged is defined"), asks("(staged | int) == (hostvars.one.staged | int)"));
    project.write("site.yml", &two);
    let enabled = ("ANSIBLE_VARS_ENABLED", "host_group_vars,staged");
    for stage in ["inventory", "task", "all"] {
        project.passes(&["-i", "hosts", "site.yml"], &[enabled, ("STAGED_STAGE", stage)]);
    }
    project.passes(&["-i", "hosts", "site.yml"], &[enabled, ("ANSIBLE_RUN_VARS_PLUGINS", "start")]);
    // With `start` the files next to the playbook are not read, and those next to the inventory count as the source
    // itself.
    project.write("inv/hosts", "[web]\none\n[web:vars]\na=source\nb=source\n");
    project.write("inv/group_vars/all.yml", "a: all file\n");
    project.write("inv/group_vars/web.yml", "b: file\n");
    project.write("group_vars/web.yml", "c: play\n");
    project.write("site.yml", &asks("a == 'all file' & b == 'file' & c == 'play'"));
    project.passes(&["-i", "inv/hosts", "site.yml"], &[]);
    project.write("site.yml", &asks("a == 'source' & b == 'file' & c is not defined"));
    project.passes(&["-i", "inv/hosts", "site.yml"], &[("ANSIBLE_RUN_VARS_PLUGINS", "start")]);
}

#[test]
fn plugins_of_roles_are_asked_and_failures_say_whose_they_are() {
    let Some(project) = Project::new() else { return };
    project.write("hosts", HOSTS);
    project.write("roles/r/vars_plugins/ofrole.py", &ASKED.replace("NAME", "ofrole"));
    project.write("roles/r/tasks/main.yml", "- assert: {that: ofrole_one is defined}\n");
    project.write("site.yml", "- hosts: one\n  connection: local\n  gather_facts: false\n  roles: [r]\n");
    project.passes(&["-i", "hosts", "site.yml"], &[]);

    project.write(
        "vars_plugins/broken.py",
        "class VarsModule:\n    def get_vars(self, loader, path, entities):\n        raise Exception('out of order')\n",
    );
    let (_, err, code) = project.run(&["-i", "hosts", "site.yml"], &[]);
    assert!(code != 0 && err.contains("The vars plugin 'broken' failed: out of order"), "{code} {err}");
    // Where there is no ansible-core, what needs it is named.
    fs::remove_file(project.directory.path().join("vars_plugins/broken.py")).unwrap();
    let nowhere = [("RPLAY_ANSIBLE_PYTHON", "/nowhere/python3"), ("ANSIBLE_VARS_PLUGINS", "roles/r/vars_plugins")];
    let (_, err, code) = project.run(&["-i", "hosts", "site.yml"], &nowhere);
    assert!(code != 0 && err.contains("vars plugins") && err.contains("pip install ansible-core"), "{code} {err}");
}
