//! Shell patterns as in Python's `fnmatch` and `glob`: `*`, `?`, `[a-z]`, `[!a-z]`.
//!
//! Matching takes linear time, however many stars a pattern has: it becomes a regular expression without backtracking.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// A compiled pattern that matches whole names.
#[derive(Clone, Debug)]
pub struct Pattern(Option<regex::Regex>);

impl Pattern {
    /// Compiles a pattern. Every text is a pattern: an unclosed bracket is literal, and an invalid set (`[z-a]`)
    /// matches nothing.
    pub fn new(pattern: &str) -> Pattern {
        Pattern(regex::Regex::new(&translate(pattern)).ok())
    }

    /// Whether the whole name matches.
    pub fn fits(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

/// The pattern as a regular expression for a whole name.
fn translate(pattern: &str) -> String {
    let mut out = String::from("(?s)^");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => match set(rest) {
                Some((set, length)) => {
                    push_set(set, &mut out);
                    rest = &rest[length..];
                }
                None => out.push_str("\\["),
            },
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out + "$"
}

/// The content of a bracket expression whose opening bracket was read, and its length including the closing one. A
/// bracket right at the start belongs to the set.
fn set(rest: &str) -> Option<(&str, usize)> {
    let start = if rest.starts_with('!') { 2 } else { 1 };
    let (close, _) = rest.char_indices().skip(start).find(|(_, c)| *c == ']')?;
    Some((&rest[..close], close + 1))
}

/// Writes single characters and ranges, escaped for the regular expression.
fn push_set(set: &str, out: &mut String) {
    let (negated, members) = set.strip_prefix('!').map_or((false, set), |members| (true, members));
    let members: Vec<char> = members.chars().collect();
    let escaped = |c: char| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() };
    let (mut class, mut at) = (String::new(), 0);
    while at < members.len() {
        match members[at..] {
            [first, '-', last, ..] => {
                // A reversed range is empty.
                if first <= last {
                    class.push_str(&format!("{}-{}", escaped(first), escaped(last)));
                }
                at += 3;
            }
            _ => {
                class.push_str(&escaped(members[at]));
                at += 1;
            }
        }
    }
    match (class.is_empty(), negated) {
        (true, true) => out.push('.'),
        (true, false) => out.push_str(r"[^\s\S]"),
        (false, true) => out.push_str(&format!("[^{class}]")),
        (false, false) => out.push_str(&format!("[{class}]")),
    }
}

/// Whether the text contains pattern characters.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether any path matches the pattern, which may have wildcards in any component.
pub fn exists(pattern: &Path) -> bool {
    !matching(pattern).is_empty()
}

/// All matching paths, sorted. Names with a leading dot match only patterns that have one too.
pub fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let Component::Normal(name) = part else {
            for path in &mut found {
                path.push(part);
            }
            continue;
        };
        let text = name.to_string_lossy();
        found = if is_pattern(&text) {
            let fitting = Pattern::new(&text);
            found.iter().flat_map(|directory| entries(directory, &fitting, text.starts_with('.'))).collect()
        } else {
            found.into_iter().map(|directory| directory.join(name)).collect()
        };
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    crate::system::order::sort(&mut found);
    found
}

fn entries(directory: &Path, pattern: &Pattern, with_hidden: bool) -> Vec<PathBuf> {
    let shown = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let names = |entries: fs::ReadDir| entries.collect::<io::Result<Vec<_>>>();
    let entries = fs::read_dir(shown).and_then(names).unwrap_or_default();
    let names = entries.into_iter().map(|entry| entry.file_name());
    names
        .filter(|name| with_hidden || !name.to_string_lossy().starts_with('.'))
        .filter(|name| pattern.fits(&name.to_string_lossy()))
        .map(|name| directory.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_a_shell_means() {
        for (pattern, name, fits) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[!]]x", "]x", false),
            ("[!]]x", "ax", true),
            ("[^a]", "^", true),
            ("[^a]", "b", false),
            ("[z-a]", "m", false),
            ("[!z-a]", "m", true),
            ("[a-]", "-", true),
            ("[--/]", ".", true),
            ("[a&&b]", "&", true),
            ("[~~]", "~", true),
            ("[\\\\]", "\\", true),
            ("[[:alpha:]]", "a]", true),
            ("[é-ê]", "ê", true),
            ("*", "two\nlines", true),
            ("é*", "été", true),
            ("[x", "[x", true),
            ("a.b", "axb", false),
            ("a+(b)", "a+(b)", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_one() {
        let (pattern, name) = ("*a".repeat(200) + "b", "a".repeat(20_000));
        let begun = std::time::Instant::now();
        assert!(!Pattern::new(&pattern).fits(&name));
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }

    #[test]
    fn patterns_may_stand_in_any_part_of_a_path() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a/x.txt", "b/x.txt", "b/.hidden.txt"] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(matching(&directory.path().join("*/*.txt")).len(), 2);
        assert_eq!(matching(&directory.path().join("b/.*.txt")).len(), 1);
        assert!(exists(&directory.path().join("a/x.txt")) && !exists(&directory.path().join("c/*")));
    }
}
