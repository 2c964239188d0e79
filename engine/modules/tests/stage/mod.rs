//! The stage of a fixture: its own directory, simulated programs and a simulated server, and its own view of the host.

mod server;
mod view;

#[path = "../../../../tests/varying/mod.rs"]
mod varying;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use regex::Regex;
use rplay_modules::{
    Host, NoBlobs, runner,
    system::jobs::{JobFile, Progress},
    wire::{Call, Map, Mode, Outcome, Value},
};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use self::server::Server;
pub(crate) use self::{
    server::Response,
    view::{has_views, leave_the_host},
};
use crate::Fixture;

/// A file that exists before the call.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum FileBefore {
    Text(String),
    Link { link: String },
    Directory { directory: String },
    File { mode: String, content: String },
    Bytes { base64: String },
}

/// Whether a fixture has programs or paths that must not be the host's own.
pub(crate) fn needs_view(text: &str) -> bool {
    let by_hand = text.split("\n---\n").next().unwrap_or_default();
    by_hand.lines().any(|line| line == "programs:" || line.trim_start().starts_with('/'))
}

/// Makes modes the same everywhere.
pub(crate) fn set_umask() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
}

pub(crate) struct Stage {
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
    server: Server,
    /// Directories of the host that the fixture replaces, and their replacements.
    views: Vec<(String, PathBuf)>,
    hidden: Vec<Regex>,
}

impl Stage {
    pub(crate) fn new(fixture: &Fixture) -> Stage {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        for name in ["work", "bin", "tmp", "home"] {
            fs::create_dir(at.join(name)).unwrap();
        }
        let server = Server::start(&at.join("work/http.sock"));
        let mut stage = Stage {
            environment: Vec::new(),
            views: view::directories(at),
            hidden: fixture.hide.iter().map(|pattern| Regex::new(pattern).unwrap()).collect(),
            server,
            directory,
        };
        stage
            .server
            .respond(fixture.replies.iter().map(|response| response.filled(&|text| stage.fill(text))).collect());
        for (name, script) in &fixture.programs {
            let path = stage.directory.path().join("bin").join(name);
            let calls = stage.server.log();
            let text = format!("#!/bin/sh\necho \"${{0##*/}} $*\" >>{}\n{}", calls.display(), stage.fill(script));
            write(&path, text.as_bytes(), 0o755);
        }
        if view::is_left() {
            view::seed(stage.directory.path());
        }
        for (path, file) in &fixture.files {
            stage.put(path, file);
        }
        if view::is_left() {
            view::enter(&stage.views, stage.directory.path());
        }
        let own = |name: &str| stage.directory.path().join(name).display().to_string();
        let mut environment = vec![
            ("PATH".to_owned(), format!("{}:/usr/bin:/bin", own("bin"))),
            ("HOME".to_owned(), own("home")),
            ("TMPDIR".to_owned(), own("tmp")),
            ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
            ("TZ".to_owned(), "UTC".to_owned()),
        ];
        environment.extend(fixture.environment.iter().map(|(name, value)| (name.clone(), stage.fill(value))));
        stage.environment = environment;
        let host = stage.host();
        for (id, data) in &fixture.jobs {
            let outcome = Outcome { changed: true, data: map(data), ..Outcome::default() };
            JobFile::of(id, &host).unwrap().write(&Progress::Done(Box::new(outcome))).unwrap();
        }
        stage
    }

    fn here(&self) -> String {
        self.directory.path().join("work").display().to_string()
    }

    /// The text with `HERE` and `SERVER` replaced.
    fn fill(&self, text: &str) -> String {
        text.replace("HERE", &self.here()).replace("SERVER", &self.server.address())
    }

    pub(crate) fn filled(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => self.fill(text).into(),
            Json::Array(list) => list.iter().map(|value| self.filled(value)).collect(),
            Json::Object(map) => {
                Json::Object(map.iter().map(|(key, value)| (self.fill(key), self.filled(value))).collect())
            }
            value => value.clone(),
        }
    }

    /// Where a fixture's path is before the view is entered.
    fn place(&self, path: &str) -> PathBuf {
        match path.strip_prefix('/') {
            Some(inside) => self.directory.path().join("view").join(inside),
            None => self.directory.path().join("work").join(path),
        }
    }

    fn put(&self, path: &str, file: &FileBefore) {
        let place = self.place(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let mode = |mode: &str| u32::from_str_radix(mode, 8).unwrap();
        match file {
            FileBefore::Text(text) => write(&place, self.fill(text).as_bytes(), 0o644),
            FileBefore::File { mode: bits, content } => write(&place, self.fill(content).as_bytes(), mode(bits)),
            FileBefore::Bytes { base64 } => write(&place, &STANDARD.decode(base64).unwrap(), 0o644),
            FileBefore::Link { link } => symlink(self.fill(link), place).unwrap(),
            FileBefore::Directory { directory } => {
                fs::create_dir_all(&place).unwrap();
                fs::set_permissions(place, fs::Permissions::from_mode(mode(directory))).unwrap();
            }
        }
    }

    fn host(&self) -> Host {
        Host::new(self.environment.clone(), Arc::new(NoBlobs))
    }

    pub(crate) fn call(&self, module: &str, args: Map, mode: Mode) -> Outcome {
        let environment = self.environment.clone();
        let call = Call { module: module.to_owned(), args, mode, environment, background: None };
        runner::run(&call, &self.host())
    }

    /// All files of the fixture by their paths, each with its mode and its content.
    pub(crate) fn files(&self) -> BTreeMap<String, Json> {
        let mut files = BTreeMap::new();
        let mut roots = vec![(self.directory.path().join("work"), String::new())];
        roots.extend(self.views.iter().map(|(path, own)| (own.clone(), format!("{path}/"))));
        for (root, shown) in roots {
            self.list(&root, &shown, &mut files);
        }
        files.remove("http.sock");
        files
    }

    fn list(&self, directory: &Path, shown: &str, files: &mut BTreeMap<String, Json>) {
        for path in fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let name = format!("{shown}{}", self.hide(&path.file_name().unwrap().to_string_lossy()));
            let meta = fs::symlink_metadata(&path).unwrap();
            let mode = format!("{:04o}", meta.mode() & 0o7777);
            let file = if meta.is_symlink() {
                json!({"link": self.hide(&fs::read_link(&path).unwrap().to_string_lossy())})
            } else if meta.is_dir() {
                self.list(&path, &format!("{name}/"), files);
                json!({"directory": mode})
            } else {
                let content = self.hide(&text(&fs::read(&path).unwrap_or_default()));
                if mode == "0644" { json!(content) } else { json!({"mode": mode, "content": content}) }
            };
            files.insert(name, file);
        }
    }

    /// An outcome as a fixture records it, with the calls of programs and the requests to the server since the last
    /// one.
    pub(crate) fn shown(&self, outcome: Outcome) -> Json {
        let mut shown = serde_json::Map::new();
        shown.insert("changed".to_owned(), outcome.changed.into());
        if let Some(failure) = outcome.failure {
            shown.insert("failed".to_owned(), failure.msg.into());
            for (key, value) in [("arg", failure.arg), ("help", failure.help)] {
                shown.extend(value.map(|value| (key.to_owned(), value.into())));
            }
        }
        shown.extend(outcome.skipped.map(|reason| ("skipped".to_owned(), reason.into())));
        let diff: Vec<Json> = outcome
            .diff
            .into_iter()
            .map(|diff| {
                let header = (diff.before_header, diff.after_header);
                let header = if header.0 == header.1 { json!(header.0) } else { json!([header.0, header.1]) };
                json!({"of": header, "before": diff.before, "after": diff.after})
            })
            .collect();
        for (key, list) in
            [("changes", json!(outcome.changes)), ("warnings", json!(outcome.warnings)), ("diff", json!(diff))]
        {
            if list != json!([]) {
                shown.insert(key.to_owned(), list);
            }
        }
        for (key, map) in [("data", outcome.data), ("facts", outcome.facts)] {
            if !map.is_empty() {
                shown.insert(key.to_owned(), (&Value::Map(map)).into());
            }
        }
        let calls = self.server.take_log();
        if !calls.is_empty() {
            shown.insert("calls".to_owned(), calls.into());
        }
        self.without_what_varies(None, Json::Object(shown))
    }

    fn without_what_varies(&self, key: Option<&str>, value: Json) -> Json {
        let me = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        match (key, value) {
            (Some(key), value) if varying::VARYING.contains(&key) && !value.is_null() => json!("VARIES"),
            (Some("uid"), Json::Number(uid)) if uid.as_u64() == Some(me.0.into()) => json!("MINE"),
            (Some("gid"), Json::Number(gid)) if gid.as_u64() == Some(me.1.into()) => json!("MINE"),
            (_, Json::String(text)) => self.hide(&text).into(),
            (_, Json::Array(list)) => list.into_iter().map(|value| self.without_what_varies(None, value)).collect(),
            (_, Json::Object(mut map)) => {
                // It depends on the file system.
                if map.get("state") == Some(&json!("directory")) && map.contains_key("size") {
                    map.insert("size".to_owned(), json!("VARIES"));
                }
                let hidden = map.into_iter().map(|(key, value)| {
                    let value = self.without_what_varies(Some(&key), value);
                    (self.hide(&key), value)
                });
                Json::Object(hidden.collect())
            }
            (_, value) => value,
        }
    }

    fn hide(&self, text: &str) -> String {
        let own = self.directory.path().display().to_string();
        let text = text.replace(&self.here(), "HERE").replace(&self.server.address(), "SERVER").replace(&own, "OWN");
        self.hidden.iter().fold(text, |text, pattern| pattern.replace_all(&text, "VARIES").into_owned())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if view::is_left() {
            view::exit(&self.views, self.directory.path());
        }
    }
}

/// A mapping as modules take it.
pub(crate) fn map(value: &Json) -> Map {
    match Value::from(value.clone()) {
        Value::Map(map) => map,
        value => panic!("no mapping: {value:?}"),
    }
}

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Content as text; bytes that are not text are shown as `\xNN`.
fn text(content: &[u8]) -> String {
    match std::str::from_utf8(content) {
        Ok(text) => text.to_owned(),
        Err(_) => content.escape_ascii().to_string(),
    }
}
