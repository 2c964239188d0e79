//! From a job to an outcome: the real executable as agent, here, over ssh and under other identities.

use std::{
    fs,
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use rplay::link::{BlobSource, Connection, Container, ContentSink, Job, LinkEvent, LinkOptions, Links, Target};
use rplay_wire::{Blob, Call, Failure, MARKER, Mode, Outcome, Reply, Stage, Value, data, encode, hex};
use sha2::{Digest, Sha256};

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
    Arc::new(Target { name: "here".into(), connection: Connection::Local })
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
    let folder = tempfile::tempdir().unwrap();
    let names = || {
        let listed = fs::read_dir(folder.path()).unwrap();
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let sleep = format!("sleep 300.{number}{}", std::process::id());
    let args = data! {
        "content" => "x", "dest" => folder.path().join("file").to_str().unwrap(),
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
    let folder = tempfile::tempdir().unwrap();
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
        let script = folder.path().join(n.to_string());
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
    let folder = tempfile::tempdir().unwrap();
    let links = links();
    let pid = folder.path().join("pid");
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

/// Content by its digest, and how often it was opened.
struct Content {
    bytes: Vec<u8>,
    opened: Arc<AtomicUsize>,
}

impl Content {
    fn new(size: usize) -> Self {
        let bytes = (0..size).map(|n| (n % 251) as u8).collect();
        Content { bytes, opened: Arc::default() }
    }

    fn blob(&self) -> Blob {
        let sha256 = hex::encode(Sha256::digest(&self.bytes));
        Blob { sha256, size: self.bytes.len() as u64 }
    }

    fn source(&self) -> BlobSource {
        let (bytes, opened) = (self.bytes.clone(), self.opened.clone());
        Arc::new(move |_| {
            opened.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read + Send>)
        })
    }

    fn copy_to(&self, dest: &Path) -> Call {
        let args = data! { "_content" => Value::Blob(self.blob()), "dest" => dest.to_str().unwrap() };
        Call { module: "copy".into(), args, ..ping("") }
    }
}

#[test]
fn content_is_sent_once_and_only_if_it_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let links = links();
    for size in [0, 5, 256 << 10, 3_000_001] {
        let content = Content::new(size);
        let calls = (0..6).map(|n| content.copy_to(&folder.path().join(format!("{size}-{n}")))).collect();
        let (mut first, heard) = job(1, &local(), calls);
        (first.blobs, first.stages[0].parallel) = (content.source(), 6);
        links.dispatch(first);
        for outcome in outcomes(&heard).unwrap() {
            assert_eq!(outcome.failure, None);
            assert!(outcome.changed);
        }
        assert_eq!(fs::read(folder.path().join(format!("{size}-5"))).unwrap(), content.bytes);
        assert_eq!(content.opened.load(Ordering::SeqCst), 1, "of {size} bytes");
        let (mut again, heard) = job(2, &local(), vec![content.copy_to(&folder.path().join(format!("{size}-0")))]);
        again.blobs = content.source();
        links.dispatch(again);
        assert!(!outcomes(&heard).unwrap()[0].changed);
        assert_eq!(content.opened.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn unavailable_or_changed_content_fails_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let links = links();
    let content = Content::new(1000);
    let (mut gone, heard) = job(1, &local(), vec![content.copy_to(&folder.path().join("a")), ping("after")]);
    gone.blobs = Arc::new(|_| Err(io::Error::other("files/a has gone away")));
    links.dispatch(gone);
    let ended = outcomes(&heard).unwrap();
    assert!(ended[0].failure.as_ref().unwrap().msg.contains("files/a has gone away"));
    assert_eq!(ended[1].failure, None);
    let (mut other, heard) = job(1, &local(), vec![content.copy_to(&folder.path().join("a"))]);
    other.blobs = Content::new(1001).source();
    links.dispatch(other);
    assert!(outcomes(&heard).unwrap()[0].failure.as_ref().unwrap().msg.contains("damaged"));
    assert!(!folder.path().join("a").exists());
}

/// Records what arrives.
#[derive(Clone, Default)]
struct Kept(Arc<parking_lot::Mutex<Vec<(Vec<u8>, u64)>>>);

impl ContentSink for Kept {
    fn piece(&mut self, piece: &[u8], left: u64) {
        self.0.lock().push((piece.to_vec(), left));
    }
}

/// An agent that gives the same answer to every request.
fn scripted(folder: &Path, replies: &[Reply]) -> Links {
    use std::os::unix::fs::PermissionsExt;
    let hello = Reply::Hello { user: "u".into(), uid: 1, pid: 1 };
    let said: Vec<u8> = std::iter::once(&hello).chain(replies).flat_map(|reply| encode(reply).unwrap()).collect();
    fs::write(folder.join("said"), [MARKER, &said].concat()).unwrap();
    let agent = folder.join("agent");
    // It answers when it gets a request, not before.
    let script = format!(
        "#!/bin/sh\nhead -c {} '{1}'\ndd bs=1 count=1 of=/dev/null 2>/dev/null\ntail -c +{2} '{1}'\nexec sleep 60\n",
        MARKER.len() + encode(&hello).unwrap().len(),
        folder.join("said").display(),
        MARKER.len() + encode(&hello).unwrap().len() + 1
    );
    fs::write(&agent, script).unwrap();
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
    Links::new(LinkOptions { executable: Some(agent), ..options() }).unwrap()
}

#[test]
fn a_host_sends_content_only_for_a_call_that_asks_for_it_and_until_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let content = |batch, index, piece: &str, left| Reply::Content { batch, index, piece: piece.into(), left };
    let answer = |index| Reply::Outcome { batch: 1, index, outcome: Outcome::default() };
    let replies = [
        // No such call, a call that fetches nothing.
        content(1, 9, "other call", 0),
        content(1, 1, "not asked for", 0),
        content(1, 0, "one", 3),
        content(1, 0, "two", 0),
        content(1, 0, "too much", 0),
        answer(0),
        content(1, 2, "begun", 7),
        answer(2),
        content(1, 2, "too late", 0),
        answer(1),
    ];
    let links = scripted(folder.path(), &replies);
    let fetch = |number: i64| Call { args: data! { "_sink" => number }, ..ping("") };
    let (mut asked, heard) = job(1, &local(), vec![fetch(7), ping(""), fetch(8)]);
    let (kept, opened) = (Kept::default(), Arc::new(parking_lot::Mutex::new(Vec::new())));
    let (sink, numbers) = (kept.clone(), opened.clone());
    asked.sinks = Arc::new(move |number| {
        numbers.lock().push(number);
        Some(Box::new(sink.clone()))
    });
    links.dispatch(asked);
    assert_eq!(outcomes(&heard).unwrap().len(), 3);
    let came: Vec<_> = kept.0.lock().iter().map(|(piece, _)| String::from_utf8_lossy(piece).into_owned()).collect();
    assert_eq!(came, ["one", "two", "begun"]);
    assert_eq!(*opened.lock(), [7, 8]);
}

#[test]
fn a_long_outcome_is_put_together_and_one_without_end_ends_the_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let long = Outcome { data: data! { "stdout" => "x".repeat(1 << 20) }, ..Outcome::default() };
    let mut replies = Vec::new();
    rplay_wire::outcome_frames(1, 0, long.clone(), |frame| {
        replies.extend(rplay_wire::read_reply(&mut frame.as_slice())?);
        Ok(())
    })
    .unwrap();
    assert_eq!(run(&scripted(folder.path(), &replies), &local(), vec![ping("")]).unwrap(), [long]);
    // A frame that is longer than any that an agent sends.
    let long = Reply::Want { sha256: "x".repeat(2 << 20) };
    let failure = run(&scripted(folder.path(), &[long]), &local(), vec![ping("")]).unwrap_err();
    assert!(failure.msg.contains("broke the protocol: it announced a reply of 2097157 bytes"), "{}", failure.msg);
}

/// Not Docker, but a script that is called like it.
#[test]
fn a_container_is_entered_with_exec() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let engine = folder.path().join("docker");
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
    assert_eq!(fs::read_dir(folder.path().join("rplay")).unwrap().count(), 1);
    let failure = run(&links, &container("gone"), vec![ping("")]).unwrap_err();
    assert_eq!(failure.msg, "the agent on gone did not start: no such container: gone");
    assert!(
        run(&links, &container("--privileged"), vec![ping("")]).unwrap_err().msg.contains("not a valid container name")
    );
}

mod become_user {
    use std::os::unix::fs::PermissionsExt;

    use rplay_wire::Become;

    use super::*;

    /// Behaves like sudo. The right password is `right`.
    const SUDO: &str = r#"#!/bin/sh
echo "$*" >> "$0.log"
while [ $# -gt 0 ]; do
  case $1 in
    -p) prompt=$2; shift 2 ;;
    -u) user=$2; shift 2 ;;
    -n) quiet=1; shift ;;
    --) shift; break ;;
    *) shift ;;
  esac
done
echo "We trust you have received the usual lecture:" >&2
case $user in
  open) exec "$@" ;;
  ghost) echo "sudo: unknown user ghost" >&2; exit 1 ;;
  other) echo "ops is not in the sudoers file." >&2; exit 1 ;;
esac
[ -n "$quiet" ] && { echo "sudo: a password is required" >&2; exit 1; }
printf '%s' "$prompt" >&2
read -r password
if [ "$password" != right ]; then
  printf 'Sorry, try again.\n%s' "$prompt" >&2
  read -r password
  exit 1
fi
exec "$@"
"#;

    struct FakeSudo(tempfile::TempDir);

    impl FakeSudo {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sudo");
            std::fs::write(&path, SUDO).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            FakeSudo(folder)
        }

        fn log(&self) -> String {
            std::fs::read_to_string(self.0.path().join("sudo.log")).unwrap_or_default()
        }

        fn run(&self, links: &Links, user: &str, password: Option<&str>) -> Vec<Outcome> {
            let (mut job, heard) = job(1, &local(), vec![ping("pong"), ping("again")]);
            job.stages[0].become_user = Some(Become {
                method: "sudo".into(),
                user: user.into(),
                exe: Some(self.0.path().join("sudo").to_str().unwrap().to_owned()),
                flags: None,
                password: password.map(str::to_owned),
                chdir: None,
                plugin: None,
            });
            links.dispatch(job);
            outcomes(&heard).unwrap()
        }

        fn refusal(&self, links: &Links, user: &str, password: Option<&str>) -> Failure {
            let outcomes = self.run(links, user, password);
            assert_eq!(outcomes.len(), 2);
            let failure = outcomes[0].failure.clone().expect("it should have failed");
            assert_eq!(Some(&failure), outcomes[1].failure.as_ref());
            assert!(!failure.unreachable);
            failure
        }
    }

    fn answered(outcomes: &[Outcome]) -> bool {
        outcomes.len() == 2 && outcomes[1].data == data! { "ping" => "again" }
    }

    #[test]
    fn the_other_agent_is_started_once_with_and_without_a_password() {
        let (sudo, links) = (FakeSudo::new(), links());
        for _ in 0..3 {
            assert!(answered(&sudo.run(&links, "deploy", Some("right"))));
        }
        assert_eq!(sudo.log().lines().count(), 1);
        assert!(!sudo.log().contains("right"));
        assert!(answered(&sudo.run(&links, "open", None)));
        assert_eq!(sudo.log().lines().count(), 2);
        // The copy for the other user is gone once it runs.
        let copy = sudo.log().split_whitespace().find(|word| word.ends_with("/agent")).unwrap().to_owned();
        assert!(!std::path::Path::new(&copy).exists(), "{copy} is still there");
    }

    #[test]
    fn a_wrong_password_is_reported_and_not_tried_twice() {
        let (sudo, links) = (FakeSudo::new(), links());
        for _ in 0..2 {
            let failure = sudo.refusal(&links, "deploy", Some("wrong"));
            assert!(failure.msg.starts_with("Incorrect ") && failure.msg.contains("sudo password for "), "{failure}");
        }
        assert_eq!(sudo.log().lines().count(), 1);
        assert!(answered(&sudo.run(&links, "deploy", Some("right"))));
    }

    #[test]
    fn what_the_other_agent_has_started_ends_with_its_job_and_with_the_run() {
        let (sudo, links) = (FakeSudo::new(), links());
        let become_user = || {
            let (method, user) = ("sudo".to_owned(), "open".to_owned());
            let exe = Some(sudo.0.path().join("sudo").to_str().unwrap().to_owned());
            Some(Become { method, user, exe, flags: None, password: None, chdir: None, plugin: None })
        };
        let pid = sudo.0.path().join("pid");
        let sleep = || command(&format!("sh -c 'echo $$ > {}; sleep 60; true'", pid.display()));
        let started = || {
            let text = eventually(|| fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n')));
            fs::remove_file(&pid).unwrap();
            format!("/proc/{}/stat", text.trim())
        };
        let over = |process: &str| {
            eventually(|| fs::read_to_string(process).map_or(true, |stat| stat.contains(") Z ")).then_some(()));
        };
        let (mut cancelled, heard) = job(1, &local(), vec![sleep(), ping("never")]);
        cancelled.stages[0].become_user = become_user();
        links.dispatch(cancelled);
        let process = started();
        links.cancel(&local(), 1);
        let ended = outcomes(&heard).unwrap();
        assert_eq!(ended[1].skipped.as_deref(), Some("cancelled"));
        over(&process);
        let (mut left, _heard) = job(2, &local(), vec![sleep()]);
        left.stages[0].become_user = become_user();
        links.dispatch(left);
        let process = started();
        links.close();
        over(&process);
    }

    #[test]
    fn every_refusal_has_its_own_words() {
        let (sudo, links) = (FakeSudo::new(), links());
        let missing = sudo.refusal(&links, "deploy", None);
        assert!(missing.msg.ends_with("requires a password; use -K or set ansible_become_password"), "{missing}");
        let ghost = sudo.refusal(&links, "ghost", None);
        assert_eq!(ghost.msg, "user `ghost` does not exist on this host");
        let other = sudo.refusal(&links, "other", Some("right"));
        assert!(other.msg.contains("is not allowed to become other: "), "{other}");
        // The host itself is still there.
        pong(&links, &local());
    }

    /// Root may become anybody, so nothing has to be set up.
    #[test]
    fn the_real_sudo_starts_an_agent_that_an_unprivileged_user_can_execute() {
        let has_sudo = std::process::Command::new("sudo").arg("-V").output().is_ok();
        if !nix::unistd::getuid().is_root() || !has_sudo {
            println!("skipped: needs root and sudo");
            return;
        }
        let links = links();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        for (method, user) in [("sudo", "nobody"), ("sudo", "daemon"), ("sudo", "root")] {
            let content = Content::new(1_000_000);
            let file = folder.path().join(user);
            let calls = vec![command("id -un"), content.copy_to(&file)];
            let (mut job, heard) = job(1, &local(), calls);
            job.blobs = content.source();
            job.stages[0].become_user = Some(Become {
                method: method.into(),
                user: user.into(),
                exe: None,
                flags: None,
                password: None,
                chdir: None,
                plugin: None,
            });
            links.dispatch(job);
            let outcomes = outcomes(&heard).unwrap();
            assert_eq!(outcomes[0].data["stdout"].as_str(), Some(user), "{outcomes:?}");
            assert_eq!(outcomes[1].failure, None);
            assert_eq!(fs::read(&file).unwrap(), content.bytes);
        }
        let (mut job, heard) = job(1, &local(), vec![ping("pong")]);
        let user = "rplay-no-such-user".to_owned();
        job.stages[0].become_user = Some(Become {
            method: "sudo".into(),
            user,
            exe: None,
            flags: None,
            password: None,
            chdir: None,
            plugin: None,
        });
        links.dispatch(job);
        let failure = outcomes(&heard).unwrap()[0].failure.clone().unwrap();
        assert_eq!(failure.msg, "user `rplay-no-such-user` does not exist on this host");
    }
}
