//! File attributes such as immutable and append-only, as for lsattr(1) and chattr(1). The kernel is called directly, so
//! the programs are not needed.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt, path::Path};

use rplay_wire::Failure;
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::io_failure::io_failure;

/// Letter, bit (FS_..._FL of linux/fs.h), and the name in `stat`.
const FLAGS: &[(char, u32, &str)] = &[
    ('s', 0x0000_0001, "zero"),
    ('u', 0x0000_0002, "undelete"),
    ('c', 0x0000_0004, "compressed"),
    ('S', 0x0000_0008, "synchronous"),
    ('i', 0x0000_0010, "immutable"),
    ('a', 0x0000_0020, "append"),
    ('d', 0x0000_0040, "nodump"),
    ('A', 0x0000_0080, "noatime"),
    ('E', 0x0000_0800, "encrypted"),
    ('I', 0x0000_1000, "indexed"),
    ('j', 0x0000_4000, "journalled"),
    ('t', 0x0000_8000, "notail"),
    ('D', 0x0001_0000, "dirsync"),
    ('T', 0x0002_0000, "blockroot"),
    ('e', 0x0008_0000, "extents"),
    ('V', 0x0010_0000, "verity"),
    ('C', 0x0080_0000, "nocow"),
    ('x', 0x0200_0000, "dax"),
    ('N', 0x1000_0000, "inline"),
    ('P', 0x2000_0000, "project"),
    ('F', 0x4000_0000, "casefold"),
];

/// Bits that only the file system sets: `=i` does not clear them.
const OWN: u32 = 0x0008_0000 | 0x0000_1000 | 0x0000_0800 | 0x0010_0000 | 0x1000_0000;

/// Bits that a replaced file passes to its successor: those chosen by its owner that can be set on a file with content
/// (S, A, d, c, j).
pub const KEPT: u32 = 0x0000_0008 | 0x0000_0080 | 0x0000_0040 | 0x0000_0004 | 0x0000_4000;

/// The bits of a file or directory; `None` for anything else, and on file systems without them.
pub fn of(path: &Path) -> Option<u32> {
    let meta = path.symlink_metadata().ok()?;
    if !meta.is_file() && !meta.is_dir() {
        return None;
    }
    ioctl_getflags(open(path).ok()?).ok().map(|flags| flags.bits())
}

/// The letters of bits, in the order of lsattr(1).
pub fn letters(bits: u32) -> String {
    FLAGS.iter().filter(|(_, bit, _)| bits & bit != 0).map(|(letter, ..)| *letter).collect()
}

/// The names of bits in `stat`.
pub fn names(bits: u32) -> Vec<&'static str> {
    FLAGS.iter().filter(|(_, bit, _)| bits & bit != 0).map(|(_, _, name)| *name).collect()
}

/// Validates `+i`, `-i`, `=ai` or `ai`.
///
/// # Errors
/// A phrase that names the attribute that does not exist.
pub fn check(written: &str) -> Result<(), String> {
    let (_, letters) = split(written);
    match letters.chars().find(|c| !FLAGS.iter().any(|(letter, ..)| letter == c)) {
        Some(unknown) => Err(format!("has no file attribute `{unknown}`")),
        None => Ok(()),
    }
}

/// The bits after applying `written` to `present`.
pub fn applied(present: u32, written: &str) -> u32 {
    let (operator, letters) = split(written);
    let bits = FLAGS.iter().filter(|(letter, ..)| letters.contains(*letter)).fold(0, |all, (_, bit, _)| all | bit);
    match operator {
        '+' => present | bits,
        '-' => present & !bits,
        _ => present & OWN | bits,
    }
}

/// Changes them on a file.
///
/// # Errors
/// If the file cannot be opened, or its file system does not take the attributes.
pub fn change(path: &Path, written: &str) -> Result<(), Failure> {
    let file = open(path).map_err(|error| io_failure("change the attributes of", path, &error).arg("attributes"))?;
    change_open(&file, written, path)
}

/// Changes them on an open file; `path` is for messages.
///
/// # Errors
/// If the file system does not take the attributes.
pub fn change_open(file: &File, written: &str, path: &Path) -> Result<(), Failure> {
    set(file, |present| applied(present, written))
        .map_err(|error| io_failure("change the attributes of", path, &error).arg("attributes"))
}

/// Adds these bits on an open file.
///
/// # Errors
/// If the file system has no attributes, or refuses these.
pub fn add(file: &File, bits: u32) -> io::Result<()> {
    set(file, |present| present | bits)
}

fn set(file: &File, change: impl FnOnce(u32) -> u32) -> io::Result<()> {
    let present = ioctl_getflags(file)?.bits();
    let wanted = change(present);
    if wanted != present {
        ioctl_setflags(file, IFlags::from_bits_retain(wanted))?;
    }
    Ok(())
}

fn split(written: &str) -> (char, &str) {
    match written.chars().next() {
        Some(sign @ ('+' | '-' | '=')) => (sign, &written[1..]),
        _ => ('=', written),
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(letters: &str) -> u32 {
        applied(0, letters)
    }

    #[test]
    fn letters_are_added_taken_away_or_set() {
        assert_eq!(letters(applied(bits("e"), "+i")), "ie");
        assert_eq!(letters(applied(bits("aie"), "-i")), "ae");
        assert_eq!(letters(applied(bits("aie"), "A")), "Ae");
        assert_eq!(names(bits("=i")), ["immutable"]);
        assert!(check("+iz").is_err() && check("=ai").is_ok());
    }
}
