//! find: finds files by name, age, size, content.

use std::{
    io::BufReader,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rplay_wire::{Failure, Map, Value, data};

use crate::system::fs::{self, Metadata};
use crate::system::machine;
use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    files::stat,
    system::{
        accounts::{Group, User},
        bounded,
        digest::Algorithm,
        encoding::Encoding,
        glob, lossless,
        mode::Mode,
        paths,
        pattern::{Flags, Pattern},
    },
};

/// Maximum number of bytes of a line that are searched.
const LONGEST_LINE: usize = 1 << 20;
/// Maximum size in bytes of a file that has to be searched as one text.
const LONGEST_TEXT: usize = 32 << 20;

choice! {
    /// What to find.
    pub enum Kind {
        Any = "any",
        Directory = "directory",
        File = "file",
        Link = "link",
    }
}

choice! {
    /// The time that determines a file's age.
    pub enum Stamp {
        Accessed = "atime",
        Changed = "ctime",
        Modified = "mtime",
    }
}

args! {
    /// Finds files and directories by name, age, size and content.
    pub struct Find {
        /// The directories to search.
        paths: Vec<PathArg> | "name" | "path",
        /// Shell patterns, or regular expressions with `use_regex`, for names. By default all names match.
        patterns: Vec<Text> | "pattern" = Vec::new(),
        /// Patterns for names to exclude.
        excludes: Vec<Text> | "exclude" = Vec::new(),
        /// A regular expression that must match in a line of the file.
        contains: Option<Text>,
        /// Whether to match `contains` against the whole file rather than line by line.
        read_whole_file: Flag = Flag(false),
        /// What to find.
        file_type: Kind = Kind::File,
        /// Search subdirectories too.
        recurse: Flag = Flag(false),
        /// The maximum depth with `recurse`.
        depth: Option<i64>,
        /// Only files older than this, or younger if negative: `2d`, `-1h`; units s, m, h, d, w.
        age: Option<Text>,
        /// The time that determines the age.
        age_stamp: Stamp = Stamp::Modified,
        /// Only files of at least this size, or at most if negative: `10m`; units b, k, m, g, t.
        size: Option<Text>,
        /// Whether to include names that begin with a dot.
        hidden: Flag = Flag(false),
        /// Whether to follow symbolic links to directories.
        follow: Flag = Flag(false),
        /// Whether to compute checksums of files.
        get_checksum: Flag = Flag(false),
        /// The checksum algorithm.
        checksum_algorithm: Algorithm | "checksum" | "checksum_algo" = Algorithm::Sha1,
        /// Whether patterns are regular expressions.
        use_regex: Flag = Flag(false),
        /// Only files with these permissions.
        mode: Option<Value>,
        /// Whether the permissions must be exactly `mode` or may include more.
        exact_mode: Flag = Flag(true),
        /// Maximum number of results.
        limit: Option<u64>,
        /// The encoding of the files for `contains`, by Python's name; by default that of the host, which is UTF-8.
        encoding: Option<Text>,
    }
}

impl Module for Find {
    fn check(&self) -> Result<(), ArgError> {
        if self.limit == Some(0) {
            return Err(ArgError::new("limit", "limit cannot be 0 (use None for unlimited)"));
        }
        Ok(())
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let names = |patterns: &[String], arg| {
            let read = |pattern: &String| match self.use_regex.0 {
                true => Pattern::new(pattern, Flags::default(), arg).map(Name::Regex),
                false => Ok(Name::Glob(glob::Pattern::new(pattern))),
            };
            patterns.iter().map(read).collect::<Result<Vec<_>, Failure>>()
        };
        let conditions = || -> Result<Conditions, Failure> {
            let mode = self.mode.as_ref().map(|mode| match <Mode as args::ArgType>::parse(mode) {
                Ok(mode) if mode != Mode::Preserve => Ok(mode.applied(0, false, 0)),
                _ => {
                    let shown = <Text as args::ArgType>::parse(mode).unwrap_or_default();
                    Err(Failure::new(format!("bad symbolic permission for mode: {shown}")).arg("mode"))
                }
            });
            let contains = self.contains.as_deref().map(|text| Pattern::new(text, Flags::default(), "contains"));
            Ok(Conditions {
                patterns: names(&self.patterns, "patterns")?,
                excludes: names(&self.excludes, "excludes")?,
                contains: contains.transpose()?,
                mode: mode.transpose()?,
            })
        };
        // What cannot be read ends the search of a path as soon as there is something in it; it is no failure.
        let (conditions, mut error) = match conditions() {
            Ok(conditions) => (conditions, None),
            Err(failure) => {
                let why = failure.msg.strip_prefix("Task failed: Module failed: ").unwrap_or(&failure.msg);
                (Conditions::default(), Some(why.to_owned()))
            }
        };
        let encoding = self.encoding.as_deref().map_or(Some(Encoding::Utf8), Encoding::named);
        if encoding.is_none() && self.contains.is_some() {
            let name = self.encoding.as_deref().unwrap_or_default();
            error.get_or_insert_with(|| format!("unknown encoding: {name}"));
        }
        let mut search = Search {
            conditions,
            encoding: encoding.unwrap_or(Encoding::Utf8),
            age: self.age.as_deref().map(age).transpose()?,
            size: self.size.as_deref().map(size).transpose()?,
            now: machine::timestamp().as_second(),
            asked: &self,
            files: Vec::new(),
            skipped: Map::new(),
            examined: 0,
        };
        for path in &self.paths {
            let folder = path.on(host);
            if let (true, Some(error)) = (folder.is_dir(), &error) {
                let length = fs::read_dir(&folder).map_or(0, Iterator::count);
                search.examined += length;
                if length > 0 {
                    search.skipped.insert(paths::text(&folder), error.as_str().into());
                }
            } else if folder.is_dir() {
                if let Err(failure) = search.look(&folder, 1) {
                    search.skipped.insert(paths::text(&folder), failure.msg.into());
                }
            } else {
                let why = format!("'{}' is not a directory", folder.display());
                search.skipped.insert(paths::text(&folder), why.into());
            }
        }
        let msg = match () {
            () if search.is_full() => "Limit of matches reached",
            () if search.skipped.is_empty() => "All paths examined",
            () => "Not all paths examined, check warnings for details",
        };
        let warnings = search.skipped.iter().map(|(path, why)| {
            format!("Skipped '{path}' path due to this access issue: {}\n", why.as_str().unwrap_or_default())
        });
        let warnings: Vec<String> = warnings.collect();
        let mut plan = Plan::unchanged()
            .set("matched", search.files.len())
            .set("files", search.files)
            .set("examined", search.examined)
            .set("msg", msg)
            .set("skipped_paths", search.skipped);
        plan.warnings = warnings;
        Ok(plan)
    }
}

enum Name {
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
struct Conditions {
    patterns: Vec<Name>,
    excludes: Vec<Name>,
    contains: Option<Pattern>,
    /// The permission bits.
    mode: Option<u32>,
}

struct Search<'a> {
    asked: &'a Find,
    conditions: Conditions,
    /// That of the files for `contains`.
    encoding: Encoding,
    age: Option<i64>,
    size: Option<i64>,
    now: i64,
    files: Vec<Value>,
    skipped: Map,
    examined: usize,
}

impl Search<'_> {
    fn is_full(&self) -> bool {
        self.asked.limit.is_some_and(|limit| self.files.len() as u64 >= limit)
    }

    fn look(&mut self, folder: &Path, depth: i64) -> Result<(), Failure> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.skipped.insert(paths::text(folder), error.to_string().into());
                return Ok(());
            }
        };
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.sort();
        self.examined += found.len();
        // Like Ansible, counts what is one level too deep.
        if self.asked.depth.is_some_and(|deepest| depth > deepest) {
            return Ok(());
        }
        let mut below = Vec::new();
        for path in found {
            if self.is_full() {
                return Ok(());
            }
            let name = paths::text(path.file_name().unwrap_or_default());
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let is_folder = meta.is_dir() || self.asked.follow.0 && path.is_dir();
            if name.starts_with('.') && !self.asked.hidden.0 {
                // Like Ansible, searches hidden directories anyway.
                if is_folder {
                    below.push(path);
                }
                continue;
            }
            if self.fits(&path, &name, &meta)? {
                self.files.push(self.describe(&path, &meta)?.into());
            }
            if is_folder {
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

/// `2d`, `-1h`, `30`: seconds.
fn age(text: &str) -> Result<i64, Failure> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    amount(text, &units).ok_or_else(|| Failure::new("failed to process age").arg("age").data(data! { "age" => text }))
}

/// `10m`, `-1k`, `30`: bytes.
fn size(text: &str) -> Result<i64, Failure> {
    let units = [('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)];
    amount(text, &units)
        .ok_or_else(|| Failure::new("failed to process size").arg("size").data(data! { "size" => text }))
}

fn amount(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].chars().next() {
        None => 1,
        Some(letter) => units.iter().find(|(known, _)| *known == letter)?.1,
    };
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::runner::tests::call;

    fn found(base: &Path, more: Map) -> Vec<String> {
        let mut args = data! { "paths" => base.to_str().unwrap() };
        args.extend(more);
        let outcome = call("find", args);
        assert!(outcome.failure.is_none(), "{outcome:?}");
        let files = outcome.data["files"].as_list().unwrap();
        assert_eq!(outcome.data["matched"], files.len().into());
        let path = |file: &Value| file.as_map().unwrap()["path"].as_str().unwrap().to_owned();
        files.iter().map(|file| path(file)[base.to_str().unwrap().len() + 1..].to_owned()).collect()
    }

    #[test]
    fn files_are_found_by_what_is_known_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        fs::create_dir_all(base.join("d/e")).unwrap();
        for (name, text) in
            [("a.log", "one\ntwo\n"), ("b.txt", "x"), (".h", ""), ("d/c.log", "1234567890"), ("d/e/f.log", "")]
        {
            fs::write(base.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink("a.log", base.join("l")).unwrap();
        for (args, names) in [
            (data! {}, vec!["a.log", "b.txt"]),
            (data! { "hidden" => true, "patterns" => ".*" }, vec![".h"]),
            (data! { "recurse" => true, "patterns" => "*.log" }, vec!["a.log", "d/c.log", "d/e/f.log"]),
            (data! { "recurse" => true, "patterns" => "*.log", "depth" => 2 }, vec!["a.log", "d/c.log"]),
            (data! { "recurse" => true, "size" => "10b" }, vec!["d/c.log"]),
            (data! { "size" => "-1" }, vec!["b.txt"]),
            (data! { "file_type" => "directory", "recurse" => true }, vec!["d", "d/e"]),
            (data! { "file_type" => "link" }, vec!["l"]),
            (data! { "contains" => "tw" }, vec!["a.log"]),
            (data! { "contains" => "wo" }, vec![]),
            (data! { "contains" => "e\nt", "read_whole_file" => true }, vec!["a.log"]),
            // `$` is the end of the text, and `^` its start.
            (data! { "contains" => "one$", "read_whole_file" => true }, vec![]),
            (data! { "contains" => "^two", "read_whole_file" => true }, vec![]),
            (data! { "contains" => "two$", "read_whole_file" => true }, vec!["a.log"]),
            (data! { "contains" => "one$" }, vec!["a.log"]),
            (data! { "use_regex" => true, "patterns" => "[ab]\\..*" }, vec!["a.log", "b.txt"]),
            (data! { "excludes" => "a*" }, vec!["b.txt"]),
            (data! { "age" => "1h" }, vec![]),
            (data! { "age" => "-1h", "limit" => 1 }, vec!["a.log"]),
        ] {
            assert_eq!(found(base, args.clone()), names, "{args:?}");
        }
    }

    #[test]
    fn what_is_one_level_too_deep_is_examined() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("d/e/f")).unwrap();
        fs::write(base.path().join("d/e/f/g"), "").unwrap();
        let args = |depth: i64| {
            data! { "paths" => base.path().to_str().unwrap(), "recurse" => true, "depth" => depth, "file_type" => "any" }
        };
        for (depth, matched, examined) in [(1, 1, 2), (2, 2, 3), (3, 3, 4), (9, 4, 4)] {
            let outcome = call("find", args(depth));
            let expected = (&matched.into(), &examined.into());
            assert_eq!((&outcome.data["matched"], &outcome.data["examined"]), expected, "{depth}");
        }
    }

    #[test]
    fn files_are_read_in_their_encoding() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("f"), b"a\xe9\n").unwrap();
        fs::write(base.path().join("w"), b"a\0\xe9\0").unwrap();
        let args = |more: Map| {
            let mut args = data! { "paths" => base.path().to_str().unwrap(), "contains" => "aé" };
            args.extend(more);
            args
        };
        for whole in [false, true] {
            let more = |encoding: &str, pattern: &str| {
                args(data! { "encoding" => encoding, "patterns" => pattern, "read_whole_file" => whole })
            };
            assert_eq!(call("find", more("latin-1", "f")).data["matched"], 1.into());
            assert_eq!(call("find", more("utf-16-le", "w")).data["matched"], 1.into());
            let told = call("find", more("utf-8", "f"));
            let why = told.data["skipped_paths"].as_map().unwrap().values().next().unwrap().as_str().unwrap();
            assert!(why.ends_with("/f due to an encoding error. current encoding: utf-8"), "{why}");
            assert!(told.warnings[0].contains(why) && told.failure.is_none());
        }
    }

    #[test]
    fn conditions_that_cannot_be_read_skip_the_path() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("f"), "a").unwrap();
        for (args, why) in [
            (data! { "contains" => "(" }, "missing ), unterminated subpattern at position 0"),
            (data! { "patterns" => "(", "use_regex" => true }, "missing ), unterminated subpattern at position 0"),
            (data! { "mode" => "qq" }, "bad symbolic permission for mode: qq"),
            (data! { "contains" => "a", "encoding" => "nonono" }, "unknown encoding: nonono"),
        ] {
            let mut all = data! { "paths" => base.path().to_str().unwrap() };
            all.extend(args.clone());
            let outcome = call("find", all);
            assert!(outcome.failure.is_none(), "{outcome:?}");
            assert_eq!(outcome.data["skipped_paths"].as_map().unwrap().values().next(), Some(&why.into()), "{args:?}");
            assert_eq!((&outcome.data["examined"], &outcome.data["matched"]), (&1.into(), &0.into()));
        }
        let none = call("find", data! { "paths" => "/etc", "limit" => 0 }).failure.unwrap();
        assert_eq!(none.msg, "limit cannot be 0 (use None for unlimited)");
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_and_no_failure() {
        let outcome = call("find", data! { "paths" => "/no/such/folder" });
        assert!(outcome.failure.is_none());
        assert_eq!(outcome.data["matched"], 0.into());
        assert!(outcome.data["skipped_paths"].as_map().unwrap().contains_key("/no/such/folder"));
        assert_eq!(
            call("find", data! { "paths" => "/etc", "age" => "1y" }).failure.unwrap().arg.as_deref(),
            Some("age")
        );
    }
}
