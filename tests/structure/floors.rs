//! The engine's layers ("floors"): each uses only those before it. The order is read from the documentation in
//! `engine/core/lib.rs`, so that it stays up to date.

use std::{collections::BTreeSet, fs, path::Path};

use crate::source::{before_tests, engine, first_part, in_tests, rust_files, said_in_order, uses, without_comments};

/// The crates, lowest first; the library's own layers are between the last two.
const CRATES: [&str; 7] =
    ["rplay_wire", "rplay_contract", "rplay_tencent", "rplay_modules", "rplay_agent", "rplay", "cli"];

/// What a report may read: events, and the values in them.
const READ_BY_REPORT: [&str; 8] = ["event", "panics", "report", "secrets", "source", "template", "vars", "visible"];

#[test]
fn every_module_of_the_library_has_its_floor() {
    let text = fs::read_to_string(engine().join("core/lib.rs")).unwrap();
    let modules: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let floors: BTreeSet<String> = floors().into_iter().collect();
    assert_eq!(modules, floors.iter().map(String::as_str).collect());
}

/// The rooms of the modules, and their order: as in the library, but tests may use higher ones.
#[test]
fn no_room_of_the_modules_uses_one_above_its_own() {
    let source = engine().join("modules/src");
    let text = fs::read_to_string(source.join("lib.rs")).unwrap();
    let rooms = said_in_order(&text, " Rooms");
    let modules: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(modules, rooms.iter().map(String::as_str).collect());
    let place = |name: &str| rooms.iter().position(|room| room == name);
    let mut upward = Vec::new();
    for file in rust_files(&source).into_iter().filter(|file| !in_tests(file)) {
        let own = first_part(&file, &source);
        let Some(room) = place(&own) else { continue };
        let text = fs::read_to_string(&file).unwrap();
        let code: Vec<String> = before_tests(&text).into_iter().map(|(_, line)| line).collect();
        for (line, used) in uses(&code.join("\n"), "crate") {
            if place(&used).is_some_and(|other| other > room) {
                upward.push(format!("{}:{line}: `{own}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

/// The engine gets what it must know about a module from the registry.
#[test]
fn nothing_asks_for_the_name_of_a_calls_module() {
    let mut found = Vec::new();
    for directory in ["agent", "core", "cli"] {
        for file in rust_files(&engine().join(directory)).into_iter().filter(|file| !in_tests(file)) {
            for (line, text) in before_tests(&fs::read_to_string(&file).unwrap()) {
                if ["module == \"", "module != \"", "module.as_str()"].iter().any(|ask| text.contains(ask)) {
                    found.push(format!("{}:{line}: {}", file.display(), text.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "say it in the module's line in the registry:\n{}", found.join("\n"));
}

/// A room describes in one sentence what belongs in it.
#[test]
fn every_room_of_the_modules_says_what_it_is_for() {
    for entry in fs::read_dir(engine().join("modules/src")).unwrap() {
        let room = entry.unwrap().path();
        if room.is_dir() {
            let text = fs::read_to_string(room.join("mod.rs")).unwrap();
            assert!(text.starts_with("//! "), "{} does not say what it is for", room.display());
        }
    }
}

#[test]
fn nothing_uses_a_floor_above_its_own() {
    let floors = floors();
    let place = |name: &str| floors.iter().position(|floor| floor == name);
    let mut upward = Vec::new();
    for file in rust_files(&engine().join("core")) {
        let own = own_floor(&file);
        let Some(floor) = place(&own) else { continue };
        for (line, used) in uses(&fs::read_to_string(&file).unwrap(), "crate") {
            let is_upward = place(&used).is_some_and(|other| other > floor);
            let is_unread = own == "report" && place(&used).is_some() && !READ_BY_REPORT.contains(&used.as_str());
            if is_upward || is_unread {
                upward.push(format!("{}:{line}: `{own}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn no_crate_uses_one_above_its_own() {
    let directories = ["wire", "contract", "tencent", "modules", "agent", "core", "cli"];
    let mut upward = Vec::new();
    for (floor, directory) in directories.iter().enumerate() {
        for file in rust_files(&engine().join(directory)) {
            let text = without_comments(&fs::read_to_string(&file).unwrap());
            for above in CRATES.iter().skip(floor + 1) {
                if text.contains(&format!("{above}::")) && !in_tests(&file) {
                    upward.push(format!("{}: `{directory}` uses `{above}`", file.display()));
                }
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

/// The agent's last message, and what a panic says, go to standard error, because there is no other receiver. A build
/// script talks to cargo.
#[test]
fn only_the_command_line_prints_and_exits() {
    const TALKING: [&str; 3] = ["agent/src/lib.rs", "agent/src/contained.rs", "build.rs"];
    let mut found = Vec::new();
    for directory in ["wire", "contract", "tencent", "modules", "agent", "core"] {
        for file in rust_files(&engine().join(directory)) {
            if in_tests(&file) || TALKING.iter().any(|talking| file.ends_with(talking)) {
                continue;
            }
            let whole = fs::read_to_string(&file).unwrap();
            for (line, text) in before_tests(&whole) {
                let talks = ["println!", "print!(", "dbg!(", "process::exit("].iter().any(|word| text.contains(word));
                if talks {
                    found.push(format!("{}:{line}: {}", file.display(), text.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Code that existed several times with different behaviour and now exists once: the words that reveal a copy, where
/// the original is, and other files that may contain these words.
const WRITTEN_ONCE: [(&[&str], &str, &[&str]); 9] = [
    (&["02X}"], "wire/src/percent.rs", &[]),
    // A build script uses no crate of the workspace.
    (&["\"{byte:02x}\""], "wire/src/hex.rs", &["agent/build.rs"]),
    (&["Some('*')", "'*' => out"], "contract/src/system/glob.rs", &[]),
    // One compiles it for templates, with their cache; the finder of secrets handles no patterns of playbooks.
    (
        &["RegexBuilder::new(", "fancy_regex::Regex::new("],
        "contract/src/system/pattern.rs",
        &["core/template/regex.rs", "core/secrets/finder.rs"],
    ),
    // `~` in an inventory pattern is not a home directory: a regular expression follows.
    (
        &["strip_prefix('~')", "strip_prefix(\"~/\")", "find('$')"],
        "contract/src/system/expand.rs",
        &["core/inventory/pattern.rs"],
    ),
    (
        &["\"parameters are mutually exclusive"],
        "contract/src/args.rs",
        // They are not errors of arguments but results.
        &[
            "core/actions/pause.rs",
            "core/actions/debug.rs",
            "core/report/message.rs",
            "modules/src/commands/execution.rs",
            // In the words of its action, which names them as a tuple.
            "modules/src/files/unarchive.rs",
            // By the names of a role's specification, several groups in one message.
            "core/syntax/spec/relations.rs",
        ],
    ),
    (&["\"2.19"], "core/collections/supported.rs", &[]),
    (&["cannot be split into words: {error}"], "contract/src/system/program.rs", &["modules/src/files/synchronize.rs"]),
    // Only ansible-core's own modules have pages there.
    (&["strip_prefix(\"ansible.builtin"], "core/syntax/builtin.rs", &["cli/doc/layout.rs"]),
];

#[test]
fn shared_code_exists_once() {
    let mut again = Vec::new();
    for directory in ["wire", "contract", "tencent", "modules", "agent", "core", "cli"] {
        for file in rust_files(&engine().join(directory)).into_iter().filter(|file| !in_tests(file)) {
            let below = file.strip_prefix(engine()).unwrap().to_string_lossy().into_owned();
            for (line, text) in before_tests(&fs::read_to_string(&file).unwrap()) {
                for (words, one, others) in WRITTEN_ONCE {
                    let is_there = words.iter().any(|word| text.contains(word));
                    if is_there && below != one && !others.contains(&below.as_str()) {
                        again.push(format!("{}:{line}: this is in engine/{one}: {}", file.display(), text.trim()));
                    }
                }
            }
        }
    }
    assert!(again.is_empty(), "{}", again.join("\n"));
    for (_, one, others) in WRITTEN_ONCE {
        assert!(engine().join(one).exists() && others.iter().all(|other| engine().join(other).exists()), "{one}");
    }
}

/// `state: present|absent` is `argtypes::{PresentAbsent, AbsentPresent}`.
#[test]
fn no_module_has_its_own_presence() {
    let mut own = Vec::new();
    for file in rust_files(&engine().join("modules/src")) {
        let text = without_comments(&fs::read_to_string(&file).unwrap());
        for block in text.split("choice! {").skip(1) {
            let block: String = block.split("\n}").next().unwrap().split_whitespace().collect();
            if ["{Present=\"present\",Absent=\"absent\"", "{Absent=\"absent\",Present=\"present\""]
                .iter()
                .any(|both| block.find(both).is_some_and(|at| block[at + both.len()..].trim_start_matches(',') == "}"))
            {
                own.push(file.display().to_string());
            }
        }
    }
    assert!(own.is_empty(), "{}", own.join("\n"));
}

#[test]
fn async_stays_in_the_links() {
    let mut found = Vec::new();
    for directory in ["wire", "contract", "tencent", "modules", "agent", "core", "cli"] {
        for file in rust_files(&engine().join(directory)) {
            if file.starts_with(engine().join("core/link")) {
                continue;
            }
            let text = without_comments(&fs::read_to_string(&file).unwrap());
            let waits = text.replace(".await_", "").replace(".awaited", "").contains(".await");
            if waits || ["async fn ", "async move ", "async {", "tokio::"].iter().any(|word| text.contains(word)) {
                found.push(file.display().to_string());
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The layers of the library, lowest first: the words in backticks of the sentence that begins with "Floors".
fn floors() -> Vec<String> {
    said_in_order(&fs::read_to_string(engine().join("core/lib.rs")).unwrap(), " Floors")
}

/// The first part of a file's path below `engine/core`: the module of the library that it belongs to.
fn own_floor(file: &Path) -> String {
    first_part(file, &engine().join("core"))
}
