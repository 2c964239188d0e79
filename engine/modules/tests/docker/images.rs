//! Images, and a registry for them.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rplay_modules::wire::{Mode, data};

use crate::{
    has_engine,
    scene::{Scene, actions, free_port, with},
};

/// Debian's docker-registry on a loopback port, with a user `me` and the password `correct horse`.
struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn start(directory: &Path) -> Option<Registry> {
        let port = free_port();
        let htpasswd = directory.join("htpasswd");
        fs::write(&htpasswd, "me:$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n").unwrap();
        let config = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            directory.join("registry").display(),
            htpasswd.display()
        );
        let path = directory.join("registry.yml");
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
    let Some(registry) = Registry::start(scene.directory.path()) else {
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
    let config = scene.directory.path().join("config.json");
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
