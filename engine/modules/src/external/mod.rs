//! Modules that are not rplay's own: files in Python or any other language, which the controller sends.
//!
//! A call to [`MODULE`] says in its arguments what is to be run and how ([`Order`]). Python modules that use
//! `ansible.module_utils` run in a process that is forked from a warm one ([`runner`]); whatever else is a program that
//! gets a file of arguments ([`program`]). What they print becomes an outcome in [`result`].

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

/// What a module printed, and how it ended.
struct Ended {
    rc: i64,
    stdout: String,
    stderr: String,
    /// What was cut of its output, in words.
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
        Ok(ended) => result::outcome(&order, call.mode, ended),
        Err(failure) => Outcome::failed(failure),
    };
    for (name, value) in found {
        outcome.facts.entry(name).or_insert(value);
    }
    // What it says of the host may be read by any task after it.
    outcome.holds_up = !outcome.facts.is_empty();
    outcome
}

/// The same call with the content that it needs within it: for a job, which goes on when nobody can be asked any more.
///
/// # Errors
/// The content cannot be had or read.
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

/// The fact that says which Python was found.
fn discovered(path: &str) -> Map {
    data! { "discovered_interpreter_python" => path }
}
