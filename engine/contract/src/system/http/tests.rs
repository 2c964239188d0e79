//! How requests interpret a server's responses.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::net::UnixListener,
    thread,
};

use parking_lot::Mutex;

use super::{
    stand_in::{Seen, Server, host, response, serve},
    *,
};

#[test]
fn a_get_with_headers_and_cookies() {
    let server =
        Server::start(|_| response("200 OK", "X-Two-Words: a\r\nSet-Cookie: k=v; Path=/\r\nSet-Cookie: l=w\r\n", "hi"));
    let mut request = Request::get(format!("{}/x?y=1", server.url));
    request.headers.push(("X-Mine".into(), "1".into()));
    let mut response = request.send(&host()).unwrap();
    assert_eq!((response.status, response.reason.as_str(), response.redirected), (200, "OK", false));
    assert_eq!(response.header("x-two-words"), Some("a"));
    assert_eq!(response.cookies, [("k".to_owned(), "v".to_owned()), ("l".to_owned(), "w".to_owned())]);
    assert_eq!(response.content().unwrap(), b"hi");
    assert_eq!(server.last().line, "GET /x?y=1 HTTP/1.1");
    assert!(server.last().headers.contains("x-mine: 1"));
}

#[test]
fn the_reason_is_the_servers_own() {
    let server = Server::start(|seen| match seen.line.contains("/none") {
        true => response("404", "", "HTTP/1.1 200 OK\r\n"),
        false => response("405 METHOD NOT ALLOWED", "", ""),
    });
    assert_eq!(Request::get(server.url.clone()).send(&host()).unwrap().reason, "METHOD NOT ALLOWED");
    assert_eq!(Request::get(format!("{}/none", server.url)).send(&host()).unwrap().reason, "");
}

#[test]
fn what_a_server_compressed_is_decompressed_on_demand() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"hello").unwrap();
    let packed = packed.finish().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = packed.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            assert!(head.contains("accept-encoding: identity"), "{head}");
            let length = sent.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(&[head.as_bytes(), &sent].concat()).unwrap();
        }
    });
    let request = Request::get(url);
    let mut response = request.clone().send(&host()).unwrap();
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(response.content().unwrap(), b"hello");
    let mut response = Request { decompress: false, ..request }.send(&host()).unwrap();
    assert_eq!(response.content().unwrap(), packed);
}

#[test]
fn redirections_change_the_method_and_do_not_forward_secrets() {
    let other = Server::start(|_| response("200 OK", "", "there"));
    let target = other.url.clone();
    let server = Server::start(move |seen| match seen.line.contains("/away") {
        true => response("302 Found", &format!("Location: {target}/z\r\nSet-Cookie: s=1\r\n"), ""),
        false => response("200 OK", "", "stayed"),
    });
    let mut request = Request::get(format!("{}/away", server.url));
    request.method = "POST".into();
    request.body = Some(b"data".to_vec());
    request.login = Some(Login::new("me", "secret"));
    request.force_basic_auth = true;
    let refused = Request { follow: Follow::Safe, ..request.clone() }.send(&host()).unwrap();
    assert_eq!(refused.status, 302);
    let response = Request { follow: Follow::All, ..request }.send(&host()).unwrap();
    assert!(response.redirected && response.url == format!("{}/z", other.url));
    let seen = other.last();
    assert_eq!((seen.line.as_str(), seen.body.as_str()), ("GET /z HTTP/1.1", ""));
    assert!(!seen.headers.contains("authorization"), "{}", seen.headers);
    assert!(server.last().headers.contains("authorization: basic "));
}

#[test]
fn a_login_is_sent_on_request() {
    let server = Server::start(|seen| match seen.headers.contains("authorization: basic bwu6chc=") {
        true => response("200 OK", "", ""),
        false => response("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
    });
    let mut request = Request::get(&server.url);
    request.login = Some(Login::new("me", "pw"));
    assert_eq!(request.send(&host()).unwrap().status, 200);
    assert_eq!(server.seen.lock().len(), 2);
    let wrong = Request { login: Some(Login::new("me", "no")), ..Request::get(&server.url) };
    assert_eq!(wrong.send(&host()).unwrap().status, 401);
}

#[test]
fn a_digest_is_sent_for_each_path() {
    let server = Server::start(|seen| {
        let path = seen.line.split(' ').nth(1).unwrap();
        match seen
            .headers
            .contains(&format!("authorization: digest username=\"me\", realm=\"x\", nonce=\"n\", uri=\"{path}\""))
        {
            true if path == "/old?a=1" => response("302 Found", "Location: /new\r\n", ""),
            true => response("200 OK", "", ""),
            false => {
                response("401 Unauthorized", "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=\"auth\"\r\n", "")
            }
        }
    });
    let mut request = Request::get(format!("{}/old?a=1", server.url));
    request.login = Some(Login::new("me", "pw"));
    assert_eq!(request.send(&host()).unwrap().status, 200);
    assert_eq!(server.seen.lock().len(), 4);
}

#[test]
fn a_body_is_sent_with_any_method() {
    let server = Server::start(|_| response("204 No Content", "", ""));
    for method in ["POST", "PUT", "DELETE", "GET", "PROPFIND"] {
        let mut request = Request::get(&server.url);
        method.clone_into(&mut request.method);
        request.body = Some(b"{}".to_vec());
        request.send(&host()).unwrap();
        assert!(server.last().line.starts_with(method));
        assert_eq!(server.last().body, "{}", "{method}");
    }
}

#[test]
fn a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let seen = Mutex::new(Vec::new());
        serve(listener.accept().unwrap().0, &seen, &|_: &Seen| response("200 OK", "", "over a socket"));
    });
    let mut request = Request::get("http://localhost/version");
    request.unix_socket = Some(path);
    assert_eq!(request.send(&host()).unwrap().content().unwrap(), b"over a socket");
}

#[test]
fn no_answer_is_an_error_with_a_message() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Request::get(format!("http://{closed}/")).send(&host()).err().unwrap();
    assert!(error.to_lowercase().contains("refused"), "{error}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let mut request = Request::get(url);
    request.timeout = Duration::from_millis(300);
    let error = request.send(&host()).err().unwrap();
    assert!(error.contains("timed out"), "{error}");
    assert!(Request::get("http://no-such-host.invalid/").send(&host()).err().unwrap().contains("not known"));
}
