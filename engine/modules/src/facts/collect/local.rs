//! Local facts in `facts.d`: JSON, INI, or programs that print either.

use std::{os::unix::fs::PermissionsExt, path::Path};

use rplay_wire::{Map, Value, data};

use super::{Source, names};
use crate::system::{bounded, process};

/// Maximum size in bytes.
const LONGEST: usize = 4 << 20;

pub(super) fn gather(source: &Source) -> Map {
    let directory = source.fact_path.on(source.host);
    let mut facts = Map::new();
    for name in names(&directory).into_iter().filter(|name| name.ends_with(".fact")) {
        let value = said(source, &directory.join(&name)).map(|text| parsed(&text, &name));
        let value = value.unwrap_or_else(Value::from);
        facts.insert(name.trim_end_matches(".fact").to_owned(), value);
    }
    data! { "local" => facts }
}

/// The text of a fact file, or its output if it is a program.
fn said(source: &Source, path: &Path) -> Result<String, String> {
    let shown = path.display();
    let meta = path.metadata().map_err(|error| format!("Could not stat fact ({shown}): {error}"))?;
    if meta.permissions().mode() & 0o111 == 0 {
        return match bounded::read_file(path, LONGEST) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(format!("error loading facts from {shown}: {error}")),
        };
    }
    let failed = |what: String| format!("Failure executing fact script ({shown}), {what}");
    let done = process::run(&mut source.host.command(&path.to_string_lossy()), None, LONGEST)
        .map_err(|error| failed(format!("error: {error}")))?;
    if let Some(excess) = &done.excess {
        return Err(failed(excess.sentence("it")));
    }
    match done.rc {
        0 => Ok(done.stdout),
        rc => Err(failed(format!("rc: {}, err: {}", rc.max(-1), done.stderr.trim()))),
    }
}

fn parsed(text: &str, name: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Map(Map::new());
    }
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(text) {
        return json.into();
    }
    ini(text).map_or_else(|| format!("error loading facts as ini - please check content: {name}").into(), Value::Map)
}

/// Sections of an INI file; keys in lower case, values as text. `None` if it is invalid.
fn ini(text: &str) -> Option<Map> {
    let mut sections = Map::new();
    let mut current: Option<(String, Map)> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if let Some((name, section)) = current.replace((name.to_owned(), Map::new())) {
                sections.insert(name, section.into());
            }
            continue;
        }
        let (key, value) = trimmed.split_once(['=', ':'])?;
        let (_, section) = current.as_mut()?;
        let value = interpolated(value.trim(), section)?;
        section.insert(key.trim().to_lowercase(), value.into());
    }
    let (name, section) = current?;
    sections.insert(name, section.into());
    Some(sections)
}

/// Replaces `%(key)s` by an earlier value of the section, and `%%` by a percent sign; anything else is invalid.
fn interpolated(value: &str, section: &Map) -> Option<String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('%') {
            Some(after) => {
                out.push('%');
                rest = after;
            }
            None => {
                let (key, after) = rest.strip_prefix('(')?.split_once(")s")?;
                out.push_str(section.get(&key.to_lowercase())?.as_str()?);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc, time::Duration};

    use super::*;
    use crate::{Host, NoBlobs, argtypes::PathArg};

    #[test]
    fn json_ini_and_programs_are_read_and_errors_reported() {
        let directory = tempfile::tempdir().unwrap();
        for (name, content, mode) in [
            ("a.fact", "{\"x\": [1, true]}", 0o644),
            ("b.fact", "[General]\nKey = value\n# no\n[other]\nk: v\n", 0o644),
            ("c.fact", "#!/bin/sh\necho '{\"y\": 2}'\n", 0o755),
            ("d.fact", "neither", 0o644),
            ("e.fact", "#!/bin/sh\nexit 3\n", 0o755),
            ("f.other", "{}", 0o644),
            ("g.fact", "[x]\na = 1%%\nb = %(A)s!\n", 0o644),
            ("h.fact", "[x]\na = 1% of it\n", 0o644),
        ] {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let host = Host::new(Vec::new(), Arc::new(NoBlobs));
        let fact_path = PathArg(directory.path().to_string_lossy().into_owned());
        let source = Source { host: &host, root: "/".into(), fact_path, timeout: Duration::from_secs(1) };
        let facts = gather(&source)["local"].as_map().unwrap().clone();
        assert_eq!(facts["a"], data! { "x" => Value::List(vec![1.into(), true.into()]) }.into());
        let sections = data! { "General" => data! { "key" => "value" }, "other" => data! { "k" => "v" } };
        assert_eq!(facts["b"], sections.into());
        assert_eq!(facts["c"], data! { "y" => 2 }.into());
        assert!(facts["d"].as_str().unwrap().starts_with("error loading facts as ini"));
        assert!(facts["e"].as_str().unwrap().starts_with("Failure executing fact script"));
        assert_eq!(facts["g"], data! { "x" => data! { "a" => "1%", "b" => "1%!" } }.into());
        assert!(facts["h"].as_str().unwrap().starts_with("error loading facts as ini"));
        assert_eq!(facts.len(), 7);
    }
}
