//! Shell patterns over file names: `*`, `?`, `[a-z]`, `[!a-z]`.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// A pattern made ready to be matched against whole names.
#[derive(Clone, Debug)]
pub struct Pattern(Option<regex::Regex>);

impl Pattern {
    /// Reads a pattern. Everything is a pattern: a bracket that is not closed stands for itself, and a set
    /// that makes no sense (`[z-a]`) fits nothing.
    pub fn new(pattern: &str) -> Pattern {
        Pattern(regex::Regex::new(&translate(pattern)).ok())
    }

    /// Whether the whole of `name` fits.
    pub fn fits(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

fn translate(pattern: &str) -> String {
    let mut out = String::from("(?s)^");
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let negated = matches!(chars.get(at), Some('!' | '^'));
                let start = at + usize::from(negated);
                // A bracket right at the start belongs to the set.
                let close = (start + 1..chars.len()).find(|i| chars[*i] == ']');
                let Some(close) = close else {
                    out.push_str("\\[");
                    continue;
                };
                out.push_str(if negated { "[^" } else { "[" });
                for c in &chars[start..close] {
                    if matches!(c, '\\' | '[' | ']' | '^' | '&' | '~') {
                        out.push('\\');
                    }
                    out.push(*c);
                }
                out.push(']');
                at = close + 1;
            }
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out + "$"
}

/// Whether the text has any sign that makes it a pattern.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether anything fits the pattern, which may have signs in any of its parts.
pub fn exists(pattern: &Path) -> bool {
    !matching(pattern).is_empty()
}

/// All paths that fit, sorted. Names that begin with a dot fit only patterns that do too.
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
            found.iter().flat_map(|folder| entries(folder, &fitting, text.starts_with('.'))).collect()
        } else {
            found.into_iter().map(|folder| folder.join(name)).collect()
        };
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort();
    found
}

fn entries(folder: &Path, pattern: &Pattern, with_hidden: bool) -> Vec<PathBuf> {
    let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let names = |entries: fs::ReadDir| entries.collect::<io::Result<Vec<_>>>();
    let entries = fs::read_dir(shown).and_then(names).unwrap_or_default();
    let names = entries.into_iter().map(|entry| entry.file_name());
    names
        .filter(|name| with_hidden || !name.to_string_lossy().starts_with('.'))
        .filter(|name| pattern.fits(&name.to_string_lossy()))
        .map(|name| folder.join(name))
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
            ("[x", "[x", true),
            ("a.b", "axb", false),
            ("a+(b)", "a+(b)", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_may_stand_in_any_part_of_a_path() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/x.txt", "b/x.txt", "b/.hidden.txt"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(matching(&folder.path().join("*/*.txt")).len(), 2);
        assert_eq!(matching(&folder.path().join("b/.*.txt")).len(), 1);
        assert!(exists(&folder.path().join("a/x.txt")) && !exists(&folder.path().join("c/*")));
    }
}
