//! A report of many hosts, of failures that are alike, and of files that cannot be written.

use parking_lot::Mutex;

use super::*;
use crate::{event::TaskResult, source::Source};

/// Remembers warnings; shows nothing.
struct Quiet(Arc<Mutex<Vec<String>>>);

impl Reader for Quiet {
    fn read(&mut self, event: &Event) {
        if let Event::Warning { message, .. } = event {
            self.0.lock().push(message.to_string());
        }
    }
}

fn report(paths: Vec<PathBuf>, secrets: &Arc<Secrets>) -> (RunReport, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let about = RunAbout { version: "0", ..RunAbout::default() };
    (RunReport::new(Box::new(Quiet(told.clone())), paths, about, secrets).unwrap(), told)
}

fn task(id: u64, name: &str, place: &Span) -> Event {
    Event::TaskStarted(Arc::new(TaskStarted {
        id: TaskId(id),
        name: name.into(),
        action: "command".into(),
        handler: false,
        check_mode: false,
        place: place.clone(),
        about: Default::default(),
    }))
}

fn play(hosts: &[Arc<str>], place: &Span) -> Event {
    let (name, place) = ("all".into(), place.clone());
    Event::PlayStarted(PlayStarted {
        name,
        hosts: hosts.to_vec(),
        patterns: Vec::new(),
        check_mode: false,
        place,
        vars: Arc::default(),
    })
}

fn failed(host: &Arc<str>, msg: &str, place: &Span) -> HostResult {
    let result = TaskResult { place: Some(place.clone()), ..TaskResult::failed(msg) };
    HostResult { data: result.data.value(), ..HostResult::of(host.clone(), Status::Failed, result) }
}

/// The size limit that the documentation promises, even if all failures and differences are distinct.
#[test]
fn a_thousand_hosts_and_a_hundred_tasks_take_less_than_5_megabytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.html");
    let (mut report, _) = report(vec![path.clone()], &Arc::default());
    let hosts: Vec<Arc<str>> = (0..1000).map(|number| format!("host-{number:04}.example.com").into()).collect();
    let source = Source::inline("site.yml", "- hosts: all\n  tasks:\n    - command: x\n");
    let place = Span::new(&source, 25..30);
    report.read(&play(&hosts, &place));
    for id in 0..100 {
        report.read(&task(id, &format!("The task number {id}"), &place));
        for (number, host) in hosts.iter().enumerate() {
            let elapsed = std::time::Duration::from_millis(10_000 + (number as u64 * 37 + id) % 5000);
            let result = match (id, number % 3) {
                (99, _) => failed(host, &format!("{host} does not answer").repeat(30), &place),
                (50..60, 0) => {
                    let diff = Diff::text("/etc/x", "a\n".repeat(50), format!("{host} {id}\n").repeat(50));
                    let result = TaskResult { diff: [diff].into(), ..TaskResult::default() };
                    HostResult::of(host.clone(), Status::Changed, result)
                }
                _ => HostResult::of(host.clone(), Status::Ok, TaskResult::default()),
            };
            report.read(&Event::HostDone {
                task: TaskId(id),
                result: HostResult { elapsed, shows_diff: true, ..result },
            });
        }
    }
    report.read(&Event::RunEnded(Arc::default()));
    let size = path.metadata().unwrap().len();
    assert!((1_000_000..5_000_000).contains(&size), "{size} bytes");
    assert!(report.data.left_out.failures > 0 && report.data.left_out.diffs > 0, "the budget was not tried");
}

#[test]
fn hosts_that_fail_alike_share_one_entry_and_secrets_are_masked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    let secrets = Arc::new(Secrets::default());
    secrets.add("tell-nobody");
    let (mut report, _) = report(vec![path.clone()], &secrets);
    let hosts: [Arc<str>; 3] = ["a".into(), "b".into(), "c-tell-nobody".into()];
    let source = Source::inline("site.yml", "one\ntwo tell-nobody\nthree\n");
    let place = Span::new(&source, 4..7);
    report.read(&play(&hosts, &place));
    report.read(&task(1, "Use tell-nobody", &place));
    for host in &hosts {
        let result = failed(host, "with tell-nobody: \u{1b}[31mno", &place);
        report.read(&Event::HostDone { task: TaskId(1), result });
    }
    let recap = Recap { interrupted: true, failed: true, ..Recap::default() };
    report.read(&Event::RunEnded(Arc::new(recap)));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("tell-nobody") && !text.contains('\u{1b}'), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["failures"].as_array().unwrap().len(), 1);
    assert_eq!(json["failures"][0]["hosts"], serde_json::json!([0, 1, 2]));
    assert_eq!(json["failures"][0]["place"], serde_json::json!({"file": "site.yml", "line": 2, "column": 1}));
    assert_eq!(json["failures"][0]["excerpt"][1]["text"], "two ********");
    assert_eq!(json["tasks"][0]["status"], "fff");
    assert_eq!((&json["complete"], &json["exit_code"]), (&false.into(), &2.into()));
}

/// The report contains no lines of a decrypted file.
#[test]
fn encrypted_files_are_not_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    let (mut report, _) = report(vec![path.clone()], &Arc::default());
    let source = Source::decrypted("site.yml".to_owned(), None, "one\ntwo\n".to_owned());
    let place = Span::new(&source, 4..7);
    let host: Arc<str> = "a".into();
    report.read(&play(std::slice::from_ref(&host), &place));
    report.read(&task(1, "x", &place));
    report.read(&Event::HostDone { task: TaskId(1), result: failed(&host, "no", &place) });
    report.read(&Event::RunEnded(Arc::default()));
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(json["failures"][0]["excerpt"], serde_json::json!([]));
    assert_eq!(json["failures"][0]["place"]["line"], 2);
}

#[test]
fn what_cannot_be_written_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |name: &str| {
        let own = Box::new(Quiet(Arc::default()));
        RunReport::new(own, vec![directory.path().join(name)], RunAbout::default(), &Arc::default()).err().unwrap()
    };
    assert!(refused("run.txt").ends_with("must end in .html or .json"));
    assert!(refused("no/run.html").contains("cannot be written"));
    let inner = directory.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let (mut report, told) = report(vec![inner.join("run.html")], &Arc::default());
    std::fs::remove_dir(&inner).unwrap();
    report.read(&Event::RunEnded(Arc::default()));
    assert!(told.lock()[0].contains("cannot be written"));
}
