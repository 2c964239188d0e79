//! Networks and volumes, and what is left of containers.

use rplay_modules::wire::{Map, Mode, Value, data};
use serde_json::json;

use crate::{
    archive::COMMAND,
    has_engine,
    scene::{Scene, actions, free_port, json, with},
};

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

#[test]
fn check_mode_assumes_what_earlier_tasks_would_have_created() {
    let scene = Scene::new("check");
    let nowhere = format!("unix://{}/none.sock", scene.directory.path().display());
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
