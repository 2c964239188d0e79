//! What shows a run beside its output: the live lines of a terminal; `--report`, the page and the JSON.

mod browser;
mod live;
#[allow(dead_code, reason = "only the executable is wanted of it, not its snapshots")]
#[path = "../seen/mod.rs"]
mod seen;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

/// Runs the play of `tests/report`; the page and the JSON.
fn run(directory: &Path) -> (String, String) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report");
    let (page, json) = (directory.join("run.html"), directory.join("run.json"));
    let output = seen::rplay()
        .current_dir(&here)
        .args(["site.yml", "-i", "one,two,spared,", "--vault-password-file", "vault-password", "--diff"])
        .arg(format!("-edirectory={}", directory.display()))
        .args([&PathBuf::from("--report"), &page, &PathBuf::from("--report"), &json])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    (fs::read_to_string(page).unwrap(), fs::read_to_string(json).unwrap())
}

#[test]
fn a_run_is_reported_as_a_page_and_as_json() {
    let directory = tempfile::tempdir().unwrap();
    let (page, text) = run(directory.path());
    let json: Json = serde_json::from_str(&text).unwrap();
    follows_schema(&json);

    // What a host sends is data: it ends no element and adds none.
    assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (2, 2));
    assert!(!page.contains("<!--") && !page.contains("alert(\"run\")</"));
    let (_, after) = page.split_once("id=\"data\">").unwrap();
    let (embedded, _) = after.split_once("</script>").unwrap();
    assert_eq!(serde_json::from_str::<Json>(embedded).unwrap(), json, "the page has the same data");

    for shown in [&page, &text] {
        assert!(!shown.contains("tell-nobody"), "a secret is shown");
    }

    let hosts: Vec<&str> =
        json["hosts"].as_array().unwrap().iter().map(|host| host["name"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["one", "two", "spared"]);
    let tasks = json["tasks"].as_array().unwrap();
    let status: Vec<&str> = tasks.iter().map(|task| task["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["c", "iii", "ffs", "o"]);
    assert_eq!(tasks[0]["hosts"], serde_json::json!([0]));
    assert!(tasks[1].get("hosts").is_none(), "all hosts of the play: {}", tasks[1]);
    let failures = json["failures"].as_array().unwrap();
    let [items, start] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!((&items["status"], &items["item"]), (&"ignored".into(), &"bad</script>".into()));
    assert_eq!((&start["status"], &start["hosts"]), (&"failed".into(), &serde_json::json!([0, 1])));
    assert_eq!(start["place"]["file"], "site.yml");
    let line = start["place"]["line"].as_u64().unwrap();
    let excerpt = start["excerpt"].as_array().unwrap();
    let hit = excerpt.iter().find(|shown| shown["line"].as_u64() == Some(line)).unwrap();
    assert!(hit["text"].as_str().unwrap().contains("Start the shop"), "{hit}");
    assert!(start["result"].as_str().unwrap().contains("********"));
    assert!(json["diffs"][0]["text"].as_str().unwrap().contains("+name one"), "{}", json["diffs"]);
    assert_eq!(json["custom_stats"][0]["data"]["answers"], 42);
    assert!(json["directory"].as_str().unwrap().ends_with("tests/report"), "{}", json["directory"]);
    assert_eq!((&json["exit_code"], &json["complete"]), (&2.into(), &true.into()));
}

/// The page in a real browser: it shows the run, sorts, filters, follows the keyboard, and complains of nothing.
#[test]
fn a_browser_shows_the_page() {
    let Some(program) = browser::installed() else {
        return eprintln!("skipped: there is no Chromium (tests/run browser installs it)");
    };
    let directory = tempfile::tempdir().unwrap();
    run(directory.path());
    let mut page = browser::Browser::show(&program, &directory.path().join("run.html"), (1200, 900));
    assert_eq!(page.value("document.title"), "site.yml \u{2013} failed");
    assert_eq!(page.value("document.querySelectorAll('#failures details').length"), 2);
    let failure = page.value("document.querySelector('#failures').innerText");
    let failure = failure.as_str().unwrap();
    assert!(failure.contains("Start the shop") && failure.contains("on one, two"), "{failure}");
    // What a host sent is text: it made no element and ran nothing.
    assert!(failure.contains("<script>alert"), "{failure}");
    assert_eq!(page.value("document.scripts.length"), 2);
    let text = page.value("document.body.innerText");
    assert!(!text.as_str().unwrap().contains("tell-nobody"));

    let rows = "[...document.querySelectorAll('#hosts tbody tr td:first-child')].map((cell) => cell.innerText)";
    assert_eq!(page.value(rows).as_array().unwrap().len(), 3);
    page.value("document.querySelector('#hosts th button').click()");
    assert_eq!(page.value(rows), serde_json::json!(["one", "spared", "two"]));
    page.value("{ const box = document.querySelector('#hosts input'); box.value = 'tw'; box.dispatchEvent(new Event('input')); }");
    assert_eq!(page.value(rows), serde_json::json!(["two"]));

    page.value("document.querySelector('canvas').focus()");
    page.press("ArrowDown");
    let told = page.value("document.getElementById('told').innerText");
    assert!(told.as_str().unwrap().starts_with("one: Write the configuration"), "{told}");
    let painted = "(() => { const canvas = document.querySelector('canvas');
        const dots = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(dots.buffer)).size; })()";
    assert!(page.value(painted).as_u64().unwrap() > 5, "the time line is empty");
    // Nothing is cut off at the side, neither here nor on a narrow screen.
    assert_eq!(page.value("document.documentElement.scrollWidth <= innerWidth"), true);
    let mut narrow = browser::Browser::show(&program, &directory.path().join("run.html"), (500, 900));
    assert_eq!(narrow.value("document.documentElement.scrollWidth <= innerWidth"), true);
    for shown in [page, narrow] {
        assert!(shown.complaints.is_empty(), "{:?}", shown.complaints);
    }
}

/// The picture in the documentation: `REPORT=run.html PICTURE=docs/report.png cargo nextest run --test report
/// --run-ignored all picture`.
#[test]
#[ignore = "makes a picture of a report that is there"]
fn a_picture_of_a_report() {
    let of = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let program = browser::installed().expect("no Chromium");
    browser::Browser::show(&program, &of("REPORT"), (1200, 1780)).picture(&of("PICTURE"));
}

#[test]
fn a_report_that_cannot_be_written_stops_the_run_before_it_begins() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("x.yml"), "- hosts: localhost\n  tasks: [{command: touch made}]\n").unwrap();
    for (name, message) in [("run.txt", "must end in .html or .json"), ("no/run.html", "cannot be written")] {
        let text = seen::seen(directory.path(), &format!("x.yml --report {name}"));
        assert!(text.contains(message) && text.contains("exit code 1"), "{text}");
        assert!(!directory.path().join("made").exists());
    }
}

/// Validates a report against docs/report.schema.json, for the parts of JSON schema used there.
fn follows_schema(report: &Json) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
    let schema: Json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    check(report, &schema, "the report");
}

fn check(value: &Json, schema: &Json, at: &str) {
    for word in schema.as_object().unwrap().keys() {
        let known = [
            "$schema",
            "title",
            "description",
            "type",
            "additionalProperties",
            "required",
            "properties",
            "items",
            "const",
            "enum",
            "minimum",
            "pattern",
        ];
        assert!(known.contains(&word.as_str()), "{at}: this test does not know `{word}`");
    }
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Json::Null => true,
        Json::Array(kinds) => kinds.iter().any(|known| known == kind),
        known => known == kind,
    };
    assert!(allowed, "{at} is a {kind}");
    if let Some(wanted) = schema.get("const") {
        assert_eq!(value, wanted, "{at}");
    }
    if let Some(known) = schema["enum"].as_array() {
        assert!(known.contains(value), "{at}: {value}");
    }
    if let Some(least) = schema["minimum"].as_i64() {
        assert!(value.as_i64().unwrap() >= least, "{at}: {value}");
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        assert!(regex::Regex::new(pattern).unwrap().is_match(value.as_str().unwrap()), "{at}: {value}");
    }
    if let Json::Object(entries) = value {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(entries.contains_key(name.as_str().unwrap()), "{at} has no {name}");
        }
        for (name, entry) in entries {
            match schema["properties"].get(name) {
                Some(schema) => check(entry, schema, &format!("{at}.{name}")),
                None => assert_ne!(schema["additionalProperties"], false, "{at}.{name} is not in the schema"),
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(item, &schema["items"], &format!("{at}[{index}]"));
    }
}
