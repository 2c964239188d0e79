//! Requirements of pip, and whether an installed version satisfies them (PEP 440, PEP 508).

use std::{cmp::Ordering, collections::HashMap};

/// A required package: `name`, `name[extra]>=1,<2`, or a URL that only pip can resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The argument for pip.
    pub text: String,
    /// The normalized name; `None` for a URL or a path.
    pub name: Option<String>,
    specifiers: Vec<(String, String)>,
}

impl Requirement {
    pub fn read(text: &str) -> Self {
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
        let specifiers = conditions
            .split(',')
            .filter(|part| !part.trim().is_empty())
            .map(|part| {
                let part = part.trim();
                let end = part.find(|c: char| !"=<>!~".contains(c)).unwrap_or(part.len());
                (part[..end].to_owned(), part[end..].trim().to_owned())
            })
            .collect::<Vec<_>>();
        let is_name = !name.is_empty()
            && !name.starts_with('.')
            && !text.contains("://")
            && !text.contains('/')
            && !rest.starts_with('@')
            && specifiers.iter().all(|(operator, _)| !operator.is_empty())
            && ![".whl", ".zip", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end));
        Requirement {
            text: text.to_owned(),
            name: is_name.then(|| normalized(name)),
            specifiers: if is_name { specifiers } else { Vec::new() },
        }
    }

    pub fn has_version(&self) -> bool {
        !self.specifiers.is_empty()
    }

    /// Whether the host satisfies the requirement; `None` if only pip can tell.
    pub fn is_met(&self, installed: &HashMap<String, String>) -> Option<bool> {
        let found = installed.get(self.name.as_ref()?);
        Some(found.is_some_and(|version| self.specifiers.iter().all(|(op, wanted)| holds(version, op, wanted))))
    }
}

/// `Zope.Interface` and `zope-interface` are the same package.
pub fn normalized(name: &str) -> String {
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

fn holds(version: &str, operator: &str, wanted: &str) -> bool {
    if operator == "===" {
        return version.eq_ignore_ascii_case(wanted);
    }
    if let Some(prefix) = wanted.strip_suffix(".*") {
        let same = starts_with(version, prefix);
        return if operator == "!=" { !same } else { same };
    }
    // A local version label (`1.0+deb`) only counts if it is requested.
    let version = if wanted.contains('+') { version } else { version.split('+').next().unwrap_or(version) };
    let order = compare(version, wanted);
    match operator {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        ">=" => order != Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        "<" => order == Ordering::Less,
        "~=" => {
            let prefix = wanted.rsplit_once('.').map_or(wanted, |(prefix, _)| prefix);
            order != Ordering::Less && starts_with(version, prefix)
        }
        _ => false,
    }
}

fn starts_with(version: &str, prefix: &str) -> bool {
    let (version, prefix) = (Version::read(version), Version::read(prefix));
    let mut numbers = version.release.iter().copied().chain(std::iter::repeat(0));
    version.epoch == prefix.epoch && prefix.release.iter().all(|wanted| numbers.next() == Some(*wanted))
}

fn compare(a: &str, b: &str) -> Ordering {
    Version::read(a).key().cmp(&Version::read(b).key())
}

#[derive(Default)]
struct Version {
    epoch: u64,
    release: Vec<u64>,
    /// `a`, `b`, `rc` and their number.
    pre: Option<(char, u64)>,
    post: Option<u64>,
    dev: Option<u64>,
}

type Key = (u64, Vec<u64>, (i8, char, u64), (bool, u64), (bool, u64));

impl Version {
    fn read(text: &str) -> Self {
        let text = text.trim().trim_start_matches(['v', 'V']).to_ascii_lowercase();
        let public = text.split('+').next().unwrap_or_default();
        let (epoch, rest) = public.split_once('!').map_or((0, public), |(e, rest)| (e.parse().unwrap_or(0), rest));
        let mut version = Version { epoch, ..Version::default() };
        let mut word = String::new();
        for piece in pieces(rest) {
            match piece.parse::<u64>() {
                Ok(number) if word.is_empty() => version.release.push(number),
                Ok(number) => version.tag(&std::mem::take(&mut word), number),
                Err(_) => {
                    if !word.is_empty() {
                        version.tag(&std::mem::take(&mut word), 0);
                    }
                    word = piece;
                }
            }
        }
        if !word.is_empty() {
            version.tag(&word, 0);
        }
        version
    }

    fn tag(&mut self, word: &str, number: u64) {
        match word {
            "a" | "alpha" => self.pre = Some(('a', number)),
            "b" | "beta" => self.pre = Some(('b', number)),
            "c" | "rc" | "pre" | "preview" => self.pre = Some(('c', number)),
            "post" | "rev" | "r" => self.post = Some(number),
            "dev" => self.dev = Some(number),
            _ => {}
        }
    }

    /// The sort key of a version: dev < alpha < ... < release < post.
    fn key(&self) -> Key {
        let mut release = self.release.clone();
        while release.last() == Some(&0) {
            release.pop();
        }
        let pre = match (self.pre, self.post, self.dev) {
            (Some((kind, number)), ..) => (0, kind, number),
            (None, None, Some(_)) => (-1, 'a', 0),
            _ => (1, 'a', 0),
        };
        let dev = self.dev.map_or((true, 0), |number| (false, number));
        (self.epoch, release, pre, (self.post.is_some(), self.post.unwrap_or(0)), dev)
    }
}

/// Runs of digits and runs of letters.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            match pieces.last_mut() {
                Some(piece) if last.is_ascii_digit() == c.is_ascii_digit() && last.is_ascii_alphanumeric() => {
                    piece.push(c);
                }
                _ => pieces.push(c.to_string()),
            }
        }
        last = c;
    }
    pieces
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
            ("x<2", "x=2.0.dev3", true),
            ("x>2.0", "x=2.0.post1", true),
            ("x~=1.4.2", "x=1.4.9", true),
            ("x~=1.4.2", "x=1.5.0", false),
            ("x===1.0", "x=1.0.0", false),
        ];
        for (wanted, installed, expected) in cases {
            assert_eq!(met(wanted, installed), Some(expected), "{wanted} with {installed}");
        }
        assert!(Requirement::read("x==1").has_version() && !Requirement::read("x").has_version());
    }
}
