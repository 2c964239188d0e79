//! The order of the files in a room: each uses only those before it. A room's `mod.rs` tells it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::source::{before_tests, engine, first_word, in_tests, rust_files, said_in_order};

/// Directories of the library whose `mod.rs` lists the order of their files, in a sentence that begins with "Order".
const ORDERED: [&str; 2] = ["run", "template"];

#[test]
fn no_file_of_a_room_uses_one_above_its_own() {
    let upward: Vec<String> = ORDERED.iter().flat_map(|room| Room::of(room).upward()).collect();
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn every_file_of_a_room_has_its_place_and_every_place_its_file() {
    for name in ORDERED {
        let room = Room::of(name);
        assert!(!room.order.is_empty(), "the page of `{name}` tells no order");
        for listed in &room.order {
            let path = room.directory.join(listed);
            assert!(path.is_dir() || path.with_extension("rs").is_file(), "`{name}` has no {listed}");
        }
        for file in rust_files(&room.directory).iter().filter(|file| !in_tests(file)) {
            let is_page = file.ends_with("mod.rs");
            assert!(is_page || room.place(&room.own_path(file)).is_some(), "{} has no place", file.display());
        }
    }
}

/// The reader of paths and of methods finds what the order within a room relies on.
#[test]
fn paths_and_added_methods_are_found() {
    let code = "use super::{\n    b::{self, C},\n    d::E as F,\n    *,\n};\nuse crate::{event::Event, room::g::h};\n\
                impl Own {\n    fn one(&self) {\n        self::x();\n    }\n}\nimpl<'r> Other<'r> {\n    pub fn two() {}\n}\n\
                struct Own;\nstruct OtherOne;\nimpl Trait for Other {\n    fn three() {}\n}";
    let own = ["sub", "file"].map(str::to_owned);
    let mut found: Vec<String> = paths(code, "room", &own).iter().map(|(_, path)| path.join("/")).collect();
    found.sort();
    assert_eq!(found, ["g/h", "sub", "sub/b/C", "sub/b/self", "sub/d/E", "sub/file/x"]);
    assert_eq!(added_methods(code, code), ["two"]);
    let found = paths("use super::super::b::C;\n", "room", &own);
    assert_eq!(found, [(1, vec!["b".to_owned(), "C".to_owned()])]);
}

/// A directory of the library whose files have an order.
struct Room {
    directory: PathBuf,
    name: String,
    /// Files without their extension, and directories that count as one; lowest first.
    order: Vec<String>,
}

impl Room {
    fn of(name: &str) -> Self {
        let directory = engine().join("core").join(name);
        let order = said_in_order(&fs::read_to_string(directory.join("mod.rs")).unwrap(), " Order");
        Room { directory, name: name.to_owned(), order }
    }

    /// The module of a file, as a path below the room.
    fn own_path(&self, file: &Path) -> Vec<String> {
        let below = file.strip_prefix(&self.directory).unwrap().with_extension("");
        let mut parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.pop_if(|last| last == "mod");
        parts
    }

    /// The position of the file or directory that contains something; `None` for the room's `mod.rs`, which is above
    /// all.
    fn place(&self, path: &[String]) -> Option<usize> {
        (1..=path.len()).rev().find_map(|parts| {
            let name = path[..parts].join("/");
            self.order.iter().position(|listed| *listed == name)
        })
    }

    /// What the files of the room use from those above them: by a path, or by calling a method that a higher file adds
    /// to a type of another file.
    fn upward(&self) -> Vec<String> {
        let files: Vec<(PathBuf, Vec<String>, String)> = rust_files(&self.directory)
            .into_iter()
            .filter(|file| !in_tests(file) && *file != self.directory.join("mod.rs"))
            .map(|file| {
                let code: Vec<String> =
                    before_tests(&fs::read_to_string(&file).unwrap()).into_iter().map(|(_, line)| line).collect();
                (file.clone(), self.own_path(&file), code.join("\n"))
            })
            .collect();
        // A type may have its methods in several files of its place.
        let at = |place: usize| -> String {
            files.iter().filter(|(_, own, _)| self.place(own) == Some(place)).map(|(.., code)| code.as_str()).collect()
        };
        let added: Vec<(usize, String)> = files
            .iter()
            .filter_map(|(_, own, code)| {
                let place = self.place(own)?;
                Some((place, added_methods(code, &at(place))))
            })
            .flat_map(|(place, names)| names.into_iter().map(move |name| (place, name)))
            .collect();
        let mut upward = Vec::new();
        for (file, own, code) in &files {
            let floor = self.place(own);
            let mut found = |line: usize, used: &str| {
                upward.push(format!("{}:{line}: `{}` uses `{used}`", file.display(), own.join("/")));
            };
            for (line, path) in paths(code, &self.name, own) {
                // The `mod.rs` of a directory may name what is in it.
                if self.place(&path).is_none_or(|used| floor.is_some_and(|floor| used > floor)) {
                    found(line, &path.join("::"));
                }
            }
            for (number, line) in code.lines().enumerate() {
                for (place, name) in &added {
                    if floor.is_some_and(|floor| *place > floor) && line.contains(&format!(".{name}(")) {
                        found(number + 1, &format!("{}, .{name}()", self.order[*place]));
                    }
                }
            }
        }
        upward
    }
}

/// The paths of a file that lead into its room, below the room: `own` is the file's module there.
fn paths(code: &str, room: &str, own: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let mut leaves = Vec::new();
            read_tree(&code[at..], &mut Vec::new(), &mut leaves);
            for leaf in leaves {
                found.extend(resolved(&leaf, room, own).map(|path| (line, path)));
            }
        }
    }
    found
}

/// A path relative to the room; `None` if it leads elsewhere.
fn resolved(path: &[String], room: &str, own: &[String]) -> Option<Vec<String>> {
    let mut parts = path.iter().map(String::as_str).peekable();
    let mut base: Vec<String> = [room].into_iter().map(str::to_owned).chain(own.iter().cloned()).collect();
    match parts.next()? {
        "crate" => base.clear(),
        "super" => {
            base.pop();
            while parts.next_if_eq(&"super").is_some() {
                base.pop()?;
            }
        }
        _ => {}
    }
    base.extend(parts.map(str::to_owned));
    (base.first()? == room).then(|| base.split_off(1))
}

/// Reads `a::b::{c, d::e}` into its leaves and gives back the rest of the text.
fn read_tree<'t>(text: &'t str, before: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) -> &'t str {
    let mut rest = text.trim_start();
    let depth = before.len();
    loop {
        let word = first_word(rest);
        rest = &rest[word.len()..];
        if !word.is_empty() {
            before.push(word);
        }
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with('{') => {
                rest = after[1..].trim_start();
                while !rest.starts_with('}') && !rest.is_empty() {
                    rest = read_tree(rest, before, leaves).trim_start();
                    rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
                }
                rest = rest.strip_prefix('}').unwrap_or(rest);
                break;
            }
            Some(after) if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') => rest = after,
            _ => {
                leaves.push(before.clone());
                // Other signs, such as `*` and ` as name`, up to the next item.
                rest = rest.trim_start_matches(|c: char| !",}".contains(c) && (c != '\n'));
                break;
            }
        }
    }
    before.truncate(depth);
    rest
}

/// The methods that a file adds to types which the code of its place does not define.
fn added_methods(code: &str, of_place: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_added = false;
    for line in code.lines() {
        if let Some(head) = line.strip_prefix("impl") {
            let head = head.strip_prefix('<').map_or(head, |rest| rest.split_once("> ").map_or(rest, |(_, rest)| rest));
            let name = first_word(head);
            let defined = ["struct", "enum"].iter().any(|kind| {
                let word = format!("{kind} {name}");
                let defined = |at: usize| first_word(&of_place[at + word.len() - name.len()..]) == name;
                of_place.match_indices(&word).any(|(at, _)| defined(at))
            });
            is_added = !head.contains(" for ") && !defined;
        } else if line.starts_with('}') {
            is_added = false;
        } else if is_added
            && let Some(before) = line.strip_prefix("    ")
            && let Some(at) = before.find("fn ").filter(|_| !before.starts_with(' '))
        {
            names.push(first_word(&before[at + 3..]));
        }
    }
    names
}
