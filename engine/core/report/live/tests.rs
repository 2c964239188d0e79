use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::{
    event::{PlayStarted, TaskStarted},
    source::{Source, Span},
};

/// Both the output and the lines go here.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Reader for Paper {
    fn read(&mut self, event: &Event) {
        if let Event::HostDone { result, .. } = event {
            let _ = writeln!(self, "done: {}", result.host);
        }
    }
}

/// The final screen of a terminal with this many columns, which interprets line breaks, cursor-up and erase sequences.
fn screen(paper: &Paper, width: usize) -> Vec<String> {
    let text = String::from_utf8(paper.0.lock().clone()).unwrap();
    let (mut rows, mut row, mut column) = (vec![String::new()], 0, 0);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => (row, column) = (row + 1, 0),
            '\x1b' => {
                let code: String = rest.by_ref().take_while(|c| !"AJ".contains(*c)).collect();
                match code.strip_prefix('[').unwrap() {
                    "" => rows.truncate(row),
                    up => row -= up.parse::<usize>().unwrap(),
                }
                if rows.len() <= row {
                    rows.push(String::new());
                }
                // `ESC [ n A` is followed by an erase sequence.
            }
            c => {
                if column == width {
                    (row, column) = (row + 1, 0);
                }
                while rows.len() <= row {
                    rows.push(String::new());
                }
                rows[row].push(c);
                column += 1;
            }
        }
    }
    rows
}

struct Stage {
    live: Live,
    paper: Paper,
    width: Arc<AtomicUsize>,
}

fn stage(hosts: &[&str]) -> Stage {
    let (paper, width) = (Paper::default(), Arc::new(AtomicUsize::new(60)));
    let now = width.clone();
    let screen = Screen {
        out: Box::new(paper.clone()),
        size: Box::new(move || (now.load(Ordering::Relaxed), 24)),
        colour: false,
        deliveries: Arc::default(),
    };
    let secrets = Arc::new(Secrets::default());
    secrets.add("tell-nobody");
    let mut live = Live::new(Box::new(paper.clone()), screen, secrets);
    let place = Span::new(&Source::inline("site.yml", "x"), 0..1);
    let hosts = hosts.iter().map(|host| Arc::from(*host)).collect();
    let (name, check_mode) = ("all".into(), false);
    live.read(&Event::PlayStarted(PlayStarted {
        name,
        hosts,
        patterns: Vec::new(),
        check_mode,
        place: place.clone(),
        vars: Arc::default(),
    }));
    live.read(&Event::TaskStarted(Arc::new(TaskStarted {
        id: TaskId(1),
        name: "x".into(),
        action: "command".into(),
        handler: false,
        check_mode: false,
        place,
        about: Default::default(),
    })));
    Stage { live, paper, width }
}

impl Stage {
    fn starts(&mut self, host: &str, seconds_ago: u64) {
        self.live.read(&Event::HostStarted { task: TaskId(1), host: host.into() });
        let since = Instant::now().checked_sub(Duration::from_secs(seconds_ago)).unwrap();
        self.live.running.insert((TaskId(1), host.into()), since);
    }

    fn ends(&mut self, host: &str, status: Status) {
        self.live.read(&Event::HostDone {
            task: TaskId(1),
            result: HostResult::of(host.into(), status, Default::default()),
        });
    }

    fn shows(&self) -> Vec<String> {
        screen(&self.paper, self.width.load(Ordering::Relaxed))
    }
}

#[test]
fn it_says_what_runs_since_when_how_far_and_what_failed() {
    let mut stage = stage(&["a", "b", "c", "d", "e", "f", "g-tell-nobody"]);
    for (host, ago) in [("a", 5), ("b", 70), ("c", 3), ("d", 2), ("e", 1), ("f", 1), ("g-tell-nobody", 90)] {
        stage.starts(host, ago);
    }
    stage.ends("a", Status::Failed);
    stage.ends("e", Status::Unreachable);
    stage.live.tick();
    let expected = [
        "done: a",
        "done: e",
        "running for 1:30 on g-********, b, c and 2 more; 2 of 7 hosts",
        "failed: a; unreachable: e",
    ];
    let shown = stage.shows();
    assert_eq!(shown[..2], expected[..2]);
    assert_eq!(shown[2], expected[2][..59], "cut to the terminal's width");
    assert_eq!(shown[3], expected[3]);
    // The output continues where it was.
    stage.ends("b", Status::Ok);
    assert_eq!(stage.shows(), ["done: a", "done: e", "done: b"]);
    stage.live.tick();
    assert_eq!(stage.shows().len(), 5);
    stage.live.clear();
    stage.live.rest();
    stage.live.tick();
    assert_eq!(stage.shows(), ["done: a", "done: e", "done: b", ""], "a prompt is asked below the output");
}

#[test]
fn what_is_being_sent_is_told_while_it_is() {
    let mut stage = stage(&["a", "b"]);
    let deliveries = stage.live.screen.deliveries.clone();
    stage.starts("a", 2);
    let mut delivery = deliveries.begin(2_500_000);
    delivery.add(1_000_000);
    stage.live.tick();
    assert_eq!(stage.shows()[1], "sending the agent to a host: 1.0 of 2.5 MB");
    drop(delivery);
    stage.live.tick();
    assert_eq!(stage.shows().len(), 1);
}

#[test]
fn what_is_fast_needs_no_lines() {
    let mut stage = stage(&["a"]);
    stage.starts("a", 0);
    stage.live.tick();
    stage.ends("a", Status::Ok);
    assert_eq!(stage.shows(), ["done: a"]);
}

#[test]
fn lines_that_wrapped_are_removed_as_a_whole() {
    let mut stage = stage(&["a", "b"]);
    stage.starts("a", 3);
    stage.starts("b", 3);
    stage.live.tick();
    // Terminals wrap lines that no longer fit.
    stage.width.store(10, Ordering::Relaxed);
    let width = columns::of("running for 0:03 on a, b; 0 of 2 hosts done");
    stage.paper.0.lock().clear();
    stage.ends("a", Status::Ok);
    let text = String::from_utf8(stage.paper.0.lock().clone()).unwrap();
    assert_eq!(text, format!("\r\x1b[{}A\x1b[Jdone: a\n", width.div_ceil(10) - 1));
}
