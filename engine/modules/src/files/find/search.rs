//! The search of `find`: walks directories and compares each file with the conditions.

use std::{
    io::BufReader,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Map, Value};

use super::{Find, Kind, Stamp};
use crate::{
    files::stat,
    io_failure::python_error,
    system::{
        accounts::{Group, User},
        bounded,
        encoding::Encoding,
        fs::{self, Metadata},
        glob, lossless, paths,
        pattern::Pattern,
    },
};

/// Maximum number of bytes of a line that are searched.
const LONGEST_LINE: usize = 1 << 20;
/// Maximum size in bytes of a file that has to be searched as one text.
const LONGEST_TEXT: usize = 32 << 20;

/// What a name is compared with.
pub(super) enum Name {
    Glob(glob::Pattern),
    Regex(Pattern),
}

impl Name {
    fn fits(&self, name: &str) -> bool {
        match self {
            Name::Glob(pattern) => pattern.fits(name),
            // Like Python's `match`: from the start of the name.
            Name::Regex(pattern) => pattern.find(name).and_then(|found| found.get(0)).is_some_and(|m| m.start() == 0),
        }
    }
}

/// The parsed conditions that a file is compared with.
#[derive(Default)]
pub(super) struct Conditions {
    pub patterns: Vec<Name>,
    pub excludes: Vec<Name>,
    pub contains: Option<Pattern>,
    /// The permission bits.
    pub mode: Option<u32>,
}

/// A search, and what it has found.
pub(super) struct Search<'a> {
    pub asked: &'a Find,
    pub conditions: Conditions,
    /// That of the files for `contains`.
    pub encoding: Encoding,
    pub age: Option<i64>,
    pub size: Option<i64>,
    pub now: i64,
    pub files: Vec<Value>,
    pub skipped: Map,
    pub examined: usize,
}

impl Search<'_> {
    pub(super) fn is_full(&self) -> bool {
        self.asked.limit.is_some_and(|limit| self.files.len() as u64 >= limit)
    }

    /// Searches a directory.
    pub(super) fn look(&mut self, directory: &Path, depth: i64) -> Result<(), Failure> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                let path = paths::text(directory);
                let why = format!("{}: '{path}'", python_error(&error));
                self.skipped.insert(path, why.into());
                return Ok(());
            }
        };
        // As in Ansible, directories come after the rest.
        let mut found: Vec<(bool, PathBuf)> = entries
            .flatten()
            .map(|entry| {
                let (path, kind) = (entry.path(), entry.file_type());
                let is_link = kind.as_ref().is_ok_and(|kind| kind.is_symlink());
                (kind.is_ok_and(|kind| kind.is_dir()) || is_link && path.is_dir(), path)
            })
            .collect();
        crate::system::order::sort(&mut found);
        self.examined += found.len();
        // Like Ansible, counts what is one level too deep.
        if self.asked.depth.is_some_and(|deepest| depth > deepest) {
            return Ok(());
        }
        let mut below = Vec::new();
        for (_, path) in found {
            if self.is_full() {
                return Ok(());
            }
            let name = paths::text(path.file_name().unwrap_or_default());
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let is_directory = meta.is_dir() || self.asked.follow.0 && path.is_dir();
            if name.starts_with('.') && !self.asked.hidden.0 {
                // Like Ansible, searches hidden directories anyway.
                if is_directory {
                    below.push(path);
                }
                continue;
            }
            if self.fits(&path, &name, &meta)? {
                self.files.push(self.describe(&path, &meta)?.into());
            }
            if is_directory {
                below.push(path);
            }
        }
        if self.asked.recurse.0 {
            for path in below {
                self.look(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn fits(&self, path: &Path, name: &str, meta: &Metadata) -> Result<bool, Failure> {
        let is_kind = match self.asked.file_type {
            Kind::Any => true,
            Kind::Directory => meta.is_dir(),
            Kind::File => meta.is_file(),
            Kind::Link => meta.is_symlink(),
        };
        let Conditions { patterns, excludes, .. } = &self.conditions;
        let is_named = patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(name));
        if !is_kind || !is_named || excludes.iter().any(|pattern| pattern.fits(name)) {
            return Ok(false);
        }
        Ok(self.is_old(meta) && self.is_long(meta) && self.has_mode(meta) && self.holds(path, meta)?)
    }

    fn is_old(&self, meta: &Metadata) -> bool {
        let time = match self.asked.age_stamp {
            Stamp::Accessed => meta.atime(),
            Stamp::Changed => meta.ctime(),
            Stamp::Modified => meta.mtime(),
        };
        match self.age {
            None => true,
            Some(age) if age >= 0 => self.now - time >= age,
            Some(age) => self.now - time <= -age,
        }
    }

    fn is_long(&self, meta: &Metadata) -> bool {
        match self.size {
            // Only files have a meaningful size.
            None => true,
            Some(_) if !meta.is_file() => self.asked.file_type == Kind::Any,
            Some(size) if size >= 0 => meta.len() as i64 >= size,
            Some(size) => meta.len() as i64 <= -size,
        }
    }

    fn has_mode(&self, meta: &Metadata) -> bool {
        let Some(wanted) = self.conditions.mode else { return true };
        let present = meta.mode() & 0o7777;
        if self.asked.exact_mode.0 { present == wanted } else { present & wanted == wanted }
    }

    /// Whether the content is what `contains` asks for. A file that is no text in the encoding is a failure.
    fn holds(&self, path: &Path, meta: &Metadata) -> Result<bool, Failure> {
        let Some(pattern) = &self.conditions.contains else { return Ok(true) };
        if !meta.is_file() {
            return Ok(self.asked.file_type != Kind::File);
        }
        let is_whole = self.asked.read_whole_file.0;
        let is_in = |text: &str| match is_whole {
            true => pattern.is_in(text),
            // Like Python's `match`: from the start of the line.
            false => pattern.find(text).and_then(|found| found.get(0)).is_some_and(|m| m.start() == 0),
        };
        let no_text = || {
            let default = "None (default determined by the Python built-in function \"open\")";
            let name = self.asked.encoding.as_deref().unwrap_or(default);
            let path = path.display();
            let msg = format!("Failed to read the file {path} due to an encoding error. current encoding: {name}");
            Failure::new(msg).arg("encoding")
        };
        let decoded = |bytes: &[u8]| self.encoding.decode(bytes).ok_or_else(no_text);
        // Units of several bytes have no line breaks that are one byte.
        let is_wide = matches!(self.encoding, Encoding::Utf16(_) | Encoding::Utf32(_));
        if is_whole && meta.len() <= bounded::WINDOW as u64 || is_wide {
            let Ok(bytes) = bounded::read_file(path, LONGEST_TEXT) else { return Ok(false) };
            let text = decoded(&bytes)?;
            return Ok(if is_whole { is_in(&text) } else { text.split_inclusive('\n').any(is_in) });
        }
        if is_whole {
            return Ok(bounded::any_part(path, is_in).unwrap_or(false));
        }
        let Ok(file) = crate::system::regular::open(path) else { return Ok(false) };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        while bounded::read_line(&mut reader, &mut line, LONGEST_LINE).unwrap_or(false) {
            // A line that was cut may end within a character.
            let text = match line.len() < LONGEST_LINE {
                true => decoded(&line)?,
                false => lossless::decode(&line),
            };
            if is_in(&text) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn describe(&self, path: &Path, meta: &Metadata) -> Result<Map, Failure> {
        let mut map = stat::describe(path, meta);
        for key in ["exists", "blocks", "block_size", "device_type", "readable", "writeable", "executable"] {
            map.shift_remove(key);
        }
        // Unlike stat's, an owner without a name has an empty one.
        let (owner, group) = (User::numbered(meta.uid()), Group::numbered(meta.gid()));
        map.insert("pw_name".to_owned(), owner.map(|user| user.name).unwrap_or_default().into());
        map.insert("gr_name".to_owned(), group.map(|group| group.name).unwrap_or_default().into());
        if meta.is_file() && self.asked.get_checksum.0 {
            map.insert("checksum".to_owned(), self.asked.checksum_algorithm.of_file(path).ok().into());
        }
        Ok(map)
    }
}
