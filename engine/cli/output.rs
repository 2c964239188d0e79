//! Standard output and standard error, which may be closed early: `rplay doc | head`.

use std::io::{self, IsTerminal, Write};

use rplay::{source::Problems, syntax::emit};
use serde_json::Value as Json;

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("standard output: {0}")]
struct OutputError(io::Error);

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{0}")]
struct YamlError(String);

/// Writes to standard output. A closed pipe is not an error; a full disk is.
pub(crate) fn show(text: &[u8]) -> Result<(), Problems> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(OutputError(error).into()),
        _ => Ok(()),
    }
}

/// Writes to standard output, ignoring errors.
pub(crate) fn tell(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to standard error, ignoring errors.
pub(crate) fn aside(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A text of at most `most` characters; if it was cut off, it ends with `...`.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// JSON indented by four, as Ansible prints it; without a line break at the end.
pub(crate) fn json(value: &Json) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match serde::Serialize::serialize(value, &mut writer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// Data as YAML in blocks, with sorted keys.
///
/// # Errors
/// If it is nested too deeply.
pub(crate) fn yaml(value: &Json) -> Result<String, Problems> {
    let options = emit::Options { vaults: true, indent: None, ..emit::Options::nice() };
    let value = rplay::vars::from_wire(value.clone().into());
    Ok(emit::to_yaml(&value, &options).map_err(|error| YamlError(error.to_string()))?)
}

/// Shows a text with a pager (a command line) on a terminal, else writes it to standard output.
pub(crate) fn page(text: &[u8], pager: &str) -> Result<(), Problems> {
    let words = shell_words::split(pager).unwrap_or_default();
    let Some((program, args)) = words.split_first().filter(|_| io::stdout().is_terminal()) else { return show(text) };
    let child = std::process::Command::new(program).args(args).stdin(std::process::Stdio::piped()).spawn();
    let Ok(mut child) = child else { return show(text) };
    if let Some(mut pipe) = child.stdin.take() {
        // The user may leave the pager early.
        let _ = pipe.write_all(text);
    }
    let _ = child.wait();
    Ok(())
}
