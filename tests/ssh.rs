//! Links over a real sshd, started here on a loopback port with keys of its own.

mod sshd;

use std::{
    fs,
    io::{self, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, mpsc::channel},
    time::{Duration, Instant},
};

use rplay::link::{Job, LinkEvent, LinkOptions, Links, Secret, SshOptions, Target};
use rplay_wire::{Call, Failure, Mode, Outcome, Stage, data};
use sshd::{Sshd, target};

fn dispatch(links: &Links, target: &Arc<Target>, calls: usize) -> std::sync::mpsc::Receiver<LinkEvent> {
    let (events, heard) = channel();
    let call = Call {
        module: "ping".into(),
        args: data! { "data" => "pong" },
        mode: Mode::default(),
        environment: Vec::new(),
        background: None,
    };
    links.dispatch(Job {
        key: 1,
        target: target.clone(),
        stages: vec![Stage { become_user: None, calls: vec![call; calls], parallel: 1, required: false }],
        blobs: Arc::new(|_| Err(io::Error::other("there is none"))),
        sinks: Arc::new(|_| None),
        events: Arc::new(events),
    });
    heard
}

fn end(heard: &std::sync::mpsc::Receiver<LinkEvent>) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    loop {
        match heard.recv_timeout(Duration::from_secs(60)).expect("no end of the job was heard") {
            LinkEvent::Outcome { outcome, .. } => outcomes.push(outcome),
            LinkEvent::Done { .. } | LinkEvent::Stopped { .. } => return Ok(outcomes),
            LinkEvent::Unreachable { failure, .. } => return Err(failure),
        }
    }
}

fn ping(links: &Links, target: &Arc<Target>) -> Result<(), Failure> {
    let outcomes = end(&dispatch(links, target, 1))?;
    assert_eq!(outcomes[0].data, data! { "ping" => "pong" });
    Ok(())
}

fn timed(what: &str, work: impl FnOnce() -> Result<(), Failure>) {
    let begun = Instant::now();
    work().unwrap();
    println!("{what}: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
}

/// How many files a control folder holds, but for the note of the executable's digest.
fn left_in(folder: &Path) -> usize {
    let left = fs::read_dir(folder).unwrap().flatten();
    left.filter(|entry| entry.path().extension() != Some("digest".as_ref())).count()
}

#[test]
fn the_executable_is_put_there_once_and_the_connection_is_kept() {
    let Some(sshd) = Sshd::start("") else { return };
    let links = sshd.links();
    timed("cold: key exchange, executable pushed", || ping(&links, &sshd.target("web1")));
    timed("the same run: next ping", || ping(&links, &sshd.target("web1")));
    links.close();
    let cache: Vec<_> = fs::read_dir(sshd.at("cache/rplay")).unwrap().flatten().collect();
    assert_eq!(cache.len(), 1);
    assert_eq!(cache[0].metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(sshd.at("cache/rplay")).unwrap().permissions().mode() & 0o777, 0o700);
    let links = sshd.links();
    timed("next run: master and executable are there", || ping(&links, &sshd.target("web1")));
    assert_eq!(sshd.logins(), 1);
    let links = sshd.links();
    timed("and again", || ping(&links, &sshd.target("web1")));
    assert_eq!(sshd.masters(), 1);
    links.reset(&sshd.target("web1"));
    // It has hung up, but may still be about to end.
    let until = Instant::now() + Duration::from_secs(5);
    while sshd.masters() > 0 {
        assert!(Instant::now() < until, "the master lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
    timed("after a reset: key exchange, executable is there", || ping(&links, &sshd.target("web1")));
    assert_eq!(sshd.logins(), 2);
    assert_eq!(left_in(&sshd.at("ctl")), 1, "nothing but the control socket stays");
}

#[test]
fn a_host_that_goes_down_is_noticed_and_found_again() {
    let Some(sshd) = Sshd::start("") else { return };
    let links = sshd.links();
    ping(&links, &sshd.target("web1")).unwrap();
    sshd.drop_connections();
    std::thread::sleep(Duration::from_millis(300));
    ping(&links, &sshd.target("web1")).unwrap();
    // What runs in that moment is lost; what had been answered is kept.
    let heard = dispatch(&links, &sshd.target("web1"), 200_000);
    assert!(matches!(heard.recv_timeout(Duration::from_secs(60)), Ok(LinkEvent::Outcome { .. })));
    sshd.drop_connections();
    let failure = end(&heard).unwrap_err();
    assert!(failure.unreachable);
    assert!(failure.msg.starts_with("the connection to web1 broke off"), "{failure}");
}

#[test]
fn an_idle_master_ends_and_two_runs_at_once_leave_only_one() {
    let Some(sshd) = Sshd::start("") else { return };
    let options = LinkOptions { persist: 2, ..sshd.options() };
    let (one, other) = (Links::new(options.clone()).unwrap(), Links::new(options).unwrap());
    let heard = [&one, &other].map(|links| dispatch(links, &sshd.target("web1"), 1));
    heard.iter().for_each(|heard| assert_eq!(end(heard).unwrap().len(), 1));
    assert_eq!(left_in(&sshd.at("ctl")), 1);
    drop((one, other));
    assert_eq!(sshd.masters(), 1);
    let begun = Instant::now();
    while sshd.masters() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the master stays for ever");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The socket is left, and is no hindrance.
    ping(&sshd.links(), &sshd.target("web1")).unwrap();
}

/// What Ansible itself uses, and what people copy from it.
#[test]
fn arguments_for_a_master_of_one_s_own_do_not_disturb() {
    let Some(sshd) = Sshd::start("") else { return };
    let mut ssh = sshd.ssh();
    let own = format!("-C -o ControlMaster=auto -o ControlPersist=2s -o ControlPath={}", sshd.at("theirs").display());
    ssh.args.extend(own.split(' ').map(str::to_owned));
    ping(&sshd.links(), &target("web1", ssh)).unwrap();
    assert!(!sshd.at("theirs").exists());
}

#[test]
fn what_a_login_shell_prints_does_not_disturb() {
    let noisy = "ForceCommand sh -c 'echo Welcome to web1; echo beware >&2; eval \"$SSH_ORIGINAL_COMMAND\"'";
    let Some(sshd) = Sshd::start(noisy) else { return };
    let links = sshd.links();
    ping(&links, &sshd.target("web1")).unwrap();
    links.reset(&sshd.target("web1"));
    ping(&links, &sshd.target("web1")).unwrap();
}

/// Whatever the user's login shell is, and whatever /bin/sh is: those of them that are installed here.
#[test]
fn any_shell_will_do() {
    let installed = |program: &str| {
        let tried = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        let found = tried.unwrap().status.success();
        if !found {
            println!("skipped: {program} is not installed");
        }
        found
    };
    for shell in ["tcsh", "fish", "ksh", "zsh", "dash", "bash"].into_iter().filter(|shell| installed(shell)) {
        let Some(sshd) = Sshd::start(&format!("ForceCommand {shell} -c \"$SSH_ORIGINAL_COMMAND\"")) else { return };
        twice(&sshd, shell);
    }
    for (program, shell) in [("busybox", "busybox sh"), ("bash", "bash --posix"), ("ksh", "ksh")] {
        if !installed(program) {
            continue;
        }
        let other = format!("ForceCommand sh -c \"$(echo \"$SSH_ORIGINAL_COMMAND\" | sed 's,/bin/sh,{shell},')\"");
        let Some(sshd) = Sshd::start(&other) else { return };
        twice(&sshd, shell);
    }
}

/// With the executable to be put there, and with it there.
fn twice(sshd: &Sshd, shell: &str) {
    let links = sshd.links();
    for _ in 0..2 {
        ping(&links, &sshd.target("web1")).unwrap_or_else(|failure| panic!("{shell}: {failure}"));
        links.reset(&sshd.target("web1"));
    }
}

#[test]
fn a_shell_that_never_starts_the_agent_is_quoted() {
    let Some(sshd) = Sshd::start("ForceCommand echo This account is currently not available.; exit 1") else { return };
    let failure = ping(&sshd.links(), &sshd.target("web1")).unwrap_err();
    assert_eq!(failure.msg, "the agent on web1 did not start; it printed: This account is currently not available.");
    assert!(failure.unreachable);
}

#[test]
fn without_a_usable_home_another_folder_of_our_own_takes_the_executable() {
    let Some(sshd) = Sshd::start("SetEnv XDG_CACHE_HOME=/proc/none TMPDIR=@") else { return };
    let links = sshd.links();
    ping(&links, &sshd.target("web1")).unwrap();
    let other = sshd.at(&format!("rplay-{}", nix::unistd::getuid()));
    assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
}

#[test]
fn many_at_once_are_let_in_although_sshd_drops_some() {
    let Some(sshd) = Sshd::start("MaxStartups 4:50:8") else { return };
    let links = sshd.links();
    let begun = Instant::now();
    let heard: Vec<_> = (0..12).map(|n| dispatch(&links, &sshd.target(&format!("web{n}")), 1)).collect();
    for heard in heard {
        end(&heard).unwrap();
    }
    println!(
        "12 hosts at one sshd: {:.1} s, dropped {}",
        begun.elapsed().as_secs_f64(),
        sshd.log().matches("MaxStartups").count()
    );
}

#[test]
fn reasons_are_given_in_one_sentence() {
    let Some(sshd) = Sshd::start("") else { return };
    let links = sshd.links();
    let place = format!("ssh cannot connect to web1 (127.0.0.1 port {}): ", sshd.port);
    let why = |name: &str, ssh: SshOptions| {
        let failure = ping(&links, &target(name, ssh)).unwrap_err();
        assert!(failure.unreachable);
        (failure.msg.replace(&place, ""), failure.help.unwrap_or_default())
    };
    let stranger = SshOptions { private_key: Some(sshd.at("stranger")), ..sshd.ssh() };
    assert_eq!(why("web1", stranger).0, "permission denied (it takes publickey)");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = why("web1", SshOptions { port: Some(closed), ..sshd.ssh() }).0;
    assert!(refused.ends_with("connection refused"), "{refused}");
    let option = SshOptions { host: "-oProxyCommand=id".into(), ..sshd.ssh() };
    assert_eq!(why("web1", option).0, "`-oProxyCommand=id` is no host name");

    fs::write(sshd.at("known_hosts"), "").unwrap();
    let (unknown, help) = why("web1", sshd.ssh());
    assert_eq!(unknown, "its host key is not known");
    assert!(help.contains(&format!("ssh-keyscan -p {} 127.0.0.1", sshd.port)), "{help}");
    let stranger = fs::read_to_string(sshd.at("stranger.pub")).unwrap();
    fs::write(sshd.at("known_hosts"), format!("[127.0.0.1]:{} {stranger}", sshd.port)).unwrap();
    assert_eq!(why("web1", sshd.ssh()).0, "its host key is another one than before");
    fs::write(sshd.at("known_hosts"), "").unwrap();
    ping(&links, &target("web1", SshOptions { check_host_key: false, ..sshd.ssh() })).unwrap();
}

/// Not ssh, but a script that asks for a password as ssh does: no account is needed.
#[test]
fn a_password_reaches_ssh_by_askpass_alone() {
    let folder = tempfile::Builder::new().prefix("rs").tempdir_in("/tmp").unwrap();
    let at = |name: &str| folder.path().join(name);
    // The first one asks from a process further down, as a jump host's ssh would.
    let script = format!(
        "#!/bin/sh\n(\"$SSH_ASKPASS\" \"jump's password: \"; true) > {got}.jump\necho \"$*\" > {out}; env >> {out}\n\
         \"$SSH_ASKPASS\" 'Are you sure you want to continue connecting (yes/no)? ' >> {out} && exit 3\n\
         \"$SSH_ASKPASS\" \"ops@web1's password: \" > {got} || exit 4\n\
         \"$SSH_ASKPASS\" \"ops@web1's password: \" >> {got}\n\
         echo 'ops@web1: Permission denied (password).' >&2; exit 255\n",
        out = at("out").display(),
        got = at("got").display()
    );
    let mut file = fs::File::create(at("ssh")).unwrap();
    file.write_all(script.as_bytes()).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
    drop(file);
    let ssh = SshOptions {
        password: Some(Secret::new("s3cret word")),
        executable: at("ssh").to_str().unwrap().to_owned(),
        ..SshOptions::new("web1")
    };
    assert!(!format!("{ssh:?}").contains("s3cret"));
    let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_rplay")));
    let control_folder = Some(at("ctl"));
    let links = Links::new(LinkOptions { executable, control_folder, ..LinkOptions::default() }).unwrap();
    let failure = ping(&links, &target("web1", ssh)).unwrap_err();
    assert_eq!(failure.msg, "ssh cannot connect to web1: permission denied (it takes password)");
    assert_eq!(fs::read_to_string(at("got")).unwrap(), "s3cret word\n");
    assert_eq!(fs::read_to_string(at("got.jump")).unwrap(), "");
    assert!(!fs::read_to_string(at("out")).unwrap().contains("s3cret"));
    assert_eq!(left_in(&at("ctl")), 0, "sockets and logs are removed");
}

mod accounts {
    use rplay_wire::Become;

    use super::*;

    fn as_user(sshd: &Sshd, user: &str, password: Option<&str>) -> Arc<Target> {
        let ssh = SshOptions { user: Some(user.into()), password: password.map(Secret::new), ..sshd.ssh() };
        let private_key = ssh.private_key.clone().filter(|_| password.is_none());
        let mut ssh = SshOptions { private_key, ..ssh };
        if password.is_some() {
            ssh.args.extend(["-o".into(), "PubkeyAuthentication=no".into()]);
        }
        target("web1", ssh)
    }

    /// Who answers, after becoming somebody.
    fn who(links: &Links, target: &Arc<Target>, become_user: Option<Become>) -> Result<String, String> {
        let (events, heard) = channel();
        let args = data! { "_raw_params" => "sh -c 'echo $(id -un) $HOME'" };
        links.dispatch(Job {
            key: 1,
            target: target.clone(),
            stages: vec![Stage {
                become_user,
                calls: vec![Call {
                    module: "command".into(),
                    args,
                    mode: Mode::default(),
                    environment: Vec::new(),
                    background: None,
                }],
                parallel: 1,
                required: false,
            }],
            blobs: Arc::new(|_| Err(io::Error::other("there is none"))),
            sinks: Arc::new(|_| None),
            events: Arc::new(events),
        });
        let outcome = end(&heard).map_err(|failure| failure.msg)?.remove(0);
        match outcome.failure {
            Some(failure) => Err(failure.msg),
            None => Ok(outcome.data["stdout"].as_str().unwrap().to_owned()),
        }
    }

    fn to(method: &str, user: &str, password: Option<&str>) -> Option<Become> {
        let (method, user, password) = (method.into(), user.into(), password.map(str::to_owned));
        Some(Become { method, user, exe: None, flags: None, password })
    }

    #[test]
    fn a_password_logs_in_and_a_wrong_one_does_not() {
        let Some(sshd) = Sshd::with_accounts() else { return };
        let home = format!("ops {}", sshd.at("ops").display());
        assert_eq!(who(&sshd.links(), &as_user(&sshd, "ops", Some("ops-pw")), None), Ok(home));
        let why = who(&sshd.links(), &as_user(&sshd, "guest", Some("wrong")), None).unwrap_err();
        assert!(why.ends_with("permission denied as guest (it takes publickey,password)"), "{why}");
    }

    #[test]
    fn sudo_and_su_with_passwords() {
        let Some(sshd) = Sshd::with_accounts() else { return };
        let links = sshd.links();
        let ops = as_user(&sshd, "ops", None);
        let deploy = format!("deploy {}", sshd.at("deploy").display());
        assert_eq!(who(&links, &ops, to("sudo", "root", Some("ops-pw"))), Ok("root /root".into()));
        assert_eq!(who(&links, &ops, to("sudo", "deploy", Some("ops-pw"))), Ok(deploy.clone()));
        assert_eq!(who(&links, &ops, to("su", "deploy", Some("deploy-pw"))), Ok(deploy));
        assert!(who(&links, &ops, to("sudo", "ops", None)).unwrap().starts_with("ops "));
        for (wanted, expected) in [
            (to("sudo", "root", Some("wrong")), "incorrect sudo password for ops"),
            (to("sudo", "root", None), "sudo on this host asks for a password; give -K or ansible_become_password"),
            (to("su", "deploy", Some("wrong")), "incorrect su password for deploy"),
            (to("su", "deploy", None), "su on this host asks for a password; give -K or ansible_become_password"),
            (to("sudo", "ghost", Some("ops-pw")), "there is no user `ghost` on this host"),
            (to("su", "ghost", Some("ops-pw")), "there is no user `ghost` on this host"),
        ] {
            let (method, user) = wanted.as_ref().map(|w| (w.method.clone(), w.user.clone())).unwrap();
            assert_eq!(who(&links, &ops, wanted).as_ref().map_err(String::as_str), Err(expected), "{method} {user}");
        }
        let guest = who(&links, &as_user(&sshd, "guest", None), to("sudo", "root", Some("guest-pw"))).unwrap_err();
        assert!(guest.starts_with("guest may not become root: "), "{guest}");
        let cached = fs::read_dir(sshd.at("ops/.cache/rplay")).unwrap().count();
        assert_eq!(cached, 1);
    }
}
