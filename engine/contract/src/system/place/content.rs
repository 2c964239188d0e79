//! The desired content of a file, and its comparison.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rplay_wire::{Blob, Failure};

use crate::{
    Host,
    io_failure::io_failure,
    system::{digest::Algorithm, regular},
};

/// The desired content of a file.
#[derive(Clone, Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    /// The content of this file on the host.
    File(PathBuf),
    /// Content that stays on the controller unless it is needed.
    Blob(Blob),
}

impl Content {
    /// Whether the regular file at `path` has other content. `meta` is its metadata.
    pub(super) fn differs(&self, path: &Path, meta: &Metadata) -> io::Result<bool> {
        // Files without blocks may still have content: those in /proc and /sys.
        let has_length = |length: u64| meta.blocks() == 0 || meta.len() == length;
        match self {
            Content::Bytes(bytes) if !has_length(bytes.len() as u64) => Ok(true),
            Content::Bytes(bytes) => regular::read(path).map(|found| found != *bytes),
            Content::File(file) => same_content(path, file).map(|same| !same),
            Content::Blob(blob) if !has_length(blob.size) => Ok(true),
            Content::Blob(blob) => Algorithm::Sha256.of_file(path).map(|found| found != blob.sha256),
        }
    }

    /// Writes the content to a new file, which is later moved to `path`. Fails, naming that path, if it cannot be read,
    /// has not arrived from the controller, or does not fit on the disk.
    pub(super) fn write_to(&self, new: &mut File, path: &Path, host: &Host) -> Result<(), Failure> {
        let written = match self {
            Content::Bytes(bytes) => new.write_all(bytes),
            Content::File(file) => copy_into(file, new),
            Content::Blob(blob) => copy_into(&fetched(blob, host)?, new),
        };
        written.map_err(|error| io_failure("write", path, &error))
    }
}

/// The file with content that stayed on the controller.
pub(super) fn fetched(blob: &Blob, host: &Host) -> Result<PathBuf, Failure> {
    host.fetch(blob).map_err(|error| Failure::new(format!("the content did not arrive: {error}")))
}

fn copy_into(file: &Path, target: &mut File) -> io::Result<()> {
    io::copy(&mut regular::open(file)?, target).map(|_| ())
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (regular::open(one)?, regular::open(other)?);
    let (left, right) = (one.metadata()?, other.metadata()?);
    if left.len() != right.len() && left.blocks() > 0 && right.blocks() > 0 {
        return Ok(false);
    }
    let (mut one, mut other) =
        (io::BufReader::with_capacity(1 << 16, one), io::BufReader::with_capacity(1 << 16, other));
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        match other.read_exact(&mut right[..read]) {
            Ok(()) if left[..read] == right[..read] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
