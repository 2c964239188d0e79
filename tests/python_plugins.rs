//! Inventory and callback plugins written in Python, with the ansible-core of this machine: the one that
//! RPLAY_ANSIBLE_PYTHON names, or that of the `ansible` in PATH. Where there is none, these tests are skipped.

#[allow(dead_code)]
mod seen;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A folder with what a test writes, and the Python that has ansible-core.
struct Project {
    folder: tempfile::TempDir,
    python: PathBuf,
}

impl Project {
    /// `None`, with the reason printed, where there is no ansible-core.
    fn new() -> Option<Project> {
        let python = std::env::var_os("RPLAY_ANSIBLE_PYTHON").map(PathBuf::from).or_else(|| {
            let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
            let script = folders.iter().map(|folder| folder.join("ansible")).find(|path| path.is_file())?;
            let first = fs::read_to_string(script).ok()?;
            Some(PathBuf::from(first.lines().next()?.strip_prefix("#!")?.split_whitespace().next()?))
        });
        let has_it = |python: &PathBuf| {
            let mut command = Command::new(python);
            let status = command.args(["-c", "import ansible.release"]).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        match python.filter(has_it) {
            Some(python) => Some(Project { folder: tempfile::tempdir().unwrap(), python }),
            None => {
                println!("skipped: no ansible-core was found; RPLAY_ANSIBLE_PYTHON names a Python that has it");
                None
            }
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What a command prints on both outputs, and its exit code.
    fn run(&self, words: &[&str], env: &[(&str, &str)]) -> (String, String, i32) {
        let mut command = seen::rplay();
        command.env("RPLAY_ANSIBLE_PYTHON", &self.python).env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        command.env("XDG_RUNTIME_DIR", self.folder.path()).envs(env.iter().copied());
        let output = command.args(words).current_dir(self.folder.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap_or(-1))
    }

    #[track_caller]
    fn passes(&self, words: &[&str], env: &[(&str, &str)]) -> (String, String) {
        let (out, err, code) = self.run(words, env);
        assert_eq!(code, 0, "{out}{err}");
        (out, err)
    }
}

/// An inventory plugin of a collection, with all that one can make.
const CLOUD: &str = r#"
DOCUMENTATION = '''
name: cloud
short_description: hosts of a cloud
extends_documentation_fragment: [constructed, inventory_cache]
options:
  plugin: {required: true, choices: [my.col.cloud]}
  names: {type: list, elements: str, required: true}
  secret: {type: str}
  broken: {type: bool, default: false}
'''
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = 'my.col.cloud'

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith('.cloud.yml')

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        if self.get_option('broken'):
            raise AnsibleParserError('the cloud is broken')
        self.display.warning('mind the cloud')
        print('what is printed harms nothing')
        inventory.add_group('cloud')
        inventory.add_group('zone')
        inventory.add_child('zone', 'cloud')
        inventory.set_variable('zone', 'zone_var', 'of zone')
        inventory.groups['cloud'].set_priority(5)
        for number, name in enumerate(self.get_option('names')):
            inventory.add_host(name, group='cloud', port=2200 + number)
            inventory.set_variable(name, 'tags', {'role': 'web', 'template': '{{ 7 * 7 }}', 'n': [1, 2.5, None, True]})
            inventory.set_variable(name, 'hidden', self.get_option('secret'))
            variables = inventory.get_host(name).get_vars()
            strict = self.get_option('strict')
            self._set_composite_vars(self.get_option('compose'), variables, name, strict)
            self._add_host_to_composed_groups(self.get_option('groups'), variables, name, strict)
            self._add_host_to_keyed_groups(self.get_option('keyed_groups'), variables, name, strict)
"#;

#[test]
fn an_inventory_plugin_of_a_collection_makes_hosts_groups_and_variables() {
    let Some(project) = Project::new() else { return };
    project.write("collections/ansible_collections/my/col/plugins/inventory/cloud.py", CLOUD);
    let source = "plugin: my.col.cloud
names: [a, b]
secret: s3cret
compose: {number: ansible_port + 1}
groups: {second: ansible_port == 2201}
keyed_groups: [{key: tags.role, prefix: role}]
";
    project.write("x.cloud.yml", source);
    project.write("hosts", "plain\n[cloud]\nold cloud_var='{{ zone_var }}'\n");
    project.write("group_vars/second.yml", "from_file: '{{ zone_var }}!'\n");
    let play = "- hosts: b
  gather_facts: false
  tasks:
    - assert:
        that:
          - groups.cloud == ['old', 'a', 'b'] and groups.zone == groups.cloud and groups.role_web == ['a', 'b']
          - groups.second == ['b'] and groups.ungrouped == ['plain']
          - ansible_port == 2201 and number == 2202 and zone_var == 'of zone' and hidden == 's3cret'
          # What a cloud says is data.
          - tags.template | length == 11 and tags.n == [1, 2.5, none, true]
          - from_file == 'of zone!' and hostvars.old.cloud_var == 'of zone'
";
    project.write("site.yml", play);
    let config = [("ANSIBLE_COLLECTIONS_PATH", "collections")];
    let (_, err) = project.passes(&["-i", "hosts", "-i", "x.cloud.yml", "site.yml"], &config);
    assert_eq!(err.matches("[WARNING]: mind the cloud").count(), 1, "{err}");
    assert!(!err.contains("harms nothing"), "{err}");

    // Beside a playbook no setting is needed; a source that fails warns, and the other sources hold.
    project.write("x.cloud.yml", &format!("{source}broken: true\n"));
    project.write("site.yml", "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: reached}}]\n");
    let (out, err) = project.passes(&["-i", "x.cloud.yml", "-i", "hosts", "-c", "local", "site.yml"], &[]);
    assert!(err.contains("the cloud is broken") && err.contains("as an inventory source"), "{err}");
    assert_eq!(out.matches("reached").count(), 2, "{out}");
    let (_, err, code) = project.run(
        &["-i", "x.cloud.yml", "-i", "hosts", "-c", "local", "site.yml"],
        &[("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1")],
    );
    assert!(code != 0 && err.contains("the cloud is broken"), "{code} {err}");
}

#[test]
fn constructed_and_toml_and_enabled_plugins_are_read_by_ansible_core() {
    let Some(project) = Project::new() else { return };
    project.write("one/hosts.yml", "all: {hosts: {h1: {key: v1}, h2: {key: v2}}}\n");
    project.write("one/host_vars/h2.yml", "in_file: yes_it_is\n");
    let constructed = "plugin: constructed
use_vars_plugins: true
strict: false
groups: {first: key == 'v1'}
keyed_groups:
  - {key: key, prefix: k}
  - {key: in_file, prefix: '', separator: '', parent_group: files}
leading_separator: false
";
    project.write("two/constructed.yml", constructed);
    project.write("hosts.toml", "[web.hosts]\nt1 = { number = 5 }\n");
    let words = ["inventory", "-i", "one", "-i", "two/constructed.yml", "-i", "hosts.toml", "--graph"];
    let (out, _) = project.passes(&words, &[]);
    for line in
        ["|--@first:\n  |  |--h1", "|--@k_v2:\n  |  |--h2", "|--@files:\n  |  |--@yes_it_is:\n  |  |  |--h2", "|--t1"]
    {
        assert!(out.contains(line), "{line}: {out}");
    }
    let enabled = [("ANSIBLE_INVENTORY_ENABLED", "advanced_host_list")];
    let (out, _) = project.passes(&["inventory", "-i", "n[1:3],", "--graph"], &enabled);
    assert!(out.contains("--n2"), "{out}");
    let (_, err) = project.passes(&["inventory", "-i", "n[1:x],", "--graph"], &enabled);
    assert!(err.contains("advanced_host_list"), "{err}");
}

#[test]
fn an_inventory_that_needs_ansible_core_says_so_at_its_place() {
    let Some(mut project) = Project::new() else { return };
    project.python = "/nonexistent/python".into();
    project.write("x.yml", "plugin: amazon.aws.aws_ec2\n");
    let (_, err, code) = project.run(&["inventory", "-i", "x.yml", "--graph"], &[]);
    assert!(code != 0 && err.contains("x.yml:1:9") && err.contains("pip install ansible-core"), "{err}");
}
