//! `requires_ansible`: the versions of Ansible that a collection supports.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};

/// The version of ansible-core that rplay is compatible with.
pub const ANSIBLE_VERSION: &str = "2.19.14";

/// Whether specifiers such as `>=2.15.0,<2.20` include a version. Both are those of Python packages (PEP 440).
///
/// # Errors
/// If a part is not a specifier, or the version is invalid; with that text.
pub fn supports(wanted: &str, version: &str) -> Result<bool, String> {
    let own = Version::from_str(version).map_err(|_| version.to_owned())?;
    let mut all = true;
    for part in wanted.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        all &= VersionSpecifier::from_str(part).map_err(|_| part.to_owned())?.contains(&own);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_those_of_pythons_packages() {
        for (wanted, taken) in [
            (">=2.9.10", true),
            (">=2.9,<2.12", false),
            (">=2.15.0, <2.20", true),
            ("==2.19.*", true),
            ("!=2.19.*", false),
            ("~=2.19.3", true),
            ("~=2.18.3", false),
            ("~=2.18", true),
            (">2.19.14", false),
            ("<=2.19.14", true),
            (">=2.16.0b1", true),
            ("", true),
        ] {
            assert_eq!(supports(wanted, "2.19.14"), Ok(taken), "{wanted}");
        }
        for wrong in ["about 2", "2.9", ">=2.9.*", "~=2", "=2.9"] {
            assert_eq!(supports(wrong, "2.19.14"), Err(wrong.to_owned()));
        }
    }
}
