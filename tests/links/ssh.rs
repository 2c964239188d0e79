//! Links over a real sshd, started here on a loopback port with its own keys.

mod accounts;
mod kinds;
mod lost;
mod upload;

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
use rplay_wire::{Call, Failure, Map, Mode, Outcome, Stage, data, hex};

use crate::sshd::{self, Sshd, target};

fn call(module: &str, args: Map) -> Call {
    Call { module: module.into(), args, mode: Mode::default(), environment: Vec::new(), background: None }
}

fn dispatch(links: &Links, target: &Arc<Target>, calls: usize) -> std::sync::mpsc::Receiver<LinkEvent> {
    send(links, target, vec![call("ping", data! { "data" => "pong" }); calls])
}

fn send(links: &Links, target: &Arc<Target>, calls: Vec<Call>) -> std::sync::mpsc::Receiver<LinkEvent> {
    let (events, heard) = channel();
    links.dispatch(Job {
        key: 1,
        target: target.clone(),
        stages: vec![Stage { become_user: None, calls, parallel: 1, required: false }],
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

/// How many files a control directory contains, without the note of the executable's digest.
fn left_in(directory: &Path) -> usize {
    let left = fs::read_dir(directory).unwrap().flatten();
    left.filter(|entry| entry.path().extension() != Some("digest".as_ref())).count()
}

#[test]
fn the_executable_is_uploaded_once_and_the_connection_is_kept() {
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
    // It has hung up, but may still be running.
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
    // What is running at that moment is lost; earlier answers are kept.
    let heard = dispatch(&links, &sshd.target("web1"), 200_000);
    assert!(matches!(heard.recv_timeout(Duration::from_secs(60)), Ok(LinkEvent::Outcome { .. })));
    sshd.drop_connections();
    let failure = end(&heard).unwrap_err();
    assert!(failure.unreachable);
    assert!(failure.msg.starts_with("the connection to web1 was lost"), "{failure}");
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
    // The socket remains, and does no harm.
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

/// With any login shell and any /bin/sh: those that are installed here.
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

/// With the executable missing, and with it present.
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
fn many_connections_succeed_although_sshd_drops_some() {
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

/// Every healthy host is reached, whatever the others do, and a dead one is given up at once.
#[test]
fn a_busy_sshd_loses_no_host_and_a_dead_host_is_given_up_at_once() {
    // sshd listens at 16 addresses at most, and at 127.0.0.1 already.
    const ADDRESSES: usize = 15;
    let listen: String = (1..=ADDRESSES).map(|n| format!("\nListenAddress 127.7.0.{n}")).collect();
    let Some(sshd) = Sshd::start(&format!("MaxStartups 3:50:10{listen}")) else { return };
    let links = sshd.links();
    ping(&links, &sshd.target("first")).unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let begun = Instant::now();
    // Like hosts behind one jump host, many have different addresses.
    let address = |n: usize| SshOptions {
        host: format!("127.7.0.{}", n % ADDRESSES + 1),
        port: Some(if n % 12 == 5 { closed } else { sshd.port }),
        check_host_key: false,
        ..sshd.ssh()
    };
    let heard: Vec<_> = (0..60).map(|n| dispatch(&links, &target(&format!("web{n}"), address(n)), 1)).collect();
    let mut dead = Vec::new();
    for (n, heard) in heard.iter().enumerate() {
        match end(heard) {
            Ok(_) => {}
            Err(failure) if n % 12 == 5 => dead.push((failure, begun.elapsed())),
            Err(failure) => panic!("web{n} was given up: {failure}"),
        }
    }
    assert_eq!(dead.len(), 5);
    assert!(dead.iter().all(|(failure, _)| failure.msg.ends_with("Connection refused")), "{dead:?}");
    let dropped = sshd.log().matches("MaxStartups").count();
    println!("60 hosts behind one sshd: {:.1} s, dropped {dropped}", begun.elapsed().as_secs_f64());
}

#[test]
fn a_host_that_cannot_be_reached_is_retried_as_often_as_set() {
    let directory = tempfile::Builder::new().prefix("rs").tempdir_in("/tmp").unwrap();
    let at = |name: &str| directory.path().join(name);
    let words = |says: &str| format!("#!/bin/sh\necho x >> {}\necho '{says}' >&2\nexit 255\n", at("tries").display());
    let executable = Some(PathBuf::from(env!("CARGO_BIN_EXE_rplay")));
    let links =
        Links::new(LinkOptions { executable, control_directory: Some(at("ctl")), ..LinkOptions::default() }).unwrap();
    for (name, says, tries) in [
        ("refused", "ssh: connect to host web1 port 22: Connection refused", 2),
        ("denied", "web1: Permission denied (publickey).", 1),
    ] {
        let _ = fs::remove_file(at("tries"));
        fs::write(at(name), words(says)).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
        let ssh =
            SshOptions { retries: 1, executable: at(name).to_str().unwrap().to_owned(), ..SshOptions::new("web1") };
        assert!(ping(&links, &target(name, ssh)).unwrap_err().unreachable);
        assert_eq!(fs::read_to_string(at("tries")).unwrap().lines().count(), tries, "{name}");
    }
}

#[test]
fn files_of_an_earlier_agent_are_removed_by_the_next() {
    let Some(sshd) = Sshd::start("") else { return };
    let old = std::time::SystemTime::now() - Duration::from_secs(3 * 24 * 60 * 60);
    for (name, modified) in [("rplay-Old001", Some(old)), ("rplay-Young1", None)] {
        fs::create_dir(sshd.at(name)).unwrap();
        fs::write(sshd.at(name).join("content"), "x").unwrap();
        if let Some(modified) = modified {
            fs::File::open(sshd.at(name)).unwrap().set_modified(modified).unwrap();
        }
    }
    let links = sshd.links();
    ping(&links, &sshd.target("web1")).unwrap();
    until("the old directory is swept", || !sshd.at("rplay-Old001").exists());
    assert!(sshd.at("rplay-Young1/content").exists());
}

/// Waits until something holds, but not for ever.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "not so: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn reasons_are_given_in_one_sentence() {
    let Some(sshd) = Sshd::start("") else { return };
    let links = sshd.links();
    let start = "Failed to connect to the host via ssh: ";
    let why = |name: &str, ssh: SshOptions| {
        let failure = ping(&links, &target(name, ssh)).unwrap_err();
        assert!(failure.unreachable);
        (failure.msg.replace(start, ""), failure.help.unwrap_or_default())
    };
    let stranger = SshOptions { private_key_file: Some(sshd.at("stranger")), ..sshd.ssh() };
    let denied = why("web1", stranger).0;
    assert!(denied.ends_with("Permission denied (publickey)"), "{denied}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = why("web1", SshOptions { port: Some(closed), ..sshd.ssh() }).0;
    assert!(refused.ends_with("Connection refused"), "{refused}");
    let option = SshOptions { host: "-oProxyCommand=id".into(), ..sshd.ssh() };
    assert_eq!(why("web1", option).0, "`-oProxyCommand=id` is not a valid host name");

    fs::write(sshd.at("known_hosts"), "").unwrap();
    let (unknown, help) = why("web1", sshd.ssh());
    assert!(unknown.ends_with("Host key verification failed"), "{unknown}");
    assert!(help.contains(&format!("ssh-keyscan -p {} 127.0.0.1", sshd.port)), "{help}");
    let stranger = fs::read_to_string(sshd.at("stranger.pub")).unwrap();
    fs::write(sshd.at("known_hosts"), format!("[127.0.0.1]:{} {stranger}", sshd.port)).unwrap();
    let changed = why("web1", sshd.ssh()).0;
    assert!(changed.starts_with("REMOTE HOST IDENTIFICATION HAS CHANGED; "), "{changed}");
    fs::write(sshd.at("known_hosts"), "").unwrap();
    ping(&links, &target("web1", SshOptions { check_host_key: false, ..sshd.ssh() })).unwrap();
}

/// Not ssh, but a script that asks for a password like ssh: no account is needed.
#[test]
fn a_password_reaches_ssh_by_askpass_alone() {
    let directory = tempfile::Builder::new().prefix("rs").tempdir_in("/tmp").unwrap();
    let at = |name: &str| directory.path().join(name);
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
    let control_directory = Some(at("ctl"));
    let links = Links::new(LinkOptions { executable, control_directory, ..LinkOptions::default() }).unwrap();
    let failure = ping(&links, &target("web1", ssh)).unwrap_err();
    assert!(failure.msg.starts_with("Failed to connect to the host via ssh: "), "{}", failure.msg);
    assert!(failure.msg.ends_with("Permission denied (password)"), "{}", failure.msg);
    assert_eq!(fs::read_to_string(at("got")).unwrap(), "s3cret word\n");
    assert_eq!(fs::read_to_string(at("got.jump")).unwrap(), "");
    assert!(!fs::read_to_string(at("out")).unwrap().contains("s3cret"));
    assert_eq!(left_in(&at("ctl")), 0, "sockets and logs are removed");
}
