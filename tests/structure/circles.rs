//! No two files of the engine use each other, directly or through others: what both need is in a third file.
//! `floors.rs` checks the order of whole rooms; this test checks each file, and follows the re-exports of
//! `mod.rs` files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The evaluator of templates: expressions, statements and lazily rendered variables call each other.
const EVALUATOR: &str = "template/eval/";

const CRATES: [&str; 7] = ["wire/src", "contract/src", "tencent/src", "modules/src", "agent/src", "core", "cli"];

#[test]
fn no_files_use_each_other() {
    let mut circles = Vec::new();
    for name in CRATES {
        let files = Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("engine").join(name));
        circles.extend(
            files.circles().into_iter().filter(|circle| !circle.iter().all(|file| file.starts_with(EVALUATOR))),
        );
    }
    assert!(circles.is_empty(), "files that use each other: {circles:#?}");
}

#[test]
fn circles_are_found_through_pages() {
    let file = |path: &str, text: &str| {
        (path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(), text.to_owned())
    };
    let files = Files(BTreeMap::from([
        file("", "mod a;\nmod room;"),
        file("a", "use crate::room::{Inner, c::D as E};"),
        file("room", "mod b;\nmod c;\npub use b::Inner;"),
        file("room/b", "use super::c::D;\nstruct Inner;"),
        file(
            "room/c",
            "pub struct D;\nfn f() { super::super::a::g() }\n#[cfg(test)]\nmod tests {\n    use super::super::b::X;\n}",
        ),
    ]));
    assert_eq!(files.circles(), [["a", "room/b", "room/c"]]);
}

/// The files of a crate by their modules; its root has no parts.
struct Files(BTreeMap<Vec<String>, String>);

impl Files {
    fn read(directory: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut directories = vec![directory.to_owned()];
        while let Some(next) = directories.pop() {
            let entries: Vec<PathBuf> = fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()).collect();
            for path in entries {
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let below = path.strip_prefix(directory).unwrap().with_extension("");
                    let mut parts: Vec<String> = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                    parts.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
                    if !parts.iter().any(|part| part == "tests") {
                        files.insert(parts, without_tests(&fs::read_to_string(&path).unwrap()));
                    }
                }
            }
        }
        assert!(files.len() > 2, "{} has no files", directory.display());
        Files(files)
    }

    /// The file in which a path ends, following re-exports on the way.
    fn leads_to(&self, from: &[String], path: &[String], leads: u32) -> Option<Vec<String>> {
        let mut parts = path;
        let mut at = match parts.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => from.to_vec(),
            _ => return None,
        };
        while let Some((first, rest)) =
            parts.split_first().filter(|(first, _)| ["crate", "self", "super"].contains(&first.as_str()))
        {
            if first == "super" {
                at.pop()?;
            }
            parts = rest;
        }
        while let Some((first, rest)) = parts.split_first() {
            at.push(first.clone());
            if !self.0.contains_key(&at) {
                at.pop();
                let Some(passed) = self.passed_on(&at, first).filter(|_| leads < 8) else { break };
                let whole = [passed, rest.to_vec()].concat();
                return self.leads_to(&at, &whole, leads + 1).or(Some(at));
            }
            parts = rest;
        }
        Some(at)
    }

    /// What a `mod.rs` re-exports under a name, as a path from there.
    fn passed_on(&self, page: &[String], name: &str) -> Option<Vec<String>> {
        let text = self.0.get(page)?;
        text.match_indices("pub")
            .filter_map(|(at, _)| {
                let after = &text[at + 3..];
                let after =
                    after.strip_prefix('(').map_or(after, |rest| rest.split_once(')').map_or(rest, |(_, rest)| rest));
                after.strip_prefix(" use ")
            })
            .find_map(|tree| {
                let mut leaves = Vec::new();
                read_tree(tree, &mut Vec::new(), &mut leaves);
                let (path, _) = leaves.into_iter().find(|(_, as_name)| as_name == name)?;
                let is_child = !["crate", "self", "super"].contains(&path.first()?.as_str());
                Some(if is_child { [vec!["self".to_owned()], path].concat() } else { path })
            })
    }

    /// The files that a file uses.
    fn used_by(&self, file: &[String]) -> BTreeSet<Vec<String>> {
        let Some(text) = self.0.get(file) else { return BTreeSet::new() };
        let mut used = BTreeSet::new();
        for root in ["crate::", "super::", "self::"] {
            for (at, _) in text.match_indices(root) {
                if text[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
                    continue;
                }
                let mut leaves = Vec::new();
                read_tree(&text[at..], &mut Vec::new(), &mut leaves);
                used.extend(leaves.iter().filter_map(|(path, _)| self.leads_to(file, path, 0)));
            }
        }
        used.remove(file);
        used
    }

    /// Files that reach each other, sorted; each file at most once.
    fn circles(&self) -> Vec<Vec<String>> {
        let uses: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> =
            self.0.keys().map(|file| (file, self.used_by(file))).collect();
        let reached = |start: &Vec<String>| {
            let mut reached = BTreeSet::new();
            let mut next = vec![start.clone()];
            while let Some(file) = next.pop() {
                for used in uses.get(&file).into_iter().flatten() {
                    if reached.insert(used.clone()) {
                        next.push(used.clone());
                    }
                }
            }
            reached
        };
        let reach: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> =
            self.0.keys().map(|file| (file, reached(file))).collect();
        let mut circles = BTreeSet::new();
        for (file, reached) in &reach {
            if reached.contains(*file) {
                let circle: Vec<String> =
                    reached.iter().filter(|other| reach[*other].contains(*file)).map(|other| other.join("/")).collect();
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

/// The code of a file without comments, and without the items that only tests have.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(test)]") {
            // An item at the left edge ends there, too.
            let first = lines.by_ref().find(|line| !line.starts_with("#["));
            if first.is_some_and(|line| !line.ends_with(';')) {
                lines.by_ref().find(|line| line.starts_with('}'));
            }
        } else {
            let end = line.find("//").filter(|at| !line[..*at].contains('"')).unwrap_or(line.len());
            code.push_str(&line[..end]);
            code.push('\n');
        }
    }
    code
}

/// Reads `a::b::{c, d::e as f}` into its leaves, each with the name that it gets, and gives back the rest of the text.
fn read_tree<'t>(text: &'t str, before: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) -> &'t str {
    let depth = before.len();
    let mut rest = text.trim_start();
    loop {
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        rest = &rest[word.len()..];
        before.extend(Some(word).filter(|word| !word.is_empty()));
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with('{') => {
                rest = after[1..].trim_start();
                while !rest.starts_with('}') && !rest.is_empty() {
                    let whole = rest.len();
                    rest = read_tree(rest, before, leaves).trim_start();
                    rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
                    if rest.len() == whole {
                        rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
                    }
                }
                rest = rest.strip_prefix('}').unwrap_or(rest);
                break;
            }
            Some(after) if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') => rest = after,
            _ => {
                let name = match rest.strip_prefix(" as ") {
                    Some(after) => {
                        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                        rest = &after[name.len()..];
                        name
                    }
                    None => before.last().cloned().unwrap_or_default(),
                };
                leaves.push((before.clone(), name));
                break;
            }
        }
    }
    before.truncate(depth);
    rest
}
