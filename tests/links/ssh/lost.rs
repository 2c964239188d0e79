//! Links that are lost, and those that only seem so.

use std::{
    io::Read,
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rplay_wire::Background;

use super::*;

/// A relay between ssh and sshd that can stop forwarding without closing a connection.
struct Relay {
    port: u16,
    frozen: Arc<AtomicBool>,
}

impl Relay {
    fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay { port: listener.local_addr().unwrap().port(), frozen: Arc::default() };
        let frozen = relay.frozen.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { return };
                for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                    let (from, to, frozen) = (from.unwrap(), to.unwrap(), frozen.clone());
                    thread::spawn(move || pass(from, to, &frozen));
                }
            }
        });
        relay
    }

    fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, frozen: &AtomicBool) {
    let mut piece = [0; 1 << 14];
    loop {
        let count = from.read(&mut piece).unwrap_or(0);
        while frozen.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        if count == 0 || to.write_all(&piece[..count]).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn command(line: &str, background: Option<Background>) -> Call {
    let args = data! { "_raw_params" => line };
    Call { module: "command".into(), args, mode: Mode::default(), environment: Vec::new(), background }
}

fn begin(links: &Links, target: &Arc<Target>, calls: Vec<Call>) -> std::sync::mpsc::Receiver<LinkEvent> {
    let (events, heard) = channel();
    links.dispatch(Job {
        key: 1,
        target: target.clone(),
        stages: vec![Stage { become_user: None, calls, parallel: 2, required: false }],
        blobs: Arc::new(|_| Err(io::Error::other("there is none"))),
        sinks: Arc::new(|_| None),
        events: Arc::new(events),
    });
    heard
}

fn runs(line: &str) -> bool {
    Command::new("pgrep").args(["-x", "-f", line]).output().unwrap().status.success()
}

#[test]
fn a_cut_network_ends_the_agent_and_its_task_but_no_background_job() {
    let Some(sshd) = Sshd::start("") else { return };
    let relay = Relay::before(sshd.port);
    let links = Links::new(LinkOptions { silence: 4, ..sshd.options() }).unwrap();
    let ssh = SshOptions { port: Some(relay.port), check_host_key: false, ..sshd.ssh() };
    let id = std::process::id();
    let (task, job) = (format!("sleep 300.1{id}"), format!("sleep 300.2{id}"));
    let in_background = Background { id: format!("test.{id}"), seconds: 300 };
    let heard = begin(&links, &target("web1", ssh), vec![command(&job, Some(in_background)), command(&task, None)]);
    until("both run", || runs(&task) && runs(&job));
    relay.freeze(true);
    let begun = Instant::now();
    let failure = end(&heard).unwrap_err();
    assert!(failure.unreachable, "{failure}");
    until("the task has ended", || !runs(&task));
    println!("cut network: the task ended after {:.1} s", begun.elapsed().as_secs_f64());
    assert!(runs(&job), "a job in the background lives on");
    Command::new("pkill").args(["-x", "-f", &job]).status().unwrap();
    relay.freeze(false);
}

#[test]
fn a_short_interruption_and_a_long_quiet_task_are_no_lost_link() {
    let Some(sshd) = Sshd::start("") else { return };
    let relay = Relay::before(sshd.port);
    let links = Links::new(LinkOptions { silence: 8, ..sshd.options() }).unwrap();
    let ssh = SshOptions { port: Some(relay.port), check_host_key: false, ..sshd.ssh() };
    let task = format!("sleep 14.0{}", std::process::id());
    let heard = begin(&links, &target("web1", ssh), vec![command(&task, None)]);
    until("it runs", || runs(&task));
    relay.freeze(true);
    thread::sleep(Duration::from_secs(3));
    relay.freeze(false);
    assert!(end(&heard).unwrap()[0].failure.is_none());
}

/// Ctrl-Z for longer than an agent waits.
#[test]
fn a_controller_that_is_stopped_for_a_while_continues() {
    use std::os::unix::process::CommandExt;
    let Some(sshd) = Sshd::start("") else { return };
    let at = |name: &str| sshd.at(name);
    let task = format!("sleep 9.0{}", std::process::id());
    fs::write(at("play.yml"), format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - command: {task}\n"))
        .unwrap();
    let args = "-F /dev/null -o GlobalKnownHostsFile=/dev/null";
    let known = format!("-o UserKnownHostsFile={}", at("known_hosts").display());
    let host = format!(
        "web1 ansible_host=127.0.0.1 ansible_port={} ansible_ssh_private_key_file={} \
         ansible_ssh_common_args='{args} {known}'\n",
        sshd.port,
        at("user").display()
    );
    fs::write(at("hosts"), host).unwrap();
    let mut run = Command::new(sshd::executable())
        .args(["-i", "hosts", "play.yml"])
        .current_dir(sshd.directory.path())
        .env("RPLAY_LINK_TIMEOUT", "2")
        .env("XDG_RUNTIME_DIR", sshd.directory.path())
        .process_group(0)
        .stdout(fs::File::create(at("out")).unwrap())
        .spawn()
        .unwrap();
    until("it runs", || runs(&task));
    let pid = nix::unistd::Pid::from_raw(run.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTSTP).unwrap();
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    until("it is stopped", || state().rsplit_once(") ").unwrap().1.starts_with('T'));
    thread::sleep(Duration::from_secs(6));
    assert!(runs(&task), "the agent waits");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    let status = run.wait().unwrap();
    assert!(status.success(), "{}", fs::read_to_string(at("out")).unwrap());
}
