//! Action plugins written in Python, over a real sshd.

use std::time::{Duration, Instant};

use crate::{project::Project, sshd::Sshd};

/// A project with a plugin, and the sshd before its host.
fn project() -> Option<(Project, Sshd)> {
    let project = Project::new()?;
    let sshd = Sshd::start("")?;
    let project = project.over_ssh(&sshd, "", "");
    project.write("action_plugins/mine.py", MINE);
    project.write("library/my_module.py", MODULE);
    project.write("library/seeing.py", SEEING);
    project.write("files/f.txt", "x");
    Some((project, sshd))
}

/// Variables of each play.
const VARS: &str = "  vars: {word: '{{ \"o\" ~ \"k\" }}'}\n";

const MODULE: &str = "
from ansible.module_utils.basic import AnsibleModule
m = AnsibleModule(argument_spec=dict(word=dict(type='str')), supports_check_mode=True)
m.exit_json(changed=not m.check_mode, said=m.params['word'].upper())
";

const SEEING: &str = "
import os, pwd
from ansible.module_utils.basic import AnsibleModule
m = AnsibleModule(argument_spec={}, supports_check_mode=True)
seen = [pwd.getpwuid(os.geteuid()).pw_name, os.environ.get('WORD', ''), m.check_mode, m._diff]
m.exit_json(changed=True, seen=seen, diff=dict(before='a\\n', after='b\\n'))
";

const MINE: &str = r#"
import os, tempfile
from ansible.errors import AnsibleActionFail, AnsibleActionSkip, AnsibleError
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    TRANSFERS_FILES = True
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        do = self._task.args.get('do', 'all')
        if do == 'fail':
            raise AnsibleActionFail('no way', result={'why': 'because'})
        if do == 'skip':
            raise AnsibleActionSkip('not now')
        if do == 'error':
            raise AnsibleError('an error')
        if do == 'own':
            return dict(result, failed=True, msg='my own', warnings=['w', 'w'])
        if do == 'unreachable':
            return dict(result, unreachable=True, msg='gone')
        if do == 'templates':
            from ansible.template import trust_as_template
            self._display.v('seen with -v')
            self._display.vvv('seen with -vvv')
            return dict(result, _ansible_verbose_override=True, good=trust_as_template('{{ word }}'), bad=trust_as_template('{{ nope }}'), plain='{{ word }}')
        if do == 'task':
            task, context = self._task, self._play_context
            called = self._execute_module(module_name='stat', module_args={'path': '/', 'get_mime': False}, task_vars=task_vars)
            try:
                self._execute_module(module_name='fail', module_args={}, task_vars=task_vars)
            except AnsibleError as error:
                result['raised'] = str(error)
            return dict(result, name=task._parent._play.get_name(), vars=task.vars, ignore_errors=task.ignore_errors,
                        resolved=task.resolved_action, method=[task.become_method, context.become_method],
                        password=context.password, called=called['invocation']['module_args'])
        if do == 'sleep':
            return self._low_level_execute_command('sleep 100')
        if do == 'value':
            return {'x': 1 / 0}
        if do == 'stat':
            # The arguments that ActionBase gives are not all those of the module.
            found = self._execute_remote_stat('/etc/passwd', all_vars=task_vars, follow=True)
            return dict(result, stat=found['exists'], warnings=['w'], deprecations=[{'msg': 'old', 'version': '9.9', 'collection_name': 'ansible.builtin'}])
        if do == 'see':
            # What reaches the task's commands, native modules and modules in Python, and what its mode is.
            shell = self._low_level_execute_command('id -un; echo "$WORD"')['stdout'].split()
            native = self._execute_module(module_name='command', module_args={'_raw_params': 'id -un; echo "$WORD"', '_uses_shell': True}, task_vars=task_vars)
            own = {}
            if self._task.args.get('own', True):
                own = self._execute_module(module_name='seeing', module_args={}, task_vars=task_vars)
            return {'shell': shell, 'native': native.get('stdout', '').split(), 'own': own.get('seen'),
                    'mode': [self._task.check_mode, self._task.diff, self._play_context.check_mode, self._play_context.diff],
                    'user': [self._task.become, self._task.become_user, self._get_remote_user()],
                    'environment': self._task.environment, 'computed': self._compute_environment_string().strip(),
                    'diff': own.get('diff'), 'changed': own.get('changed', False)}
        if do == 'async':
            return self._execute_module(module_name='command', module_args={'_raw_params': 'sleep 1'}, task_vars=task_vars, wrap_async=self._task.async_val)
        if do == 'status':
            # As plugins do that wait for their own job.
            task = self._task.copy()
            task.args, task.action, task.async_val = {'jid': self._task.args['jid']}, 'ansible.builtin.async_status', 0
            own = self._shared_loader_obj.action_loader.get(
                task.action, task=task, connection=self._connection, play_context=self._play_context,
                loader=self._loader, templar=self._templar, shared_loader_obj=self._shared_loader_obj)
            return own.run(task_vars=task_vars)
        if do == 'evil':
            out = self._low_level_execute_command("echo '{{ 7 * 7 }}'")
            result['said'] = out['stdout'].strip()
            result['tried'] = self._templar.template(out['stdout'].strip())
            result['ansible_facts'] = {'ansible_host': 'evil', 'fine': out['stdout'].strip()}
            return result
        if do == 'variables':
            del task_vars['word']
            result['deleted'] = ['word' in task_vars, task_vars.get('word', 'none'), 'word' in list(task_vars)]
            task_vars['word'] = 'set'
            task_vars |= {'more': 1}
            result['popped'] = [task_vars.pop('word'), task_vars.pop('word', 'none'), task_vars.pop('more')]
            kept = task_vars.copy()
            task_vars.clear()
            result['left'] = [len(task_vars), 'word' in kept, kept['inventory_hostname']]
            result['key'] = self._play_context.private_key_file
            return result
        tmpdir = self._make_tmp_path()
        local = tempfile.NamedTemporaryFile('w', delete=False)
        local.write('content'); local.close()
        there = self._connection._shell.join_path(tmpdir, 'there')
        self._transfer_file(local.name, there)
        data = self._transfer_data(self._connection._shell.join_path(tmpdir, 'data'), 'text')
        result['exists'] = self._remote_file_exists(there)
        result['cat'] = self._low_level_execute_command('cat %s %s; id -un' % (there, data))
        back = local.name + '.back'
        self._connection.fetch_file(there, back)
        result['back'] = open(back).read()
        os.unlink(local.name); os.unlink(back)
        stat = self._execute_module(module_name='stat', module_args={'path': there}, task_vars=task_vars)
        result['size'] = stat['stat']['size']
        own = self._execute_module(module_name='my_module', module_args={'word': 'hi'}, task_vars=task_vars)
        result['own'] = own
        cp = self._execute_module(module_name='ansible.legacy.copy', module_args={'src': there, 'dest': there + '2', '_original_basename': 'x', 'follow': False}, task_vars=task_vars)
        result['cp'] = cp.get('msg', 'ok')
        result['needle'] = os.path.basename(self._find_needle('files', 'f.txt'))
        result['templated'] = self._templar.template('{{ word }}') 
        result['word'] = task_vars['word']
        result['args'] = self._task.args
        result['ansible_facts'] = {'plugged': 'yes'}
        result['changed'] = not self._task.check_mode
        self._display.warning('mind it')
        result['user'] = self._low_level_execute_command('id -un', sudoable=False)['stdout'].strip()
        return result
"#;

#[test]
fn a_plugin_has_what_action_base_offers() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = r#"
  - mine: {a: '{{ word }}', b: [1, 2.5]}
    register: r
  - assert:
      that:
        - plugged == 'yes' and r is changed and r.exists and r.size == 7 and r.back == 'content'
        - r.cat.stdout_lines[0].startswith('contenttext') and r.cat.rc == 0
        - r.own.said == 'HI' and r.own is changed and r.cp == 'ok'
        - r.needle == 'f.txt' and r.word == 'ok' and r.args.a == 'ok' and r.args.b == [1, 2.5]
        - r.warnings == ['mind it']
  - mine:
    check_mode: true
    register: r
  - assert: {that: [r is not changed, r.own is not changed, r.exists]}
  - mine: {a: here}
    delegate_to: localhost
    vars: {ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}
    register: r
  - assert: {that: [r.exists, r.args.a == 'here']}
"#;
    let text = project.plays(VARS, tasks, &[]);
    assert!(text.contains("[WARNING]: mind it"), "{text}");
}

#[test]
fn a_plugin_fails_and_skips_in_ansibles_words_and_what_hosts_say_is_data() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = r#"
  - mine: {do: '{{ item }}'}
    loop: [fail, skip, error, value, evil]
    ignore_errors: true
    register: r
  - assert:
      that:
        - "r.results | map(attribute='msg', default='') == ['no way', 'not now', 'Task failed: an error',
          'Task failed: division by zero', '']"
        - r.results[0].why == 'because' and r.results[0] is failed and r.results[1] is skipped
        - r.results[4].said | length == 11 and r.results[4].tried == r.results[4].said
        # As in ansible-core, a loop with an item that failed sets no facts.
        - fine is undefined
  - mine: {do: evil}
    register: r
  - assert: {that: [fine == r.said, ansible_host == '127.0.0.1']}
  - mine: {do: evil}
    when: false
    register: r
  - assert: {that: r is skipped}
"#;
    let text = project.plays(VARS, tasks, &[]);
    assert!(text.contains("Removed restricted key from module data: ansible_host"), "{text}");
}

#[test]
fn no_condition_saves_a_plugin_that_raises() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = r#"
  - mine: {do: '{{ item }}'}
    loop: [fail, error, own]
    failed_when: false
    ignore_errors: true
    register: r
  - assert:
      that:
        - r is failed and r.results | map(attribute='failed') == [true, true, false]
        - "'failed_when_suppressed_exception' not in r.results[2]"
  - mine: {do: fail}
    retries: 2
    delay: 0
    until: r is success
    ignore_errors: true
    register: r
  - assert: {that: [r is failed, r.attempts is undefined]}
  - mine: {do: unreachable}
    ignore_unreachable: true
    register: r
  - assert: {that: [r is unreachable, r.failed == false]}
  - mine: {do: own}
    ignore_errors: true
    register: r
  - assert: {that: ["r.warnings == ['w']"]}
"#;
    project.plays(VARS, tasks, &[]);
}

#[test]
fn a_plugin_may_return_templates_and_keep_its_result_quiet() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = r#"
  - mine: {do: templates}
    register: r
  - assert: {that: [r.good == 'ok', r.bad | length == 10, r.plain | length == 10]}
"#;
    let text = project.plays(VARS, tasks, &["-v"]);
    assert!(text.contains("ok: [host]\n") && text.contains("seen with -v\n"), "{text}");
    assert!(!text.contains("seen with -vvv"), "{text}");
}

#[test]
fn a_plugin_knows_its_task_and_what_a_module_was_called_with() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = r#"
  - mine: {do: task}
    ignore_errors: true
    vars: {own: 1, late: '{{ nope }}'}
    register: r
  - assert:
      that:
        - r.name == 'host' and r.vars.own == 1 and r.ignore_errors == true and r.resolved == 'mine'
        - r.method == ['sudo', 'sudo'] and r.password is none
        - r.called.path == '/' and r.called.get_mime == false and r.called.get_checksum == true
        - r.raised == 'module (fail) is missing interpreter line'
"#;
    project.plays(VARS, tasks, &[]);
}

#[test]
fn a_plugin_may_change_the_variables_it_gets() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = "    - mine: {do: variables}
      register: r
    - assert:
        that:
          - r.deleted == [false, 'none', false] and r.popped == ['set', 'none', 1]
          - r.left == [0, false, 'host'] and word == 'ok'
          - r.key == ansible_ssh_private_key_file
";
    project.plays(VARS, tasks, &[]);
}

#[test]
fn a_plugin_may_run_in_the_background_and_has_the_tasks_time_limit() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = r#"
  - mine: {do: async}
    async: 60
    poll: 0
    register: job
  - async_status: {jid: '{{ job.ansible_job_id }}'}
    register: r
    until: r is finished
    retries: 60
    delay: 1
  - assert: {that: "r.cmd == ['sleep', '1']"}
  - mine: {do: async}
    async: 60
    poll: 1
    register: r
  - assert: {that: "r.cmd == ['sleep', '1']"}
  - mine: {do: sleep}
    timeout: 2
    register: r
    ignore_errors: true
  - assert: {that: r.msg is search('Timed out after 2 second')}
"#;
    let begun = Instant::now();
    project.plays(VARS, tasks, &[]);
    assert!(begun.elapsed() < Duration::from_secs(200));
}

#[test]
fn a_plugin_may_ask_about_a_job_with_ansibles_own_plugin() {
    let Some((project, _sshd)) = project() else { return };
    let directory = project.at("jobs");
    let tasks = r#"
  - command: echo done
    async: 60
    poll: 0
    register: job
  - mine: {do: status, jid: '{{ job.ansible_job_id }}'}
    register: r
    until: r.finished
    retries: 60
    delay: 1
  - assert: {that: [r.stdout == 'done', r.ansible_job_id == job.ansible_job_id]}
"#;
    project.plays(&format!("  vars: {{ansible_async_dir: '{}'}}\n", directory.display()), tasks, &[]);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn a_plugin_and_what_it_runs_have_the_tasks_user_mode_and_environment() {
    let Some((project, _sshd)) = project() else { return };
    let tasks = r#"
  - mine: {do: see}
    environment: [{WORD: '{{ word }}'}, {OTHER: x}]
    register: r
  - assert:
      that:
        # As in ansible-core, the task's environment is that of modules alone.
        - r.shell == ['root'] and r.native == ['root', 'ok'] and r.own == ['root', 'ok', false, false]
        - r.mode == [false, false, false, false] and r.user[:2] == [false, none]
        - r.computed == 'WORD=ok OTHER=x' and r.environment | length >= 1
  # Not every user may run the tests' Python.
  - mine: {do: see, own: false}
    become: true
    become_user: nobody
    environment: {WORD: other}
    diff: true
    register: r
  - assert:
      that:
        - r.shell == ['nobody'] and r.native == ['nobody', 'other'] and r.mode == [false, true, false, true]
        - r.user[:2] == [true, 'nobody'] and r.computed == 'WORD=other'
  - mine: {do: see}
    diff: true
    register: r
  - assert: {that: "r.own == ['root', '', false, true] and r.diff.after == 'b\n'"}
  - mine: {do: see}
    check_mode: true
    register: r
  - assert:
      that:
        - r.shell[0] == 'root' and r.native == [] and r.own == ['root', '', true, false] and r.mode[0] and r is changed
"#;
    let text = project.plays(VARS, tasks, &[]);
    assert!(text.contains("-a\n+b"), "{text}");
    let tasks = r#"
  - mine: {do: see}
    register: r
  - assert: {that: "r.own[2:] == [true, true] and r.mode == [true, true, true, true] and r is changed"}
"#;
    let text = project.plays(VARS, tasks, &["--check", "--diff"]);
    assert!(text.contains("-a\n+b"), "{text}");
}

/// Of roles, of collections, by redirection, in place of a native module, and with defaults.
#[test]
fn plugins_are_found_where_ansible_finds_them() {
    let Some((project, _sshd)) = project() else { return };
    let saying = |what: &str| {
        format!(
            "from ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n    def run(self, tmp=None, \
             task_vars=None):\n        return dict(said='{what}', args=self._task.args)\n"
        )
    };
    let column = "collections/ansible_collections/my/col/plugins";
    project.write(&format!("{column}/action/act.py"), &saying("collection"));
    project.write(&format!("{column}/modules/act.py"), MODULE);
    project.write(&format!("{column}/action/alone.py"), &saying("alone"));
    let meta = "plugin_routing:\n  action: {other: {redirect: my.col.alone}, both: {redirect: my.col.alone}}\n  \
                modules: {led: {action_plugin: my.col.other}, both: {redirect: my.col.plain}}\n";
    for module in ["led", "plain"] {
        project.write(&format!("{column}/modules/{module}.py"), MODULE);
    }
    project.write("collections/ansible_collections/my/col/meta/runtime.yml", meta);
    project.write("roles/r/action_plugins/of_role.py", &saying("role"));
    project.write("roles/r/tasks/main.yml", "- of_role:\n  register: of_role\n");
    project.write("action_plugins/ping.py", &saying("instead"));
    let tasks = r#"
  - my.col.act: {x: 1}
    register: a
  - my.col.alone:
    register: b
  - my.col.other:
    register: c
  - act:
    collections: [my.col]
    register: d
  - import_role: {name: r}
  - ping:
    register: e
  - ansible.builtin.ping:
    register: f
  - my.col.act:
    module_defaults: {my.col.act: {x: default}}
    register: g
  - my.col.led:
    module_defaults: {my.col.led: {x: own}, my.col.other: {x: other, y: z}}
    register: h
  - my.col.both:
    module_defaults: {my.col.plain: {x: other}, my.col.alone: {x: own}}
    register: i
  - assert:
      that:
        - a.said == 'collection' and a.args.x == 1 and b.said == 'alone' and c.said == 'alone'
        - d.said == 'collection' and of_role.said == 'role' and e.said == 'instead' and f.ping == 'pong'
        - g.args.x == 'default' and h.said == 'alone' and h.args == dict(x='own')
        - i.said == 'alone' and i.args == dict(x='own')
  - nothing_of_this_name:
    when: false
"#;
    let (text, code) = project.play(VARS, tasks, &[]);
    assert!(code != 0 && text.contains("nothing_of_this_name"), "{text}");
    project.plays(VARS, &tasks.replace("  - nothing_of_this_name:\n    when: false\n", ""), &[]);
}

#[test]
fn remote_stat_works_and_deprecations_are_told_as_ansible_tells_them() {
    let Some((project, _sshd)) = project() else { return };
    let text = project.plays("", "    - mine: {do: stat}\n      register: r\n    - assert: {that: r.stat}\n", &[]);
    let told = "[DEPRECATION WARNING]: old. This feature will be removed from ansible-core version 9.9.";
    assert!(text.contains(told) && text.contains("[WARNING]: w"), "{text}");
}
