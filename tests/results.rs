//! What modules return: rplay runs each list of tasks in `tests/parity/results`, and what it registers must be equal to
//! what Ansible's modules returned, to the last key (`NAME.json`, written by `record_results.py`).
//!
//! `differences.txt` lists intended differences: `FILE NUMBER KEY: why`. `RESULTS=words cargo test --test results` runs
//! only the lists whose name contains the words.

mod varying;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

use regex::Regex;
use serde_json::{Map, Value, json};
use varying::VARYING;

const DROPPED: [&str; 5] = ["invocation", "exception", "warnings", "deprecations", "discovered_interpreter_python"];
/// What else varies: values from Python and from the server.
const VARYING_TOO: [&str; 9] =
    ["ansible_job_id", "version", "date", "server", "connection", "keep_alive", "mimetype", "stop", "charset"];
static HIDDEN: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
    [
        (Regex::new(r#"/\S*/\.?(ansible[-_.]|source|rplay)[^\s'"]*"#).unwrap(), "TEMPORARY"),
        (Regex::new(r"Paused for 1\.\d+").unwrap(), "Paused for 1.0"),
        (Regex::new(r"\.\d+\.\d{4}-\d\d-\d\d@[\d:]+~").unwrap(), "BACKUP"),
    ]
});

/// The tasks as a play that stores what each registers, as in `record_results.py`, and each task's text.
fn play(tasks: &str) -> (String, Vec<String>) {
    let mut blocks: Vec<String> = Vec::new();
    for line in tasks.lines() {
        if line.starts_with("- ") {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            *block += &format!("{line}\n");
        }
    }
    let mut text = "- hosts: all\n  gather_facts: false\n  tasks:\n".to_owned();
    for (number, block) in blocks.iter().enumerate() {
        for line in format!("{block}  register: r{number}\n  ignore_errors: true\n").lines() {
            writeln!(text, "  {line}").unwrap();
        }
    }
    let names: Vec<String> = (0..blocks.len()).map(|number| format!("r{number}")).collect();
    let all = names.join(", ");
    write!(text, "  - copy: {{content: \"{{{{ [{all}] | to_json }}}}\", dest: \"{{{{ out }}}}\"}}\n    diff: false\n")
        .unwrap();
    (text, blocks)
}

/// The value without what differs from run to run.
fn plain(key: Option<&str>, value: Value, here: &str, server: &str) -> Value {
    match (key, value) {
        (Some(key), value)
            if (VARYING.contains(&key) || VARYING_TOO.contains(&key)) && !value.is_null() && value != json!("") =>
        {
            json!("VARIES")
        }
        (_, Value::Object(map)) => {
            let kept = map.into_iter().filter(|(name, _)| !DROPPED.contains(&name.as_str()));
            let mut kept: Map<String, Value> = kept
                .map(|(name, value)| {
                    let value = plain(Some(&name), value, here, server);
                    (name.replace(here, "HERE"), value)
                })
                .collect();
            if kept.get("state") == Some(&json!("directory")) && kept.contains_key("size") {
                kept.insert("size".to_owned(), json!("VARIES"));
            }
            Value::Object(kept)
        }
        (_, Value::Array(list)) => list.into_iter().map(|value| plain(None, value, here, server)).collect(),
        (_, Value::String(text)) => {
            let text = text
                .replace(here, "HERE")
                .replace(server, "SERVER")
                .replace(here.trim_end_matches("/work"), "DIRECTORY");
            HIDDEN.iter().fold(text, |text, (pattern, word)| pattern.replace_all(&text, *word).into_owned()).into()
        }
        (_, value) => value,
    }
}

/// Answers as `server.json` says, while the test runs; returns its address.
fn serve(answers: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = answers.clone();
            std::thread::spawn(move || answer(&answers, stream));
        }
    });
    address
}

fn answer(answers: &Value, mut stream: std::net::TcpStream) -> Option<()> {
    let mut from = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    from.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut sent = vec![0; length];
    from.read_exact(&mut sent).ok()?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?, words.next()?);
    let missing = json!({"status": 404, "body": "missing"});
    let answer = answers.get(target.split('?').next()?).unwrap_or(&missing);
    let text = answer["body"].as_str().unwrap_or_default();
    let body = text.replace("REQUEST", &format!("{method} {}", String::from_utf8_lossy(&sent)));
    let status = answer["status"].as_u64().unwrap_or(200);
    let phrase = match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        404 => "Not Found",
        _ => "Internal Server Error",
    };
    let mut head = format!("HTTP/1.0 {status} {phrase}\r\nServer: x\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n");
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        write!(head, "{name}: {}\r\n", value.as_str()?).ok()?;
    }
    write!(head, "Content-Length: {}\r\n\r\n", body.len()).ok()?;
    stream.write_all(head.as_bytes()).ok()?;
    if method != "HEAD" {
        stream.write_all(body.as_bytes()).ok()?;
    }
    Some(())
}

/// Adds the differences between `got` and `wanted` to `told`, and their keys to `keys`.
fn compare(at: &str, wanted: &Value, got: &Value, told: &mut BTreeMap<String, String>) {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            for key in wanted.keys().chain(got.keys().filter(|key| !wanted.contains_key(*key))) {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                match (wanted.get(key), got.get(key)) {
                    // The temporary path of the content: of no use to anyone.
                    (Some(Value::String(wanted)), _) if wanted == "TEMPORARY" => {}
                    (Some(wanted), Some(got)) => compare(&at, wanted, got, told),
                    (Some(wanted), None) => drop(told.insert(at, format!("ansible has {wanted}, rplay nothing"))),
                    (None, got) => {
                        drop(told.insert(at, format!("rplay has {}, ansible nothing", got.unwrap_or(&Value::Null))))
                    }
                }
            }
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            for (number, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                compare(&format!("{at}.{number}"), wanted, got, told);
            }
        }
        _ if wanted != got => drop(told.insert(at.to_owned(), format!("ansible has {wanted}, rplay {got}"))),
        _ => {}
    }
}

/// What rplay registers in that list of tasks.
fn results(directory: &Path, play: &str, sources: &Path, server: &str) -> Vec<Value> {
    for name in ["etc", "work", "files", "templates"] {
        fs::create_dir(directory.join(name)).unwrap();
    }
    fs::write(directory.join("play.yml"), play).unwrap();
    fs::write(directory.join("hosts"), "a ansible_connection=local\n").unwrap();
    fs::write(directory.join("templates/t.j2"), "x={{ x | default(1) }}\n").unwrap();
    for (name, text) in
        [("f.txt", "a file\n"), ("s.sh", "#!/bin/sh\necho ran $1\n"), ("fails.sh", "#!/bin/sh\necho oh >&2\nexit 4\n")]
    {
        fs::write(directory.join("files").join(name), text).unwrap();
    }
    let own = |name: &str| directory.join(name).display().to_string();
    let more = json!({"here": own("work"), "server": server, "out": own("out.json")});
    // Accounts and the like are changed in a copy of /etc.
    let script = r#"set -e; mount --make-rprivate /; cp -a /etc/. etc; for f in passwd group shadow gshadow; do
        cp "$1/etc/$f" etc/$f; done; chmod 644 etc/passwd etc/group; mount --bind etc /etc; shift; exec "$@""#;
    let mut command = match nix::unistd::geteuid().is_root() {
        true => {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-c", script, "sh"]).arg(sources).arg(env!("CARGO_BIN_EXE_rplay"));
            command
        }
        false => Command::new(env!("CARGO_BIN_EXE_rplay")),
    };
    command.args(["-i", "hosts", "play.yml", "-e", &more.to_string()]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
        command.env_remove(name);
    }
    command.env("XDG_RUNTIME_DIR", directory).env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    let output = command.current_dir(directory).stdin(Stdio::null()).output().unwrap();
    let Ok(text) = fs::read_to_string(directory.join("out.json")) else {
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        panic!("the play did not come to its end: {said}");
    };
    let results: Vec<Value> = serde_json::from_str(&text).unwrap();
    results.into_iter().map(|result| plain(None, result, &own("work"), server)).collect()
}

#[test]
#[ignore = "recorded on Debian 12 with its tar, unzip and shadow: cargo test --test results -- --ignored"]
fn results_are_those_of_ansible() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/results");
    let server = serve(serde_json::from_str(&fs::read_to_string(sources.join("server.json")).unwrap()).unwrap());
    let allowed = fs::read_to_string(sources.join("differences.txt")).unwrap_or_default();
    let mut allowed: BTreeMap<String, bool> = allowed
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| (line.split(": ").next().unwrap().to_owned(), false))
        .collect();
    let only = std::env::var("RESULTS").ok();
    let mut wrong = String::new();
    for entry in fs::read_dir(&sources).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|ending| ending != "yml")
            || only.as_ref().is_some_and(|only| !name.contains(only))
        {
            allowed.retain(|line, _| {
                !line.starts_with(&format!("{name} ")) || path.extension().is_none_or(|ending| ending != "yml")
            });
            continue;
        }
        if name == "accounts" && !nix::unistd::geteuid().is_root() {
            println!("skipped: {name}, which needs root");
            allowed.retain(|line, _| !line.starts_with("accounts "));
            continue;
        }
        let (play, tasks) = play(&fs::read_to_string(&path).unwrap());
        let directory = tempfile::Builder::new().prefix("results-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let results = results(directory.path(), &play, &sources, &server);
        let recorded = fs::read_to_string(path.with_extension("json")).unwrap();
        let recorded: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((results.len(), recorded.len()), (tasks.len(), tasks.len()), "{name}: record it again");
        for (number, (wanted, got)) in recorded.iter().zip(&results).enumerate() {
            let mut told = BTreeMap::new();
            compare("", wanted, got, &mut told);
            told.retain(|key, _| allowed.get_mut(&format!("{name} {number} {key}")).map(|seen| *seen = true).is_none());
            if !told.is_empty() {
                writeln!(wrong, "## {name} {number}: {}", tasks[number].trim_end()).unwrap();
                for (key, what) in told {
                    writeln!(wrong, "   {key}: {what}").unwrap();
                }
            }
        }
    }
    for line in allowed.iter().filter(|(_, seen)| !**seen).map(|(line, _)| line) {
        writeln!(wrong, "differences.txt: {line} does not differ any more").unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}
