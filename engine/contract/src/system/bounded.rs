//! Reading data that may not fit into memory.

use std::{
    io::{self, BufRead, Read},
    path::Path,
};

use crate::system::{lossless, regular};

/// Window size in bytes for searching a file.
pub const WINDOW: usize = 4 << 20;
/// Overlap in bytes of consecutive windows, so that a match may cross the border.
const OVERLAP: usize = 64 << 10;

/// Reads everything, up to `most` bytes.
///
/// # Errors
/// Those of the reader; of kind `FileTooLarge` beyond `most` bytes.
pub fn read(mut reader: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let few = (1 << 20).min(most);
    reader.by_ref().take(few as u64).read_to_end(&mut content)?;
    if content.len() == few {
        // Reserved once instead of doubled: unused memory costs nothing.
        content.reserve_exact(most + 64 - few);
        reader.take((most - few) as u64 + 1).read_to_end(&mut content)?;
    }
    if content.len() > most { Err(too_long(most)) } else { Ok(content) }
}

/// Like [`read`], for a regular file. One whose size is too large is not read at all.
///
/// # Errors
/// Those of [`read`] and of [`regular::open`].
pub fn read_file(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = regular::open(path)?;
    let length = file.metadata()?.len();
    if length > most as u64 {
        return Err(too_long(most));
    }
    let mut content = Vec::with_capacity(length as usize + 1);
    // It may have grown or, like those in /proc, have no size.
    if file.take(most as u64 + 1).read_to_end(&mut content)? > most { Err(too_long(most)) } else { Ok(content) }
}

fn too_long(most: usize) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes"))
}

/// Whether `is_it` is true for a part of a regular file of any size. A long one is passed in overlapping parts that
/// begin with a line if possible.
///
/// # Errors
/// If the file cannot be opened or read.
pub fn any_part(path: &Path, mut is_it: impl FnMut(&str) -> bool) -> io::Result<bool> {
    let mut file = regular::open(path)?;
    let mut part = Vec::new();
    loop {
        let before = part.len();
        file.by_ref().take((WINDOW - before) as u64).read_to_end(&mut part)?;
        let is_last = part.len() < WINDOW;
        if (part.len() > before || before == 0) && is_it(&lossless::decode(&part)) {
            return Ok(true);
        }
        if is_last {
            return Ok(false);
        }
        let late = part.split_off(part.len() - OVERLAP);
        let line = late.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        part = if line < late.len() { late[line..].to_vec() } else { late };
    }
}

/// Reads the next line into `line`, truncated to `most` bytes. Returns false at the end.
///
/// # Errors
/// Those of the reader.
pub fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    line.clear();
    let mut is_end = true;
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            return Ok(!is_end);
        }
        is_end = false;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(piece.len(), |at| at + 1);
        let kept = length.min(most.saturating_sub(line.len()));
        line.extend_from_slice(&piece[..kept]);
        reader.consume(length);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        assert_eq!(read(&b"abc"[..], 3).unwrap(), b"abc");
        let error = read(io::repeat(0), 1 << 16).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::FileTooLarge, "it has more than 65536 bytes")
        );
    }

    #[test]
    fn a_match_is_found_wherever_it_lies() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        for at in [0, 100, WINDOW - 3, WINDOW, WINDOW + 5, 2 * WINDOW - OVERLAP, 2 * WINDOW] {
            let mut content = vec![b'.'; 2 * WINDOW + 100];
            content[at..at + 6].copy_from_slice(b"needle");
            std::fs::write(&file, &content).unwrap();
            assert!(any_part(&file, |text| text.contains("needle")).unwrap(), "{at}");
            assert!(!any_part(&file, |text| text.contains("needles")).unwrap());
        }
        std::fs::write(&file, "").unwrap();
        assert!(any_part(&file, str::is_empty).unwrap());
    }

    #[test]
    fn lines_are_cut_and_none_is_lost() {
        let mut reader = BufReader::with_capacity(4, &b"abcdefgh\n\nxy"[..]);
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while read_line(&mut reader, &mut line, 5).unwrap() {
            lines.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!(lines, ["abcde", "\n", "xy"]);
    }
}
