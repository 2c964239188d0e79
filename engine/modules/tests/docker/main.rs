//! The docker modules against a real Engine. Without one the tests say so and pass, unless RPLAY_TEST_DOCKER=1 demands
//! it. The image they use holds this very program, which is static.

mod archive;
mod containers;
mod images;
mod scene;
mod surroundings;

use std::{os::unix::net::UnixStream, thread, time::Duration};

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
