//! HTTP: one thread listens and answers pings; what waits for MySQL or hashes a password goes to a few threads that
//! exist only while there is work.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::envelope::wrong;
use crate::input::Input;
use crate::routes::{Service, known};

const BODY: usize = 1 << 20;
/// nginx keeps idle connections for 60 s: whoever closes first must not be us.
const KEPT: Duration = Duration::from_secs(75);

/// As the real service: SIGTERM ends it, whatever is under way. As process 1 it would otherwise not even be told.
pub fn end_at_once_when_told() {
    extern "C" fn end(signal: libc::c_int) {
        unsafe { libc::_exit(128 + signal) }
    }
    for number in [libc::SIGTERM, libc::SIGINT] {
        unsafe { libc::signal(number, end as *const () as libc::sighandler_t) };
    }
}

pub fn serve(port: &str, service: Arc<Service>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .thread_stack_size(512 * 1024)
        .thread_keep_alive(Duration::from_secs(5))
        .build()
        .map_err(|why| why.to_string())?;
    runtime.block_on(listen(port, service)).map_err(|why| format!("{port}: {why}"))
}

async fn listen(port: &str, service: Arc<Service>) -> std::io::Result<()> {
    let address = if port.starts_with(':') { format!("0.0.0.0{port}") } else { port.to_string() };
    let address: SocketAddr = address.parse().map_err(|_| std::io::Error::other("HttpPort is no :PORT"))?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    service.journal.write("info", &format!("listening on {port}"));
    if let Some(after) = service.knobs.crash_after {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            eprintln!("todo: CRASH_AFTER has come");
            std::process::exit(70);
        });
    }
    let tidy = service.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            tidy.store.close_idle();
        }
    });

    let (ending, told) = watch::channel(());
    let Some(grace) = service.knobs.grace else {
        loop {
            accept(&listener, &service, &told).await;
        }
    };
    let mut asked = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = accept(&listener, &service, &told) => {}
            _ = asked.recv() => break,
        }
    }
    drop(listener);
    drop(told);
    let _ = ending.send(());
    // Every connection holds a receiver until it has given its last answer.
    let _ = tokio::time::timeout(grace, ending.closed()).await;
    Ok(())
}

async fn accept(listener: &tokio::net::TcpListener, service: &Arc<Service>, told: &watch::Receiver<()>) {
    let Ok((stream, _)) = listener.accept().await else {
        // Out of file descriptors, most likely: without a pause this would spin.
        tokio::time::sleep(Duration::from_millis(50)).await;
        return;
    };
    let _ = stream.set_nodelay(true);
    let (service, mut told) = (service.clone(), told.clone());
    tokio::spawn(async move {
        let answers = hyper::service::service_fn(move |request| respond(service.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(KEPT)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), answers);
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = told.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    });
}

async fn respond(service: Arc<Service>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let begun = Instant::now();
    let (method, path) = (request.method().to_string(), request.uri().path().to_string());
    if !service.knobs.slow.is_zero() {
        tokio::time::sleep(service.knobs.slow).await;
    }
    let (code, body) = if !known(&method, &path) {
        (404, None)
    } else if path == "/api/v1/ping" {
        let code = if service.knobs.fail_ready { 503 } else { 200 };
        (code, serde_json::to_string(&service.hostname).ok())
    } else {
        let answer = work(service.clone(), path.clone(), request).await;
        (answer.code, Some(answer.body))
    };
    let took = begun.elapsed().as_millis();
    service.journal.write("info", &format!("{method} {path} {code} {took}ms"));

    let kind = if body.is_some() { "application/json; charset=utf-8" } else { "text/plain" };
    let text = body.unwrap_or_else(|| "404 page not found".to_string());
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(version) = HeaderValue::from_str(&service.knobs.version) {
        response.headers_mut().insert("x-todo-version", version);
    }
    Ok(response)
}

async fn work(service: Arc<Service>, path: String, request: Request<Incoming>) -> crate::envelope::Answer {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
    let token = header(AUTHORIZATION).to_string();
    let is_json = header(CONTENT_TYPE).starts_with("application/json");
    let query = request.uri().query().unwrap_or("").to_string();
    let is_get = request.method() == "GET";
    let Ok(body) = Limited::new(request.into_body(), BODY).collect().await else {
        return wrong("the body is cut short or too long");
    };
    let body = body.to_bytes();
    let done = tokio::task::spawn_blocking(move || {
        let input = match (is_get, is_json) {
            (true, _) => Ok(Input::form(query.as_bytes())),
            (false, true) => Input::json(&body),
            (false, false) => Ok(Input::form(&body)),
        };
        service.answer(&path, &token, input)
    });
    done.await.unwrap_or_else(|why| crate::envelope::failed(&why.to_string()))
}
