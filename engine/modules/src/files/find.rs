//! find: finds files by name, age, size, content.

mod search;

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    ArgError, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    choice,
    system::{
        digest::Algorithm,
        encoding::Encoding,
        fs, glob, machine,
        mode::Mode,
        paths,
        pattern::{Flags, Pattern},
    },
};
use search::{Conditions, Name, Search};
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
            let directory = path.on(host);
            if let (true, Some(error)) = (directory.is_dir(), &error) {
                let length = fs::read_dir(&directory).map_or(0, Iterator::count);
                search.examined += length;
                if length > 0 {
                    search.skipped.insert(paths::text(&directory), error.as_str().into());
                }
            } else if directory.is_dir() {
                if let Err(failure) = search.look(&directory, 1) {
                    search.skipped.insert(paths::text(&directory), failure.msg.into());
                }
            } else {
                let why = format!("'{}' is not a directory", directory.display());
                search.skipped.insert(paths::text(&directory), why.into());
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
    use std::path::Path;

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
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
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
    fn a_directory_that_is_not_there_is_said_and_no_failure() {
        let outcome = call("find", data! { "paths" => "/no/such/directory" });
        assert!(outcome.failure.is_none());
        assert_eq!(outcome.data["matched"], 0.into());
        assert!(outcome.data["skipped_paths"].as_map().unwrap().contains_key("/no/such/directory"));
        assert_eq!(
            call("find", data! { "paths" => "/etc", "age" => "1y" }).failure.unwrap().arg.as_deref(),
            Some("age")
        );
    }
}
