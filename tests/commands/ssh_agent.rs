//! Private keys in variables: over real ssh, with real ssh-agents.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::sshd::{self, Sshd};

const PLAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ping:\n    - debug:\n        msg: \"{{ lookup('pipe', 'ssh-add -l | wc -l') }} keys\"\n      run_once: true\n      delegate_to: localhost\n";

/// `open` has a key in the clear, `closed` one with a passphrase; the others lack something.
fn inventory(sshd: &Sshd) -> String {
    let key = |name: &str, passphrase: &str| {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"])
            .arg(sshd.at(name))
            .status();
        assert!(made.unwrap().success());
        let public = fs::read_to_string(sshd.at(&format!("{name}.pub"))).unwrap();
        let allowed = fs::read_to_string(sshd.at("authorized_keys")).unwrap();
        fs::write(sshd.at("authorized_keys"), allowed + &public).unwrap();
        fs::read_to_string(sshd.at(name)).unwrap()
    };
    let (open, closed) = (key("open", ""), key("closed", "zk9q-passphrase"));
    for name in ["open", "closed"] {
        fs::remove_file(sshd.at(name)).unwrap();
    }
    let options = format!(
        "-F /dev/null -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null",
        sshd.at("known_hosts").display()
    );
    serde_json::json!({"all": {
        "hosts": {
            "open": {"ansible_private_key": open},
            "again": {"ansible_ssh_private_key": open},
            "closed": {"ansible_private_key": closed, "ansible_private_key_passphrase": "zk9q-passphrase"},
            "wrong": {"ansible_private_key": key("wrong", "right"), "ansible_private_key_passphrase": "zk9q-wrong"},
            "without": {"ansible_private_key": key("without", "passphrase")},
            "nonsense": {"ansible_private_key": "zk9q-nonsense"},
        },
        "vars": {"ansible_host": "127.0.0.1", "ansible_port": sshd.port, "ansible_ssh_common_args": options},
    }})
    .to_string()
}

fn run(sshd: &Sshd, environment: &[(&str, &str)]) -> Output {
    if !sshd.at("hosts.json").exists() {
        fs::write(sshd.at("hosts.json"), inventory(sshd)).unwrap();
    }
    fs::write(sshd.at("play.yml"), PLAY).unwrap();
    let mut command = Command::new(sshd::executable());
    command.env_clear().envs([("NO_COLOR", "1"), ("COLUMNS", "300"), ("LC_ALL", "C.UTF-8")]);
    command.envs(std::env::vars().filter(|(name, _)| name == "PATH" || name == "HOME"));
    command.env("XDG_RUNTIME_DIR", sshd.directory.path()).env("TMPDIR", sshd.directory.path());
    command.envs(environment.iter().copied()).args(["-i", "hosts.json", "-vvv", "play.yml"]);
    command.current_dir(sshd.directory.path()).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The words are those of ansible-core 2.19.
#[test]
fn keys_reach_an_ssh_agent_of_the_run_which_ends_with_it() {
    let Some(sshd) = Sshd::start("") else { return };
    let shown = text(&run(&sshd, &[("ANSIBLE_SSH_AGENT", "auto")]));
    for host in ["open", "again", "closed"] {
        assert!(shown.contains(&format!("ok: [{host}]")), "{host}: {shown}");
    }
    for (host, why) in [
        ("wrong", "Corrupt data: broken checksum"),
        ("without", "Key is password-protected, but password was not provided."),
        ("nonsense", "Not OpenSSH private key format"),
    ] {
        assert!(shown.contains(&format!("fatal: [{host}]: UNREACHABLE!")), "{host}: {shown}");
        let what = "Task failed: Failed to authenticate: Failed to add configured private key into ssh-agent";
        assert!(shown.contains(&format!("{what}: {why}\"")), "{host}: {shown}");
    }
    assert!(shown.contains("\"msg\": \"2 keys\""), "{shown}");
    // The key of two hosts, and the others.
    assert_eq!(shown.matches("SSH: SSH_AGENT adding ").count(), 3, "{shown}");
    assert_eq!(shown.matches(" exists in agent").count(), 1, "{shown}");
    assert!(!shown.contains("zk9q"), "a secret is shown: {shown}");
    let started = shown.split_once("ssh-agent[").and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
    assert!(!Path::new("/proc").join(started).exists(), "the ssh-agent still runs");
    let left: Vec<_> = fs::read_dir(sshd.directory.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("rplay-ssh-agent")), "{left:?}");
}

#[test]
fn an_ssh_agent_that_is_there_is_used_and_stays() {
    let Some(sshd) = Sshd::start("") else { return };
    let socket = sshd.at("agent.sock");
    let mut agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let environment = [("ANSIBLE_SSH_AGENT", socket.to_str().unwrap()), ("ANSIBLE_SSH_AGENT_KEY_LIFETIME", "600")];
    let shown = text(&run(&sshd, &environment));
    let still_runs = agent.try_wait().unwrap().is_none();
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(shown.contains("ok: [closed]") && shown.contains("\"msg\": \"2 keys\""), "{shown}");
    assert!(still_runs && !shown.contains("started and bound to"), "{shown}");
}

#[test]
fn without_an_ssh_agent_such_a_key_is_refused() {
    let Some(sshd) = Sshd::start("") else { return };
    let shown = text(&run(&sshd, &[]));
    assert!(
        shown.contains("Cannot utilize private_key with SSH_AGENT disabled") && !shown.contains("ok: ["),
        "{shown}"
    );

    let missing = sshd.at("missing.sock");
    let output = run(&sshd, &[("ANSIBLE_SSH_AGENT", missing.to_str().unwrap())]);
    let why = "Failed to launch ssh agent: Could not communicate with ssh-agent using auth sock";
    let shown = text(&output);
    assert!(output.status.code() == Some(1) && shown.contains(&format!("{why} '{}'", missing.display())), "{shown}");
    assert!(shown.contains("[Errno 2] No such file or directory"), "{shown}");

    for (program, why) in [
        (
            "no-such-agent",
            "SSH_AGENT set to auto, but cannot find ssh-agent binary: Failed to find required executable",
        ),
        ("false", "The ssh-agent terminated prematurely"),
    ] {
        let output = run(&sshd, &[("ANSIBLE_SSH_AGENT", "auto"), ("ANSIBLE_SSH_AGENT_EXECUTABLE", program)]);
        assert!(output.status.code() == Some(1) && text(&output).contains(why), "{program}: {}", text(&output));
    }
}
