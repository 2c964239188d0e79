//! Archives of collections and roles. They are untrusted: no name and no link may lead out of the target, and the
//! unpacked size is limited.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, BufReader, BufWriter, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use tar::{Archive, Builder, EntryType, Header};

use super::{GalaxyError, Result};

/// Maximum unpacked size: a larger archive was made to fill disks.
pub(super) const MOST_BYTES: u64 = 2 << 30;
const MOST_ENTRIES: usize = 200_000;

/// Unpacks an archive, gzipped or not, into an empty directory.
///
/// `strip` is the number of leading directories that are removed from every name.
///
/// # Errors
/// If it cannot be read or written, or contains anything suspicious: absolute names, `..`, hard links,
/// devices, links out of the directory, the same file twice.
pub(super) fn unpack(archive: &Path, target: &Path, strip: usize) -> Result<()> {
    let file = File::open(archive).map_err(|error| GalaxyError::file(archive, error))?;
    let mut reader = BufReader::new(file);
    let packed = io::BufRead::fill_buf(&mut reader)
        .map_err(|error| GalaxyError::file(archive, error))?
        .starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
    entries(Archive::new(reader.take(MOST_BYTES + 1)), target, strip)
        .map_err(|error| GalaxyError::new(format!("cannot unpack {}: {error}", archive.display())))
}

fn entries(mut archive: Archive<impl Read>, target: &Path, strip: usize) -> io::Result<()> {
    let refuse = |message: String| Err(io::Error::other(message));
    let mut left = MOST_BYTES;
    let mut made: HashSet<PathBuf> = HashSet::new();
    // Links are created at the end, so that nothing is written through one.
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (count, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        if count >= MOST_ENTRIES {
            return refuse(format!("it has more than {MOST_ENTRIES} entries"));
        }
        let written = entry.path()?.into_owned();
        let Some(inner) = inside(&written) else {
            return refuse(format!("`{}` leads out of the archive", written.display()));
        };
        let inner: PathBuf = inner.iter().skip(strip).collect();
        if inner.as_os_str().is_empty() {
            continue;
        }
        let path = target.join(&inner);
        match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(&path)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                if !made.insert(inner.clone()) {
                    return refuse(format!("duplicate entry `{}`", inner.display()));
                }
                left = match left.checked_sub(entry.size()) {
                    Some(left) => left,
                    None => return refuse(format!("it contains more than {MOST_BYTES} bytes")),
                };
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                // As in Ansible, only the executable bit of the mode is kept.
                let mode = if entry.header().mode()? & 0o100 != 0 { 0o755 } else { 0o644 };
                let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
                io::copy(&mut entry, &mut file)?;
                file.set_permissions(Permissions::from_mode(mode))?;
            }
            EntryType::Symlink => {
                let Some(to) = entry.link_name()? else {
                    return refuse(format!("the link `{}` has no target", inner.display()));
                };
                if !made.insert(inner.clone()) {
                    return refuse(format!("duplicate entry `{}`", inner.display()));
                }
                links.push((inner, to.into_owned()));
            }
            // Metadata of git archives and pax archives.
            EntryType::XGlobalHeader | EntryType::XHeader => {}
            kind => {
                return refuse(format!("`{}` is neither a file, a directory nor a link ({kind:?})", inner.display()));
            }
        }
    }
    for (inner, to) in links {
        if !stays_inside(&inner, &to) {
            return refuse(format!("the link `{}` leads out of the archive, to `{}`", inner.display(), to.display()));
        }
        let path = target.join(&inner);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        symlink(&to, &path)?;
    }
    // Several links together may lead out, even if none does on its own.
    all_inside(target)
}

/// A name without `.`, if it is relative and contains no `..`.
fn inside(name: &Path) -> Option<PathBuf> {
    let mut inner = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => inner.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inner)
}

/// Whether a link at `inner` with this target stays inside the directory.
fn stays_inside(inner: &Path, to: &Path) -> bool {
    let mut depth = inner.components().count() as i64 - 1;
    for part in to.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth -= 1,
            Component::RootDir | Component::Prefix(_) => return false,
        }
        if depth < 0 {
            return false;
        }
    }
    true
}

/// # Errors
/// If a link below the directory leads out of it.
pub(super) fn all_inside(directory: &Path) -> io::Result<()> {
    let root = directory.canonicalize()?;
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let about = path.symlink_metadata()?;
            if about.is_dir() {
                open.push(path);
            } else if about.is_symlink() && path.canonicalize().is_ok_and(|real| !real.starts_with(&root)) {
                return Err(io::Error::other(format!("the link `{}` leads out of the archive", path.display())));
            }
        }
    }
    Ok(())
}

/// An entry to be written to an archive.
pub(super) enum Content {
    Directory,
    /// Its mode in the archive is 0644, or 0755 for executables.
    File(PathBuf),
    Bytes(Vec<u8>),
    /// A link with a relative target.
    Link(PathBuf),
}

/// Writes a gzipped archive, which gets its name only when it is complete.
///
/// # Errors
/// If a file cannot be read, or the archive cannot be written.
pub(super) fn pack(archive: &Path, entries: &[(String, Content)], now: u64) -> Result<()> {
    let directory = archive.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let new = tempfile::Builder::new().prefix(".rplay-").tempfile_in(directory)?;
        let packed = GzEncoder::new(BufWriter::new(new.as_file()), Compression::default());
        let mut builder = Builder::new(packed);
        for (name, content) in entries {
            let mut header = Header::new_gnu();
            header.set_mtime(now);
            header.set_mode(0o644);
            match content {
                Content::Directory => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(0o755);
                    header.set_size(0);
                    builder.append_data(&mut header, format!("{name}/"), io::empty())?;
                }
                Content::Bytes(bytes) => {
                    header.set_size(bytes.len() as u64);
                    builder.append_data(&mut header, name, bytes.as_slice())?;
                }
                Content::File(path) => {
                    let file = File::open(path)?;
                    let about = file.metadata()?;
                    header.set_size(about.len());
                    if about.permissions().mode() & 0o100 != 0 {
                        header.set_mode(0o755);
                    }
                    builder.append_data(&mut header, name, file.take(about.len()))?;
                }
                Content::Link(to) => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_size(0);
                    builder.append_link(&mut header, name, to)?;
                }
            }
        }
        let mut buffered = builder.into_inner()?.finish()?;
        io::Write::flush(&mut buffered)?;
        drop(buffered);
        new.as_file().set_permissions(Permissions::from_mode(0o644))?;
        new.as_file().sync_all()?;
        new.persist(archive).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| GalaxyError::new(format!("cannot write {}: {error}", archive.display())))
}

#[cfg(test)]
mod tests;
