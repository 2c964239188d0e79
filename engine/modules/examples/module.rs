//! Runs one module here, to try it out: `cargo run --example module -- stat '{"path": "/etc"}' [--check]`.

use std::{process::ExitCode, sync::Arc};

use rplay_modules::{
    Host, NoBlobs, runner,
    wire::{Call, Diff, Map, Mode, Value},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (check, words): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|word| word == "--check");
    let [module, args] = words.as_slice() else {
        eprintln!("usage: module NAME JSON [--check]");
        return ExitCode::FAILURE;
    };
    let args = match serde_json::from_str::<serde_json::Value>(args).map(Value::from) {
        Ok(Value::Map(args)) => args,
        Ok(_) => Map::new(),
        Err(error) => {
            eprintln!("the arguments are no JSON: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mode = Mode { check: !check.is_empty(), diff: true };
    let host = Host::new(Vec::new(), Arc::new(NoBlobs));
    let outcome = runner::run(&Call { module: module.clone(), args, mode, environment: Vec::new() }, &host);
    let mut shown = outcome.data;
    shown.insert("changed".to_owned(), outcome.changed.into());
    shown.insert("failed".to_owned(), outcome.failure.is_some().into());
    if let Some(failure) = outcome.failure {
        shown.insert("msg".to_owned(), failure.msg.into());
    }
    if let Some(skipped) = outcome.skipped {
        shown.insert("skipped".to_owned(), skipped.into());
    }
    if !outcome.facts.is_empty() {
        let facts = outcome.facts.into_iter().map(|(key, value)| (format!("ansible_{key}"), value));
        shown.insert("ansible_facts".to_owned(), Value::Map(facts.collect()));
    }
    let diff = |diff: Diff| Value::from(vec![diff.before, diff.after]);
    shown.insert("diff".to_owned(), Value::List(outcome.diff.into_iter().map(diff).collect()));
    println!("{:#}", serde_json::Value::from(&Value::Map(shown)));
    ExitCode::SUCCESS
}
