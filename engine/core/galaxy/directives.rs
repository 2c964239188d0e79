//! Which files belong to a collection: patterns of `build_ignore`, and directives like those of `MANIFEST.in`.

use std::path::Path;

use rplay_contract::system::glob;

use super::{GalaxyError, Result};

/// Whether a name matches a shell pattern; as in Python's fnmatch, `*` also matches slashes.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match glob::is_pattern(pattern) {
        true => glob::Pattern::new(pattern).fits(name),
        false => pattern == name,
    }
}

/// One line of a `MANIFEST.in`.
enum Directive {
    Include(Vec<String>),
    Exclude(Vec<String>),
    RecursiveInclude(String, Vec<String>),
    RecursiveExclude(String, Vec<String>),
    GlobalInclude(Vec<String>),
    GlobalExclude(Vec<String>),
    Graft(String),
    Prune(String),
}

/// Directives in order; each adds or removes files.
pub(super) struct Directives(Vec<Directive>);

/// Directives before a collection's own: all content that Ansible knows.
fn usual_before() -> Vec<String> {
    let mut lines: Vec<String> =
        ["include meta/*.yml", "include *.txt *.md *.rst *.license COPYING LICENSE"].map(str::to_owned).into();
    lines.push("recursive-include .reuse **".to_owned());
    lines.push("recursive-include LICENSES **".to_owned());
    lines.push("recursive-include tests **".to_owned());
    lines.push("recursive-include docs **.rst **.yml **.yaml **.json **.j2 **.txt **.license".to_owned());
    lines.push("recursive-include roles **.yml **.yaml **.json **.j2 **.license".to_owned());
    lines.push("recursive-include playbooks **.yml **.yaml **.json **.license".to_owned());
    lines.push("recursive-include changelogs **.yml **.yaml **.license".to_owned());
    lines.push("recursive-include plugins */**.py */**.license */**.yml */**.yaml */**.ps1".to_owned());
    lines
}

/// Directives after a collection's own.
fn usual_after(namespace: &str, name: &str) -> Vec<String> {
    vec![
        format!("exclude galaxy.yml galaxy.yaml MANIFEST.json FILES.json {namespace}-{name}-*.tar.gz"),
        "recursive-exclude tests/output **".to_owned(),
        "global-exclude /.* /__pycache__ *.pyc *.pyo *.bak *~ *.swp".to_owned(),
    ]
}

impl Directives {
    /// A collection's own directives, between the default ones.
    ///
    /// # Errors
    /// If a line is not a directive.
    pub(super) fn parse(own: &[String], omit_usual: bool, namespace: &str, name: &str) -> Result<Self> {
        let mut lines = if omit_usual { Vec::new() } else { usual_before() };
        lines.extend(own.iter().cloned());
        if !omit_usual {
            lines.extend(usual_after(namespace, name));
        }
        let lines = lines.iter().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
        lines.map(|line| Directive::parse(line)).collect::<Result<_>>().map(Directives)
    }

    /// Whether a file belongs to the collection; the name is relative to its directory.
    pub(super) fn take(&self, name: &str) -> bool {
        let mut taken = false;
        for directive in &self.0 {
            match directive {
                Directive::Include(patterns) if any(patterns, name) => taken = true,
                Directive::Exclude(patterns) if any(patterns, name) => taken = false,
                Directive::RecursiveInclude(directory, patterns) if below(directory, patterns, name) => taken = true,
                Directive::RecursiveExclude(directory, patterns) if below(directory, patterns, name) => taken = false,
                Directive::GlobalInclude(patterns) if anywhere(patterns, name) => taken = true,
                Directive::GlobalExclude(patterns) if anywhere(patterns, name) => taken = false,
                Directive::Graft(directory) if in_directory(directory, name).is_some() => taken = true,
                Directive::Prune(directory) if in_directory(directory, name).is_some() => taken = false,
                _ => {}
            }
        }
        taken
    }
}

impl Directive {
    fn parse(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let wrong = || GalaxyError::new(format!("`{line}` is not a manifest directive"));
        let action = words.next().unwrap_or_default();
        let mut directory = String::new();
        if action.starts_with("recursive-") || matches!(action.as_str(), "graft" | "prune") {
            directory = words.next().ok_or_else(wrong)?.trim_matches('/').to_owned();
        }
        let patterns: Vec<String> = words.collect();
        if patterns.is_empty() != matches!(action.as_str(), "graft" | "prune") {
            return Err(wrong());
        }
        Ok(match action.as_str() {
            "include" => Directive::Include(patterns),
            "exclude" => Directive::Exclude(patterns),
            "recursive-include" => Directive::RecursiveInclude(directory, patterns),
            "recursive-exclude" => Directive::RecursiveExclude(directory, patterns),
            "global-include" => Directive::GlobalInclude(patterns),
            "global-exclude" => Directive::GlobalExclude(patterns),
            "graft" => Directive::Graft(directory),
            "prune" => Directive::Prune(directory),
            _ => return Err(wrong()),
        })
    }
}

/// Matches a path: `*` stays within a directory, `**` does not.
fn path_matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<&str> = pattern.trim_matches('/').split('/').collect();
    let name: Vec<&str> = name.split('/').collect();
    parts_match(&pattern, &name)
}

fn parts_match(pattern: &[&str], name: &[&str]) -> bool {
    match pattern {
        [] => name.is_empty(),
        // A final `**.py` matches files at any depth.
        [last] if last.starts_with("**") => name.last().is_some_and(|name| matches(&last[1..], name)),
        [first, rest @ ..] if *first == "**" => (0..=name.len()).any(|skip| parts_match(rest, &name[skip..])),
        [first, rest @ ..] => name.first().is_some_and(|part| matches(first, part)) && parts_match(rest, &name[1..]),
    }
}

fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| path_matches(pattern, name))
}

fn in_directory<'n>(directory: &str, name: &'n str) -> Option<&'n str> {
    match directory {
        "" | "." => Some(name),
        directory => {
            let depth = directory.split('/').count();
            let parts: Vec<&str> = name.split('/').collect();
            let head = parts.get(..depth).filter(|_| parts.len() > depth)?;
            let rest = &name[head.iter().map(|part| part.len() + 1).sum()..];
            path_matches(directory, &head.join("/")).then_some(rest)
        }
    }
}

fn below(directory: &str, patterns: &[String], name: &str) -> bool {
    in_directory(directory, name).is_some_and(|rest| {
        patterns.iter().any(|pattern| path_matches(pattern, rest) || path_matches(&format!("**/{pattern}"), rest))
    })
}

/// Whether a pattern matches the path or any part of it.
fn anywhere(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| {
        let pattern = pattern.trim_start_matches('/');
        Path::new(name).iter().any(|part| matches(pattern, &part.to_string_lossy())) || path_matches(pattern, name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_fnmatch() {
        for (pattern, name, taken) in [
            ("*.pyc", "a/b.pyc", true),
            ("a?c", "abc", true),
            ("[!a]b", "ab", false),
            ("[a-c]b", "bb", true),
            ("[]]", "]", true),
            ("[", "[", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbX", false),
            ("tests/output*", "tests/output/x", true),
        ] {
            assert_eq!(matches(pattern, name), taken, "{pattern} {name}");
        }
        // No pattern causes exponential backtracking.
        assert!(!matches(&("a*".repeat(50) + "b"), &"a".repeat(2000)));
    }

    #[test]
    fn directives_choose_in_order() {
        let own = ["include extra/*.sh", "recursive-exclude plugins/modules **", "prune docs"].map(str::to_owned);
        let directives = Directives::parse(&own, false, "my", "coll").unwrap();
        for (name, taken) in [
            ("README.md", true),
            ("meta/runtime.yml", true),
            ("plugins/filter/x.py", true),
            ("plugins/filter/deep/x.py", true),
            ("plugins/filter/x.sh", false),
            ("plugins/modules/x.py", false),
            ("extra/x.sh", true),
            ("extra/deep/x.sh", false),
            ("docs/x.rst", false),
            ("tests/unit/x", true),
            ("tests/output/x", false),
            ("tests/__pycache__/x", false),
            ("my-coll-1.0.0.tar.gz", false),
            ("galaxy.yml", false),
        ] {
            assert_eq!(directives.take(name), taken, "{name}");
        }
        assert!(Directives::parse(&["includes x".to_owned()], true, "a", "b").is_err());
        assert!(!Directives::parse(&[], true, "a", "b").unwrap().take("README.md"));
    }
}
