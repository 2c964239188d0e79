//! Modules written in Python, over a real sshd.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{
    ansible::{ansible, has_collection},
    project::Project,
    sshd::Sshd,
};

/// A project whose host is behind an sshd; `home` is the project's directory.
fn project(sshd: &Sshd, python: &Path, more: &str) -> Project {
    let project = Project::with(python);
    let home = format!("home={}", project.directory.path().display());
    project.over_ssh(sshd, &home, more)
}

const MINE: &str = r#"
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.words import shout

def main():
    module = AnsibleModule(
        argument_spec=dict(
            word=dict(type='str', required=True), times=dict(type='int', default=1),
            secret=dict(type='str', no_log=True), do=dict(choices=['say', 'break', 'print', 'respawn', 'exit', 'hang']),
        ),
        supports_check_mode=True,
    )
    do = module.params['do']
    if do == 'break':
        raise ValueError('out of order')
    if do == 'exit':
        return
    if do == 'hang':
        import subprocess
        subprocess.call(['sh', '-c', 'sleep 300; : mine-hangs'])
    if do == 'print':
        print('noise before')
    if do == 'respawn':
        import sys
        from ansible.module_utils.common.respawn import has_respawned, respawn_module
        if not has_respawned():
            respawn_module(sys.executable)
        module.exit_json(changed=False, respawned=has_respawned())
    import os, pwd
    module.warn('mind the gap')
    module.exit_json(
        changed=not module.check_mode, said=shout(module.params['word']) * module.params['times'], secret=module.params['secret'],
        environment=os.environ.get('WORD'), user=pwd.getpwuid(os.geteuid()).pw_name, tmpdir=os.path.isdir(module.tmpdir),
        diff=dict(before='a\n', after='b\n'),
    )

if __name__ == '__main__':
    main()
"#;

#[test]
fn own_modules_support_all_task_keywords() {
    let Some(python) = ansible() else { return };
    let Some(sshd) = Sshd::start("") else { return };
    let project = project(&sshd, &python, "");
    project.write("library/mine.py", MINE);
    project.write("module_utils/words.py", "def shout(word):\n    return word.upper()\n");
    let tasks = "
  - mine: {word: hi, times: 2, secret: S3CR3T}
    environment: {WORD: given}
    register: r
  - assert: {that: [r.said == 'HIHI', r is changed, r.environment == 'given', r.tmpdir, r.secret != 'S3CR3T']}
  - mine: {word: hi}
    check_mode: true
    diff: true
    register: r
  - assert: {that: r is not changed}
  - mine: {word: '{{ item }}'}
    loop: [a, b, c]
    register: r
  - assert: {that: \"r.results | map(attribute='said') | list == ['A', 'B', 'C']\"}
  - mine: {word: x, times: many, wrong: 1}
    register: r
    ignore_errors: true
  - mine: {do: say}
    register: missing
    ignore_errors: true
  - mine: {word: x, do: nothing}
    register: choice
    ignore_errors: true
  - assert:
      that:
        - r.msg is search('unable to convert to int')
        - missing.msg is search('missing required arguments. word')
        - choice.msg is search('value of do must be one of')
  - mine: {word: x, do: break}
    register: r
    ignore_errors: true
  - assert: {that: [r.msg is search('Module failed. out of order'), r.exception == '(traceback unavailable)']}
  - mine: {word: x, do: exit}
    register: r
    ignore_errors: true
  - assert: {that: r.msg is search('did not handle its own exit')}
  - mine: {word: x, do: print}
    register: r
  - assert: {that: r.said == 'X'}
  - mine: {word: x, do: respawn}
    register: r
  - assert: {that: r.respawned}
  - mine: {word: bg}
    async: 30
    poll: 0
    register: job
  - async_status: {jid: '{{ job.ansible_job_id }}'}
    register: done
    until: done is finished
    retries: 300
    delay: 0.1
  - assert: {that: done.said == 'BG'}
  - mine: {word: x, do: hang}
    timeout: 2
    register: late
    ignore_errors: true
  - assert: {that: late is failed}
  # It is killed while this runs.
  - shell: pgrep -f '[m]ine-hangs' || true
    register: left
    until: left.stdout == ''
    retries: 100
    delay: 0.1
  - assert: {that: ansible_facts.discovered_interpreter_python is defined}
";
    let text = project.plays("", tasks, &["--diff"]);
    assert!(text.contains("[WARNING]: mind the gap") && text.contains("-a\n+b") && !text.contains("S3CR3T"), "{text}");
    // Everything that was sent is kept: bundles by their digests, and what Python compiled from them.
    let kept = fs::read_dir(sshd.at("cache/rplay/external")).unwrap().flatten().count();
    assert!(kept >= 4, "{kept}");
    // A damaged one is sent again.
    for entry in fs::read_dir(sshd.at("cache/rplay/external")).unwrap().flatten() {
        fs::write(entry.path(), "damaged").unwrap();
    }
    project.plays("", "  - mine: {word: hi}\n", &[]);
    // An edit of a file that it imports is noticed.
    project.write("module_utils/words.py", "def shout(word):\n    return word + '!!!'\n");
    project.plays("", "  - mine: {word: hi}\n    register: r\n  - assert: {that: r.said == 'hi!!!'}\n", &[]);
}

#[test]
fn interpreters_are_chosen_by_variables_and_a_missing_python_causes_a_help() {
    let Some(python) = ansible() else { return };
    let Some(sshd) = Sshd::start("") else { return };
    let project = project(&sshd, &python, "");
    project.write("library/mine.py", MINE);
    project.write("module_utils/words.py", "shout = str\n");
    let tasks = "
  - mine: {word: hi}
    vars: {ansible_python_interpreter: /nowhere/python3}
";
    let (text, code) = project.play("", tasks, &[]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("The module interpreter '/nowhere/python3' was not found.") && text.contains("site.yml:5:5"),
        "{text}"
    );
    // One that is not Python at all.
    let (text, code) =
        project.play("", "  - mine: {word: hi}\n    vars: {ansible_python_interpreter: /bin/false}\n", &[]);
    assert!(code == 2 && text.contains("/bin/false cannot run the module mine"), "{text}");
    project.write("library/broken.py", "from ansible.module_utils.basic import AnsibleModule\ndef (:\n");
    let (text, code) = project.play("", "  - broken:\n", &[]);
    assert!(
        code == 2 && text.contains("Task failed: Unable to compile 'broken': invalid syntax (broken.py, line 2)"),
        "{text}"
    );
    // What is imported within a block may be missing.
    project.write(
        "library/may.py",
        &MINE.replacen(
            "import AnsibleModule\n",
            "import AnsibleModule\nif False:\n    from ansible.module_utils.nothing import x\n",
            1,
        ),
    );
    let (text, code) = project.play("", "  - may: {word: hi}\n", &[]);
    assert!(code == 0, "{text}");
    project.write("library/lacks.py", "from ansible.module_utils.nothing import x\n");
    let (text, code) = project.play("", "  - lacks:\n", &[]);
    assert!(code == 2 && text.contains("Could not find imported module support code for ansible.legacy.lacks. Looked for (['ansible.module_utils.nothing.x', 'ansible.module_utils.nothing'])"), "{text}");
}

#[test]
fn other_users_run_python_modules_too() {
    let Some(python) = ansible() else { return };
    let Some(sshd) = Sshd::with_accounts() else { return };
    let project = project(&sshd, &python, "");
    project.write("library/mine.py", MINE);
    project.write("module_utils/words.py", "shout = str\n");
    let tasks = "
  - mine: {word: a}
    register: root
  - mine: {word: b}
    become: true
    become_user: deploy
    register: deploy
  - mine: {word: c}
    become: true
    become_user: guest
    register: guest
  - mine: {word: d}
    register: again
  - assert: {that: [root.user == again.user, deploy.user == 'deploy', guest.user == 'guest', guest.said == 'c']}
";
    project.plays("", tasks, &[]);
}

#[test]
fn the_module_of_the_collection_runs_where_the_built_in_one_lacks_an_argument() {
    let Some(python) = ansible() else { return };
    let Some(sshd) = Sshd::start("") else { return };
    let project = project(&sshd, &python, "");
    let module = "
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({'name': {}, 'ca_path': {}, 'docker_host': {}})
module.exit_json(given=module.params['ca_path'])
";
    project.write("collections/ansible_collections/community/docker/plugins/modules/docker_volume_info.py", module);
    let tasks = "
  - community.docker.docker_volume_info: {name: a, ca_path: full}
    register: full
  - docker_volume_info: {name: a, ca_path: short}
    register: short
  - action: '{{ \"docker_volume_info\" }} name=a ca_path=late'
    register: late
  # The built-in one has both: its agent looks for the Engine.
  - docker_volume_info: {name: a, docker_host: 'unix:///nowhere/docker.sock'}
    register: built_in
    ignore_errors: true
  - assert: {that: [full.given == 'full', short.given == 'short', late.given == 'late', built_in is failed]}
";
    project.plays("", tasks, &[]);
}

#[test]
fn modules_of_collections_work() {
    let Some(python) = ansible() else { return };
    let wanted = ["community.general", "community.crypto", "ansible.posix"];
    if !wanted.iter().all(|name| has_collection(&python, name)) {
        return;
    }
    let Some(sshd) = Sshd::start("") else { return };
    let project = project(&sshd, &python, &format!("ansible_python_interpreter={}", python.display()));
    project.write("tree/one", "1");
    project.write("x.xml", "<a><b>1</b></a>\n");
    project.write("tool-a", "#!/bin/sh\n");
    // The module of that name is built in: this asks for the collection's.
    let general = Command::new(&python)
        .args(["-c", "import ansible_collections.community.general as c; print(list(c.__path__)[0])"])
        .output()
        .unwrap();
    let general = PathBuf::from(String::from_utf8_lossy(&general.stdout).trim());
    fs::create_dir_all(project.at("library")).unwrap();
    fs::copy(general.join("plugins/modules/ini_file.py"), project.at("library/ini_file.py")).unwrap();
    let tasks = "
  - ini_file: {path: '{{ home }}/x.ini', section: s, option: o, value: v, mode: '0600'}
  - community.general.archive: {path: '{{ home }}/tree', dest: '{{ home }}/tree.tgz'}
    register: archive
  - community.general.git_config: {name: user.email, value: x@example.org, scope: file, file: '{{ home }}/gitconfig'}
    when: git.rc == 0
  - community.general.alternatives: {name: rplay-test-tool, link: '{{ home }}/tool', path: '{{ home }}/tool-a'}
    when: alternatives.rc == 0
    check_mode: true
  - community.crypto.openssl_privatekey: {path: '{{ home }}/key.pem', size: 2048}
  - community.crypto.openssl_csr: {path: '{{ home }}/a.csr', privatekey_path: '{{ home }}/key.pem', common_name: example.org}
  - community.crypto.x509_certificate: {path: '{{ home }}/a.pem', privatekey_path: '{{ home }}/key.pem', csr_path: '{{ home }}/a.csr', provider: selfsigned}
  - community.crypto.x509_certificate_info: {path: '{{ home }}/a.pem'}
    register: info
  - assert: {that: [info.subject.commonName == 'example.org', \"info.serial_number | string is match('[0-9]{20}')\"]}
  - ansible.posix.acl: {path: '{{ home }}/probe', entity: daemon, etype: user, permissions: r, state: present}
    when: acl.rc == 0
    register: acl_set
  - ansible.posix.mount: {path: '{{ home }}/m', src: tmpfs, fstype: tmpfs, state: present, fstab: '{{ home }}/fstab'}
";
    let asked = "
  - command: git --version
    register: git
    failed_when: false
    changed_when: false
  - command: update-alternatives --version
    register: alternatives
    failed_when: false
    changed_when: false
  - shell: touch {{ home }}/probe && setfacl -m u:daemon:r {{ home }}/probe
    register: acl
    failed_when: false
    changed_when: false
";
    let tasks = format!("{asked}{tasks}");
    let first = project.plays("", &tasks, &[]);
    assert!(first.contains("changed=") && !first.contains("changed=0"), "{first}");
    assert_eq!(fs::read_to_string(project.at("x.ini")).unwrap().trim(), "[s]\no = v");
    let shown =
        Command::new("openssl").args(["x509", "-noout", "-subject", "-in"]).arg(project.at("a.pem")).output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("example.org"));
    let valid = Command::new("openssl")
        .args(["verify", "-CAfile"])
        .arg(project.at("a.pem"))
        .arg(project.at("a.pem"))
        .output()
        .unwrap();
    assert!(valid.status.success(), "{valid:?}");
    assert!(project.at("tree.tgz").exists() && fs::read_to_string(project.at("fstab")).unwrap().contains("tmpfs"));
    // The second run changes nothing (alternatives is only read).
    let second = project.plays(
        "",
        &tasks
            .replace("community.general.alternatives", "ansible.builtin.debug")
            .replace("name: rplay-test-tool, link: '{{ home }}/tool', path: '{{ home }}/tool-a'", "msg: x"),
        &[],
    );
    assert!(second.contains("changed=0"), "{second}");
}

#[test]
fn a_hundred_tasks_of_a_python_module_are_sent_together() {
    let Some(python) = ansible() else { return };
    let Some(sshd) = Sshd::start("") else { return };
    let project = project(&sshd, &python, "");
    project.write("library/mine.py", MINE);
    project.write("module_utils/words.py", "shout = str\n");
    let tasks: String = (0..100).map(|number| format!("  - mine: {{word: w{number}}}\n")).collect();
    let begun = Instant::now();
    project.plays("", &tasks, &[]);
    println!("100 tasks, first run: {:.2} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let text = project.plays("", &tasks, &["-vvv"]);
    println!("100 tasks, second run: {:.2} s", begun.elapsed().as_secs_f64());
    // The first one alone, since it reports which Python was found; all others together.
    let together = text.lines().filter(|line| line.contains("> sent together: ")).collect::<Vec<_>>();
    assert!(
        together.len() <= 2 && together.iter().any(|line| line.contains("tasks 99,") || line.contains("tasks 100,")),
        "{together:?}"
    );
}
