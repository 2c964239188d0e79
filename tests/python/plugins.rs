//! Inventory and callback plugins written in Python.

use std::{fs, process::Command};

use crate::{ansible, project::Project};

/// An inventory plugin of a collection that creates everything a plugin can create.
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
fn an_inventory_plugin_of_a_collection_creates_hosts_groups_and_variables() {
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

    // Next to a playbook no setting is needed; a failing source causes a warning, and the other sources are used.
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

/// A callback that records its calls.
const RECORDER: &str = r#"
DOCUMENTATION = '''
name: recorder
type: notification
short_description: writes down what happens
options:
  path: {ini: [{section: callback_recorder, key: path}], default: record}
'''
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'recorder'

    def say(self, *words):
        with open(self.get_option('path'), 'a') as file:
            file.write(' '.join(str(word) for word in words) + '\n')

    def v2_playbook_on_start(self, playbook):
        self.say('playbook', playbook._file_name)

    def v2_playbook_on_play_start(self, play):
        self.play = play
        variables = play.get_variable_manager().get_vars(play=play)
        self.say('play', play.get_name(), variables['own'], variables['ansible_play_batch'])

    def v2_playbook_on_task_start(self, task, is_conditional):
        line = task.get_path().rsplit('/', 1)[-1]
        assert len(task._uuid) >= 36
        self.say('task', task.get_name(), '|', task.name, task.action, task.tags, line)
        self.say('args', sorted(task.args.items()), task._role)

    def v2_playbook_on_handler_task_start(self, task):
        self.say('handler', task.get_name())

    def v2_runner_on_start(self, host, task):
        self.say('start', host.get_name(), task.name)

    def v2_runner_on_ok(self, result):
        data = {key: result._result.get(key) for key in ('msg', 'changed', 'censored') if key in result._result}
        self.say('ok', result._host.get_name(), result._task.name, data, result.is_changed())

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.say('failed', result._task.name, result._result['msg'], ignore_errors)
        if result._task.name == 'fails':
            raise ValueError('out of order')

    def v2_runner_on_skipped(self, result):
        self.say('skipped', result._task.name)

    def v2_runner_item_on_ok(self, result):
        self.say('item', result._result.get('item'), result._result.get('_ansible_item_label'))

    def v2_runner_retry(self, result):
        self.say('retry', result._result['retries'] - result._result['attempts'])

    def v2_playbook_on_include(self, included):
        self.say('include', included._filename.rsplit('/', 1)[-1], [host.name for host in included._hosts])

    def v2_playbook_on_notify(self, handler, host):
        self.say('notify', handler.get_name(), host)

    def v2_playbook_on_stats(self, stats):
        self.say('stats', {host: stats.summarize(host) for host in sorted(stats.processed)}, stats.custom)
        print('recorded')
"#;

const RECORDED: &str = "playbook site.yml
play first yes ['h']
task one | one debug ['t'] site.yml:6
args [('msg', '{{ own }}')] None
start h one
ok h one {'msg': 'yes', 'changed': False} False
task debug |  debug [] site.yml:7
args [('msg', '{{ item }}')] None
start h 
item a a
item b b
ok h  {'msg': 'All items completed', 'changed': False} False
task hidden | hidden debug [] site.yml:9
args [] None
start h hidden
ok h hidden {'changed': False, 'censored': \"the output has been hidden due to the fact that 'no_log: true' was specified for this result\"} False
task fails | fails fail [] site.yml:12
args [('msg', 'no')] None
start h fails
failed fails no True
task skips | skips debug [] site.yml:15
args [] None
start h skips
skipped skips
task r : in role | in role command [] main.yml:1
args [('_raw_params', 'true')] r
start h in role
ok h in role {'msg': '', 'changed': True} True
notify done h
handler done
start h done
ok h done {'msg': 'handled', 'changed': False} False
stats {'h': {'ok': 6, 'failures': 0, 'unreachable': 0, 'changed': 1, 'skipped': 1, 'rescued': 0, 'ignored': 1}} {}
";

#[test]
fn a_callback_next_to_the_playbook_gets_all_events() {
    let Some(project) = Project::new() else { return };
    project.write("callback_plugins/recorder.py", RECORDER);
    project.write("ansible.cfg", "[callback_recorder]\npath = written\n");
    project.write("roles/r/tasks/main.yml", "- name: in role\n  command: 'true'\n  notify: done\n");
    let play = "- hosts: h
  name: first
  vars: {own: 'yes'}
  tasks:
    - {name: one, debug: {msg: '{{ own }}'}, tags: t}
    # With items.
    - debug: {msg: '{{ item }}'}
      loop: [a, b]
    - name: hidden
      debug: {msg: S3CR3T}
      no_log: true
    - name: fails
      fail: {msg: 'no'}
      ignore_errors: true
    - {name: skips, debug: {}, when: false}
    - import_role: {name: r}
  handlers:
    - {name: done, debug: {msg: handled}}
";
    project.write(
        "site.yml",
        &play.replace("  tasks:", "  gather_facts: false\n  tasks:").replacen("    # With items.\n", "", 1),
    );
    let (out, err) = project.passes(&["-i", "h,", "-c", "local", "site.yml"], &[]);
    assert_eq!(fs::read_to_string(project.directory.path().join("written")).unwrap(), RECORDED, "{out}{err}");
    assert!(err.contains("Callback dispatch 'v2_runner_on_failed' failed for plugin 'recorder'"), "{err}");
    // What plugins print follows what was shown for the same event.
    assert!(out.trim_end().ends_with("recorded") && out.contains("PLAY RECAP"), "{out}");
    assert!(!out.contains("S3CR3T") && !err.contains("S3CR3T"), "{out}{err}");
}

/// Writes down each call, with the keys of results and what is included.
const ORDER: &str = r#"
DOCUMENTATION = '{name: order, type: aggregate, short_description: what is called when}'
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, 'aggregate', 'order'

    def __getattribute__(self, name):
        if not name.startswith('v2_') or name == 'v2_on_any':
            return object.__getattribute__(self, name)

        def call(*args, **options):
            with open('order', 'a') as file:
                file.write('%s %s %s\n' % (name, [told(arg) for arg in args], options))
        return call

def told(arg):
    if hasattr(arg, '_result'):
        shown = sorted(key for key in arg._result if key not in ('_ansible_no_log', 'exception'))
        return arg._host.name, arg._task.action, shown
    if hasattr(arg, '_filename'):
        name = arg._filename.rsplit('/', 1)[-1]
        return name, [host.name for host in arg._hosts], arg._task.action, arg._vars, arg._is_role
    return type(arg).__name__
"#;

/// Calls, their order and what results contain are those of ansible-playbook; standard output shows no more for it.
#[test]
fn callbacks_are_called_as_by_ansible_core() {
    let Some(project) = Project::new() else { return };
    if ansible::version(&project.python) < (2, 19) {
        return println!("skipped: other versions call in another order");
    }
    project.write("callback_plugins/order.py", ORDER);
    project.write("inc.yml", "- debug: {msg: inc}\n");
    project.write("roles/r/tasks/main.yml", "- debug: {msg: role}\n");
    project.write("vars.yml", "a: 1\n");
    let tasks = "
    - include_tasks: inc.yml
    - include_tasks: inc.yml
      loop: [1, 2, 3]
      when: item != 2
    - {include_tasks: inc.yml, when: false}
    - include_role: {name: r}
    - import_tasks: inc.yml
    - {command: 'false', ignore_errors: true}
    - {command: 'echo {{ item }}', loop: [1, 2], notify: h}
    - {command: 'false', until: false, retries: 1, delay: 0, ignore_errors: true}
    - include_vars: vars.yml
    - add_host: {name: z}
    - meta: flush_handlers
";
    let play = format!("- hosts: all\n  gather_facts: false\n  tasks:{tasks}  handlers:\n    - {{name: h, ping: }}\n");
    project.write("site.yml", &play);
    let interpreter = format!("ansible_python_interpreter={}", project.python.display());
    let words = ["-i", "one,", "-c", "local", "-e", &interpreter, "site.yml"];
    let order = || {
        let order = std::fs::read_to_string(project.at("order")).unwrap();
        std::fs::remove_file(project.at("order")).unwrap();
        order
    };
    let (out, _) = project.passes(&words, &[]);
    let ours = order();
    let mut command = Command::new(project.python.with_file_name("ansible-playbook"));
    command.args(words).current_dir(project.directory.path()).output().unwrap();
    assert_eq!(ours, order());
    assert!(out.contains("\"msg\": \"non-zero return code\"") && !out.contains("invocation"), "{out}");
}

/// A callback for standard output: ansible-core's minimal by another name.
const OWN_MINIMAL: &str = "
DOCUMENTATION = '''
name: shout
type: stdout
short_description: results alone
extends_documentation_fragment: [result_format_callback]
'''
from ansible.plugins.callback.minimal import CallbackModule as Minimal

class CallbackModule(Minimal):
    CALLBACK_NAME = 'shout'
";

#[test]
fn a_callback_of_the_user_writes_standard_output() {
    let Some(project) = Project::new() else { return };
    project.write("callback_plugins/shout.py", OWN_MINIMAL);
    let tasks = "  - debug: {msg: told}\n  - {fail: {msg: broken}, ignore_errors: true}\n";
    project.write("site.yml", &format!("- hosts: h\n  gather_facts: false\n  tasks:\n{tasks}"));
    let words = ["-i", "h,", "-c", "local", "site.yml"];
    let (out, err) = project.passes(&words, &[("ANSIBLE_STDOUT_CALLBACK", "shout")]);
    assert!(out.contains("h | SUCCESS => {") && out.contains("h | FAILED! => {"), "{out}{err}");
    assert!(!out.contains("PLAY RECAP") && !err.contains("dispatch"), "{out}{err}");
    let (_, err, code) = project.run(&words, &[("ANSIBLE_STDOUT_CALLBACK", "no.such.plugin")]);
    assert!(code != 0 && err.contains("no.such.plugin"), "{err}");
    let none = [("ANSIBLE_STDOUT_CALLBACK", "shout"), ("RPLAY_ANSIBLE_PYTHON", "/nonexistent/python")];
    let (_, err, code) = project.run(&words, &none);
    assert!(code != 0 && err.contains("pip install ansible-core"), "{err}");
    // A file of the user's precedes a format that is built in.
    project.write("callback_plugins/json.py", &OWN_MINIMAL.replace("shout", "json"));
    let (out, err) = project.passes(&words, &[("ANSIBLE_STDOUT_CALLBACK", "json")]);
    assert!(out.contains("h | SUCCESS => {"), "{out}{err}");
}

/// What plugins of collections ask plays, tasks and results for.
const CURIOUS: &str = r#"
DOCUMENTATION = '''
name: curious
type: stdout
short_description: tells more than the default one
extends_documentation_fragment: [default_callback]
'''
from ansible.plugins.callback.default import CallbackModule as Default

class CallbackModule(Default):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, 'stdout', 'curious'

    def v2_playbook_on_play_start(self, play):
        super().v2_playbook_on_play_start(play)
        self._display.display('%s %s' % (play.hosts, len(play.get_tasks()[0])))
        self._display.display('%s %s %s' % (play.environment, play.tags, len(play.tasks)))

    def v2_playbook_on_task_start(self, task, is_conditional):
        super().v2_playbook_on_task_start(task, is_conditional)
        self._display.display('%s' % (task._ds.copy(),))
        self._display.display('%s %s' % (task.vars, sorted(task.get_vars().items())))
        self._display.display('%s %s %s %s' % (task.when, task.register, task.environment, task.become_user))

    def v2_playbook_on_start(self, playbook):
        super().v2_playbook_on_start(playbook)
        self._display.display('%s' % [play.get_name() for play in playbook.get_plays()])

    def v2_runner_on_ok(self, result):
        super().v2_runner_on_ok(result)
        self._display.display('%s %s' % (result._task_fields['register'], result._task_fields.get('nothing', 'none')))
"#;

/// Compared with what ansible-playbook prints.
#[test]
fn a_callback_may_ask_for_patterns_sources_and_causes() {
    let Some(project) = Project::new() else { return };
    if ansible::version(&project.python) < (2, 19) {
        return println!("skipped: before 2.19 failures have no causes");
    }
    project.write("callback_plugins/curious.py", CURIOUS);
    project.write("hosts", "[web]\nh ansible_connection=local\n");
    let tasks = "
    - name: told
      debug: {msg: '{{ word }}'}
      vars: {word: text, doubled: '{{ word * 2 }}'}
      when: doubled is defined
      register: r
      environment: {A: '{{ word }}'}
    - vars: {word: outer, other: 1}
      block:
        - vars: {word: inner}
          block:
            - debug: {msg: '{{ word }}'}
            - debug: {msg: '{{ word }}'}
              vars: {word: own}
    - fail: {msg: 'broken {{ item }}'}
      loop: [1, 2]
      ignore_errors: true
    - fail: {msg: whole}
      ignore_errors: true
";
    project.write(
        "site.yml",
        &format!("- hosts: [web, 'h*']\n  gather_facts: false\n  environment: {{B: c}}\n  tags: p\n  tasks:{tasks}"),
    );
    let words = ["-i", "hosts", "site.yml"];
    let (out, err) = project.passes(&words, &[("ANSIBLE_STDOUT_CALLBACK", "curious")]);
    let mut command = Command::new(project.python.with_file_name("ansible-playbook"));
    command.args(words).current_dir(project.directory.path()).env("ANSIBLE_STDOUT_CALLBACK", "curious");
    let output = command.env("ANSIBLE_PYTHON_INTERPRETER", &project.python).output().unwrap();
    assert_eq!(out, String::from_utf8(output.stdout).unwrap(), "{err}");

    let tasks = "    - {debug: {msg: '{{ missing }}'}, ignore_errors: true}\n";
    project.write("site.yml", &format!("- hosts: h\n  gather_facts: false\n  tasks:\n{tasks}"));
    let (out, _) = project.passes(&words, &[("ANSIBLE_STDOUT_CALLBACK", "curious")]);
    let cause = "<<< caused by >>>\n\nError while resolving value for 'msg': 'missing' is undefined\nOrigin: ";
    assert!(out.contains(cause) && out.matches("is undefined").count() == 3, "{out}");
}

#[test]
fn profile_tasks_and_timer_are_enabled_by_name() {
    let Some(project) = Project::new() else { return };
    let has = Command::new(&project.python).args(["-c", "import ansible_collections.ansible.posix"]).output().unwrap();
    if !has.status.success() {
        return println!("skipped: the collection ansible.posix is not installed beside ansible-core");
    }
    project.write("site.yml", "- hosts: h\n  gather_facts: false\n  tasks: [{name: one, debug: {msg: told}}]\n");
    let enabled = [("ANSIBLE_CALLBACKS_ENABLED", "ansible.posix.profile_tasks, ansible.posix.timer, not.there.x")];
    let (out, err) = project.passes(&["-i", "h,", "-c", "local", "site.yml"], &enabled);
    let at = |text: &str| out.find(text).unwrap_or_else(|| panic!("{text}: {out}{err}"));
    assert!(at("TASK [one]") < at("ok: [h]") && at("PLAY RECAP") < at("Playbook run took"), "{out}");
    assert!(out.contains("one ---"), "{out}");
    assert!(err.contains("not.there.x"), "{err}");
}
