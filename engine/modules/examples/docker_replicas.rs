//! Measures docker_container against a bare loop over the Engine's API: IMAGE COUNT PARALLEL.
//!
//! Both make and start COUNT containers, PARALLEL at a time, on kept-alive connections; then the module
//! runs again (nothing may change) and everything is removed.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use rplay_modules::{
    Host, NoBlobs, runner,
    wire::{Call, Map, Mode, Value, data},
};

const SOCKET: &str = "/var/run/docker.sock";

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [image, count, parallel] = words.as_slice() else {
        eprintln!("usage: docker_replicas IMAGE COUNT PARALLEL");
        std::process::exit(2);
    };
    let (count, parallel): (usize, usize) = (count.parse().expect("a number"), parallel.parse().expect("a number"));
    let remove = |name: &str| module(data! { "name" => name, "state" => "absent", "force_kill" => true });

    measure("bare loop", count, parallel, |index, connection| {
        let stream = connection.get_or_insert_with(|| UnixStream::connect(SOCKET).expect("an Engine"));
        let port = 20_000 + index;
        let body = format!(
            r#"{{"Image":"{image}","Env":["INDEX={index}"],"HostConfig":{{"PortBindings":{{"3000/tcp":[{{"HostPort":"{port}"}}]}},"RestartPolicy":{{"Name":"unless-stopped"}}}}}}"#
        );
        request(stream, &format!("/v1.41/containers/create?name=bare-{index}"), &body);
        request(stream, &format!("/v1.41/containers/bare-{index}/start"), "");
        true
    });
    measure("remove", count, parallel, |index, _| remove(&format!("bare-{index}")));

    let wanted = |index: usize| {
        data! {
            "name" => format!("replica-{index}"), "image" => image.as_str(),
            "env" => data! { "INDEX" => index.to_string() },
            "ports" => vec![format!("{}:3000", 20_000 + index)], "restart_policy" => "unless-stopped",
        }
    };
    let made = measure("docker_container", count, parallel, |index, _| module(wanted(index)));
    let again = measure("the same again", count, parallel, |index, _| module(wanted(index)));
    measure("remove", count, parallel, |index, _| remove(&format!("replica-{index}")));
    println!("changed: {made} of {count}, then {again}");
}

/// Runs `one` for each index, some at a time; says how long it took and how many changed something.
fn measure(
    what: &str,
    count: usize,
    parallel: usize,
    one: impl Fn(usize, &mut Option<UnixStream>) -> bool + Sync,
) -> usize {
    let (begun, next, changed) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..parallel {
            scope.spawn(|| {
                let mut connection = None;
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= count {
                        return;
                    }
                    if one(index, &mut connection) {
                        changed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    println!("{what}: {:.2} s", begun.elapsed().as_secs_f64());
    changed.into_inner()
}

fn module(args: Map) -> bool {
    let host = Host::new(Vec::new(), Arc::new(NoBlobs));
    let call = Call {
        module: "docker_container".into(),
        args,
        mode: Mode::default(),
        environment: Vec::new(),
        background: None,
    };
    let outcome = runner::run(&call, &host);
    if let Some(failure) = outcome.failure {
        eprintln!("{failure}");
        std::process::exit(1);
    }
    debug_assert!(!matches!(outcome.data.get("container"), Some(Value::Null)));
    outcome.changed
}

/// One POST; the response's length is all that is looked at.
fn request(stream: &mut UnixStream, path: &str, body: &str) {
    let head = "Host: d\r\nContent-Type: application/json";
    let text = format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).expect("an Engine");
    let mut response = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).expect("a response");
        response.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&response);
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
            assert!(head.starts_with("HTTP/1.1 20"), "{text}");
            if rest.len() >= length.unwrap_or(0) {
                return;
            }
        }
    }
}
