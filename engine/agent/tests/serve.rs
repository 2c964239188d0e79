//! The conversation with an agent, over a pair of sockets.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use rplay_wire::{
    Batch, Call, FrameError, MARKER, Mode, Outcome, Reply, Request, Stage, data, encode, read_frame, write_frame,
};

struct Controller {
    stream: UnixStream,
    agent: JoinHandle<Result<(), FrameError>>,
}

impl Controller {
    fn connect() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let reader = theirs.try_clone().unwrap();
        let agent = thread::spawn(move || rplay_agent::serve(reader, theirs));
        let mut controller = Controller { stream: ours, agent };
        let mut marker = vec![0u8; MARKER.len()];
        controller.stream.read_exact(&mut marker).unwrap();
        assert_eq!(marker, MARKER);
        let Reply::Hello { user, uid, pid } = controller.reply() else { panic!("no hello") };
        assert_eq!((uid, pid), (nix::unistd::getuid().as_raw(), std::process::id()));
        assert!(!user.is_empty());
        controller
    }

    fn send(&mut self, request: &Request) {
        write_frame(&mut self.stream, request).unwrap();
    }

    fn reply(&mut self) -> Reply {
        read_frame(&mut self.stream).unwrap().expect("the agent hung up")
    }

    /// The outcomes of one batch, by index.
    fn outcomes(&mut self, batch: Batch) -> Vec<(u32, Outcome)> {
        let (id, count) = (batch.id, batch.len());
        self.send(&Request::Batch(batch));
        let mut outcomes = Vec::new();
        while outcomes.len() < count {
            match self.reply() {
                Reply::Outcome { batch, index, outcome } if batch == id => outcomes.push((index, outcome)),
                Reply::Stopped { batch } if batch == id => break,
                other => panic!("{other:?}"),
            }
        }
        outcomes
    }

    fn hang_up(self) -> Result<(), FrameError> {
        drop(self.stream);
        self.agent.join().unwrap()
    }
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

fn batch(id: u64, calls: Vec<Call>) -> Batch {
    Batch { id, stages: vec![Stage { become_user: None, calls, parallel: 1, required: true }] }
}

#[test]
fn calls_are_answered_in_order_and_the_end_is_clean() {
    let mut controller = Controller::connect();
    let outcomes = controller.outcomes(batch(7, (0..50).map(|n| ping(&n.to_string())).collect()));
    for (n, (index, outcome)) in outcomes.into_iter().enumerate() {
        assert_eq!(index as usize, n);
        assert_eq!(outcome.data, data! { "ping" => n.to_string() });
        assert!(outcome.failure.is_none());
    }
    controller.hang_up().unwrap();
}

#[test]
fn every_call_gets_one_outcome_when_many_run_side_by_side() {
    let mut controller = Controller::connect();
    let mut wide = batch(1, (0..200).map(|n| ping(&n.to_string())).collect());
    wide.stages[0].parallel = 8;
    let mut outcomes = controller.outcomes(wide);
    outcomes.sort_by_key(|(index, _)| *index);
    assert_eq!(outcomes.iter().map(|(index, _)| *index).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    controller.hang_up().unwrap();
}

#[test]
fn a_stage_that_fails_ends_the_batch_only_if_the_others_depend_on_it() {
    let mut controller = Controller::connect();
    let stages = |required| {
        let stage = |names: &[&str]| {
            let calls = names.iter().map(|name| ping(name)).collect();
            Stage { become_user: None, calls, parallel: 1, required }
        };
        vec![stage(&["a", "crash", "b"]), stage(&["c"]), stage(&["d", "e"])]
    };
    let outcomes = controller.outcomes(Batch { stages: stages(false), ..batch(1, Vec::new()) });
    assert_eq!(outcomes.len(), 6);
    assert_eq!(outcomes[1].1.failure.as_ref().unwrap().msg, "Task failed: Module failed: boom");
    assert!(outcomes.iter().enumerate().all(|(at, (index, o))| at == *index as usize && o.skipped.is_none()));
    // Its own calls run whether one fails or not.
    let outcomes = controller.outcomes(Batch { stages: stages(true), ..batch(2, Vec::new()) });
    assert_eq!(outcomes.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2]);
    // Nothing arrives late.
    assert_eq!(controller.outcomes(batch(3, vec![ping("f")])).len(), 1);
    controller.hang_up().unwrap();
}

#[test]
fn an_unknown_module_is_a_failed_outcome() {
    let mut controller = Controller::connect();
    let call = Call { module: "nonesuch".into(), ..ping("") };
    let outcomes = controller.outcomes(batch(1, vec![call]));
    assert!(outcomes[0].1.failure.as_ref().unwrap().msg.contains("nonesuch"));
    controller.hang_up().unwrap();
}

#[test]
fn garbled_frames_end_the_agent_with_an_error() {
    let cut = encode(&Request::Batch(batch(1, vec![ping("")]))).unwrap();
    for garbled in [&[255u8, 255, 255, 255][..], &[3, 0, 0, 0, 200, 200, 200], &cut[..cut.len() - 2]] {
        let mut controller = Controller::connect();
        controller.stream.write_all(garbled).unwrap();
        assert!(controller.hang_up().is_err());
    }
}

#[test]
fn a_become_method_that_is_not_there_fails_each_call_and_leaves_the_host_reachable() {
    let mut controller = Controller::connect();
    let become_user = Some(rplay_wire::Become {
        exe: Some("/nonexistent/sudo".into()),
        ..rplay_wire::Become::new("sudo", "rplay-nobody")
    });
    let mut others = batch(1, vec![ping("a"), ping("b")]);
    others.stages[0].become_user = become_user;
    let outcomes = controller.outcomes(others);
    for (_, outcome) in outcomes {
        let failure = outcome.failure.unwrap();
        assert_eq!(failure.msg, "`/nonexistent/sudo` is not installed on this host");
        assert!(!failure.unreachable);
    }
    assert!(controller.outcomes(batch(2, vec![ping("c")]))[0].1.failure.is_none());
    controller.hang_up().unwrap();
}
