//! The entries of a ZIP archive, from its central directory, and their comparison with a directory.

use std::{
    fs,
    io::{self, BufRead, Read, Seek, SeekFrom},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use jiff::{civil, tz::TimeZone};

/// A file or directory in the archive.
#[derive(Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    crc: u32,
    /// Uncompressed size in bytes; `u32::MAX` if it does not fit and is stored elsewhere.
    size: u32,
    /// When the file was last changed, in MS-DOS's format: the date, and below it the time.
    changed: u32,
    /// Permission bits, if the archive was created on Unix.
    mode: Option<u32>,
}

/// What an unpacked file has, besides its content.
pub struct Like {
    /// Whether its permissions are those of the archive.
    pub with_mode: bool,
    pub owner: u32,
    pub group: u32,
    /// Whether a newer file will do, too.
    pub or_newer: bool,
}

const END: [u8; 4] = *b"PK\x05\x06";
const HEADER: [u8; 4] = *b"PK\x01\x02";
/// Size in bytes of an entry before its name.
const HEAD: usize = 46;
/// Maximum size in bytes of all entries in memory.
const MAX_DIRECTORY: usize = 32 << 20;

/// The entries of an archive (PKWARE's APPNOTE.TXT, 4.3.12 and 4.3.16).
///
/// # Errors
/// If it cannot be read, or is not a ZIP archive.
pub fn entries(path: &Path) -> io::Result<Vec<Entry>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("not a ZIP archive: {what}"));
    let mut file = crate::system::regular::open(path)?;
    let length = file.metadata()?.len();
    // The end record has 22 bytes and a comment of up to 64 KiB.
    let tail_length = length.min(22 + 0xffff);
    file.seek(SeekFrom::Start(length - tail_length))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let end = tail.windows(4).rposition(|window| window == END).ok_or_else(|| wrong("it has no end record"))?;
    let end = &tail[end..];
    let (size, start) = (long(end, 12), long(end, 16));
    let (Some(size), Some(start)) = (size, start) else { return Err(wrong("its end record is truncated")) };
    if u64::from(start) + u64::from(size) > length {
        return Err(wrong("its directory is not where it should be"));
    }
    file.seek(SeekFrom::Start(start.into()))?;
    let mut directory = io::BufReader::with_capacity(1 << 16, file.take(size.into()));
    let mut all = Vec::new();
    // Only the name and the fixed fields of an entry are kept.
    let mut kept = 0;
    let cut_short = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => wrong("its directory is truncated"),
        _ => error,
    };
    loop {
        let mut head = [0; HEAD];
        if directory.fill_buf()?.is_empty() {
            return Ok(all);
        }
        // The data after the last entry.
        directory.read_exact(&mut head[..4]).map_err(cut_short)?;
        if !head.starts_with(&HEADER) {
            return Ok(all);
        }
        directory.read_exact(&mut head[4..]).map_err(cut_short)?;
        let entry = read(&head, &mut directory).map_err(cut_short)?;
        kept += size_of::<Entry>() + entry.name.len();
        if kept > MAX_DIRECTORY {
            return Err(io::Error::other(format!("its directory takes more than {MAX_DIRECTORY} bytes")));
        }
        all.push(entry);
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Parses the entry with this header, reading its name and variable fields.
fn read(head: &[u8; HEAD], rest: &mut impl Read) -> io::Result<Entry> {
    let [name, extra, comment] = [28, 30, 32].map(|at| short(head, at).unwrap_or_default());
    let is_unix = head[5] == 3;
    let mode = long(head, 38).unwrap_or_default() >> 16;
    let mut bytes = vec![0; name.into()];
    rest.read_exact(&mut bytes)?;
    let skipped = u64::from(extra) + u64::from(comment);
    if io::copy(&mut rest.take(skipped), &mut io::sink())? < skipped {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Entry {
        name: String::from_utf8_lossy(&bytes).into_owned(),
        crc: long(head, 16).unwrap_or_default(),
        size: long(head, 24).unwrap_or_default(),
        changed: long(head, 12).unwrap_or_default(),
        mode: (is_unix && mode != 0).then_some(mode),
    })
}

impl Entry {
    pub fn is_directory(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Its path in a directory; `None` if its name leads out of it.
    pub fn place(&self, directory: &Path) -> Option<PathBuf> {
        let path = Path::new(&self.name);
        path.components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
            .then(|| directory.join(path))
    }

    /// The seconds since 1970 of its last change, which the archive has in local time.
    fn moment(&self) -> Option<i64> {
        let bits = |from: u32, count: u32| (self.changed >> from & ((1 << count) - 1)) as i8;
        let year = 1980 + i16::from(bits(25, 7));
        let moment = civil::date(year, 1, 1).with().month(bits(21, 4)).day(bits(16, 5)).build().ok()?;
        let moment = moment.to_datetime(civil::Time::new(bits(11, 5), bits(5, 6), bits(0, 5) * 2, 0).ok()?);
        Some(TimeZone::system().to_timestamp(moment).ok()?.as_second())
    }

    /// Whether it already exists like this, with the same content.
    pub fn is_like(&self, path: &Path, like: &Like) -> bool {
        let Ok(meta) = fs::symlink_metadata(path) else { return false };
        let is_newer = || like.or_newer && meta.is_file() && self.moment().is_some_and(|moment| meta.mtime() > moment);
        meta.uid() == like.owner && meta.gid() == like.group && (is_newer() || self.is_at(path, like.with_mode))
    }

    /// Whether it already exists, with the same content, and with `with_mode` the same permissions.
    pub fn is_at(&self, path: &Path, with_mode: bool) -> bool {
        let Ok(meta) = fs::symlink_metadata(path) else { return false };
        let bits = self.mode.filter(|_| with_mode && !meta.is_symlink()).map(|mode| mode & 0o777);
        if bits.is_some_and(|bits| bits != meta.permissions().mode() & 0o777) {
            return false;
        }
        let is_link = self.mode.is_some_and(|mode| mode & 0o170_000 == 0o120_000);
        match () {
            () if self.is_directory() => meta.is_dir(),
            // A link is stored as a file that contains its target.
            () if is_link => {
                fs::read_link(path).is_ok_and(|target| crc(target.as_os_str().as_encoded_bytes()) == Ok(self.crc))
            }
            () if !meta.is_file() || self.size != u32::MAX && meta.len() != u64::from(self.size) => false,
            () => crate::system::regular::open(path).is_ok_and(|file| crc(file) == Ok(self.crc)),
        }
    }
}

/// The CRC-32 of ISO 3309, as used by ZIP.
fn crc(mut reader: impl Read) -> Result<u32, io::ErrorKind> {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    let mut crc = u32::MAX;
    let mut buffer = [0u8; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(!crc),
            Ok(length) => {
                for byte in &buffer[..length] {
                    crc = crc >> 8 ^ table[((crc ^ u32::from(*byte)) & 0xff) as usize];
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.kind()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_published_one() {
        assert_eq!(crc(b"123456789".as_slice()), Ok(0xcbf4_3926));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.zip");
        for bytes in [&b""[..], b"PK", b"PK\x05\x06", b"PK\x05\x06\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0\0\0\0\0"] {
            fs::write(&path, bytes).unwrap();
            assert!(entries(&path).is_err(), "{bytes:?}");
        }
    }
}
