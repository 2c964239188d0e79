//! Requirements of pip, and whether an installed version satisfies them (PEP 440, PEP 508).

use std::{collections::HashMap, iter, str::FromStr};

use pep440_rs::{Version, VersionSpecifier};

/// A required package: `name`, `name[extra]>=1,<2`, or a URL that only pip can resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    /// The argument for pip.
    pub text: String,
    /// The normalized name; `None` for a URL or a path.
    pub name: Option<String>,
    specifiers: Vec<Specifier>,
}

impl Requirement {
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(extras) => extras.split_once(']').map_or(rest, |(_, after)| after.trim_start()),
            None => rest,
        };
        // `; marker` is left to pip: packages that it excludes are neither installed nor changed.
        let conditions = rest.split(';').next().unwrap_or_default().trim();
        let parts = conditions.split(',').map(str::trim).filter(|part| !part.is_empty());
        let specifiers: Option<Vec<Specifier>> = parts.map(Specifier::read).collect();
        let is_name = !name.is_empty()
            && !name.starts_with('.')
            && !text.contains("://")
            && !text.contains('/')
            && !rest.starts_with('@')
            && ![".whl", ".zip", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end));
        match specifiers.filter(|_| is_name) {
            Some(specifiers) => Requirement { text: text.to_owned(), name: Some(normalized(name)), specifiers },
            None => Requirement { text: text.to_owned(), name: None, specifiers: Vec::new() },
        }
    }

    pub(super) fn has_version(&self) -> bool {
        !self.specifiers.is_empty()
    }

    /// Whether the host satisfies the requirement; `None` if only pip can tell.
    pub(super) fn is_met(&self, installed: &HashMap<String, String>) -> Option<bool> {
        let found = installed.get(self.name.as_ref()?);
        Some(found.is_some_and(|version| self.specifiers.iter().all(|specifier| specifier.takes(version))))
    }
}

/// `Zope.Interface` and `zope-interface` are the same package.
pub(super) fn normalized(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '.' | '_' | '-' if out.ends_with('-') => {}
            '.' | '_' | '-' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

/// One condition on a version.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Specifier {
    /// `===`: exactly this text, which need not be a version.
    Exact(String),
    Pep440(VersionSpecifier),
}

impl Specifier {
    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix("===") {
            Some(wanted) => Some(Specifier::Exact(wanted.trim().to_owned())),
            None => VersionSpecifier::from_str(text).ok().map(Specifier::Pep440),
        }
    }

    fn takes(&self, installed: &str) -> bool {
        match self {
            Specifier::Exact(wanted) => installed.eq_ignore_ascii_case(wanted),
            Specifier::Pep440(specifier) => Version::from_str(installed).is_ok_and(|installed| {
                // `==1.1.*` must not match `1`: the library compares no more numbers than the shorter version has.
                let missing = specifier.version().release().len().saturating_sub(installed.release().len());
                let release: Vec<u64> = installed.release().iter().copied().chain(iter::repeat_n(0, missing)).collect();
                specifier.contains(&installed.with_release(release))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(requirement: &str, installed: &str) -> Option<bool> {
        let installed = installed.split_once('=').map(|(name, version)| (name.to_owned(), version.to_owned()));
        Requirement::read(requirement).is_met(&installed.into_iter().collect())
    }

    #[test]
    fn names_are_compared_as_pypi_does() {
        assert_eq!(met("Zope_Interface", "zope-interface=5.0"), Some(true));
        assert_eq!(met("requests[socks] >= 2", "requests=2.31.0"), Some(true));
        assert_eq!(met("requests; python_version > '3'", "requests=2"), Some(true));
        assert_eq!(met("other", "requests=2"), Some(false));
    }

    #[test]
    fn what_only_pip_can_look_into() {
        for text in [
            "git+https://host/x.git#egg=x",
            "./here",
            "/srv/x-1.0.tar.gz",
            "x @ file:///srv/x",
            "x.whl",
            "file:///srv/x",
            "x~=1",
            "x>=about",
        ] {
            assert_eq!(met(text, "x=1"), None, "{text}");
        }
    }

    #[test]
    fn versions_have_the_order_of_pep_440() {
        let cases = [
            ("x==1.0", "x=1.0.0", true),
            ("x==1.0", "x=1.0+local", true),
            ("x==1.*", "x=1.7", true),
            ("x!=1.*", "x=1.7", false),
            ("x>=1.10", "x=1.9", false),
            ("x>1.0,<2", "x=1.5", true),
            ("x>=2", "x=2.0rc1", false),
            ("x<2", "x=2.0.dev3", false),
            ("x<2", "x=1.9rc1", true),
            ("x>2.0", "x=2.0.post1", false),
            ("x>1.0", "x=1.0+deb", false),
            ("x<=2.0.0", "x=2.0rc1", true),
            ("x==1.0.*", "x=1.0.post1", true),
            ("x==1.0.*", "x=1", true),
            ("x==1.1.*", "x=1", false),
            ("x!=1.1.*", "x=1", true),
            ("x~=1.4.2", "x=1.4.9", true),
            ("x~=1.4.2", "x=1.5.0", false),
            ("x===1.0", "x=1.0.0", false),
            ("x===2004d", "x=2004D", true),
            ("x>=1", "x=unknown", false),
        ];
        for (wanted, installed, expected) in cases {
            assert_eq!(met(wanted, installed), Some(expected), "{wanted} with {installed}");
        }
        assert!(Requirement::read("x==1").has_version() && !Requirement::read("x").has_version());
    }
}
