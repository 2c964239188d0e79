//! Containers.

use std::process::Command;

use rplay_contract::module_result::UNKNOWN_ERROR;
use rplay_modules::wire::{Mode, Outcome, data};
use serde_json::json;

use crate::{
    archive::COMMAND,
    has_engine,
    scene::{Scene, actions, free_port, json, with},
};

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
    assert_eq!((json(&outcome, "changed"), outcome.failure.unwrap().msg.as_str()), (json!(true), UNKNOWN_ERROR));
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
