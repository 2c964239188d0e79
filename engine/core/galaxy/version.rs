//! Versions of collections, and version ranges.

use std::{cmp::Ordering, fmt};

use super::{GalaxyError, Result};

/// A semantic version; build metadata after `+` is ignored in comparisons.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub semver::Version);

impl Version {
    /// Parses a version.
    ///
    /// # Errors
    /// If it is not a semantic version.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = semver::Version::parse(text.trim());
        parsed.map(Version).map_err(|_| GalaxyError::new(format!("`{text}` is not a semantic version")))
    }

    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Comma-separated conditions, such as `>=1.0.0,<2.0.0`. All must hold; `*` is any version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Range {
    conditions: Vec<(Operator, Version)>,
    written: String,
}

impl Range {
    /// Parses a range. A version alone means exactly this version.
    ///
    /// # Errors
    /// If a part is neither a version nor an operator with a version.
    pub fn parse(text: &str) -> Result<Self> {
        let mut conditions = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "*") {
            let at = part.find(|c: char| !"<>=!".contains(c)).unwrap_or(part.len());
            let operator = match &part[..at] {
                "" | "=" | "==" => Operator::Equal,
                "!=" => Operator::NotEqual,
                "<" => Operator::Less,
                "<=" => Operator::AtMost,
                ">" => Operator::Greater,
                ">=" => Operator::AtLeast,
                other => {
                    return Err(GalaxyError::new(format!(
                        "`{other}` in the version range `{text}` is not an operator"
                    )));
                }
            };
            let right = part[at..].trim();
            if right == "*" {
                continue;
            }
            conditions.push((operator, Version::parse(&filled(right))?));
        }
        Ok(Range { conditions, written: text.trim().to_owned() })
    }

    pub fn takes(&self, version: &Version) -> bool {
        self.conditions.iter().all(|(operator, right)| {
            let order = version.cmp(right);
            match operator {
                Operator::Equal => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Less => order.is_lt(),
                Operator::AtMost => order.is_le(),
                Operator::Greater => order.is_gt(),
                Operator::AtLeast => order.is_ge(),
            }
        })
    }

    /// The only version that matches, if there is just one.
    pub fn pinned(&self) -> Option<&Version> {
        self.conditions.iter().find(|(operator, _)| *operator == Operator::Equal).map(|(_, version)| version)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.written.is_empty() { "*" } else { &self.written })
    }
}

/// In ranges, `2` and `2.1` stand for `2.0.0` and `2.1.0`.
fn filled(version: &str) -> String {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let (numbers, rest) = version.split_at(end);
    let missing = 2_usize.saturating_sub(numbers.matches('.').count());
    format!("{numbers}{}{rest}", ".0".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_take_what_ansible_galaxy_takes() {
        for (range, version, taken) in [
            ("*", "1.0.0", true),
            ("", "1.0.0", true),
            ("1.0.0", "1.0.0", true),
            ("1.0.0", "1.0.1", false),
            ("==1.0.0", "1.0.0+build", true),
            (">=1.0.0,<2.0.0", "1.9.9", true),
            (">=1.0.0,<2.0.0", "2.0.0", false),
            (">=1.0.0, !=1.5.0", "1.5.0", false),
            (">1", "1.0.1", true),
            ("<2.1", "2.0.9", true),
            ("<=2.0.0", "2.0.0-rc.1", true),
        ] {
            assert_eq!(
                Range::parse(range).unwrap().takes(&Version::parse(version).unwrap()),
                taken,
                "{range} {version}"
            );
        }
        for wrong in ["~1.0.0", ">=one", "1.0.x"] {
            assert!(Range::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Version::parse("1.0").is_err());
        assert!(Version::parse("1.10.0").unwrap() > Version::parse("1.9.0").unwrap());
        assert!(Version::parse("1.0.0").unwrap() > Version::parse("1.0.0-beta").unwrap());
    }
}
