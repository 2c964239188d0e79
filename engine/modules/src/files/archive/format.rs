//! The formats of archives and of compressed files.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use rplay_wire::Failure;

use super::{sources::Member, zip};
use crate::{
    Host, choice,
    io_failure::io_failure,
    system::{
        accounts,
        fs::{self, File},
        regular, scratch,
    },
};

choice! {
    /// The format of the archive.
    pub enum Format {
        Bz2 = "bz2",
        Gz = "gz",
        Tar = "tar",
        Xz = "xz",
        Zip = "zip",
    }
}

impl Format {
    /// The program that compresses, for what is not done here.
    fn program(self) -> Option<&'static str> {
        match self {
            Format::Bz2 => Some("bzip2"),
            Format::Xz => Some("xz"),
            Format::Gz | Format::Tar | Format::Zip => None,
        }
    }

    /// Writes the archive into a directory of its own and returns its path. Without `packs` there is one member, which
    /// is compressed alone.
    pub(super) fn write(
        self,
        host: &Host,
        packs: bool,
        directory: &Path,
        members: &[Member],
    ) -> Result<PathBuf, Failure> {
        let plain = directory.join("plain");
        let made = directory.join("made");
        let failed = |error: &io::Error| io_failure("write", &made, error);
        if self == Format::Zip {
            zip::write(&made, members)?;
            return Ok(made);
        }
        match (self, packs) {
            (Format::Gz, true) => {
                let encoder = GzEncoder::new(create(&made)?, Compression::best());
                tar(encoder, members)?.finish().map_err(|error| failed(&error))?;
                Ok(made)
            }
            (Format::Gz, false) => {
                let mut encoder = GzEncoder::new(create(&made)?, Compression::best());
                pour(members, &mut encoder)?;
                encoder.finish().map_err(|error| failed(&error))?;
                Ok(made)
            }
            (_, packs) => {
                let mut file = create(&plain)?;
                match packs {
                    true => file = tar(file, members)?,
                    false => pour(members, &mut file)?,
                }
                file.flush().map_err(|error| failed(&error))?;
                let Some(program) = self.program() else { return Ok(plain) };
                host.required_program(program)?.arg(&plain).succeed()?;
                Ok(directory.join(format!("plain.{}", self.word())))
            }
        }
    }

    /// Whether the archive at `dest` already holds these members: the same names, sizes, times, owners and modes, or,
    /// for a single compressed file, the same content.
    pub(super) fn holds(self, host: &Host, packs: bool, dest: &Path, members: &[Member]) -> Result<bool, Failure> {
        if self == Format::Zip {
            return Ok(zip::holds(dest, members));
        }
        let directory = scratch::directory()?;
        let Some(plain) = self.plain(host, dest, directory.path())? else { return Ok(false) };
        if !packs {
            let Some(member) = members.first() else { return Ok(false) };
            return Ok(same(plain, member.open()?).unwrap_or(false));
        }
        let Ok(present) = read_tar(plain) else { return Ok(false) };
        let mut wanted = BTreeSet::new();
        for member in members {
            wanted.insert(header(member)?.1);
        }
        Ok(present == wanted)
    }

    /// The uncompressed content; `None` if it is not of this format.
    fn plain(self, host: &Host, dest: &Path, directory: &Path) -> Result<Option<Box<dyn Read>>, Failure> {
        let file = open(dest)?;
        let Some(program) = self.program() else {
            return Ok(Some(match self {
                Format::Gz => Box::new(MultiGzDecoder::new(file)),
                _ => Box::new(file),
            }));
        };
        let copy = directory.join(format!("copy.{}", self.word()));
        io::copy(&mut io::BufReader::new(file), &mut create(&copy)?)?;
        let done = host.required_program(program)?.arg("-d").arg(&copy).run()?;
        Ok(match done.rc {
            0 => Some(Box::new(open(&directory.join("copy"))?)),
            _ => None,
        })
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    regular::open(path).map_err(|error| io_failure("read", path, &error))
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create_new(path).map_err(|error| io_failure("write", path, &error))
}

/// Copies the content of the one member.
fn pour(members: &[Member], target: &mut impl Write) -> Result<(), Failure> {
    for member in members {
        io::copy(&mut member.open()?, target).map_err(|error| member.failure(&error))?;
    }
    Ok(())
}

/// A member of a tar file, as far as it is compared: the name, and the checksum of its header, in which mode, owner,
/// size and time are.
type Listed = (Vec<u8>, u32);

fn header(member: &Member) -> Result<(tar::Header, Listed), Failure> {
    let meta = fs::symlink_metadata(&member.path).map_err(|error| member.failure(&error))?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&meta);
    // The bits of the kind of file are not part of the mode.
    header.set_mode(meta.mode() & 0o7777);
    let named = |header: &mut tar::Header| -> io::Result<()> {
        header.set_username(&accounts::user_name(meta.uid()))?;
        header.set_groupname(&accounts::group_name(meta.gid()))
    };
    named(&mut header).map_err(|error| member.failure(&error))?;
    if !meta.is_file() {
        header.set_size(0);
    }
    let name = if meta.is_dir() { format!("{}/", member.name) } else { member.name.clone() };
    let listed = (name.into_bytes(), meta.mtime() as u32 ^ (meta.mode() & 0o7777) ^ meta.uid() ^ meta.gid());
    let size = if meta.is_file() { meta.len() as u32 } else { 0 };
    Ok((header, (listed.0, listed.1 ^ size.rotate_left(8))))
}

/// Packs the members.
fn tar<W: Write>(target: W, members: &[Member]) -> Result<W, Failure> {
    let mut builder = tar::Builder::new(Counted { target, bytes: 0 });
    builder.follow_symlinks(false);
    for member in members {
        let failed = |error: io::Error| member.failure(&error);
        let (mut header, (name, _)) = header(member)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        match header.entry_type() {
            tar::EntryType::Symlink => {
                let target = fs::read_link(&member.path).map_err(failed)?;
                builder.append_link(&mut header, &name, target).map_err(failed)?;
            }
            tar::EntryType::Regular => {
                // No more bytes than the header announces, even if the file grows meanwhile.
                let size = header.size().map_err(failed)?;
                builder.append_data(&mut header, &name, member.open()?.take(size)).map_err(failed)?;
            }
            _ => builder.append_data(&mut header, &name, io::empty()).map_err(failed)?,
        }
    }
    let failed = |error: io::Error| Failure::new(format!("cannot write the archive: {error}"));
    let mut counted = builder.into_inner().map_err(failed)?;
    // Whole records, as tar(1) and Python write them.
    let rest = (RECORD - counted.bytes % RECORD) % RECORD;
    counted.write_all(&vec![0; rest]).map_err(failed)?;
    Ok(counted.target)
}

/// The bytes of a record of a tar file.
const RECORD: usize = 20 * 512;

/// Counts what is written.
struct Counted<W> {
    target: W,
    bytes: usize,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let written = self.target.write(part)?;
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

/// What a tar file holds.
fn read_tar(source: impl Read) -> io::Result<BTreeSet<Listed>> {
    let mut listed = BTreeSet::new();
    for entry in tar::Archive::new(source).entries()? {
        let entry = entry?;
        let header = entry.header();
        let mut name = entry.path_bytes().into_owned();
        if header.entry_type().is_dir() && !name.ends_with(b"/") {
            name.push(b'/');
        }
        let owner = header.uid()? as u32 ^ header.gid()? as u32;
        let mark = header.mtime()? as u32 ^ (header.mode()? & 0o7777) ^ owner;
        listed.insert((name, mark ^ (header.size()? as u32).rotate_left(8)));
    }
    Ok(listed)
}

/// Whether both have the same content.
fn same(one: impl Read, other: impl Read) -> io::Result<bool> {
    let (mut one, mut other) = (io::BufReader::new(one).bytes(), io::BufReader::new(other).bytes());
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left != right => return Ok(false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tar_file_has_whole_records() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, "text").unwrap();
        let archive = tar(Vec::new(), &[Member { path, name: "f".to_owned() }]).unwrap();
        assert_eq!(archive.len(), 10240);
        assert_eq!(read_tar(&*archive).unwrap().len(), 1);
    }
}
