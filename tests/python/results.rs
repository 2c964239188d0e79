//! What the results of action plugins in Python do to a run: handlers, hosts that are added, output that is hidden.

use crate::project::Project;

const MINE: &str = r#"
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        do = args.pop('do')
        if do == 'add':
            result.update(changed=True, add_host={'host_name': 'new', 'groups': ['made'], 'host_vars': {'colour': 'blue'}})
        elif do == 'group':
            result.update(changed=True, add_group='grouped', parent_groups=['above'])
        elif do == 'notify':
            result.update(changed=True, _ansible_notify=['told'])
        elif do == 'hide':
            result.update(_ansible_no_log=True, secret='s3cret')
        elif do == 'show':
            result.update(_ansible_verbose_always=True, shown='as a whole')
        elif do == 'stats':
            result.update(ansible_stats={'data': {'number': 2}, 'aggregate': True, 'per_host': False})
        return result
"#;

fn project() -> Option<Project> {
    let project = Project::new()?;
    project.write("action_plugins/mine.py", MINE);
    project.write("hosts", "one ansible_connection=local\n");
    Some(project)
}

#[track_caller]
fn passes(project: &Project, play: &str, more: &[&str]) -> String {
    project.write("site.yml", &format!("- hosts: all\n  gather_facts: false\n{play}"));
    let (out, err) = project.passes(&[&["-i", "hosts", "site.yml"], more].concat(), &[]);
    out + &err
}

#[test]
fn results_add_hosts_and_groups_notify_hide_and_count() {
    let Some(project) = project() else { return };
    let tasks = "  handlers: [{name: told, debug: {msg: the handler ran}}]
  tasks:
    - mine: {do: add}
    - mine: {do: group}
    - mine: {do: notify}
    - mine: {do: hide}
    - mine: {do: stats}
    - assert:
        that:
          - groups.made == ['new'] and hostvars.new.colour == 'blue'
          - groups.grouped == ['one'] and groups.above == ['one']
";
    project.write("ansible.cfg", "[defaults]\nshow_custom_stats = true\n");
    let text = passes(&project, tasks, &["-v"]);
    assert!(text.contains("the handler ran") && !text.contains("s3cret") && text.contains("\"number\": 2"), "{text}");
}

#[test]
fn a_result_may_ask_to_be_shown() {
    let Some(project) = project() else { return };
    let text = passes(&project, "  tasks:\n    - mine: {do: show}\n", &[]);
    assert!(text.contains("\"shown\": \"as a whole\""), "{text}");
}

#[test]
fn deprecations_of_modules_name_what_they_are_about() {
    let Some(project) = project() else { return };
    let module = "from ansible.module_utils.basic import AnsibleModule

def main():
    module = AnsibleModule({'by': {}})
    module.deprecate('old', version='9.9', collection_name=module.params['by'])
    module.exit_json()

main()
";
    project.write("library/ageing.py", module);
    project.write("collections/ansible_collections/my/col/plugins/modules/ageing.py", module);
    let text = passes(&project, "  tasks:\n    - ageing:\n    - my.col.ageing:\n    - ageing: {by: my.col}\n", &[]);
    for of in [
        "module 'ageing' in collection 'ansible.legacy'",
        "module 'ageing' in collection 'my.col'",
        "collection 'my.col'",
    ] {
        assert!(text.contains(&format!("old. This feature will be removed from {of} version 9.9.")), "{of}: {text}");
    }
}

/// Short names of groups are those of the collections that a play searches.
#[test]
fn groups_of_module_defaults_are_found_in_the_collections_that_are_searched() {
    let Some(project) = project() else { return };
    let say = "from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {'given': self._task.args}
";
    project.write("collections/ansible_collections/my/col/plugins/action/say.py", say);
    project.write("collections/ansible_collections/my/col/plugins/modules/say.py", "");
    project.write("collections/ansible_collections/my/col/meta/runtime.yml", "action_groups: {mine: [say]}\n");
    let tasks = "  collections: [my.col]
  module_defaults:
    group/mine: {of_group: 1}
    say: {of_name: 2}
  tasks:
    - say: {own: 3}
      register: short
    - my.col.say:
      register: full
      module_defaults: {group/my.col.mine: {of_group: 4}}
    - assert:
        that:
          - short.given.of_group == 1 and short.given.of_name == 2 and short.given.own == 3
          - full.given.of_group == 4 and full.given.of_name == 2
";
    passes(&project, tasks, &[]);
}

/// A group names modules that no task calls; only a task that calls a deprecated one is warned of it.
#[test]
fn names_in_groups_of_module_defaults_are_not_warned_of() {
    let Some(project) = project() else { return };
    for name in ["old", "new"] {
        project.write(
            &format!("collections/ansible_collections/my/col/plugins/modules/{name}.py"),
            "#!/usr/bin/python\nprint('{}')\n",
        );
    }
    let runtime = "action_groups: {mine: [old, new]}
plugin_routing: {modules: {old: {deprecation: {removal_version: 9.0.0, warning_text: Use new.}}}}
";
    project.write("collections/ansible_collections/my/col/meta/runtime.yml", runtime);
    let play = |module: &str| {
        let tasks = format!("  module_defaults: {{group/my.col.mine: {{}}}}\n  tasks:\n    - my.col.{module}:\n");
        passes(&project, &tasks, &[])
    };
    assert!(!play("new").contains("has been deprecated"));
    assert!(play("old").contains("my.col.old has been deprecated. Use new."));
}

/// What Ansible makes of results that are odd: of states in other types, numbers of any size, keys that no module may
/// set, values of the wrong type, output that is no JSON.
#[test]
fn odd_results_of_modules_are_read_as_ansible_reads_them() {
    let Some(project) = project() else { return };
    let module = "#!/usr/bin/python\n# WANT_JSON\nimport json, sys\nprint(json.load(open(sys.argv[1]))['out'])\n";
    project.write("library/prints.py", module);
    let tasks = r#"  vars:
    outputs:
      - '{"changed": "no", "failed": 0, "rc": 3, "big": 340282366920938463463374607431768211456, "odd": [NaN, -Infinity, 1e400]}'
      - '{"failed": "no"}'
      - '{"rc": 1}'
      - '{"stdout": ["a"]}'
      - '{"ansible_facts": "x"}'
      - '{"_ansible_x": {"a": 1}, "add_host": {"host_name": "new"}, "ansible_facts": {"ansible_user": "evil", "mine": 1}}'
      - '{"warnings": "x", "deprecations": [{"msg": "old", "version": "2", "collection_name": "a.b"}, "older"]}'
      - '{"a": 1,}'
      - '{"a": 1} x'
      - '{"a": ["x\u00e9\udcff"]}'
      - '{"a": {"__ansible_type": "Riddle"}}'
      - '{"rc": null}'
      - '{"skipped": true}'
  tasks:
    - prints: {out: "{{ item }}"}
      loop: "{{ outputs }}"
      ignore_errors: true
      register: r
    - set_fact: {told: "{{ r.results | map(attribute='msg', default='-') }}", first: "{{ r.results[0] }}"}
    - assert:
        that:
          - first is not failed and first.failed == 0 and first.changed == 'no' and first is changed
          - first.big == 2 ** 128 and first.big + 1 - 2 ** 128 == 1 and first.big | type_debug == 'int'
          - first.odd | to_json == '[NaN, -Infinity, Infinity]'
          - >-
            told[1] == 'Task failed: Module failed: Unknown error.' and told[2] == 'Task failed: Action failed: Unknown error.'
          - >-
            told[3] == "Task failed: 'list' object has no attribute 'splitlines'"
          - >-
            told[4] == "Task failed: 'str' object has no attribute 'keys'"
          - >-
            r.results[5].ansible_facts.mine == 1 and '_ansible_x' not in r.results[5] and 'new' not in groups.all
          - r.results[6] is not failed
          - >-
            told[7] == 'Module result deserialization failed: Expecting property name enclosed in double quotes: line 1 column 9 (char 8)'
          - >-
            told[8] == 'Module result deserialization failed: No end of json char found'
          - >-
            told[9] == "Task failed: Refusing to deserialize an invalid UTF8 string value: 'utf-8' codec can't encode character
            '\\udcff' in position 2: surrogates not allowed"
          - >-
            told[10] == "Task failed: Object of type 'Riddle' is not JSON deserializable by the 'module_legacy_m2c' profile."
          - >-
            told[11] == 'Task failed: Action failed: Unknown error.' and told[12] == '-' and r.results[12] is skipped
          - >-
            r.warnings == ["Removed unexpected internal key in module return: _ansible_x = {'a': 1}",
            "Removed unexpected internal key in module return: add_host = {'host_name': 'new'}",
            'Removed restricted key from module data: ansible_user',
            "Task result `warnings` was <class 'str'> instead of <class 'list'>.",
            "Task result `deprecations` contained an invalid item: 'str' object has no attribute 'pop'", 'older']
          - >-
            r.deprecations == [{'msg': 'old', 'version': '2', 'collection_name': 'a.b',
            'deprecator': {'resolved_name': 'a.b', 'type': none}}]
    - debug: {msg: "{{ first.big }}"}
    - debug: {msg: "{{ {'n': 2 ** 70} }}"}
"#;
    let text = passes(&project, tasks, &[]);
    assert!(text.contains("\"msg\": 340282366920938463463374607431768211456\n"), "{text}");
    assert!(text.contains("\"n\": 1180591620717411303424\n"), "{text}");
}

/// Temporary directories of modules are where Ansible has them, and go with the task.
#[test]
fn temporary_directories_of_modules_lie_below_remote_tmp() {
    let Some(project) = project() else { return };
    project.write(
        "library/where.py",
        "from ansible.module_utils.basic import AnsibleModule\n\n\ndef main():\n    module = AnsibleModule({})\n\
         \x20   open(module.tmpdir + '/left', 'w').close()\n    module.exit_json(tmp=module.tmpdir)\n\n\nmain()\n",
    );
    project.write("library/lacking", "echo {}\n");
    let tasks = "  tasks:
    - where:
      register: usual
    - where:
      register: chosen
      vars: {ansible_remote_tmp: '{{ playbook_dir }}/tmp'}
    - lacking:
      register: r
      ignore_errors: true
    - assert:
        that:
          - usual.tmp is search('/.ansible/tmp/') and usual.tmp is not exists
          - chosen.tmp is search(playbook_dir ~ '/tmp/') and chosen.tmp is not exists
          - \"r.msg == 'Task failed: module (lacking) is missing interpreter line'\"
";
    passes(&project, tasks, &[]);
}

/// A module may say that its host is unreachable; a task that failed, or an item of its loop, sets no facts.
#[test]
fn hosts_are_unreachable_and_facts_are_kept_as_results_say() {
    let Some(project) = project() else { return };
    let module = "#!/usr/bin/python\n# WANT_JSON\nimport json, sys\nprint(json.load(open(sys.argv[1]))['out'])\n";
    project.write("library/prints.py", module);
    let tasks = r#"  vars:
    facts: '{"ansible_facts": {"fact": 1}}'
  tasks:
    - prints: {out: '{"unreachable": true}'}
      ignore_unreachable: true
      register: r
    - assert: {that: [r is unreachable, r.failed is false, "'msg' not in r", "'exception' not in r"]}
    - prints: {out: "{{ facts }}"}
      failed_when: true
      ignore_errors: true
    - prints: {out: "{{ item }}"}
      loop: ["{{ facts }}", '{"failed": true}']
      ignore_errors: true
    - set_fact: {set: "{{ item }}"}
      loop: [1, 2]
      failed_when: item == 2 or set != item
      ignore_errors: true
    - assert: {that: [fact is undefined, set is undefined]}
    - prints: {out: "{{ item }}"}
      loop: ["{{ facts }}", '{"ansible_facts": {"other": 2}}']
    - assert: {that: [fact == 1, other == 2]}
"#;
    passes(&project, tasks, &[]);
}

/// What a plugin returns may hold text that is not UTF-8; one that it skips by an exception has no `failed`.
#[test]
fn plugins_return_bytes_and_skip() {
    let Some(project) = project() else { return };
    let plugin = "from ansible.errors import AnsibleActionSkip
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        if self._task.args:
            raise AnsibleActionSkip('not today')
        return {'text': 'a\\udcffb'}
";
    project.write("action_plugins/odd.py", plugin);
    let tasks = "  tasks:
    - odd:
      register: r
    - odd: {skip: true}
      register: skipped
    - assert: {that: [r.text | length == 3, skipped is skipped, \"skipped.keys() | sort == ['changed', 'msg', 'skipped']\"]}
";
    passes(&project, tasks, &[]);
}
