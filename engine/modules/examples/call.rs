//! Carries out one call on this machine and prints its outcome as JSON:
//! `call MODULE '{"name": "value"}' [--check] [--diff]`. For trying modules by hand, without a controller.

use std::{process::ExitCode, sync::Arc};

use rplay_modules::{
    Host, NoBlobs, runner,
    wire::{Call, Map, Mode, Value},
};

fn main() -> ExitCode {
    let mut mode = Mode::default();
    let mut words = Vec::new();
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--check" => mode.check = true,
            "--diff" => mode.diff = true,
            _ => words.push(word),
        }
    }
    let (module, args) = match words.as_slice() {
        [module] => (module.clone(), Map::new()),
        [module, json] => match serde_json::from_str::<serde_json::Value>(json).map(Value::from) {
            Ok(Value::Map(map)) => (module.clone(), map),
            Ok(other) => return usage(&format!("the arguments must be a JSON object, not {}", other.type_name())),
            Err(error) => return usage(&format!("the arguments are not JSON: {error}")),
        },
        _ => return usage("which module?"),
    };
    let call = Call { module, args, mode, environment: Vec::new(), background: None };
    let outcome = runner::run(&call, &Host::new(Vec::new(), Arc::new(NoBlobs)));
    let failure = outcome.failure.as_ref().map(|failure| {
        serde_json::json!({ "msg": failure.msg, "arg": failure.arg, "help": failure.help, "unreachable": failure.unreachable })
    });
    let diff: Vec<_> = outcome
        .diff
        .iter()
        .map(|diff| {
            serde_json::json!({
                "before_header": diff.before_header, "after_header": diff.after_header,
                "before": diff.before, "after": diff.after,
            })
        })
        .collect();
    let shown = serde_json::json!({
        "changed": outcome.changed,
        "skipped": outcome.skipped,
        "failure": failure,
        "diff": diff,
        "data": serde_json::Value::from(&Value::Map(outcome.data)),
        "facts": serde_json::Value::from(&Value::Map(outcome.facts)),
        "warnings": outcome.warnings,
        "micros": outcome.micros,
    });
    println!("{shown:#}");
    if outcome.failure.is_some() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

fn usage(error: &str) -> ExitCode {
    eprintln!("{error}\nusage: call MODULE '{{\"argument\": \"value\"}}' [--check] [--diff]");
    ExitCode::from(64)
}
