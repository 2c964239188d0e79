//! What one test creates.

use std::{fs, net::TcpListener, sync::Arc};

use rplay_modules::{
    Host, NoBlobs, runner,
    wire::{Call, Map, Mode, Outcome, data},
};
use serde_json::Value as Json;

use crate::archive::archive;

/// What one test creates, under its own name; all of it is removed at the end.
pub(crate) struct Scene {
    name: String,
    pub directory: tempfile::TempDir,
    /// Modules and arguments, the last one first.
    pub leftovers: Vec<(&'static str, Map)>,
}

impl Scene {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("rplay-test-{name}-{}", std::process::id());
        Scene { name, directory: tempfile::tempdir().unwrap(), leftovers: Vec::new() }
    }

    /// A name beginning with this test's own.
    pub(crate) fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.name)
    }

    fn host(&self) -> Host {
        let home = self.directory.path().to_string_lossy().into_owned();
        Host::new(vec![("HOME".into(), home.clone()), ("DOCKER_CONFIG".into(), home)], Arc::new(NoBlobs))
    }

    pub(crate) fn run(&self, module: &str, args: Map, mode: Mode) -> Outcome {
        let call = Call { module: module.into(), args, mode, environment: Vec::new(), background: None };
        runner::run(&call, &self.host())
    }

    pub(crate) fn call(&self, module: &str, args: Map) -> Outcome {
        let outcome = self.run(module, args, Mode { diff: true, ..Mode::default() });
        assert_eq!(outcome.failure, None);
        outcome
    }

    pub(crate) fn fails(&self, module: &str, args: Map) -> String {
        let outcome = self.run(module, args, Mode::default());
        outcome.failure.expect("should have failed").msg
    }

    /// An image called by this test's name, with that tag; `note` makes it differ.
    pub(crate) fn image(&mut self, tag: &str, note: &str) -> String {
        let name = format!("{}:{tag}", self.name);
        let path = self.directory.path().join(format!("{tag}-{note}.tar"));
        // The ID is derived from the content: without the name in it, tests would remove each other's image.
        fs::write(&path, archive(&name, &self.name(note))).unwrap();
        let args = data! { "name" => name.as_str(), "source" => "load", "load_path" => path.to_string_lossy().as_ref(), "force_source" => true };
        let loaded = self.call("docker_image", args);
        // By its id, as another image may get the name.
        let id = json(&loaded, "image")["Id"].as_str().unwrap().to_owned();
        self.leftovers.push(("docker_image", data! { "name" => id, "state" => "absent", "force_absent" => true }));
        name
    }

    /// Arguments for a container, which is removed at the end.
    pub(crate) fn container(&mut self, of: &str, image: &str) -> Map {
        let name = self.name(of);
        let gone =
            data! { "name" => name.as_str(), "state" => "absent", "force_kill" => true, "keep_volumes" => false };
        self.leftovers.push(("docker_container", gone));
        // Process 1 ignores SIGTERM unless it has a handler.
        data! { "name" => name, "image" => image, "stop_signal" => "SIGKILL", "env" => data! { "SECRET" => "hunter2hunter2" } }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for (module, args) in std::mem::take(&mut self.leftovers).into_iter().rev() {
            self.run(module, args, Mode::default());
        }
    }
}

pub(crate) fn with(args: &Map, more: Map) -> Map {
    let mut args = args.clone();
    args.extend(more);
    args
}

pub(crate) fn json(outcome: &Outcome, key: &str) -> Json {
    outcome.data.get(key).map(Json::from).unwrap_or_default()
}

pub(crate) fn actions(outcome: &Outcome) -> Vec<String> {
    serde_json::from_value(json(outcome, "actions")).unwrap()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
