//! Every module against its fixtures: `fixtures/MODULE/NAME.yml`, each a call and its effect.
//!
//! A fixture is a YAML file of two documents. The first is written by hand:
//!
//! - `args`: the arguments. In all texts `HERE` is replaced by the fixture's own directory and `SERVER` by the address
//!   of the simulated server.
//! - `files`: the files before the call. A path that begins with `/` is one of the host (see [`stage::View`]), any
//!   other is below `HERE`. The value is the content, `{mode, content}`, `{base64}`, `{link}` or `{directory: mode}`.
//! - `programs`: shell scripts that replace programs of the host. Their arguments are recorded.
//! - `replies`: what the server answers, over TCP and at `HERE/http.sock`: `{on: GET /path, status, body | json,
//!   after}`. `after` names a request that must have been made before; of several that fit the last one answers.
//! - `environment`: variables for the call.
//! - `jobs`: background jobs that have ended, each with its result.
//! - `repeats: true` for a call that changes something each time.
//! - `once: true` for a call that fails the second time.
//! - `hide`: regular expressions of what varies.
//!
//! The second document is the effect, written by the test: `FIXTURES=update cargo test -p rplay-modules --test
//! fixtures`. Read it before you commit it. `run` is the actual call, `check` the one in check mode before it and
//! `again` the one after it, both only if they differ. `after` has the files that differ from those before.
//! Independently of the record, check mode must change nothing and predict whether something changes, and the second
//! run must change nothing.

mod stage;

use std::{collections::BTreeMap, fs, path::Path};

use rplay_modules::{registry::MODULES, wire::Mode};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use stage::Stage;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    #[serde(default)]
    args: serde_json::Map<String, Json>,
    #[serde(default)]
    files: BTreeMap<String, stage::FileBefore>,
    #[serde(default)]
    programs: BTreeMap<String, String>,
    #[serde(default)]
    replies: Vec<stage::Response>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    jobs: BTreeMap<String, Json>,
    #[serde(default)]
    repeats: bool,
    #[serde(default)]
    once: bool,
    #[serde(default)]
    hide: Vec<String>,
}

/// The effect of a module's fixture, or what is wrong regardless of what is expected.
fn observed(module: &str, fixture: &Fixture) -> Result<Json, String> {
    let stage = Stage::new(fixture);
    let args = stage::map(&stage.filled(&Json::Object(fixture.args.clone())));
    let before = stage.files();
    let call = |check: bool| {
        let outcome = stage.call(module, args.clone(), Mode { check, diff: true, ..Mode::default() });
        (outcome.changed, outcome.failure.is_some(), outcome.skipped.is_some(), stage.shown(outcome))
    };
    let (foreseen, _, is_skipped, mut check) = call(true);
    let changed = difference(&before, &stage.files());
    if changed != json!({}) {
        return Err(format!("check mode changes files: {changed}"));
    }
    let (changed, has_failed, _, run) = call(false);
    if foreseen != changed && !is_skipped && !has_failed {
        return Err(format!("check mode says changed={foreseen}, the run {changed}: {run:#}"));
    }
    let after = difference(&before, &stage.files());
    let (once_more, fails_again, _, mut again) = call(false);
    if fails_again && !has_failed && !fixture.once {
        return Err(format!("the second run fails: {again:#}"));
    }
    if once_more && !fixture.repeats && !has_failed {
        return Err(format!("the second run changes something: {again:#}"));
    }
    if once_more == changed && fixture.repeats && !changed {
        return Err("it says `repeats` and changes nothing the second time".to_owned());
    }
    leave_what_differs(&mut check, &run);
    leave_what_differs(&mut again, &run);
    let mut all = json!({"run": run, "check": check, "again": again, "after": after});
    if let Json::Object(all) = &mut all {
        all.retain(|_, value| *value != json!({}));
    }
    Ok(all)
}

/// The paths whose file has changed; `null` where it was removed.
fn difference(before: &BTreeMap<String, Json>, after: &BTreeMap<String, Json>) -> Json {
    let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.clone(), Json::Null));
    let other = after.iter().filter(|(path, file)| before.get(*path) != Some(file));
    Json::Object(other.map(|(path, file)| (path.clone(), file.clone())).chain(gone).collect())
}

/// Removes from `one` what is the same in `other`.
fn leave_what_differs(one: &mut Json, other: &Json) {
    let (Json::Object(one), Json::Object(other)) = (one, other) else { return };
    for key in other.keys().filter(|key| !one.contains_key(*key)).cloned().collect::<Vec<_>>() {
        one.insert(key, Json::Null);
    }
    one.retain(|key, value| other.get(key) != Some(value));
}

fn documents(text: &str) -> Result<(Fixture, Json), serde_yaml::Error> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let fixture =
        documents.next().map_or_else(|| Fixture::deserialize(serde_yaml::Value::Null), Fixture::deserialize)?;
    let expected = documents.next().map_or(Ok(Json::Null), Json::deserialize)?;
    Ok((fixture, expected))
}

fn check_fixture(module: &str, path: &Path, updates: bool) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let (fixture, expected) = documents(&text).map_err(|error| error.to_string())?;
    let observed = observed(module, &fixture)?;
    if observed == expected {
        return Ok(());
    }
    let written = serde_yaml::to_string(&observed).map_err(|error| error.to_string())?;
    if updates {
        let by_hand = text.split("\n---\n").next().unwrap_or_default().trim_end();
        return fs::write(path, format!("{by_hand}\n---\n{written}")).map_err(|error| error.to_string());
    }
    let wanted = serde_yaml::to_string(&expected).unwrap_or_default();
    Err(similar::TextDiff::from_lines(&wanted, &written).unified_diff().header("expected", "observed").to_string())
}

#[test]
fn every_module_does_as_its_fixtures_say() {
    stage::set_umask();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let only = std::env::var("FIXTURES_OF").ok();
    let updates = std::env::var("FIXTURES").as_deref() == Ok("update");
    let mut errors = Vec::new();
    let mut skipped = 0;
    let has_views = stage::has_views();
    for entry in MODULES.iter().filter(|entry| only.as_ref().is_none_or(|only| only == entry.name)) {
        let mut files: Vec<_> = fs::read_dir(directory.join(entry.name))
            .map(|files| files.map(|file| file.unwrap().path()).collect())
            .unwrap_or_default();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "yml"));
        files.sort();
        if files.is_empty() {
            errors.push(format!("{0} has no fixture: write tests/fixtures/{0}/NAME.yml", entry.name));
        }
        for path in files {
            let name = path.strip_prefix(&directory).unwrap().display().to_string();
            if !has_views && stage::needs_view(&fs::read_to_string(&path).unwrap()) {
                skipped += 1;
                continue;
            }
            // In a separate thread, because the view belongs to the thread.
            let checked = std::thread::spawn(move || {
                if has_views {
                    stage::leave_the_host();
                }
                check_fixture(entry.name, &path, updates)
            });
            match checked.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => errors.push(format!("{name}: {error}")),
                Err(panic) => errors.push(format!("{name} broke down: {:?}", panic.downcast_ref::<String>())),
            }
        }
    }
    if skipped > 0 {
        println!("skipped: {skipped} fixtures that need root, for mounts in a namespace of their own");
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// A directory for a module that does not exist would never be read.
#[test]
fn every_fixture_is_of_a_module() {
    for directory in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")).unwrap() {
        let name = directory.unwrap().file_name().to_string_lossy().into_owned();
        assert!(rplay_modules::registry::find(&name).is_some(), "there is no module {name}");
    }
}
