//! Content in diffs.

use std::{
    fs::{self, Metadata},
    io,
    path::PathBuf,
};

use rplay_wire::{Diff, Map};

use crate::{
    Change, Host,
    io_failure::io_failure,
    system::{paths, regular},
};

/// Maximum size in bytes of content in a diff.
pub const MAX_DIFF: u64 = 104_448;
/// The header of content that is not shown because it is no text ...
pub const BINARY: &str = "diff skipped: the content is binary";
/// ... and how it begins if it is too long.
pub const LONG: &str = "diff skipped: the content is longer than ";

/// The removal of a file, with its content in the diff.
pub fn removal(path: PathBuf) -> Change {
    let shown = paths::text(&path);
    let held = readable(fs::metadata(&path), || regular::read(&path)).unwrap_or_default();
    let diff = Diff { before: held, before_header: shown.clone(), after_header: shown.clone(), ..Diff::default() };
    let remove =
        move |_: &Host, _: &mut Map| fs::remove_file(&path).map_err(|error| io_failure("remove", &path, &error));
    Change::new(format!("remove {shown}"), remove).diff(diff)
}

/// The text of a file with this metadata, or why it is not shown.
pub(super) fn readable(
    meta: io::Result<Metadata>,
    read: impl FnOnce() -> io::Result<Vec<u8>>,
) -> Result<String, String> {
    match meta {
        Ok(meta) if meta.len() > MAX_DIFF => Err(too_long()),
        _ => read().map_err(|error| format!("diff skipped: {error}")).and_then(as_text),
    }
}

pub(super) fn as_text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.contains(&0) {
        return Err(BINARY.to_owned());
    }
    String::from_utf8(bytes).map_err(|_| BINARY.to_owned())
}

pub(super) fn too_long() -> String {
    format!("{LONG}{MAX_DIFF} bytes")
}
