//! From a job to an outcome: the real executable as agent, here, over ssh and under other identities.

mod become_user;
mod content;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use rplay::link::{BlobSource, Connection, Container, Job, LinkEvent, LinkOptions, Links, Target};
use rplay_wire::{Call, Failure, MARKER, Mode, Outcome, Reply, Stage, Value, data, encode};

fn options() -> LinkOptions {
    LinkOptions { executable: Some(PathBuf::from(env!("CARGO_BIN_EXE_rplay"))), ..LinkOptions::default() }
}

fn links() -> Links {
    Links::new(options()).unwrap()
}

fn no_blobs() -> BlobSource {
    Arc::new(|_| Err(io::Error::other("there is none")))
}

fn ping(data: &str) -> Call {
    Call {
        module: "ping".into(),
        args: data! { "data" => data },
        mode: Mode::default(),
        environment: Vec::new(),
        background: None,
    }
}

fn local() -> Arc<Target> {
    Arc::new(Target { name: "here".into(), connection: Connection::Local("/".into()) })
}

fn job(key: u64, target: &Arc<Target>, calls: Vec<Call>) -> (Job, Receiver<LinkEvent>) {
    let (events, heard) = channel();
    let target = target.clone();
    let blobs = no_blobs();
    let stages = vec![Stage { become_user: None, calls, parallel: 1, required: false }];
    (Job { key, target, stages, blobs, sinks: Arc::new(|_| None), events: Arc::new(events) }, heard)
}

/// All outcomes of a job by index, or why the host was out of reach.
fn outcomes(heard: &Receiver<LinkEvent>) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    loop {
        match heard.recv_timeout(Duration::from_secs(60)).expect("no end of the job was heard") {
            LinkEvent::Outcome { index, outcome, .. } => outcomes.push((index, outcome)),
            LinkEvent::Done { .. } | LinkEvent::Stopped { .. } => {
                outcomes.sort_by_key(|(index, _)| *index);
                return Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect());
            }
            LinkEvent::Unreachable { failure, .. } => return Err(failure),
        }
    }
}

fn run(links: &Links, target: &Arc<Target>, calls: Vec<Call>) -> Result<Vec<Outcome>, Failure> {
    let (job, heard) = job(1, target, calls);
    links.dispatch(job);
    outcomes(&heard)
}

/// One ping, which must be answered.
fn pong(links: &Links, target: &Arc<Target>) {
    let outcomes = run(links, target, vec![ping("pong")]).unwrap();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].data, data! { "ping" => "pong" });
}

fn timed(what: &str, work: impl FnOnce()) {
    let begun = Instant::now();
    work();
    println!("{what}: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
}

#[test]
fn a_local_job_is_answered_in_order() {
    let links = links();
    timed("local, first ping", || pong(&links, &local()));
    timed("local, second ping", || pong(&links, &local()));
    let outcomes = run(&links, &local(), (0..100).map(|n| ping(&n.to_string())).collect()).unwrap();
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.data, data! { "ping" => n.to_string() });
    }
    assert!(run(&links, &local(), Vec::new()).unwrap().is_empty());
    links.close();
}

#[test]
fn concurrent_jobs_share_one_agent() {
    let links = links();
    let heard: Vec<_> = (0..20)
        .map(|key| {
            let (job, heard) = job(key, &local(), vec![ping("a"), ping("b")]);
            links.dispatch(job);
            heard
        })
        .collect();
    for heard in heard {
        assert_eq!(outcomes(&heard).unwrap().len(), 2);
    }
}

/// The controller disappears while a file is half-written.
#[test]
fn what_was_begun_is_removed_when_the_controller_disappears() {
    what_was_begun_is_removed(4, |links, _| {
        links.close();
        None
    });
}

#[test]
fn what_was_begun_is_removed_when_the_agent_is_told_to_end() {
    what_was_begun_is_removed(5, |links, agent| {
        assert!(std::process::Command::new("kill").arg(agent).status().unwrap().success());
        Some(links)
    });
}

/// `end` gets the links and the process of the agent, and returns the links that should stay open.
fn what_was_begun_is_removed(number: u32, end: impl FnOnce(Links, &str) -> Option<Links>) {
    let directory = tempfile::tempdir().unwrap();
    let names = || {
        let listed = fs::read_dir(directory.path()).unwrap();
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let sleep = format!("sleep 300.{number}{}", std::process::id());
    let args = data! {
        "content" => "x", "dest" => directory.path().join("file").to_str().unwrap(),
        "validate" => format!("sh -c '{sleep}; test -f %s'"),
    };
    let call = Call { module: "copy".into(), args, mode: Mode::default(), environment: Vec::new(), background: None };
    let links = links();
    let (job, _heard) = job(1, &local(), vec![call]);
    links.dispatch(job);
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(30);
        while !holds() {
            assert!(Instant::now() < end, "not so: {what}: {:?}", names());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let output = |command: &str, args: &[&str]| {
        let output = std::process::Command::new(command).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let pid = || output("pgrep", &["-x", "-f", &sleep]);
    let runs = || !pid().is_empty();
    let parent = |pid: &str| output("ps", &["-o", "ppid=", "-p", pid]);
    wait("it is being made", &|| names().iter().any(|name| name.starts_with(".rplay-")) && runs());
    let _open = end(links, &parent(&parent(&pid())));
    wait("nothing is left", &|| names().is_empty() && !runs());
}

#[test]
fn large_arguments_come_through() {
    let links = links();
    let large = "x".repeat(20 << 20);
    let outcomes = run(&links, &local(), vec![ping(&large)]).unwrap();
    assert!(outcomes[0].data["ping"].as_str() == Some(&large));
}

#[test]
fn after_a_reset_the_next_job_connects_again() {
    let links = links();
    pong(&links, &local());
    links.reset(&local());
    pong(&links, &local());
}

#[test]
fn an_executable_that_is_no_agent_is_an_unreachable_host_with_a_reason() {
    let links = Links::new(LinkOptions { executable: Some("/bin/false".into()), ..options() }).unwrap();
    let failure = run(&links, &local(), vec![ping("")]).unwrap_err();
    assert!(failure.unreachable);
    assert_eq!(failure.msg, "the agent on here did not start");
    let links = Links::new(LinkOptions { executable: Some("/nonexistent".into()), ..options() }).unwrap();
    assert!(run(&links, &local(), vec![ping("")]).unwrap_err().msg.starts_with("cannot start the local agent"));
}

#[test]
fn whatever_an_executable_prints_the_job_ends_with_a_reason() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let marker = r"printf '\n\000rplay-agent\000\n'";
    let cases = [
        ("sleep 30", "the agent on here did not start within 0.5 s"),
        ("echo sorry; exec sleep 30", "the agent on here did not start within 0.5 s; it printed: sorry"),
        ("echo out; echo err >&2", "the agent on here did not start: err; it printed: out"),
        ("yes", "here keeps printing instead of starting the agent; it printed: y; y; y"),
        (&format!("{marker}; sleep 30"), "the agent on here is not responding"),
        (&format!("{marker}; echo gone >&2"), "the connection to here was lost: gone"),
        (&format!("{marker}; printf '\\377\\377\\377\\377'"), "the agent on here broke the protocol: "),
        (&format!("{marker}; printf '\\002\\000\\000\\000MM'"), "the agent on here broke the protocol: "),
    ];
    for (n, (line, expected)) in cases.into_iter().enumerate() {
        let script = directory.path().join(n.to_string());
        fs::write(&script, format!("#!/bin/sh\n{line}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let options = LinkOptions { executable: Some(script), patience: Duration::from_millis(500), ..options() };
        let failure = run(&Links::new(options).unwrap(), &local(), vec![ping("")]).unwrap_err();
        assert!(failure.unreachable);
        assert!(failure.msg.starts_with(expected), "{line}: {}", failure.msg);
    }
}

/// A command without a shell.
fn command(line: &str) -> Call {
    Call { module: "command".into(), args: data! { "_raw_params" => line }, ..ping("") }
}

#[test]
fn calls_of_a_batch_run_side_by_side_only_as_far_as_asked_for() {
    let links = links();
    pong(&links, &local());
    let run = |parallel| {
        let (mut job, heard) = job(1, &local(), vec![command("sleep 0.5"); 4]);
        job.stages[0].parallel = parallel;
        let begun = Instant::now();
        links.dispatch(job);
        assert_eq!(outcomes(&heard).unwrap().len(), 4);
        begun.elapsed()
    };
    assert!(run(1) >= Duration::from_secs(2));
    assert!(run(4) < Duration::from_secs(2));
}

#[test]
fn a_cancelled_job_ends_at_once_and_others_go_on() {
    let links = links();
    let (cancelled, heard) = job(7, &local(), vec![command("sleep 60"), ping("never")]);
    let (other, other_heard) = job(8, &local(), vec![command("sleep 1")]);
    links.dispatch(cancelled);
    links.dispatch(other);
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    links.cancel(&local(), 7);
    let ended = outcomes(&heard).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(ended[0].data["rc"], Value::Int(-9));
    assert_eq!(ended[1].skipped.as_deref(), Some("cancelled"));
    assert_eq!(outcomes(&other_heard).unwrap()[0].failure, None);
}

#[test]
fn a_job_cancelled_while_connecting_is_answered_too() {
    let links = links();
    let (job, heard) = job(7, &local(), vec![command("sleep 60")]);
    links.dispatch(job);
    links.cancel(&local(), 7);
    let begun = Instant::now();
    outcomes(&heard).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn hanging_up_kills_running_calls() {
    let directory = tempfile::tempdir().unwrap();
    let links = links();
    let pid = directory.path().join("pid");
    let line = format!("sh -c 'echo $$ > {}; sleep 60; true'", pid.display());
    let (job, _heard) = job(1, &local(), vec![command(&line)]);
    links.dispatch(job);
    let running = eventually(|| fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n')));
    links.close();
    let process = format!("/proc/{}/stat", running.trim());
    eventually(|| fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z ")).then_some(()));
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An agent that gives the same answer to every request.
fn scripted(directory: &Path, replies: &[Reply]) -> Links {
    use std::os::unix::fs::PermissionsExt;
    let hello = Reply::Hello { user: "u".into(), uid: 1, pid: 1 };
    let said: Vec<u8> = std::iter::once(&hello).chain(replies).flat_map(|reply| encode(reply).unwrap()).collect();
    fs::write(directory.join("said"), [MARKER, &said].concat()).unwrap();
    let agent = directory.join("agent");
    // It answers when it gets a request, not before.
    let script = format!(
        "#!/bin/sh\nhead -c {} '{1}'\ndd bs=1 count=1 of=/dev/null 2>/dev/null\ntail -c +{2} '{1}'\nexec sleep 60\n",
        MARKER.len() + encode(&hello).unwrap().len(),
        directory.join("said").display(),
        MARKER.len() + encode(&hello).unwrap().len() + 1
    );
    fs::write(&agent, script).unwrap();
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
    Links::new(LinkOptions { executable: Some(agent), ..options() }).unwrap()
}

#[test]
fn a_long_outcome_is_put_together_and_one_without_end_ends_the_conversation() {
    let directory = tempfile::tempdir().unwrap();
    let long = Outcome { data: data! { "stdout" => "x".repeat(1 << 20) }, ..Outcome::default() };
    let mut replies = Vec::new();
    rplay_wire::outcome_frames(1, 0, long.clone(), |frame| {
        replies.extend(rplay_wire::read_reply(&mut frame.as_slice())?);
        Ok(())
    })
    .unwrap();
    assert_eq!(run(&scripted(directory.path(), &replies), &local(), vec![ping("")]).unwrap(), [long]);
    // A frame that is longer than any that an agent sends.
    let long = Reply::Want { sha256: "x".repeat(2 << 20) };
    let failure = run(&scripted(directory.path(), &[long]), &local(), vec![ping("")]).unwrap_err();
    assert!(failure.msg.contains("broke the protocol: it announced a reply of 2097157 bytes"), "{}", failure.msg);
}

/// Not Docker, but a script that is called like it.
#[test]
fn a_container_is_entered_with_exec() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let engine = directory.path().join("docker");
    let script = "#!/bin/sh\n[ \"$1 $2 $3 $4 $5\" = 'exec -i -u app web' ] || { echo \"no such container: $5\" >&2; exit 1; }\n\
                  shift 5; XDG_CACHE_HOME=$(dirname \"$0\"); export XDG_CACHE_HOME; exec \"$@\"\n";
    fs::write(&engine, script).unwrap();
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    let links = links();
    let container = |name: &str| {
        let (engine, name) = (engine.to_str().unwrap().to_owned(), name.to_owned());
        let connection = Connection::Container(Container { engine, name: name.clone(), user: Some("app".into()) });
        Arc::new(Target { name, connection })
    };
    pong(&links, &container("web"));
    assert_eq!(fs::read_dir(directory.path().join("rplay")).unwrap().count(), 1);
    let failure = run(&links, &container("gone"), vec![ping("")]).unwrap_err();
    assert_eq!(failure.msg, "the agent on gone did not start: no such container: gone");
    assert!(
        run(&links, &container("--privileged"), vec![ping("")]).unwrap_err().msg.contains("not a valid container name")
    );
}
