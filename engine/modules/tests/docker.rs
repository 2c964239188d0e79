//! The docker modules against a real Engine. Without one the tests say so and pass, unless RPLAY_TEST_DOCKER=1 demands
//! it. The image they use holds this very program, which is static.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use rplay_modules::{
    Host, NoBlobs, runner,
    wire::{Call, Map, Mode, Outcome, Value, data},
};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// What runs inside the containers: this program, with this "test".
const COMMAND: [&str; 4] = ["inside_a_container", "--exact", "--ignored", "--nocapture"];

#[test]
#[ignore = "runs inside the containers of the other tests"]
fn inside_a_container() {
    match std::env::var("RPLAY_TEST_INSIDE").unwrap_or_default().as_str() {
        "fail" => {
            eprintln!("this is the end");
            std::process::exit(3);
        }
        "well" => std::process::exit(0),
        _ => loop {
            thread::sleep(Duration::from_secs(60));
        },
    }
}

#[test]
#[ignore = "runs inside the containers of the other tests"]
fn health_of_a_container() {
    assert_ne!(std::env::var("RPLAY_TEST_HEALTH").as_deref(), Ok("bad"));
}

fn has_engine() -> bool {
    let at = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = at.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    if cfg!(target_feature = "crt-static") && UnixStream::connect(path).is_ok() {
        return true;
    }
    assert!(std::env::var("RPLAY_TEST_DOCKER").as_deref() != Ok("1"), "no Docker Engine answers at {path}");
    println!("skipped: no Docker Engine answers at {path}, or this is not a static executable");
    false
}

/// What one test creates, under its own name; all of it is removed at the end.
struct Scene {
    name: String,
    folder: tempfile::TempDir,
    /// Modules and arguments, the last one first.
    leftovers: Vec<(&'static str, Map)>,
}

impl Scene {
    fn new(name: &str) -> Self {
        let name = format!("rplay-test-{name}-{}", std::process::id());
        Scene { name, folder: tempfile::tempdir().unwrap(), leftovers: Vec::new() }
    }

    /// A name beginning with this test's own.
    fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.name)
    }

    fn host(&self) -> Host {
        let home = self.folder.path().to_string_lossy().into_owned();
        Host::new(vec![("HOME".into(), home.clone()), ("DOCKER_CONFIG".into(), home)], Arc::new(NoBlobs))
    }

    fn run(&self, module: &str, args: Map, mode: Mode) -> Outcome {
        let call = Call { module: module.into(), args, mode, environment: Vec::new(), background: None };
        runner::run(&call, &self.host())
    }

    fn call(&self, module: &str, args: Map) -> Outcome {
        let outcome = self.run(module, args, Mode { diff: true, ..Mode::default() });
        assert_eq!(outcome.failure, None);
        outcome
    }

    fn fails(&self, module: &str, args: Map) -> String {
        let outcome = self.run(module, args, Mode::default());
        outcome.failure.expect("should have failed").msg
    }

    /// An image called by this test's name, with that tag; `note` makes it differ.
    fn image(&mut self, tag: &str, note: &str) -> String {
        let name = format!("{}:{tag}", self.name);
        let path = self.folder.path().join(format!("{tag}-{note}.tar"));
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
    fn container(&mut self, of: &str, image: &str) -> Map {
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

fn with(args: &Map, more: Map) -> Map {
    let mut args = args.clone();
    args.extend(more);
    args
}

fn json(outcome: &Outcome, key: &str) -> Json {
    outcome.data.get(key).map(Json::from).unwrap_or_default()
}

fn actions(outcome: &Outcome) -> Vec<String> {
    serde_json::from_value(json(outcome, "actions")).unwrap()
}

/// One file of a tar archive.
fn tar(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let mut head = [0u8; 512];
    let mut put = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    archive.extend_from_slice(&head);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

/// What `docker save` would write for an image with this program in it.
fn archive(name: &str, note: &str) -> Vec<u8> {
    let mut layer = Vec::new();
    tar(&mut layer, "app", 0o755, &fs::read(std::env::current_exe().unwrap()).unwrap());
    layer.extend_from_slice(&[0; 1024]);
    let sum = rplay_wire::hex::encode(Sha256::digest(&layer));
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": arch, "os": "linux",
        "config": {"Entrypoint": ["/app"], "Cmd": COMMAND, "Labels": {"note": note}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{sum}")]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    let mut all = Vec::new();
    tar(&mut all, "layer.tar", 0o644, &layer);
    tar(&mut all, "config.json", 0o644, config.to_string().as_bytes());
    tar(&mut all, "manifest.json", 0o644, manifest.to_string().as_bytes());
    all.extend_from_slice(&[0; 1024]);
    all
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_container_is_created_once_and_replaced_only_with_a_reason() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("life");
    let image = scene.image("v1", "one");
    let base = scene.container("a", &image);
    let name = scene.name("a");
    let args = with(&base, data! { "ports" => vec![format!("127.0.0.1:{}:3000", free_port())], "memory" => "64m" });

    let check = scene.run("docker_container", args.clone(), Mode { check: true, diff: true, ..Mode::default() });
    assert!(check.changed && check.failure.is_none());
    assert_eq!(json(&scene.call("docker_container_info", data! { "name" => name.as_str() }), "exists"), json!(false));

    let made = scene.call("docker_container", args.clone());
    assert_eq!(actions(&made), [format!("create container {name}")]);
    let first = json(&made, "container");
    assert_eq!(first["State"]["Running"], json!(true));

    let again = scene.call("docker_container", args.clone());
    assert!(!again.changed, "{:?}", actions(&again));
    assert_eq!(json(&again, "container")["Id"], first["Id"]);

    // Limits change while it runs.
    let larger = with(&args, data! { "memory" => "96m" });
    let updated = scene.call("docker_container", larger.clone());
    assert_eq!(actions(&updated), [format!("update container {name}: memory changed")]);
    assert_eq!(json(&updated, "container")["HostConfig"]["Memory"], json!(96 << 20));
    assert_eq!(json(&updated, "container")["Id"], first["Id"]);
    assert!(!scene.call("docker_container", larger.clone()).changed);

    // The environment does not.
    let other = with(&larger, data! { "env" => data! { "SECRET" => "another-secret", "MORE" => "1" } });
    let replaced = scene.call("docker_container", other.clone());
    assert_eq!(actions(&replaced), [format!("recreate container {name}: env.MORE, env.SECRET changed")]);
    assert_eq!(replaced.diff[0].after, "env.MORE: ***\nenv.SECRET: *** (another value)\n");
    let second = json(&replaced, "container");
    assert_ne!(second["Id"], first["Id"]);
    assert_eq!(second["State"]["Running"], json!(true));
    assert!(!scene.call("docker_container", other.clone()).changed);

    // The same tag, another image.
    scene.image("v1", "two");
    let replaced = scene.call("docker_container", other.clone());
    assert_eq!(actions(&replaced), [format!("recreate container {name}: image changed")]);

    let stopped = scene.call("docker_container", with(&other, data! { "state" => "stopped" }));
    assert_eq!(actions(&stopped), [format!("stop container {name}")]);
    assert!(!scene.call("docker_container", with(&other, data! { "state" => "stopped" })).changed);
    assert_eq!(actions(&scene.call("docker_container", other.clone())), [format!("start container {name}")]);

    let absent = data! { "name" => name.as_str(), "state" => "absent" };
    assert_eq!(actions(&scene.call("docker_container", absent.clone())), [format!("remove container {name}")]);
    assert!(!scene.call("docker_container", absent).changed);
}

#[test]
fn a_replacement_that_does_not_start_leaves_the_old_container_in_place() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("back");
    let image = scene.image("v1", "one");
    let args = scene.container("a", &image);
    let name = scene.name("a");
    let first = json(&scene.call("docker_container", args.clone()), "container");

    let message = scene.fails("docker_container", with(&args, data! { "entrypoint" => vec!["/nothing-here"] }));
    assert!(message.contains("/nothing-here") && message.contains("was restored"), "{message}");
    let info = json(&scene.call("docker_container_info", data! { "name" => name.as_str() }), "container");
    assert_eq!((&info["Id"], &info["State"]["Running"]), (&first["Id"], &json!(true)));

    // A container that cannot even be created does not stop it.
    let message = scene.fails("docker_container", with(&args, data! { "volumes" => vec!["/tmp:/x:no-such-mode"] }));
    assert!(message.contains("no-such-mode"), "{message}");
    let same = json(&scene.call("docker_container_info", data! { "name" => name.as_str() }), "container");
    assert_eq!(same["State"]["StartedAt"], info["State"]["StartedAt"]);
    assert!(!scene.call("docker_container", args).changed);
    for aside in ["rplay-new", "rplay-old"] {
        let aside = scene.call("docker_container_info", data! { "name" => format!("{name}.{aside}") });
        assert_eq!(json(&aside, "exists"), json!(false));
    }
}

#[test]
fn an_interrupted_replacement_is_completed_by_the_next_run() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("broken");
    let image = scene.image("v1", "one");
    let args = scene.container("a", &image);
    let name = scene.name("a");
    let first = json(&scene.call("docker_container", args.clone()), "container");
    // As if the agent had been killed after it renamed the old container and created the new one.
    let aside = data! { "name" => format!("{name}.rplay-new"), "image" => image.as_str(), "state" => "present" };
    scene.call("docker_container", aside);
    let renamed = Command::new("docker").args(["rename", &name, &format!("{name}.rplay-old")]).status();
    if !renamed.is_ok_and(|status| status.success()) {
        return println!("skipped: there is no docker command to rename a container with");
    }
    let back = scene.call("docker_container", args.clone());
    assert_eq!(actions(&back), [format!("restore container {name}")]);
    assert_eq!(json(&back, "container")["Id"], first["Id"]);
    let other = with(&args, data! { "working_dir" => "/tmp" });
    assert_eq!(
        actions(&scene.call("docker_container", other)),
        [format!("recreate container {name}: working_dir changed")]
    );
    let aside = scene.call("docker_container_info", data! { "name" => format!("{name}.rplay-new") });
    assert_eq!(json(&aside, "exists"), json!(false));
}

#[test]
fn a_successor_keeps_what_was_in_volumes_without_a_name() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("keep");
    let image = scene.image("v1", "one");
    let args = with(&scene.container("a", &image), data! { "volumes" => vec!["/data"] });
    let volume = |outcome: &Outcome| json(outcome, "container")["Mounts"][0]["Name"].clone();
    let first = volume(&scene.call("docker_container", args.clone()));
    assert_eq!(first.as_str().map(str::len), Some(64));
    let other = with(&args, data! { "working_dir" => "/tmp" });
    assert_eq!(volume(&scene.call("docker_container", other.clone())), first);
    assert!(!scene.call("docker_container", other.clone()).changed);
    let fresh = with(&args, data! { "keep_volumes" => false, "working_dir" => "/" });
    let second = volume(&scene.call("docker_container", fresh));
    assert_ne!(second, first);
    let path = first.as_str().unwrap();
    scene.call("docker_volume", data! { "name" => path, "state" => "absent" });
}

#[test]
fn a_foreign_container_with_all_that_is_wanted_is_left_alone() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("foreign");
    let image = scene.image("v1", "one");
    let args = with(
        &scene.container("a", &image),
        data! { "volumes" => vec!["/tmp:/host-tmp:ro"], "cap_drop" => vec!["NET_RAW"] },
    );
    let made = Command::new("docker")
        .args(["run", "-d", "--name", &scene.name("a"), "--stop-signal", "SIGKILL", "-e", "SECRET=hunter2hunter2"])
        .args(["-e", "MORE=1", "-v", "/tmp:/host-tmp:ro", "--cap-drop", "NET_RAW", &image])
        .output();
    match made {
        Ok(output) if output.status.success() => {}
        _ => return println!("skipped: there is no docker command to make a foreign container with"),
    }
    let found = scene.call("docker_container", args.clone());
    assert!(!found.changed, "{:?}", actions(&found));
    let other = with(&args, data! { "env" => data! { "SECRET" => "another-secret" } });
    let replaced = scene.call("docker_container", other);
    assert_eq!(actions(&replaced), [format!("recreate container {}: env.SECRET changed", scene.name("a"))]);
}

#[test]
fn networks_are_joined_and_left_while_a_container_runs() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("net");
    let image = scene.image("v1", "one");
    let octet = std::process::id() % 200 + 20;
    let nets: Vec<_> = ["n1", "n2"].iter().map(|of| scene.name(of)).collect();
    let subnet = |n: usize| format!("10.{octet}.{n}.0/24");
    let network = |n: usize| {
        let range = data! { "subnet" => subnet(n), "gateway" => format!("10.{octet}.{n}.1") };
        data! { "name" => nets[n].as_str(), "ipam_config" => vec![Value::from(range)], "labels" => data! { "a" => "1" } }
    };
    for (n, net) in nets.iter().enumerate() {
        assert_eq!(actions(&scene.call("docker_network", network(n))), [format!("create network {net}")]);
        assert!(!scene.call("docker_network", network(n)).changed);
        scene.leftovers.push(("docker_network", data! { "name" => net.as_str(), "state" => "absent" }));
    }
    let first =
        data! { "name" => nets[0].as_str(), "ipv4_address" => format!("10.{octet}.0.77"), "aliases" => vec!["me"] };
    let base = scene.container("a", &image);
    let name = scene.name("a");
    let args = with(&base, data! { "networks" => vec![Value::from(first.clone())] });
    let made = json(&scene.call("docker_container", args.clone()), "container");
    assert_eq!(made["NetworkSettings"]["Networks"][&nets[0]]["IPAddress"], json!(format!("10.{octet}.0.77")));
    assert_eq!(made["NetworkSettings"]["Networks"].as_object().unwrap().len(), 1);
    assert!(!scene.call("docker_container", args.clone()).changed);

    let both = with(
        &args,
        data! { "networks" => vec![Value::from(first.clone()), Value::from(data! { "name" => nets[1].as_str() })] },
    );
    let joined = scene.call("docker_container", both.clone());
    assert_eq!(actions(&joined), [format!("connect container {name} to network {}", nets[1])]);
    assert_eq!(json(&joined, "container")["Id"], made["Id"]);
    assert!(!scene.call("docker_container", both.clone()).changed);
    assert!(!scene.call("docker_container", args.clone()).changed, "it is not purged unless asked for");
    let purged = scene.call("docker_container", with(&args, data! { "purge_networks" => true }));
    assert_eq!(actions(&purged), [format!("disconnect container {name} from network {}", nets[1])]);

    // A new container joins both at once.
    scene.call("docker_container", data! { "name" => name.as_str(), "state" => "absent" });
    let made = json(&scene.call("docker_container", both.clone()), "container");
    assert_eq!(made["NetworkSettings"]["Networks"].as_object().unwrap().len(), 2);

    // The recreated network keeps its container, alias and address.
    let recreated = scene.call("docker_network", with(&network(0), data! { "labels" => data! { "a" => "2" } }));
    assert_eq!(actions(&recreated), [format!("recreate network {}: labels.a changed", nets[0])]);
    let after = json(&scene.call("docker_container_info", data! { "name" => name.as_str() }), "container");
    let endpoint = &after["NetworkSettings"]["Networks"][&nets[0]];
    assert_eq!(endpoint["IPAddress"], json!(format!("10.{octet}.0.77")));
    assert!(endpoint["Aliases"].as_array().unwrap().contains(&json!("me")));
    assert!(!scene.call("docker_container", both).changed);
}

#[test]
fn a_container_that_ends_returns_its_status_and_output() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("end");
    let image = scene.image("v1", "one");
    let base = scene.container("a", &image);
    let fail =
        with(&base, data! { "detach" => false, "cleanup" => true, "env" => data! { "RPLAY_TEST_INSIDE" => "fail" } });
    let outcome = scene.run("docker_container", fail, Mode::default());
    let message = outcome.failure.as_ref().unwrap().msg.clone();
    assert!(message.contains("exited with status 3") && message.contains("this is the end"), "{message}");
    assert_eq!(json(&outcome, "status"), json!(3));
    assert!(json(&outcome, "container")["Output"].as_str().unwrap().contains("this is the end\n"));
    let info = scene.call("docker_container_info", data! { "name" => scene.name("a") });
    assert_eq!(json(&info, "exists"), json!(false));

    scene.call("docker_container", base.clone());
    let words = ["/app"].into_iter().chain(COMMAND).collect::<Vec<_>>();
    let exec =
        data! { "container" => scene.name("a"), "argv" => words, "env" => data! { "RPLAY_TEST_INSIDE" => "fail" } };
    let outcome = scene.run("docker_container_exec", exec.clone(), Mode::default());
    assert_eq!((json(&outcome, "rc"), json(&outcome, "stderr")), (json!(3), json!("this is the end")));
    assert!(outcome.failure.is_some());
    let exec = with(&exec, data! { "env" => data! { "RPLAY_TEST_INSIDE" => "well" } });
    let outcome = scene.call("docker_container_exec", exec.clone());
    assert_eq!((json(&outcome, "rc"), json(&outcome, "stderr")), (json!(0), json!("")));
    assert!(json(&outcome, "stdout").as_str().unwrap().contains("running 1 test"));
    assert!(scene.call("docker_container_exec", with(&exec, data! { "detach" => true })).data.contains_key("exec_id"));

    let well = with(&base, data! { "detach" => "no", "env" => data! { "RPLAY_TEST_INSIDE" => "well" } });
    assert_eq!(json(&scene.call("docker_container", well), "status"), json!(0));
}

#[test]
fn health_is_waited_for() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("health");
    let image = scene.image("v1", "one");
    let base = with(&scene.container("a", &image), data! { "state" => "healthy" });
    let message = scene.fails("docker_container", base.clone());
    assert!(message.contains("has no health check"), "{message}");
    let health = |retries: u64| {
        let words = ["CMD", "/app", "health_of_a_container", "--exact", "--ignored"];
        data! { "test" => words.to_vec(), "interval" => "200ms", "retries" => retries, "timeout" => "20s" }
    };
    let well = with(&base, data! { "healthcheck" => health(3) });
    let container = json(&scene.call("docker_container", well.clone()), "container");
    assert_eq!(container["State"]["Health"]["Status"], json!("healthy"));
    assert!(!scene.call("docker_container", well).changed);
    let unwell = data! { "healthcheck" => health(1), "env" => data! { "RPLAY_TEST_HEALTH" => "bad" }, "healthy_wait_timeout" => 5 };
    let message = scene.fails("docker_container", with(&base, unwell));
    assert!(message.contains("is unhealthy after") && message.contains("was restored"), "{message}");
    let info = scene.call("docker_container_info", data! { "name" => scene.name("a") });
    assert_eq!(json(&info, "container")["Id"], container["Id"]);
    assert_eq!(json(&info, "container")["State"]["Running"], json!(true));
}

#[test]
fn volumes_keep_their_data_by_default() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("vol");
    let name = scene.name("v");
    let gone = data! { "name" => name.as_str(), "state" => "absent" };
    scene.leftovers.push(("docker_volume", gone.clone()));
    let args = data! { "name" => name.as_str(), "labels" => data! { "a" => "1" } };
    assert_eq!(actions(&scene.call("docker_volume", args.clone())), [format!("create volume {name}")]);
    assert!(!scene.call("docker_volume", args.clone()).changed);
    let other = with(&args, data! { "labels" => data! { "a" => "2" } });
    let kept = scene.call("docker_volume", other.clone());
    assert!(!kept.changed && kept.warnings[0].contains("labels.a changed"), "{:?}", kept.warnings);
    let anew = scene.call("docker_volume", with(&other, data! { "recreate" => "options-changed" }));
    assert_eq!(actions(&anew), [format!("recreate volume {name}: labels.a changed")]);
    assert_eq!(json(&anew, "volume")["Labels"], json!({"a": "2"}));
    assert!(scene.call("docker_volume", gone.clone()).changed);
    assert!(!scene.call("docker_volume", gone).changed);
}

#[test]
fn only_what_nothing_uses_is_pruned() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("prune");
    let image = scene.image("v1", "one");
    let label = scene.name("label");
    let labels = data! { label.as_str() => "1" };
    let stopped = with(&scene.container("stopped", &image), data! { "labels" => labels.clone(), "state" => "present" });
    let running = with(&scene.container("running", &image), data! { "labels" => labels.clone() });
    let volume = data! { "name" => scene.name("v"), "labels" => labels.clone() };
    let network = data! { "name" => scene.name("n"), "labels" => labels };
    for (module, args) in [
        ("docker_container", stopped),
        ("docker_container", running),
        ("docker_volume", volume),
        ("docker_network", network),
    ] {
        scene.call(module, args);
    }
    let only = data! { "label" => label };
    let prune = data! {
        "containers" => true, "containers_filters" => only.clone(), "networks" => true, "networks_filters" => only.clone(),
        "volumes" => true, "volumes_filters" => with(&only, data! { "all" => true }),
    };
    // Docker before version 23 does not have this filter and prunes named volumes, too.
    let prune = match scene.run("docker_prune", prune.clone(), Mode::default()).failure {
        Some(_) => with(&prune, data! { "volumes_filters" => only }),
        None => prune,
    };
    scene.call("docker_prune", prune.clone());
    assert!(!scene.call("docker_prune", prune).changed);
    let exists = |module, of| json(&scene.call(module, data! { "name" => scene.name(of) }), "exists");
    assert_eq!(exists("docker_container_info", "stopped"), json!(false));
    assert_eq!(exists("docker_container_info", "running"), json!(true));
    assert_eq!(exists("docker_volume_info", "v"), json!(false));
    assert_eq!(exists("docker_network_info", "n"), json!(false));
}

/// Debian's docker-registry on a loopback port, with a user `me` and the password `correct horse`.
struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn start(folder: &Path) -> Option<Registry> {
        let port = free_port();
        let htpasswd = folder.join("htpasswd");
        fs::write(&htpasswd, "me:$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n").unwrap();
        let config = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            folder.join("registry").display(),
            htpasswd.display()
        );
        let path = folder.join("registry.yml");
        fs::File::create(&path).and_then(|mut file| file.write_all(config.as_bytes())).unwrap();
        let program = std::env::var("RPLAY_TEST_REGISTRY").unwrap_or_else(|_| "docker-registry".to_owned());
        let process = Command::new(program).arg("serve").arg(path).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let registry = Registry { process: process.ok()?, address: format!("127.0.0.1:{port}") };
        for _ in 0..100 {
            if std::net::TcpStream::connect(&registry.address).is_ok() {
                return Some(registry);
            }
            thread::sleep(Duration::from_millis(50));
        }
        None
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn images_go_to_a_registry_and_come_back_after_a_login() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("registry");
    let Some(registry) = Registry::start(scene.folder.path()) else {
        return println!("skipped: no docker-registry can be started; RPLAY_TEST_REGISTRY may name one");
    };
    let local = scene.image("v1", "one");
    let remote = format!("{}/team/app:v1", registry.address);
    let login = |password: &str| data! { "registry_url" => registry.address.as_str(), "username" => "me", "password" => password };
    let pull = data! { "name" => remote.as_str(), "source" => "pull" };
    let push = data! { "name" => local.as_str(), "source" => "local", "repository" => remote.as_str(), "push" => true };
    scene
        .leftovers
        .push(("docker_image", data! { "name" => remote.as_str(), "state" => "absent", "force_absent" => true }));

    let failure = scene.run("docker_image", push.clone(), Mode::default()).failure.unwrap();
    assert!(failure.help.is_some_and(|help| help.contains("docker_login")), "{}", failure.msg);
    let wrong = scene.run("docker_login", login("wrong horse"), Mode::default()).failure.unwrap();
    assert!(wrong.msg.contains("does not accept me"), "{}", wrong.msg);
    assert!(!wrong.msg.contains("wrong horse"));

    assert!(scene.call("docker_login", login("correct horse")).changed);
    let config = scene.folder.path().join("config.json");
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!scene.call("docker_login", login("correct horse")).changed);
    assert!(scene.call("docker_login", with(&login("correct horse"), data! { "reauthorize" => true })).changed);

    assert_eq!(actions(&scene.call("docker_image", push.clone())), [format!("push image {remote}")]);
    assert!(!scene.call("docker_image", push.clone()).changed, "the registry has it");
    scene.call("docker_image", data! { "name" => remote.as_str(), "state" => "absent" });
    assert_eq!(actions(&scene.call("docker_image", pull.clone())), [format!("pull image {remote}")]);
    assert!(!scene.call("docker_image", pull.clone()).changed);
    assert!(!scene.call("docker_image", with(&pull, data! { "force_source" => true })).changed, "it is up to date");

    assert!(!scene.call("docker_image_pull", data! { "name" => remote.as_str() }).changed);

    // Someone pushes another image under the same name.
    let args = with(&scene.container("a", &remote), data! { "pull" => "always" });
    scene.call("docker_container", args.clone());
    assert!(!scene.call("docker_container", args.clone()).changed);
    let newer = scene.image("v2", "two");
    let push = with(&push, data! { "name" => newer, "force_tag" => true });
    scene.call("docker_image", push);
    let old = data! { "name" => local, "source" => "local", "repository" => remote.as_str(), "force_tag" => true };
    scene.call("docker_image", old);
    let replaced = scene.call("docker_container", args.clone());
    let name = scene.name("a");
    assert_eq!(
        actions(&replaced),
        [format!("pull image {remote}"), format!("recreate container {name}: image changed")]
    );
    assert!(!scene.call("docker_container", args).changed);

    let out = data! { "registry_url" => registry.address.as_str(), "state" => "absent" };
    assert!(scene.call("docker_login", out.clone()).changed);
    assert!(!scene.call("docker_login", out).changed);
    scene.call("docker_container", data! { "name" => name, "state" => "absent" });
    scene.call("docker_image", data! { "name" => remote.as_str(), "state" => "absent", "force_absent" => true });
    assert!(scene.run("docker_image", pull, Mode::default()).failure.is_some());
}

#[test]
fn check_mode_assumes_what_earlier_tasks_would_have_created() {
    let scene = Scene::new("check");
    let nowhere = format!("unix://{}/none.sock", scene.folder.path().display());
    let check = Mode { check: true, ..Mode::default() };
    for (module, args) in [
        ("docker_container", data! { "name" => "a", "image" => "b" }),
        ("docker_image", data! { "name" => "b", "source" => "pull" }),
        ("docker_network", data! { "name" => "n" }),
        ("docker_volume", data! { "name" => "v" }),
    ] {
        let args = with(&args, data! { "docker_host" => nowhere.as_str() });
        let outcome = scene.run(module, args.clone(), check);
        assert!(outcome.changed && outcome.failure.is_none() && !outcome.warnings.is_empty(), "{module}");
        assert!(scene.run(module, args, Mode::default()).failure.is_some(), "{module}");
    }
    for (module, key) in [("docker_container_info", "exists"), ("docker_host_info", "can_talk_to_docker")] {
        let args = data! { "name" => "a", "docker_host" => nowhere.as_str() };
        let outcome = scene.run(module, args.clone(), check);
        assert_eq!((outcome.changed, json(&outcome, key)), (false, json!(false)), "{module}");
        assert!(scene.run(module, args, Mode::default()).failure.is_some(), "{module}");
    }
    if !has_engine() {
        return;
    }
    let network = vec![Value::from(data! { "name" => "rplay-not-there" })];
    let args =
        data! { "name" => scene.name("a"), "image" => "rplay-not-there:v0", "pull" => "never", "networks" => network };
    let outcome = scene.run("docker_container", args.clone(), check);
    assert!(outcome.changed && outcome.failure.is_none() && !outcome.warnings.is_empty());
    assert!(scene.fails("docker_container", args).contains("is not on this host"));
}

#[test]
fn what_a_task_does_not_name_is_neither_compared_nor_lost() {
    if !has_engine() {
        return;
    }
    let mut scene = Scene::new("unnamed");
    let image = scene.image("v1", "one");
    let base = scene.container("a", &image);
    let name = scene.name("a");
    let network = scene.name("n");
    scene.call("docker_network", data! { "name" => network.as_str() });
    scene.leftovers.insert(0, ("docker_network", data! { "name" => network.as_str(), "state" => "absent" }));
    let full = with(
        &base,
        data! {
            "labels" => data! { "role" => "cache" }, "restart_policy" => "on-failure", "restart_retries" => 4,
            "memory" => "64m", "command" => COMMAND.to_vec(), "volumes" => vec!["/tmp:/host-tmp:ro"], "cap_drop" => vec!["NET_RAW"],
            "networks" => vec![Value::from(data! { "name" => network.as_str(), "aliases" => vec!["me"] })],
            "ports" => vec![format!("127.0.0.1:{}:3000", free_port())], "log_options" => data! { "max-size" => "1m" },
        },
    );
    let first = json(&scene.call("docker_container", full.clone()), "container");
    let short = |keys: &[&str]| -> Map {
        let kept = full.iter().filter(|(key, _)| *key == "name" || keys.contains(&key.as_str()));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    for keys in
        [&[][..], &["image"], &["env"], &["image", "labels"], &["restart_policy"], &["memory", "ports"], &["networks"]]
    {
        let outcome = scene.call("docker_container", short(keys));
        assert!(!outcome.changed, "{keys:?}: {:?}", actions(&outcome));
    }

    let replaced = scene.call("docker_container", with(&short(&[]), data! { "working_dir" => "/tmp" }));
    assert_eq!(actions(&replaced), [format!("recreate container {name}: working_dir changed")]);
    let second = json(&replaced, "container");
    assert_ne!(second["Id"], first["Id"]);
    for pointer in [
        "/Config/Env",
        "/Config/Labels/role",
        "/Config/Cmd",
        "/Config/StopSignal",
        "/HostConfig/RestartPolicy",
        "/HostConfig/Memory",
        "/HostConfig/MemorySwap",
        "/HostConfig/Binds",
        "/HostConfig/CapDrop",
        "/HostConfig/PortBindings",
        "/HostConfig/NetworkMode",
        "/HostConfig/LogConfig",
    ] {
        assert_eq!(second.pointer(pointer), first.pointer(pointer), "{pointer}");
    }
    let networks = second["NetworkSettings"]["Networks"].as_object().unwrap();
    assert_eq!(networks.keys().collect::<Vec<_>>(), [&network]);
    assert!(networks[&network]["Aliases"].as_array().unwrap().contains(&json!("me")));
    let whole = scene.call("docker_container", with(&full, data! { "working_dir" => "/tmp" }));
    assert!(!whole.changed, "{:?}", actions(&whole));
}
