//! Filters, tests and lookups in Python. The assertions of these plays also hold for ansible-core's own command, which
//! runs them, too, if it is next to the interpreter.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Instant};

use crate::{
    ansible::{ansible, has_collection},
    project::Project,
    seen,
};

/// Runs site.yml: its output and the exit code.
fn run(project: &Project, head: &str, tasks: &str) -> (String, i32) {
    project.write("site.yml", &format!("- hosts: localhost\n  gather_facts: false\n{head}  tasks:\n{tasks}"));
    let mut command = seen::rplay();
    command.env("RPLAY_ANSIBLE_PYTHON", &project.python).env("XDG_CACHE_HOME", project.at("cache"));
    command.env_remove("ANSIBLE_COLLECTIONS_PATH");
    let output = command.args(["site.yml"]).current_dir(project.directory.path()).output().unwrap();
    (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.code().unwrap_or(-1))
}

/// Passes here and with ansible-core's own command.
#[track_caller]
fn passes(project: &Project, head: &str, tasks: &str) -> String {
    let (text, code) = run(project, head, tasks);
    assert_eq!(code, 0, "{text}");
    let theirs = project.python.parent().unwrap().join("ansible-playbook");
    if theirs.is_file() {
        let mut command = Command::new(theirs);
        command.arg("site.yml").current_dir(project.directory.path()).env("ANSIBLE_LOCALHOST_WARNING", "false");
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "ansible-core: {told}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    text
}

const FILTERS: &str = r#"
import datetime
import os
from jinja2 import pass_context, pass_environment, pass_eval_context
from ansible.errors import AnsibleFilterError

@pass_context
def of_context(context, value):
    return [value, context.resolve('who')]

@pass_environment
def of_environment(environment, value):
    return hasattr(environment, 'filters')

@pass_eval_context
def of_eval_context(context, value):
    return hasattr(context, 'environment')

def fails(value):
    raise ValueError('boom %s' % value)

def refuses(value):
    raise AnsibleFilterError('not this one')

def kinds(value):
    return {
        'bytes': b'ab', 'pair': (1, 2), 'big': 2 ** 100, 'when': datetime.datetime(2024, 2, 29, 12, 30),
        'none': None, 'float': 0.1, 'nested': [{'a': [True]}], 3: 'three',
    }

def prints(value):
    print('noise')
    return value

class FilterModule:
    def filters(self):
        return {
            'same': lambda value: value, 'named': lambda value, one=1, *more, two=2: [value, one, list(more), two],
            'of_context': of_context, 'of_environment': of_environment, 'of_eval_context': of_eval_context,
            'fails': fails, 'refuses': refuses, 'kinds': kinds, 'prints': prints, 'to_nice_json': lambda value: 'mine',
            'kind_of': lambda value: type(value).__name__, 'template': lambda value: '{{ who }}',
            'dies': lambda value: os._exit(3), 'hangs': lambda value: __import__('time').sleep(300),
        }
"#;

const TESTS: &str = "
class TestModule:
    def tests(self):
        return {'loud': lambda value: value == value.upper(), 'between': lambda value, low, high: low <= value <= high}
";

const LOOKUP: &str = r"
DOCUMENTATION = '''
name: mine
short_description: mine
description: mine
options:
  times: {description: how often, type: int, default: 1, vars: [{name: mine_times}]}
'''
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        if 'fail' in terms:
            raise AnsibleError('told to fail')
        if 'read' in terms:
            path = self.find_file_in_search_path(variables, 'files', 'note.txt')
            return [self._loader.get_text_file_contents(path).strip()]
        if 'hosts' in terms:
            return [variables['hostvars'][variables['inventory_hostname']]['inventory_hostname'], 'who' in variables, variables.get('no')]
        return [term * self.get_option('times') for term in terms]
";

#[test]
fn what_plugins_display_is_shown_and_raw_variables_of_hosts_are_found() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    let shows = "
from ansible.utils.display import Display

def shows(value):
    Display().display('shown by a filter')
    Display().display('only logged', log_only=True)
    return value

class FilterModule:
    def filters(self):
        return {'shows': shows}
";
    let raw = "
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        Display().display('shown by a lookup')
        return [dict(variables['hostvars'].raw_get(term))['color'] for term in terms]
";
    project.write("filter_plugins/shows.py", shows);
    project.write("lookup_plugins/raw.py", raw);
    let head = "  pre_tasks:\n  - add_host: {name: other, color: red}\n";
    let tasks = "  - assert: {that: \"lookup('raw', 'other') == 'red' and 1 | shows == 1\"}\n";
    let text = passes(&project, head, tasks);
    assert!(text.contains("\nshown by a lookup\n") && text.contains("\nshown by a filter\n"), "{text}");
    assert!(!text.contains("only logged"), "{text}");
}

#[test]
fn own_plugins_and_those_of_roles_return_their_values() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    project.write("filter_plugins/own.py", FILTERS);
    project.write("test_plugins/own.py", TESTS);
    project.write("lookup_plugins/mine.py", LOOKUP);
    project.write("files/note.txt", "from a file\n");
    project.write(
        "roles/r/filter_plugins/of_role.py",
        "class FilterModule:\n    def filters(self):\n        return {'of_role': lambda value: 'role ' + value}\n",
    );
    project.write("roles/r/tasks/main.yml", "- assert: {that: \"'x' | of_role == 'role x'\"}\n");
    project.write(
        "configured/deep/late.py",
        "class FilterModule:\n    def filters(self):\n        return {'late': len}\n",
    );
    project.write("ansible.cfg", "[defaults]\nfilter_plugins = configured\n");
    let head = "  vars: {who: Bob, lazy: \"{{ who }}!\", data: {a: [1, \"{{ who }}\"]}}\n  roles: [r]\n";
    let text = passes(
        &project,
        head,
        r#"
  - assert:
      that:
        - "'y' | of_role == 'role y'"
        - "data | same == {'a': [1, 'Bob']}"
        - "1 | named == [1, 1, [], 2] and 1 | named(2, 3, two=4) == [1, 2, [3], 4]"
        - 1 | of_context == [1, 'Bob']
        - 1 | of_environment and 1 | of_eval_context
        - "[1, 2] | map('same') | list == [1, 2]"
        - "'abc' | late == 3 and 'abc' | ansible.legacy.late == 3"
        - "{'a': 1} | to_nice_json == 'mine' and {'a': 1} | ansible.builtin.to_json == '{\"a\": 1}'"
        - (1 | kinds).big == 2 ** 100 and (1 | kinds).when.year == 2024 and (1 | kinds)[3] == 'three'
        - (1 | kinds).pair | type_debug == 'tuple' and (1 | kinds).none is none
        - (1 | kinds).nested[0].a[0] is true and (1 | kinds).float == 0.1
        - (2 ** 100) | kind_of == 'int' and 0.5 | kind_of == 'float' and none | kind_of == 'NoneType'
        - "'2024-02-29' | to_datetime('%Y-%m-%d') | kind_of == 'datetime'"
        - nothing | same is undefined and nothing | same | default('given') == 'given'
        - "'A' is loud and 'a' is not loud and 3 is between(1, 5)"
        - "['A', 'b'] | select('loud') | list == ['A']"
        - 1 | prints == 1
  - assert:
      that:
        - lookup('mine', 'a') == 'a' and lookup('mine', 'a', 'b') == 'a,b' and query('mine', 'a') == ['a']
        - lookup('mine', 'a', times=2) == 'aa' and lookup('mine', 'a', wantlist=true) == ['a']
        - lookup('mine', 'read') == 'from a file'
        - query('mine', 'hosts') == ['localhost', true, none]
        - lookup('mine', lazy) == 'Bob!'
        - lookup('mine', 'fail', errors='ignore') is none and query('mine', 'fail', errors='ignore') == []
        - lookup('mine', nothing) is undefined
  - assert: {that: "lookup('mine', 'a') == 'aaa'"}
    vars: {mine_times: 3}
  - assert: {that: "item in ['a', 'b']"}
    with_mine: [a, b]
  # Templates within a condition may hold what is undefined.
  - assert:
      that:
        - lookup('list', '{{ [data.nothing, 42] }}')[1] == 42
        - lookup('mine', '{{ nothing }}') is undefined
  # What a plugin gives is data.
  - set_fact: {given: "{{ 1 | template }}"}
  - assert: {that: "given == '{' ~ '{ who }}'"}
"#,
    );
    assert!(!text.contains("noise"), "{text}");
}

#[test]
fn modules_of_plugins_are_fresh_in_each_task() {
    let Some(project) = Project::new() else { return };
    project.write(
        "filter_plugins/counting.py",
        "COUNT = 0\nSEEN = []\nNESTED = {'a': [1]}\nALIAS = NESTED['a']\nFIXED = object()\nFIRST = FIXED\n\n\n\
         class Box(object):\n    kept = {}\n\n\n\
         def count(value):\n    global COUNT, LATE\n    LATE = COUNT = COUNT + 1\n    SEEN.append(value)\n\
         \x20   ALIAS.append(value)\n    Box.kept[len(Box.kept)] = value\n\
         \x20   return [COUNT, len(SEEN), len(NESTED['a']) - 1, len(Box.kept), FIRST is FIXED]\n\n\n\
         class FilterModule(object):\n    def filters(self):\n\
         \x20       return {'count': count, 'late': lambda value: 'LATE' in globals()}\n",
    );
    project.write(
        "lookup_plugins/seen.py",
        "from ansible.plugins.lookup import LookupBase\n\nSEEN = set()\n\n\nclass LookupModule(LookupBase):\n\
         \x20   def run(self, terms, variables=None, **options):\n        SEEN.update(terms)\n        return [len(SEEN)]\n",
    );
    project.write(
        "action_plugins/acting.py",
        "from ansible.plugins.action import ActionBase\n\nSEEN = []\n\n\nclass ActionModule(ActionBase):\n\
         \x20   def run(self, tmp=None, task_vars=None):\n        SEEN.append(1)\n        return {'seen': len(SEEN)}\n",
    );
    let both = "    - assert:\n        that:\n          - not ('x' | late)\n          - ('x' | count) == [1, 1, 1, 1, true]\n\
                \x20         - ('y' | count) == [2, 2, 2, 2, true]\n          - lookup('seen', 'a') == 1\n\
                \x20         - lookup('seen', 'b') == 2\n";
    let loops = "    - debug: {msg: \"{{ 'x' | count | first }}\"}\n      loop: [1, 2]\n      register: told\n\
                 \x20   - assert:\n        that:\n          - told.results | map(attribute='msg') | list == [1, 2]\n\
                 \x20   - acting:\n      loop: [1, 2]\n      register: told\n    - acting:\n      register: last\n\
                 \x20   - assert:\n        that:\n          - told.results | map(attribute='seen') | list == [1, 2]\n\
                 \x20         - last.seen == 1\n";
    passes(&project, "", &format!("{both}{both}{loops}{both}"));
}

#[test]
fn plugins_know_what_a_playbook_wrote() {
    let Some(project) = Project::new() else { return };
    project.write(
        "filter_plugins/trust.py",
        "from ansible.template import is_trusted_as_template, trust_as_template\n\n\n\
         class FilterModule(object):\n    def filters(self):\n\
         \x20       return {'trusted': is_trusted_as_template, 'trust': trust_as_template, 'same': lambda value: value,\n\
         \x20               'trusted_keys': lambda value: [is_trusted_as_template(key) for key in value]}\n",
    );
    passes(
        &project,
        "  vars: {text: a, map: {a: 1, b: {c: 2}}, lazy: {a: '{{ text }}'}}\n",
        "    - assert:\n        that:\n          - map | trusted_keys == [true, true] and lazy | trusted_keys == [true]\n\
         \x20         - map | same | trusted_keys == [true, true] and map.b | trusted_keys == [true]\n\
         \x20         - \"{'a': 1} | trusted_keys == [false] and text | trusted and not ('b' | trusted)\"\n\
         \x20         - \"'b' | trust | trusted and text | same | trusted and not ((text ~ '') | trusted)\"\n",
    );
}

#[test]
fn plugins_know_what_was_encrypted() {
    let Some(project) = Project::new() else { return };
    project.write("password", "secret\n");
    project.write("ansible.cfg", "[defaults]\nvault_password_file = password\n");
    project.write(
        "filter_plugins/yaml_of.py",
        "from ansible.plugins.filter.core import to_yaml\n\n\nclass FilterModule(object):\n    def filters(self):\n\
         \x20       return {'yaml_of': to_yaml, 'same': lambda value: value, 'length_of': len,\n\
         \x20               'other': lambda value: value + ''}\n",
    );
    let sealed = include_str!("../fixtures/vault/by-ansible.txt").replace('\n', "\n        ");
    let head = format!("  vars:\n    v: !vault |\n        {}\n", sealed.trim_end());
    passes(
        &project,
        &head,
        "    - set_fact: {x: \"{{ v }}\"}\n    - assert:\n        that:\n          - \"'!vault' in ([v] | yaml_of)\"\n\
         \x20         - ([v] | yaml_of) == ([v] | to_yaml)\n          - ([v] | same | to_yaml) == ([v] | to_yaml)\n\
         \x20         - ([x] | yaml_of) == ([v] | to_yaml)\n          - v | length_of == 7\n\
         \x20         - v | same is vault_encrypted\n          - v | other is not vault_encrypted\n\
         \x20         - ([v | other] | to_yaml) == '[' ~ v ~ ']\\n'\n",
    );
}

#[test]
fn errors_have_ansibles_words_and_their_place() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    project.write("filter_plugins/own.py", FILTERS);
    project.write("lookup_plugins/mine.py", LOOKUP);
    project.write(
        "filter_plugins/broken.py",
        "class Broken:\n    @property\n    def accept_args_markers(self):\n        raise Exception('bad luck')\n\
         class FilterModule:\n    def filters(self):\n        return {'broken': Broken()}\n",
    );
    project.write("lookup_plugins/wrecked.py", "raise Exception('bad luck')\n");
    let cases = [
        ("1 | fails", "The filter plugin 'fails' failed: boom 1"),
        ("1 | refuses", "The filter plugin 'refuses' failed: not this one"),
        ("1 | same(1, 2)", "The filter plugin 'same' failed: FilterModule.filters.<locals>.<lambda>"),
        ("1 | broken", "The filter plugin 'broken' failed to load: bad luck"),
        ("1 | nowhere", "No filter named 'nowhere'"),
        ("1 | no.such.filter", "No filter named 'no.such.filter'"),
        ("1 is nowhere", "No test named 'nowhere'"),
        ("lookup('mine', 'fail')", "The lookup plugin 'mine' failed: told to fail"),
        ("lookup('mine', 'a', times='many')", "The lookup plugin 'mine' failed: .*'many'"),
        ("lookup('wrecked')", "The lookup plugin 'wrecked' failed to load: bad luck"),
        ("lookup('nowhere')", "The lookup plugin 'nowhere' was not found"),
        ("nothing | same", "'nothing' is undefined"),
    ];
    let tasks: String = cases
        .iter()
        .map(|(expression, message)| {
            let search = message.replace(['(', ')'], ".").replace('\'', "''");
            format!(
                "  - debug:\n      msg: \"{{{{ {expression} }}}}\"\n    register: r\n    ignore_errors: true\n  \
                 - assert:\n      that: r is failed and r.msg is search(wanted)\n    vars: {{wanted: '{search}'}}\n"
            )
        })
        .collect();
    passes(&project, "", &tasks);
    let (text, code) = run(&project, "  vars: {outer: \"{{ 1 | fails }}\"}\n", "  - debug: {msg: \"{{ outer }}\"}\n");
    assert!(code == 2 && text.contains("site.yml:3:25"), "{text}");
}

#[test]
fn plugins_of_collections_have_full_names() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    let inner = "collections/ansible_collections/my/col";
    project.write(&format!("{inner}/plugins/filter/several.py"), FILTERS);
    project.write(&format!("{inner}/plugins/test/several.py"), TESTS);
    project.write(&format!("{inner}/plugins/lookup/mine.py"), LOOKUP);
    project.write(
        &format!("{inner}/meta/runtime.yml"),
        "plugin_routing:\n  filter:\n    old: {redirect: my.col.same}\n    aging: {redirect: my.col.same, deprecation: \
         {removal_version: 9.0.0, warning_text: Use same.}}\n    gone: {tombstone: {removal_version: 2.0.0, \
         warning_text: Use same.}}\n  lookup:\n    theirs: {redirect: my.col.mine}\n",
    );
    project.write(&format!("{inner}/roles/r/tasks/main.yml"), "- assert: {that: 1 | my.col.same == 1}\n");
    let text = passes(
        &project,
        "  roles: [my.col.r]\n",
        r#"
  - assert:
      that:
        - 1 | my.col.same == 1 and 1 | my.col.old == 1 and 1 | my.col.aging == 1
        - "'A' is my.col.loud and lookup('my.col.mine', 'a') == 'a' and lookup('my.col.theirs', 'a') == 'a'"
        - "{'a': 1} | to_nice_json != 'mine'"
  - assert: {that: item == 'a'}
    with_my.col.mine: [a]
  - debug: {msg: "{{ 1 | my.col.gone }}"}
    register: r
    ignore_errors: true
  - assert: {that: r.msg is search('has been removed')}
  # As in Ansible the keyword does not hold for plugins.
  - debug: {msg: "{{ 1 | same }}"}
    collections: [my.col]
    register: r
    ignore_errors: true
  - assert: {that: r is failed}
"#,
    );
    assert!(text.contains("Filter \"my.col.aging\" has been deprecated. Use same."), "{text}");
    if ["community.general", "ansible.utils"].iter().all(|name| has_collection(&python, name)) {
        passes(
            &project,
            "",
            r#"
  - assert:
      that:
        - lookup('community.general.random_string', length=7) | length == 7
        - "'10.1.1.1' is ansible.utils.in_network '10.0.0.0/8'"
        - "{'a': {'b': [1]}} | ansible.utils.to_paths == {'a.b[0]': 1}"
        - "[{'k': 1, 'v': 2}] | community.general.lists_mergeby([{'k': 1, 'w': 3}], 'k') == [{'k': 1, 'v': 2, 'w': 3}]"
        - "'abc' | community.general.crc32 == '352441c2'"
        - query('community.general.flattened', [1, [2]]) == [1, 2]
"#,
        );
    }
}

#[test]
fn a_plugin_that_dies_or_hangs_fails_only_its_own_task() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    project.write("filter_plugins/own.py", FILTERS);
    project.write("ansible.cfg", "[rplay]\nprogram_timeout = 5\n");
    let (text, code) = run(
        &project,
        "",
        "
  - debug: {msg: '{{ 1 | dies }}'}
    register: r
    ignore_errors: true
  - assert: {that: \"r.msg is search('does not respond: it exited')\"}
  - assert: {that: 1 | same == 1}
  - debug: {msg: '{{ 1 | hangs }}'}
    register: r
    ignore_errors: true
  - assert: {that: \"r.msg is search('does not respond: no message for 5 s')\"}
  - assert: {that: 1 | same == 1}
",
    );
    assert_eq!(code, 0, "{text}");
}

#[test]
fn hosts_call_at_the_same_time_and_each_sees_its_own_variables() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    project.write("filter_plugins/own.py", FILTERS);
    project.write("lookup_plugins/mine.py", LOOKUP);
    let hosts: String = (0..24).map(|number| format!("h{number} who=w{number} mine_times=2\n")).collect();
    project.write("inventory", &hosts);
    project.write("ansible.cfg", "[defaults]\ninventory = inventory\n");
    let tasks = "
  - assert:
      that:
        - 1 | of_context == [1, 'w' ~ inventory_hostname[1:]]
        - lookup('mine', who) == who ~ who
        - query('mine', 'hosts')[0] == inventory_hostname
        - who | same == who
    vars: {unused: '{{ 1 | fails }}'}
";
    project.write("site.yml", &format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}"));
    let mut command = seen::rplay();
    command.env("RPLAY_ANSIBLE_PYTHON", &project.python).env("XDG_CACHE_HOME", project.at("cache"));
    let output = command.arg("site.yml").current_dir(project.directory.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn no_python_starts_before_a_template_names_a_plugin() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    project.write("filter_plugins/own.py", FILTERS);
    let spy = project.at("spy");
    let script = format!("#!/bin/sh\ntouch {}\nexec {} \"$@\"\n", project.at("started").display(), python.display());
    fs::write(&spy, script).unwrap();
    fs::set_permissions(&spy, fs::Permissions::from_mode(0o755)).unwrap();
    let project = Project { python: spy, ..project };
    let native = "  - assert: {that: \"{'a': 1} | to_json | length == 8 and lookup('env', 'HOME') is defined\"}\n";
    let (text, code) = run(&project, "", native);
    assert!(code == 0 && !project.at("started").exists(), "{text}");
    let (text, code) = run(&project, "", "  - assert: {that: 1 | same == 1}\n");
    assert!(code == 0 && project.at("started").exists(), "{text}");
}

#[test]
fn a_hundred_calls_start_python_once() {
    let Some(python) = ansible() else { return };
    let project = Project::with(&python);
    project.write("filter_plugins/own.py", FILTERS);
    let loops = "  - debug: {msg: \"{{ item | same }}\"}\n    loop: \"{{ range(100) | list }}\"\n";
    let inner = "  - assert: {that: \"range(100) | map('same') | list | length == 100\"}\n";
    for (what, tasks) in [("a loop", loops), ("a template", inner)] {
        let begun = Instant::now();
        let (text, code) = run(&project, "", tasks);
        assert_eq!(code, 0, "{text}");
        println!("100 calls in {what}: {:.2} s", begun.elapsed().as_secs_f64());
    }
}
