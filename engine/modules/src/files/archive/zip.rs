//! Writes ZIP archives (PKWARE's APPNOTE.TXT), without those parts that files above 4 GiB need.

use std::{
    io::{self, BufWriter, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use flate2::{Compression, CrcWriter, write::DeflateEncoder};
use rplay_wire::Failure;

use super::sources::Member;
use crate::{
    io_failure::io_failure,
    system::{
        fs::{self, File},
        times,
        zip::entries,
    },
};

/// Whether the archive holds these members.
pub(super) fn holds(dest: &Path, members: &[Member]) -> bool {
    let Ok(present) = entries(dest) else { return false };
    present.len() == members.len()
        && members.iter().all(|member| {
            let is_directory = member.path.is_dir();
            let own = present.iter().find(|entry| entry.name.trim_end_matches('/') == member.name);
            // A link is packed as its target.
            let real = member.path.canonicalize().unwrap_or_else(|_| member.path.clone());
            own.is_some_and(|own| own.is_directory() == is_directory && own.is_at(&real, false))
        })
}

/// The entry of a member in the directory at the end of the archive.
struct Written {
    name: Vec<u8>,
    head: [u8; 26],
    mode: u32,
    offset: u32,
}

/// Writes an archive.
pub(super) fn write(path: &Path, members: &[Member]) -> Result<(), Failure> {
    let failed = |error: io::Error| io_failure("write", path, &error);
    let mut file = BufWriter::new(File::create_new(path).map_err(failed)?);
    let mut all = Vec::new();
    for member in members {
        all.push(add(&mut file, member).map_err(|error| member.failure(&error))?);
    }
    end(&mut file, &all).map_err(failed)
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a ZIP archive of this module holds at most 4 GiB; use another format")
}

fn add(file: &mut BufWriter<File>, member: &Member) -> io::Result<Written> {
    let meta = fs::metadata(&member.path)?;
    let offset = u32::try_from(file.stream_position()?).map_err(|_| too_large())?;
    let name = if meta.is_dir() { format!("{}/", member.name) } else { member.name.clone() }.into_bytes();
    let (packed, crc, size) = match meta.is_dir() {
        true => (Vec::new(), 0, 0),
        false => deflated(member)?,
    };
    let (time, date) = stamp(meta.mtime());
    let method: u16 = if meta.is_dir() { 0 } else { 8 };
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| too_large());
    let mut head = [0; 26];
    // Version 2.0 is needed; names are in UTF-8.
    head[0..2].copy_from_slice(&20u16.to_le_bytes());
    head[2..4].copy_from_slice(&0x0800u16.to_le_bytes());
    head[4..6].copy_from_slice(&method.to_le_bytes());
    head[6..8].copy_from_slice(&time.to_le_bytes());
    head[8..10].copy_from_slice(&date.to_le_bytes());
    head[10..14].copy_from_slice(&crc.to_le_bytes());
    head[14..18].copy_from_slice(&length(packed.len())?.to_le_bytes());
    head[18..22].copy_from_slice(&size.to_le_bytes());
    head[22..24].copy_from_slice(&u16::try_from(name.len()).map_err(|_| too_large())?.to_le_bytes());
    file.write_all(b"PK\x03\x04")?;
    file.write_all(&head)?;
    file.write_all(&name)?;
    file.write_all(&packed)?;
    Ok(Written { name, head, mode: meta.mode(), offset })
}

/// The compressed content with the checksum and the size of the plain one.
fn deflated(member: &Member) -> io::Result<(Vec<u8>, u32, u32)> {
    let source = member.open().map_err(|failure| io::Error::other(failure.msg))?;
    let mut target = CrcWriter::new(DeflateEncoder::new(Vec::new(), Compression::best()));
    let size = io::copy(&mut source.take(u64::from(u32::MAX)), &mut target)?;
    let crc = target.crc().sum();
    let size = u32::try_from(size).ok().filter(|size| *size < u32::MAX).ok_or_else(too_large)?;
    Ok((target.into_inner().finish()?, crc, size))
}

/// Seconds since 1970 as MS-DOS has time and date; it begins in 1980.
fn stamp(seconds: i64) -> (u16, u16) {
    let zone = times::local_zone();
    let Ok(time) = jiff::Timestamp::from_second(seconds) else { return (0, 0x21) };
    let time = time.to_zoned_datetime(zone);
    let year = u16::try_from(time.year()).unwrap_or(1980);
    if year < 1980 {
        return (0, 0x21);
    }
    let part = |value: i8| u16::try_from(value).unwrap_or(0);
    let clock = (part(time.hour()) << 11) | (part(time.minute()) << 5) | (part(time.second()) / 2);
    (clock, ((year - 1980).min(127) << 9) | (part(time.month()) << 5) | part(time.day()))
}

fn end(file: &mut BufWriter<File>, all: &[Written]) -> io::Result<()> {
    let start = u32::try_from(file.stream_position()?).map_err(|_| too_large())?;
    for written in all {
        file.write_all(b"PK\x01\x02")?;
        // Made on Unix, by version 2.0.
        file.write_all(&[20, 3])?;
        file.write_all(&written.head)?;
        file.write_all(&[0; 6])?;
        file.write_all(&(written.mode << 16).to_le_bytes())?;
        file.write_all(&written.offset.to_le_bytes())?;
        file.write_all(&written.name)?;
    }
    let size = u32::try_from(file.stream_position()?).map_err(|_| too_large())? - start;
    let count = u16::try_from(all.len()).map_err(|_| too_large())?;
    file.write_all(b"PK\x05\x06\0\0\0\0")?;
    file.write_all(&count.to_le_bytes())?;
    file.write_all(&count.to_le_bytes())?;
    file.write_all(&size.to_le_bytes())?;
    file.write_all(&start.to_le_bytes())?;
    file.write_all(&[0, 0])?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_held_and_its_directory_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let members = ["one", "two"].map(|name| {
            let path = directory.path().join(name);
            std::fs::write(&path, name.repeat(100)).unwrap();
            Member { path, name: name.to_owned() }
        });
        let archive = directory.path().join("all.zip");
        write(&archive, &members).unwrap();
        assert!(holds(&archive, &members));
        // The directory ends where the record of the end begins, at the place that this record names.
        let bytes = std::fs::read(&archive).unwrap();
        let end = &bytes[bytes.len() - 22..];
        let number = |at: usize| u32::from_le_bytes(end[at..at + 4].try_into().unwrap()) as usize;
        let heads = members.iter().map(|member| 46 + member.name.len()).sum::<usize>();
        assert_eq!((number(12), number(16) + number(12)), (heads, bytes.len() - 22));
        std::fs::write(&members[0].path, "other").unwrap();
        assert!(!holds(&archive, &members));
    }
}
