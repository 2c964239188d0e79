//! Plays compared with ansible-core: hosts that fail or cannot be reached (`tests/parity/cases.yml`), and rarely used
//! keywords and options (`plays.yml`). rplay runs each case, with and without look-ahead, and must agree with what
//! ansible-core did (`records.txt`, written by `record.py`): the order of the tasks, each host's results, the recap and
//! the exit code.
//!
//! `PARITY=words cargo test --test parity` runs only the cases whose key contains the words, and shows the output.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use regex::Regex;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    who: Vec<String>,
    #[serde(default = "all_kinds")]
    kinds: Vec<String>,
    #[serde(default)]
    args: String,
    play: String,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default = "yes")]
    order: bool,
}

impl Case {
    fn goes_own_ways(&self) -> bool {
        self.play.contains("strategy: free") || self.play.contains("host_pinned")
    }
}

fn yes() -> bool {
    true
}

fn all_kinds() -> Vec<String> {
    vec!["failed".into(), "unreachable".into()]
}

/// One run: a case, how hosts die in it, and which.
struct Run<'c> {
    key: String,
    case: &'c Case,
    kind: &'c str,
    who: &'c str,
}

const PROBE: &str = r#"debug: {msg: "{{ ansible_play_hosts | join }} {{ ansible_play_batch | join }} {{ ansible_play_hosts_all | join }} {{ play_hosts | join }}"}"#;
const NEXT: &str = "- hosts: all\n  gather_facts: false\n  tasks: [{name: next, <probe>}]";

/// The text with the macros of `record.py` replaced.
fn expand(text: &str, kind: &str) -> String {
    let text = text
        .replace("<all>", "hosts: all\n  gather_facts: false")
        .replace("<next>", NEXT)
        .replace("<probe>", PROBE)
        .replace("<alive>", r#"raw: "true", changed_when: false"#);
    let fails = "failed_when: inventory_hostname in dying";
    match kind {
        "failed" => text
            .replace("<die>", &format!("debug: {{msg: x}}, {fails}"))
            .replace("<die changed>", &format!("debug: {{msg: x}}, changed_when: true, {fails}"))
            .replace("<die async>", &format!(r#"command: "true", {fails}"#)),
        _ => text
            .replace("<die>", r#"raw: "true", changed_when: false"#)
            .replace("<die changed>", r#"raw: "true", changed_when: true"#)
            .replace("<die async>", r#"command: "true""#),
    }
}

fn inventory(kind: &str, who: &str) -> String {
    let mut text = String::new();
    for host in ["a", "b", "c"] {
        let way = match kind == "unreachable" && who.contains(host) {
            true => "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1",
            false => "ansible_connection=local",
        };
        writeln!(text, "{host} {way}").unwrap();
    }
    let dying: Vec<String> = who.chars().map(|host| format!("'{host}'")).collect();
    write!(text, "[all:vars]\ndying=[{}]\n", dying.join(", ")).unwrap();
    text
}

impl Run<'_> {
    /// What rplay did, written as in the records, and its whole output.
    fn told(&self, directory: &Path, more: &[&str]) -> (Vec<String>, String) {
        for (name, text) in self.case.files.iter().chain([(&"play.yml".to_owned(), &self.case.play)]) {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, expand(text, self.kind)).unwrap();
        }
        fs::write(directory.join("hosts"), inventory(self.kind, self.who)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
        command.args(["-i", "hosts", "play.yml"]).args(shell_words::split(&self.case.args).unwrap()).args(more);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
            command.env_remove(name);
        }
        command.env("XDG_RUNTIME_DIR", directory).env("NO_COLOR", "1");
        let output = command.current_dir(directory).stdin(Stdio::null()).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let own_ways = !self.case.order || self.case.goes_own_ways();
        let told = tell(&stdout, output.status.code().unwrap_or(-1), own_ways);
        (told, format!("{stdout}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

static RESULT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(ok|changed|skipping|fatal|failed): \[([a-z])(?: -> [^\]]*)?\](?:: (FAILED|UNREACHABLE)!)?(.*)$")
        .unwrap()
});
static BANNER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(PLAY|TASK|RUNNING HANDLER) \[(.*)\] \**$").unwrap());
static ITEM: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\(item=([^)]*)\)").unwrap());
static MESSAGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^    "msg": "?(.*?)"?,?$"#).unwrap());
static RETRY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^FAILED - RETRYING: \[([a-z])\]").unwrap());
static INCLUDED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^included: .* for ([a-z](?:, [a-z])*)").unwrap());
static COUNTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^([a-z]) +: (.*)$").unwrap());

/// What a run shows, written as `record.py` writes it.
fn tell(output: &str, code: i32, own_ways: bool) -> Vec<String> {
    let mut hosts: BTreeMap<String, Vec<[String; 3]>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut counts: BTreeMap<String, String> = BTreeMap::new();
    let mut task = String::new();
    let mut last: Option<String> = None;
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        if let Some(banner) = BANNER.captures(line) {
            let name = banner[2].rsplit(" : ").next().unwrap();
            task = if &banner[1] == "RUNNING HANDLER" { format!("*{name}") } else { name.to_owned() };
            if &banner[1] == "PLAY" {
                order.push("PLAY".to_owned());
            }
        } else if line.starts_with("NO MORE HOSTS LEFT") {
            if order.last().is_none_or(|last| last != "NO MORE HOSTS LEFT") {
                order.push("NO MORE HOSTS LEFT".to_owned());
            }
        } else if line.starts_with("PLAY RECAP") {
            for found in lines.by_ref().filter_map(|line| COUNTS.captures(line)) {
                let shown: Vec<&str> = found[2].split_whitespace().filter(|word| !word.ends_with("=0")).collect();
                counts.insert(found[1].to_owned(), shown.join(" "));
            }
        } else if let Some(found) = RETRY.captures(line) {
            let told = [task.clone(), "retrying".to_owned(), String::new()];
            hosts.entry(found[1].to_owned()).or_default().push(told);
        } else if let Some(found) = INCLUDED.captures(line) {
            for host in found[1].split(", ") {
                let told = [task.clone(), "included".to_owned(), String::new()];
                hosts.entry(host.to_owned()).or_default().push(told);
            }
        } else if line.starts_with("...ignoring") {
            if let Some(told) = last.as_ref().and_then(|host| hosts.get_mut(host)?.last_mut()) {
                told[1] += " ignored";
            }
        } else if let Some(found) = RESULT.captures(line) {
            let (word, host, rest) = (&found[1], &found[2], &found[4]);
            let status = match (found.get(3).map(|how| how.as_str()), word) {
                (Some("UNREACHABLE"), _) => "unreachable",
                (_, "skipping") => "skipped",
                (_, "fatal") => "failed",
                (_, word) => word,
            };
            let item = ITEM.captures(rest).map(|item| format!("item {} ", &item[1])).unwrap_or_default();
            let mut text = String::new();
            if rest.ends_with('{') {
                for line in lines.by_ref() {
                    if let Some(message) = MESSAGE.captures(line) {
                        text = message[1].to_owned();
                    }
                    if line.starts_with('}') {
                        break;
                    }
                }
            }
            if !matches!(status, "ok" | "changed") {
                text.clear();
            }
            hosts.entry(host.to_owned()).or_default().push([task.clone(), format!("{item}{status}"), text]);
            last = Some(host.to_owned());
            if order.last() != Some(&task) {
                order.push(task.clone());
            }
        }
    }
    if own_ways {
        order.retain(|word| word == "PLAY" || word == "NO MORE HOSTS LEFT");
    }
    let mut shown = vec![format!("exit {code}: {}", order.join(", ")).trim_end().to_owned()];
    for host in counts.keys().cloned().collect::<Vec<_>>() {
        hosts.entry(host).or_default();
    }
    for (host, told) in hosts {
        let results: Vec<String> = told.iter().map(|entry| entry.join(" ").trim().to_owned()).collect();
        let counts = counts.get(&host).map_or("", String::as_str);
        shown.push(format!("{host} ({counts}) {}", results.join(" | ")).trim_end().to_owned());
    }
    shown
}

fn records(text: &str) -> HashMap<String, Vec<String>> {
    let blocks = text.split("## ").skip(1);
    blocks
        .map(|block| {
            let mut lines = block.trim().lines();
            let key = lines.next().unwrap().to_owned();
            (key, lines.map(|line| line.trim_end().to_owned()).collect())
        })
        .collect()
}

#[test]
fn plays_end_as_in_ansible() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity");
    let cases: Vec<Case> = ["cases.yml", "plays.yml"]
        .iter()
        .flat_map(|name| -> Vec<Case> {
            serde_yaml::from_str(&fs::read_to_string(directory.join(name)).unwrap()).unwrap()
        })
        .collect();
    let records = records(&fs::read_to_string(directory.join("records.txt")).unwrap());
    let only = std::env::var("PARITY").ok();
    let mut runs = Vec::new();
    for case in &cases {
        for kind in &case.kinds {
            for who in &case.who {
                let key = format!("{}, {kind} {who}", case.name);
                if only.as_ref().is_none_or(|words| key.contains(words)) {
                    runs.push(Run { key, case, kind, who });
                }
            }
        }
    }
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            threads.spawn(|| {
                while let Some((at, run)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, runs.get(at)?)))
                {
                    let recorded = records.get(&run.key).unwrap_or_else(|| panic!("no record of {:?}", run.key));
                    // Hosts on one machine look ahead only if each is alone.
                    let ahead = run.case.goes_own_ways() || run.case.play.contains("serial: 1") || at % 8 == 0;
                    for more in [&[][..], &["--no-batch"]].into_iter().take(if ahead { 2 } else { 1 }) {
                        let directory = tempfile::tempdir().unwrap();
                        let (told, output) = run.told(directory.path(), more);
                        if told != *recorded {
                            let mut text = format!("## {} {}\n", run.key, more.join(" "));
                            let all = recorded.len().max(told.len());
                            for line in 0..all {
                                let (wanted, got) = (recorded.get(line), told.get(line));
                                if wanted != got {
                                    writeln!(text, "  ansible: {}", wanted.map_or("-", String::as_str)).unwrap();
                                    writeln!(text, "  rplay:   {}", got.map_or("-", String::as_str)).unwrap();
                                }
                            }
                            if only.is_some() {
                                text += &output;
                            }
                            wrong.lock().insert(at, text);
                            break;
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner();
    let texts: Vec<String> = wrong.values().cloned().collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), runs.len(), texts.join("\n"));
}
