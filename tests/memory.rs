//! Large or endless data of a host costs neither side much memory. The plays read the peaks from the kernel: the agent
//! is the parent of a command, the controller the parent of the agent.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    thread,
};

/// Bytes that each side may take.
const MOST: u64 = 64 << 20;

/// Bytes: far more than that.
const LARGE: u64 = 300 << 20;

/// The last tasks of each play: they fail if a side used more than `most_agent` or `most_controller`.
const PEAKS: &str = r#"
    - name: how much memory it took
      ansible.builtin.shell: |
        peak() { awk '/^VmHWM/ { print $2 * 1024 }' /proc/$1/status; }
        peak $PPID
        peak "$(awk '/^PPid/ { print $2 }' /proc/$PPID/status)"
      register: peaks
    - ansible.builtin.assert:
        that:
        - peaks.stdout_lines[0] | int < most_agent | int
        - peaks.stdout_lines[1] | int < most_controller | int
        fail_msg: "agent and controller took {{ peaks.stdout_lines | join(' and ') }} bytes"
"#;

/// Runs these tasks, and then checks the peaks. Returns the output.
fn play(directory: &Path, hosts: &str, most_controller: u64, tasks: &str) -> String {
    let tasks = tasks.replace("DIRECTORY", directory.to_str().unwrap());
    let text = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}{PEAKS}");
    fs::write(directory.join("play.yml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
    command.args(["-c", "local", "-i", hosts, "play.yml"]);
    command.args(["-e", &format!("most_agent={MOST} most_controller={most_controller}")]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
        command.env_remove(name);
    }
    let output = command.current_dir(directory).stdin(Stdio::null()).output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let shown: String = printed.chars().take(20_000).collect();
    assert!(output.status.success(), "{shown}");
    printed
}

fn sparse(path: &Path, length: u64) {
    File::create(path).unwrap().set_len(length).unwrap();
}

#[test]
fn output_without_end_is_a_failure_and_much_output_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("endless.sh"), "#!/bin/sh\nyes\n").unwrap();
    // The controller holds what is kept, and temporarily a copy of it.
    let tasks = r#"
    - ansible.builtin.shell: "echo first; yes"
      register: endless
      ignore_errors: true
      no_log: true
    - ansible.builtin.assert:
        that:
        - endless is failed
        - endless.rc == -9
        - endless.msg is search('was killed. it printed more than [0-9]+ bytes; the limit is 33554432')
        - endless.stdout is match('first\ny\n')
        - endless.stdout_lines[1] == 'y'
        - endless.stdout | length < 34000000
        quiet: true
    - ansible.builtin.raw: yes 1>&2
      vars: {rplay_max_output: 1M}
      register: endless
      failed_when: "endless.rc != -9 or 'the limit is 1048576' not in endless.msg"
      no_log: true
    - ansible.builtin.script: endless.sh
      vars: {rplay_max_output: 1M}
      register: endless
      failed_when: "endless.rc != -9 or 'the script was killed' not in endless.msg"
      no_log: true
    - ansible.builtin.command: sh -c "echo first; yes | head -c 5000000; echo last"
      vars: {rplay_max_output: 1MiB}
      register: much
      no_log: true
    - ansible.builtin.assert:
        that:
        - much.rc == 0
        - much.stdout is match('first\n') and much.stdout[-20:] is search('\nlast$')
        - much.stdout is search('rplay. [0-9]+ bytes of output were cut here')
        - much.warnings[0] is search('rplay_max_output')
        quiet: true
    - ansible.builtin.shell: "yes | head -c 20000000"
      register: whole
      no_log: true
    - ansible.builtin.assert:
        that:
        - whole.stdout | length == 19999999
        - whole.warnings is not defined
        quiet: true
    - ansible.builtin.shell: "yes"
      async: 60
      poll: 1
      register: job
      failed_when: "job.rc != -9 or 'was killed' not in job.msg"
      no_log: true
"#;
    let tasks = tasks.replace("raw: yes 1>&2", "raw: \"yes 1>&2\"");
    play(directory.path(), "localhost,", 3 * MOST, &tasks);
    let text = "- hosts: all\n  gather_facts: false\n  tasks:\n  - ansible.builtin.command: id\n";
    fs::write(directory.path().join("refused.yml"), text).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_rplay"))
        .args(["-c", "local", "-i", "localhost,", "-e", "rplay_max_output=much", "refused.yml"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("`rplay_max_output` is 'much', which is not a number of bytes"), "{said}");
}

#[test]
fn large_files_come_to_the_controller_from_many_hosts_at_once() {
    let directory = tempfile::tempdir().unwrap();
    sparse(&directory.path().join("large"), LARGE);
    fs::write(directory.path().join("small"), "small").unwrap();
    let tasks = r#"
    - ansible.builtin.fetch: {src: DIRECTORY/large, dest: DIRECTORY/got/}
      register: got
    - ansible.builtin.assert:
        that:
        - got is changed
        - got.checksum == got.remote_checksum
        - got.dest == 'DIRECTORY/got/' ~ inventory_hostname ~ 'DIRECTORY/large'
        quiet: true
    - ansible.builtin.fetch: {src: DIRECTORY/large, dest: DIRECTORY/got/}
      register: again
      failed_when: again is changed
    - ansible.builtin.fetch: {src: DIRECTORY/small, dest: "DIRECTORY/{{ inventory_hostname }}-small", flat: true}
    - ansible.builtin.slurp: {src: DIRECTORY/large}
      register: refused
      failed_when: "refused is not failed or 'has 314572800 bytes' not in refused.msg"
"#;
    play(directory.path(), "one,two,three,", MOST, tasks);
    for host in ["one", "two", "three"] {
        let path = directory.path().join("got").join(host).join(directory.path().strip_prefix("/").unwrap());
        assert_eq!(fs::metadata(path.join("large")).unwrap().len(), LARGE);
        assert_eq!(fs::read_dir(path).unwrap().count(), 1, "nothing but the file is left");
        assert_eq!(fs::read_to_string(directory.path().join(format!("{host}-small"))).unwrap(), "small");
    }
}

#[test]
fn large_files_are_sent_to_a_host_and_read_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    sparse(&path("large"), LARGE);
    for name in ["pieces", "unpacked"] {
        fs::create_dir(path(name)).unwrap();
    }
    sparse(&path("pieces/1"), LARGE / 2);
    fs::write(path("pieces/2"), "end").unwrap();
    let tar = Command::new("tar").args(["-czSf", "large.tgz", "large"]).current_dir(directory.path()).status();
    assert!(tar.unwrap().success());
    let url = serve(LARGE);
    let tasks = r#"
    - ansible.builtin.copy: {src: DIRECTORY/large, dest: DIRECTORY/copied}
      diff: true
      register: copied
      failed_when: copied is not changed or copied.size != 314572800
    - ansible.builtin.copy: {src: DIRECTORY/large, dest: DIRECTORY/copied, remote_src: true, backup: true}
      register: again
      failed_when: again is changed
    - ansible.builtin.assemble: {src: DIRECTORY/pieces, dest: DIRECTORY/assembled, delimiter: "--"}
      register: assembled
      failed_when: assembled is not changed or assembled.size != 157286407
    - ansible.builtin.unarchive: {src: DIRECTORY/large.tgz, dest: DIRECTORY/unpacked}
      register: unpacked
      failed_when: unpacked is not changed
    - ansible.builtin.stat: {path: DIRECTORY/copied}
      register: stat
      failed_when: stat.stat.checksum != copied.checksum
    - ansible.builtin.find: {paths: DIRECTORY, contains: nothing, get_checksum: true}
      register: found
      failed_when: found.matched != 0
    - ansible.builtin.wait_for: {path: DIRECTORY/assembled, search_regex: "^end", timeout: 60}
    - ansible.builtin.lineinfile: {path: DIRECTORY/copied, line: x}
      register: refused
      failed_when: "refused is not failed or 'too long to be edited' not in refused.msg"
    - ansible.builtin.get_url: {url: "URL/got", dest: DIRECTORY/got, use_proxy: false}
      register: got
      failed_when: got.size != 314572800
    - ansible.builtin.uri: {url: "URL/kept", dest: DIRECTORY/kept, use_proxy: false}
      register: kept
      failed_when: kept.size != 314572800
    - ansible.builtin.uri: {url: "URL/shown", return_content: true, use_proxy: false}
      register: shown
      failed_when: "shown is not failed or 'too long for a result' not in shown.msg"
    - ansible.builtin.uri: {url: "URL/put", method: PUT, src: DIRECTORY/large, remote_src: true, use_proxy: false}
"#;
    play(directory.path(), "localhost,", MOST, &tasks.replace("URL", &url));
    assert_eq!(fs::metadata(path("unpacked/large")).unwrap().len(), LARGE);
}

/// The agent of the login user forwards what that of the other user sends; here the peaks are those of these agents.
#[test]
fn with_another_user_neither_agent_uses_more() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    sparse(&directory.path().join("large"), LARGE);
    let sudo = directory.path().join("sudo");
    fs::write(&sudo, "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n").unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
    let tasks = r#"
    - ansible.builtin.set_fact: {ansible_become: true, ansible_become_user: nobody, ansible_become_exe: DIRECTORY/sudo}
    - ansible.builtin.fetch: {src: DIRECTORY/large, dest: DIRECTORY/got, flat: true}
    - ansible.builtin.copy: {src: DIRECTORY/large, dest: DIRECTORY/copied}
    - ansible.builtin.shell: "yes | head -c 30000000; exit 3"
      register: much
      no_log: true
      failed_when: much.rc != 3 or much.stdout | length != 29999999
"#;
    play(directory.path(), "localhost,", MOST, tasks);
    assert_eq!(fs::metadata(directory.path().join("got")).unwrap().len(), LARGE);
}

#[test]
fn facts_without_end_are_an_error_of_their_own() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let facts = directory.path().join("facts");
    fs::create_dir(&facts).unwrap();
    sparse(&facts.join("large.fact"), LARGE);
    let program = facts.join("endless.fact");
    fs::write(&program, "#!/bin/sh\nyes\n").unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let tasks = r#"
    - ansible.builtin.setup: {fact_path: DIRECTORY/facts, gather_subset: [local, "!all", "!min"]}
    - ansible.builtin.assert:
        that:
        - ansible_local.endless is search('was killed')
        - ansible_local.large is search('more than 4194304 bytes')
        quiet: true
"#;
    play(directory.path(), "localhost,", MOST, tasks);
}

/// A server that answers each request with so many zeros.
fn serve(length: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                head.extend(byte);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let sent = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<u64>().ok());
            std::io::copy(&mut (&stream).take(sent.unwrap_or(0)), &mut std::io::sink()).unwrap();
            let length = if head.starts_with("put") { 0 } else { length };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            // A client that has read enough hangs up.
            let _ = std::io::copy(&mut std::io::repeat(0).take(length), &mut stream);
        }
    });
    url
}
