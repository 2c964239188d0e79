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

/// The header of content that is not shown because it is no text ...
const BINARY: &str = "diff skipped: the content is binary";
/// ... and how it begins if it is too long.
const LONG: &str = "diff skipped: the content is longer than ";
/// The header of a difference that a program formatted.
const PREPARED: &str = "diff prepared";

/// Why a side of a diff is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unshown {
    /// It is no text.
    Binary,
    /// It is longer than this many bytes ([`Host::max_diff`]).
    Long(u64),
}

impl Unshown {
    /// The reason in the header of a side of a diff; `None` if the header names what is shown.
    pub fn of(header: &str) -> Option<Unshown> {
        match header {
            BINARY => Some(Unshown::Binary),
            long => long.strip_prefix(LONG)?.strip_suffix(" bytes")?.parse().ok().map(Unshown::Long),
        }
    }

    /// The header of a side that is not shown for this reason; [`Unshown::of`] reads it.
    pub fn header(self) -> String {
        match self {
            Unshown::Binary => BINARY.to_owned(),
            Unshown::Long(most) => format!("{LONG}{most} bytes"),
        }
    }
}

/// A difference that a program formatted, to be shown as it is.
pub fn prepared(text: String) -> Diff {
    Diff { before_header: PREPARED.to_owned(), after: text, ..Diff::default() }
}

/// Whether a program formatted the difference: its text is `after`.
pub fn is_prepared(diff: &Diff) -> bool {
    diff.before_header == PREPARED
}

/// The removal of a file, with its content in the diff.
pub fn removal(path: PathBuf, host: &Host) -> Change {
    let shown = paths::text(&path);
    let held = readable(fs::metadata(&path), host.max_diff(), || regular::read(&path)).unwrap_or_default();
    let diff = Diff { before: held, before_header: shown.clone(), after_header: shown.clone(), ..Diff::default() };
    let remove =
        move |_: &Host, _: &mut Map| fs::remove_file(&path).map_err(|error| io_failure("remove", &path, &error));
    Change::new(format!("remove {shown}"), remove).diff(diff)
}

/// The text of a file with this metadata, or why it is not shown.
pub(super) fn readable(
    meta: io::Result<Metadata>,
    most: u64,
    read: impl FnOnce() -> io::Result<Vec<u8>>,
) -> Result<String, String> {
    match meta {
        Ok(meta) if meta.len() > most => Err(Unshown::Long(most).header()),
        _ => read().map_err(|error| format!("diff skipped: {error}")).and_then(as_text),
    }
}

pub(super) fn as_text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.contains(&0) {
        return Err(Unshown::Binary.header());
    }
    String::from_utf8(bytes).map_err(|_| Unshown::Binary.header())
}
