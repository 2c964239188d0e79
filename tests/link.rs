//! From a job to an outcome: the real executable as agent, here, over ssh and under other identities.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use rplay::link::{BlobSource, Connection, Job, LinkEvent, LinkOptions, Links, Target};
use rplay_wire::{Call, Failure, Mode, Outcome, data};

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
    Call { module: "ping".into(), args: data! { "data" => data }, mode: Mode::default(), environment: Vec::new() }
}

fn local() -> Arc<Target> {
    Arc::new(Target { name: "here".into(), connection: Connection::Local })
}

fn job(key: u64, target: &Arc<Target>, calls: Vec<Call>) -> (Job, Receiver<LinkEvent>) {
    let (events, heard) = channel();
    let target = target.clone();
    let blobs = no_blobs();
    (Job { key, target, become_user: None, calls, parallel: 1, stop_on_failure: false, blobs, events }, heard)
}

/// All outcomes of a job by index, or why the host was out of reach.
fn outcomes(heard: &Receiver<LinkEvent>) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    loop {
        match heard.recv_timeout(Duration::from_secs(60)).expect("no end of the job was heard") {
            LinkEvent::Outcome { index, outcome, .. } => outcomes.push((index, outcome)),
            LinkEvent::Done { .. } => {
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
fn jobs_that_come_at_once_share_one_agent() {
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

#[test]
fn large_arguments_come_through() {
    let links = links();
    let large = "x".repeat(20 << 20);
    let outcomes = run(&links, &local(), vec![ping(&large)]).unwrap();
    assert!(outcomes[0].data["ping"].as_str() == Some(&large));
}

#[test]
fn after_a_reset_the_next_job_connects_anew() {
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
    assert!(run(&links, &local(), vec![ping("")]).unwrap_err().msg.starts_with("the local agent cannot be started"));
}
