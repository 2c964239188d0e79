//! The source files of the engine, and what is read of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn engine() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engine")
}

/// The words in backticks of the sentence of a crate's page that begins so.
pub(crate) fn said_in_order(text: &str, begin: &str) -> Vec<String> {
    let said: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .skip_while(|line| !line.starts_with(begin))
        .take_while(|line| !line.is_empty())
        .collect();
    said.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

pub(crate) fn first_part(file: &Path, root: &Path) -> String {
    let below = file.strip_prefix(root).unwrap();
    Path::new(below.iter().next().unwrap()).file_stem().unwrap().to_string_lossy().into_owned()
}

/// The source files in a directory and below it; some directories contain only fixtures.
pub(crate) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "{} has no code", directory.display());
    files.sort();
    files
}

pub(crate) fn in_tests(file: &Path) -> bool {
    let name = file.file_stem().unwrap_or_default();
    file.iter().any(|part| part == "tests" || part == "examples") || name == "tests" || is_test_module(file)
}

/// Whether a file is a module that its parent builds for tests only.
fn is_test_module(file: &Path) -> bool {
    let name = file.file_stem().unwrap().to_string_lossy();
    let directory = file.parent().unwrap();
    let parents = [directory.join("mod.rs"), directory.join("lib.rs"), directory.with_extension("rs")];
    parents
        .iter()
        .filter_map(|parent| fs::read_to_string(parent).ok())
        .any(|text| text.contains(&format!("#[cfg(test)]\nmod {name};")))
}

/// The numbered lines of a file without comments, down to its tests.
pub(crate) fn before_tests(text: &str) -> Vec<(usize, String)> {
    let numbered = without_comments(text).lines().map(str::to_owned).enumerate().collect::<Vec<_>>();
    numbered
        .into_iter()
        .map(|(index, line)| (index + 1, line))
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .collect()
}

/// The lines of a text without what follows `//` at their beginning or after a space.
pub(crate) fn without_comments(text: &str) -> String {
    let code = |line: &str| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The names that follow `root::`, one or several in braces, each with the line of the root.
pub(crate) fn uses(text: &str, root: &str) -> Vec<(usize, String)> {
    let text = without_comments(text);
    let path = format!("{root}::");
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&path) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || "_$".contains(c)) {
            continue;
        }
        let line = text[..at].matches('\n').count() + 1;
        let rest = &text[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(names_in_group(group).into_iter().map(|name| (line, name))),
            None => found.push((line, first_word(rest))),
        }
    }
    found
}

/// The first words of the items of a group, of which the opening brace is gone.
fn names_in_group(group: &str) -> Vec<String> {
    let (mut depth, mut item, mut names) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => names.push(first_word(&std::mem::take(&mut item))),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                item.push(c);
            }
        }
    }
    names.push(first_word(&item));
    names.retain(|name| !name.is_empty());
    names
}

pub(crate) fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The reader of `use` finds what the tests above rely on.
#[test]
fn uses_are_found_wherever_they_are() {
    let text = "use crate::{\n    event::{Counts, Event},\n    secrets,\n    source::Span,\n};\n// crate::run\nlet x = crate::vars::to_wire(y);";
    let found: Vec<(usize, String)> = uses(text, "crate");
    let wanted = [(1, "event"), (1, "secrets"), (1, "source"), (7, "vars")];
    assert_eq!(found, wanted.map(|(line, name)| (line, name.to_owned())));
}
