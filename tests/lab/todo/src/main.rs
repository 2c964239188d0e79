//! Stands in for the todo service: the same face to the outside, real MySQL and Redis behind it, and knobs to misbehave
//! by. Starts as the real one does, and gives up when it cannot.

mod config;
mod counters;
mod date;
mod envelope;
mod input;
mod journal;
mod knobs;
mod names;
mod routes;
mod serve;
mod store;
mod token;

use std::process::ExitCode;
use std::sync::Arc;

use config::Config;
use journal::Journal;
use knobs::Knobs;
use routes::Service;

fn main() -> ExitCode {
    let knobs = Knobs::from_env();
    if knobs.grace.is_none() {
        serve::end_at_once_when_told();
    }
    match start(knobs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("todo: {why}");
            ExitCode::FAILURE
        }
    }
}

fn start(knobs: Knobs) -> Result<(), String> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "config/config.ini".into());
    let text = std::fs::read_to_string(&path).map_err(|why| format!("{path}: {why}"))?;
    let config = Config::parse(&text).map_err(|why| format!("{path}: {why}"))?;
    let hostname = names::own();
    let journal = Journal::new("logs", &hostname);
    std::thread::sleep(knobs.start_delay);

    let give_up = |what: &str, why: String| {
        let line = format!("cannot use {what}: {why}");
        journal.write("error", &line);
        line
    };
    let store = store::Store::open(&config.mysql).map_err(|why| give_up("MySQL", why))?;
    let counters = counters::Counters::open(&config.redis).map_err(|why| give_up("Redis", why))?;
    let key = std::env::var("JWT_SECRET").unwrap_or_default();
    if key.is_empty() {
        journal.write("warning", "JWT_SECRET is empty: anybody can make a token");
    }
    // Each request is a line of the journal; this one is for whoever asks Docker.
    let ready = if knobs.fail_ready { ", never ready (FAIL_READY)" } else { "" };
    eprintln!("todo: listening on {}{ready}", config.http_port);
    let service = Arc::new(Service { hostname, key, knobs, store, counters, journal });
    serve::serve(&config.http_port, service)
}
