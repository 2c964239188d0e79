//! Package specifications: `name[:arch]`, with `=version` (which may end in `*`) or `>=version`, and with wildcards.

use crate::system::glob::{self, Pattern};

/// One item of `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    /// With the architecture, if given; may contain `*`, `?` and `[..]`.
    pub name: String,
    pub version: Wanted,
}

/// The requested version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    /// `=`: exactly this version, or those that match its wildcards.
    Is(String),
    /// `>=`
    AtLeast(String),
}

impl Spec {
    /// Parses an item; the error is a message.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => match name.strip_suffix('>') {
                Some(name) => (name, Wanted::AtLeast(version.trim().to_owned())),
                None => (name, Wanted::Is(version.trim().to_owned())),
            },
            None => (text, Wanted::Any),
        };
        let name = name.trim();
        match &version {
            _ if !Spec::may_be_a_name(name) => Err(format!("No package matching '{text}' is available")),
            Wanted::Is(version) | Wanted::AtLeast(version) if version.is_empty() || version.starts_with('=') => {
                Err(format!("invalid package spec: {text}"))
            }
            _ => Ok(Spec { name: name.to_owned(), version }),
        }
    }

    /// Whether a package may be called so, or an item of `name` that begins with it.
    pub(super) fn may_be_a_name(text: &str) -> bool {
        let name = text.split('=').next().unwrap_or(text).trim_end_matches('>').trim();
        let good = |c: char| c.is_ascii_alphanumeric() || "+-._:*?[]!~^/".contains(c);
        !name.is_empty() && !name.starts_with('-') && name.chars().all(good)
    }

    /// Whether the name is a pattern.
    pub(super) fn is_pattern(&self) -> bool {
        glob::is_pattern(&self.name)
    }
}

/// Whether `text` matches `pattern` with its wildcards.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    if glob::is_pattern(pattern) { Pattern::new(pattern).fits(text) } else { pattern == text }
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
