use std::fs;

use super::*;
use crate::{
    runner::tests::{call, checked},
    stand_in::{Server, response},
};

fn args(url: &str) -> Map {
    data! { "url" => url, "use_proxy" => false, "use_netrc" => false }
}

fn with(url: &str, more: Map) -> Map {
    let mut args = args(url);
    args.extend(more);
    args
}

#[test]
fn json_comes_back_as_a_structure() {
    let server = Server::start(|_| {
        response("200 OK", "Content-Type: application/json; charset=utf-8\r\nX-Rate-Limit: 5\r\n", r#"{"a": [1, "b"]}"#)
    });
    let done = call("uri", args(&server.url));
    assert!(!done.changed && done.failure.is_none(), "{done:?}");
    assert_eq!(done.data["json"], data! { "a" => Value::List(vec![1.into(), "b".into()]) }.into());
    assert_eq!(done.data["x_rate_limit"], "5".into());
    assert_eq!(done.data["content_type"], "application/json; charset=utf-8".into());
    assert_eq!(done.data["msg"], "OK (15 bytes)".into());
    assert!(!done.data.contains_key("content"));
    let kept = call("uri", with(&server.url, data! { "return_content" => true }));
    assert_eq!(kept.data["content"], r#"{"a": [1, "b"]}"#.into());
    assert!(server.last().headers.contains("user-agent: ansible-httpget"));
}

#[test]
fn an_unexpected_status_is_a_failure_with_all_its_data() {
    let server =
        Server::start(|_| response("503 Service Unavailable", "Content-Type: application/json\r\n", r#"{"e":1}"#));
    let done = call("uri", args(&server.url));
    assert_eq!(done.failure.unwrap().msg, "Status code was 503 and not [200]: HTTP Error 503: Service Unavailable");
    assert_eq!((&done.data["status"], &done.data["json"]), (&503.into(), &data! { "e" => 1 }.into()));
    let wanted = call("uri", with(&server.url, data! { "status_code" => "200, 503" }));
    assert!(wanted.failure.is_none());
    let none = call("uri", args("http://127.0.0.1:1/"));
    assert!(none.failure.unwrap().msg.starts_with("Status code was -1 and not [200]: Request failed: "));
    assert_eq!(none.data["status"], (-1).into());
}

#[test]
fn bodies() {
    let server = Server::start(|_| response("200 OK", "", ""));
    let send = |more: Map| {
        let done = call("uri", with(&server.url, more));
        assert!(done.failure.is_none(), "{:?}", done.failure);
        server.last()
    };
    let body = || data! { "name" => "ä b", "ids" => vec![1, 2] };
    let seen = send(data! { "method" => "POST", "body" => body(), "body_format" => "json" });
    assert_eq!(seen.body, r#"{"name": "\u00e4 b", "ids": [1, 2]}"#);
    assert!(seen.headers.contains("content-type: application/json"));
    let seen = send(data! { "method" => "POST", "body" => body(), "body_format" => "form-urlencoded" });
    assert_eq!(seen.body, "name=%C3%A4+b&ids=1&ids=2");
    let seen =
        send(data! { "method" => "PUT", "body" => "as it is", "headers" => data! { "Content-Type" => "text/x" } });
    assert_eq!(seen.body, "as it is");
    assert!(seen.headers.contains("content-type: text/x"));
    let seen = send(data! { "method" => "post", "body" => "as it is" });
    assert!(seen.line.starts_with("POST ") && seen.headers.contains("content-type: application/x-www-form-urlencoded"));
    let seen = send(data! { "method" => "POST", "body_format" => "form-multipart", "body" => data! {
        "text" => "plain", "file" => data! { "content" => "data", "filename" => "dir/f.bin", "mime_type" => "image/x" },
    } });
    assert!(seen.body.contains("name=\"text\"\r\nContent-Type: text/plain\r\n\r\nplain\r\n--rplay-"), "{}", seen.body);
    assert!(seen.body.contains("filename=\"f.bin\"\r\nContent-Type: image/x\r\n\r\ndata\r\n"), "{}", seen.body);
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("f.txt");
    fs::write(&text, "line\n".repeat(12)).unwrap();
    let seen = send(data! { "method" => "POST", "src" => paths::text(&text), "body_format" => "json" });
    assert!(seen.headers.contains("content-type: application/json"), "{}", seen.headers);
    let file = |encoding: &str| {
        let part = data! { "filename" => paths::text(&text), "multipart_encoding" => encoding };
        data! { "method" => "POST", "body_format" => "form-multipart", "body" => data! { "file" => part } }
    };
    let seen = send(file("base64"));
    let lines = format!("bGluZQpsaW5lCmxpbmUK{}\r\n", "bGluZQpsaW5lCmxpbmUK".repeat(2) + "bGluZQpsaW5lCmxp");
    let head = "filename=\"f.txt\"\r\nContent-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\n";
    assert!(seen.body.contains(&format!("{head}{lines}bmUK\r\n\r\n--rplay-")), "{}", seen.body);
    let seen = send(file("7or8bit"));
    assert!(seen.body.contains(&format!("{}{}\r\n--rplay-", head.replace("base64", "7bit"), "line\r\n".repeat(12))));
    let told = call("uri", with(&server.url, file("other"))).failure.unwrap();
    assert!(told.msg.starts_with("multipart_encoding must be one of"), "{}", told.msg);
    let args = data! { "method" => "POST", "body_format" => "form-multipart", "body" => data! { "a" => 1 } };
    let told = call("uri", with(&server.url, args)).failure.unwrap();
    let why = "value must be a string, or mapping, cannot be type int";
    assert_eq!(told.msg, format!("failed to parse body as form-multipart: {why}"));
    for (item, why) in [
        (vec!["a", "b", "c"].into(), "too many values to unpack (expected 2)"),
        (vec!["a"].into(), "not enough values to unpack (expected 2, got 1)"),
        (Value::from("a"), "not enough values to unpack (expected 2, got 1)"),
        (5.into(), "cannot unpack non-iterable int object"),
    ] {
        let args = data! { "method" => "POST", "body" => vec![item], "body_format" => "form-urlencoded" };
        let told = call("uri", with(&server.url, args)).failure.unwrap();
        assert_eq!(told.msg, format!("failed to parse body as form_urlencoded: {why}"));
    }
    let wrong = call("uri", with(&server.url, data! { "method" => "POST", "body" => body() }));
    assert!(wrong.failure.unwrap().help.unwrap().contains("body_format"));
}

#[test]
fn a_file_is_kept_and_fetching_it_is_a_change() {
    let server = Server::start(|_| response("200 OK", "", "content"));
    let directory = tempfile::tempdir().unwrap();
    let url = format!("{}/f.txt", server.url);
    let args = || with(&url, data! { "dest" => paths::text(directory.path()) });
    let done = call("uri", args());
    assert!(done.changed && done.failure.is_none(), "{done:?}");
    assert_eq!(fs::read_to_string(directory.path().join("f.txt")).unwrap(), "content");
    assert!(call("uri", args()).changed);
}

/// A file that is there is asked for only if it has changed since; `force` asks for it in any case.
#[test]
fn a_file_that_is_there_is_fetched_if_it_is_older() {
    let server = Server::start(|seen| match seen.headers.contains("if-modified-since") {
        true => response("304 Not Modified", "", ""),
        false => response("200 OK", "", "new"),
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, "old").unwrap();
    let fetched = |more: Map| {
        let mut args = data! { "dest" => paths::text(&file), "status_code" => vec![Value::from(200), 304.into()] };
        args.extend(more);
        call("uri", with(&server.url, args))
    };
    let kept = fetched(data! {});
    assert!(!kept.changed && kept.data["status"] == 304.into(), "{kept:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert!(fetched(data! { "force" => true }).changed);
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
}

#[test]
fn check_mode_and_creates_send_nothing() {
    let server = Server::start(|_| response("200 OK", "", ""));
    let checked = checked("uri", with(&server.url, data! { "method" => "DELETE" }));
    assert!(checked.skipped.is_some() && !checked.changed);
    assert!(!call("uri", with(&server.url, data! { "creates" => "/etc/passwd" })).changed);
    assert!(!call("uri", with(&server.url, data! { "removes" => "/nonexistent" })).changed);
    assert!(server.seen.lock().is_empty());
    // No pattern.
    call("uri", with(&server.url, data! { "creates" => "/etc/passw*" }));
    assert!(!server.seen.lock().is_empty());
}

#[test]
fn the_server_names_the_file() {
    let header = "Content-Disposition: attachment; filename=\"../named.txt\"\r\n";
    let server = Server::start(move |_| response("200 OK", header, "x"));
    let directory = tempfile::tempdir().unwrap();
    let done = call("uri", with(&server.url, data! { "dest" => paths::text(directory.path()) }));
    assert_eq!(done.data["path"], paths::text(directory.path().join("named.txt")).into());
}
