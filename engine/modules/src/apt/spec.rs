//! How a package is named in a playbook: `name[:arch]`, with `=version` (which may end in `*`) or
//! `>=version`, and with wildcards.

/// One item of `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// With the architecture, if one was given; may hold `*`, `?` and `[..]`.
    pub name: String,
    pub version: Wanted,
}

/// Which version is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Any,
    /// `=`: exactly this one, or those that match its wildcards.
    Is(String),
    /// `>=`
    AtLeast(String),
}

impl Spec {
    /// Reads an item, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => match name.strip_suffix('>') {
                Some(name) => (name, Wanted::AtLeast(version.trim().to_owned())),
                None => (name, Wanted::Is(version.trim().to_owned())),
            },
            None => (text, Wanted::Any),
        };
        let name = name.trim();
        let good = |c: char| c.is_ascii_alphanumeric() || "+-._:*?[]!~^/".contains(c);
        match &version {
            _ if name.is_empty() || name.starts_with('-') || !name.chars().all(good) => {
                Err(format!("`{text}` is not a package name"))
            }
            Wanted::Is(version) | Wanted::AtLeast(version) if version.is_empty() => {
                Err(format!("`{text}` names no version after `=`"))
            }
            _ => Ok(Spec { name: name.to_owned(), version }),
        }
    }

    /// Whether the name stands for several.
    pub fn is_pattern(&self) -> bool {
        is_pattern(&self.name)
    }
}

/// Whether `text` holds wildcards.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Shell wildcards, as fnmatch(3) without special treatment of `/` and dots.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut expression = String::from("^(?s:");
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' if rest.as_str().contains(']') => {
                expression.push('[');
                if rest.as_str().starts_with('!') {
                    rest.next();
                    expression.push('^');
                }
                for c in rest.by_ref() {
                    match c {
                        ']' => break,
                        '-' => expression.push('-'),
                        other => expression.push_str(&regex::escape(&other.to_string())),
                    }
                }
                expression.push(']');
            }
            other => expression.push_str(&regex::escape(&other.to_string())),
        }
    }
    expression.push_str(")$");
    regex::Regex::new(&expression).is_ok_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions() {
        let spec = |name: &str, version| Ok(Spec { name: name.into(), version });
        assert_eq!(Spec::parse("nginx"), spec("nginx", Wanted::Any));
        assert_eq!(Spec::parse("g++:i386"), spec("g++:i386", Wanted::Any));
        assert_eq!(Spec::parse("nginx=1.2*"), spec("nginx", Wanted::Is("1.2*".into())));
        assert_eq!(Spec::parse("nginx >= 1.2"), spec("nginx", Wanted::AtLeast("1.2".into())));
        for wrong in ["", "=1", "-y", "a b", "nginx=", "a;b"] {
            assert!(Spec::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wildcards() {
        assert!(matches("1.2*", "1.22.1-9+deb12u1"));
        assert!(!matches("1.2", "1x2") && matches("1.?", "1.2"));
        assert!(matches("php[78].[0-9]", "php8.2") && !matches("php[!8].2", "php8.2"));
    }
}
