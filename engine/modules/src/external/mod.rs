//! Modules that rplay does not implement: files in Python or any other language, sent by the controller.
//!
//! The arguments of a call to [`MODULE`] describe what to run and how ([`Order`]). Python modules that use
//! `ansible.module_utils` run in a fork of a warm process ([`runner`]); all others are programs that get a file with
//! arguments ([`program`]). [`result`] converts their output to an outcome.

mod interpreter;
mod program;
mod result;
mod runner;
mod settings;
mod store;

use rplay_contract::external::CONTENT;
pub use rplay_contract::external::{MODULE, Order, Style};
use rplay_wire::{Call, Failure, Map, Outcome, Value, data};

use crate::Host;

/// The output of a module, and its exit status.
struct Ended {
    rc: i64,
    stdout: String,
    stderr: String,
    /// A message if its output was truncated.
    excess: Option<String>,
}

/// Runs the module of a call.
pub(crate) fn run(call: &Call, host: &Host) -> Outcome {
    let order = match Order::read(&call.args) {
        Ok(order) => order,
        Err(failure) => return Outcome::failed(failure),
    };
    let mut found = Map::new();
    let ended = match order.style {
        Style::Python => runner::run(&order, call.mode, host, &mut found),
        _ => program::run(&order, call.mode, host, &mut found),
    };
    let mut outcome = match ended {
        Ok(ended) => result::outcome(&order, ended),
        Err(failure) => Outcome::failed(failure),
    };
    for (name, value) in found {
        outcome.facts.entry(name).or_insert(value);
    }
    // Later tasks may read its facts.
    outcome.holds_up = !outcome.facts.is_empty();
    outcome
}

/// The same call with all content inlined: for a background job, which cannot ask the controller.
///
/// # Errors
/// If the content cannot be fetched or read.
pub fn with_content(call: &Call, host: &Host) -> Result<Call, Failure> {
    let mut call = call.clone();
    for name in CONTENT {
        if let Some(value @ Value::Blob(_)) = call.args.get_mut(*name) {
            let path = store::path_of(value, host)?;
            *value = Value::Bytes(crate::system::regular::read(path)?);
        }
    }
    Ok(call)
}

/// The fact about the discovered Python.
fn discovered(path: &str) -> Map {
    data! { "discovered_interpreter_python" => path }
}
