//! Tests the client against a fake Engine.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::json;

use super::*;
use crate::{Args, NoBlobs};

/// An Engine with fixed responses, by the first line of a request; counts connections.
fn fake(
    directory: &Path,
    answer: impl Fn(&str, &str) -> String + Send + Sync + 'static,
) -> (EngineArgs, Arc<AtomicUsize>) {
    let path = directory.join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let (connections, answer) = (count.clone(), Arc::new(answer));
    thread::spawn(move || {
        for stream in listener.incoming() {
            connections.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            thread::spawn(move || serve(stream.unwrap(), &*answer));
        }
    });
    let args = rplay_wire::data! { "docker_host" => format!("unix://{}", path.display()), "timeout" => 2 };
    (EngineArgs::from_map(&args).unwrap(), count)
}

fn serve(mut stream: std::os::unix::net::UnixStream, answer: &dyn Fn(&str, &str) -> String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let first = head[0].trim_end_matches(" HTTP/1.1");
        let text = match first {
            "GET /_ping" => plain("200 OK\r\nApi-Version: 1.41", "OK"),
            first => answer(first, &String::from_utf8(body).unwrap()),
        };
        if text.is_empty() {
            return;
        }
        stream.write_all(text.as_bytes()).unwrap();
        if first.ends_with("/last") {
            return;
        }
    }
}

fn plain(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn chunked(pieces: &[&str]) -> String {
    let body: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n")
}

fn host() -> Host {
    Host::new(Vec::new(), Arc::new(NoBlobs))
}

#[test]
fn one_connection_serves_many_requests_whatever_their_answers() {
    let directory = tempfile::tempdir().unwrap();
    let (args, connections) = fake(directory.path(), |request, body| match request {
        "GET /v1.41/containers/a/json" => chunked(&["{\"Id\"", ": \"1\"}"]),
        "GET /v1.41/containers/b/json" => plain("404 Not Found", r#"{"message":"No such container: b"}"#),
        "POST /v1.41/containers/create?name=a%20b" => plain("201 Created", body),
        "POST /v1.41/containers/a/start" => "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        "POST /v1.41/containers/a/stop" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "DELETE /v1.41/containers/a" => plain("409 Conflict", r#"{"message":"it runs"}"#),
        "GET /v1.41/broken" => plain("500 Internal Server Error", "no json"),
        other => panic!("unexpected: {other}"),
    });
    for _ in 0..3 {
        let engine = Engine::reach(&host(), &args).unwrap();
        assert_eq!(engine.get("/containers/a/json").unwrap(), json!({"Id": "1"}));
        assert_eq!(engine.find("/containers/b/json").unwrap(), None);
        let made = engine.request("POST", "/containers/create").query("name", "a b").body(&json!({"Image": "ü"}));
        assert_eq!(made.json().unwrap(), json!({"Image": "ü"}));
        engine.act("/containers/a/start").unwrap();
        engine.act("/containers/a/stop").unwrap();
        let error = engine.request("DELETE", "/containers/a").json().unwrap_err();
        assert!(error.is_conflict());
        assert_eq!(Failure::from(error).msg, "it runs");
        assert_eq!(engine.get("/broken").unwrap_err().to_string(), "no json");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_connection_that_the_engine_has_closed_is_not_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let (args, connections) = fake(directory.path(), |request, _| match request {
        "GET /v1.41/bye" => plain("200 OK\r\nConnection: close", "{}"),
        _ => plain("200 OK", "[]"),
    });
    let engine = Engine::reach(&host(), &args).unwrap();
    assert_eq!(engine.get("/bye").unwrap(), json!({}));
    assert_eq!(engine.get("/next").unwrap(), json!([]));
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    // The connection is closed, as when the Engine is restarted.
    assert_eq!(engine.get("/last").unwrap(), json!([]));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(engine.get("/next").unwrap(), json!([]));
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[test]
fn an_error_in_the_middle_of_progress_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (args, _) = fake(directory.path(), |request, _| match request {
        "POST /v1.41/good" => chunked(&["{\"status\":\"Pul", "ling\"}\r\n{\"status\":\"Done\"}\r\n"]),
        _ => chunked(&["{\"status\":\"Pulling\"}\r\n", r#"{"errorDetail":{"message":"toomanyrequests"},"error":"x"}"#]),
    });
    let engine = Engine::reach(&host(), &args).unwrap();
    let mut seen = Vec::new();
    let each = |message: &Json| seen.push(message["status"].clone());
    engine.request("POST", "/good").send().unwrap().progress(each).unwrap();
    assert_eq!(seen, ["Pulling", "Done"]);
    let error = engine.request("POST", "/bad").send().unwrap().progress(|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "toomanyrequests");
}

#[test]
fn answers_that_are_cut_short_or_never_come_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let (args, _) = fake(directory.path(), |request, _| match request {
        "GET /v1.41/half" => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}".to_owned(),
        "GET /v1.41/hangs" => {
            thread::sleep(Duration::from_secs(20));
            String::new()
        }
        _ => String::new(),
    });
    let engine = Engine::reach(&host(), &args).unwrap();
    assert!(engine.get("/half").unwrap_err().to_string().contains("is incomplete"));
    assert!(engine.get("/gone").unwrap_err().to_string().contains("is incomplete"));
    assert!(engine.get("/hangs").unwrap_err().to_string().contains("no response within 2 s"));
}

#[test]
fn a_missing_engine_is_a_failure_but_not_in_check_mode() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix://{}/none.sock", directory.path().display());
    let args = EngineArgs::from_map(&rplay_wire::data! { "docker_host" => address.as_str() }).unwrap();
    let mut host = host();
    let failure = Engine::reach(&host, &args).unwrap_err();
    assert!(failure.msg.starts_with(&format!("no Docker Engine responds at {address}")), "{}", failure.msg);
    assert!(failure.help.is_some());
    host.check = true;
    assert!(Engine::reach_softly(&host, &args).unwrap().is_none());
}

#[test]
fn versions_are_asked_for_and_compared_as_numbers() {
    assert!(Version::parse("1.9") < Version::parse("1.41"));
    assert_eq!(Version::parse("1.x"), None);
    let directory = tempfile::tempdir().unwrap();
    let (mut args, _) = fake(directory.path(), |request, _| plain("200 OK", &json!(request).to_string()));
    args.api_version = Some("1.30".to_owned());
    assert_eq!(Engine::reach(&host(), &args).unwrap().get("/x").unwrap(), json!("GET /v1.30/x"));
    args.api_version = Some("1.20".to_owned());
    assert!(Engine::reach(&host(), &args).is_err());
    args.api_version = Some("new".to_owned());
    assert_eq!(Engine::reach(&host(), &args).unwrap_err().arg.as_deref(), Some("api_version"));
}
