//! `requires_ansible`: the versions of Ansible that a collection supports.

use std::cmp::Ordering;

/// The version of ansible-core that rplay is compatible with.
pub const ANSIBLE_VERSION: &str = "2.19.14";

/// Whether a specifier such as `>=2.15.0,<2.20` includes a version. The operators are those of Python packages.
///
/// # Errors The invalid part.
pub fn supports(wanted: &str, version: &str) -> Result<bool, String> {
    let mut all = true;
    for part in wanted.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let at = part.find(|c: char| !"<>=!~".contains(c)).unwrap_or(part.len());
        let (operator, right) = (&part[..at], part[at..].trim());
        let (right, any) = match right.strip_suffix(".*") {
            Some(right) => (right, true),
            None => (right, false),
        };
        let release = numbers(right).ok_or_else(|| part.to_owned())?;
        let own = numbers(version).ok_or_else(|| version.to_owned())?;
        let begins = || (0..release.len()).all(|at| own.get(at).copied().unwrap_or(0) == release[at]);
        let order = compare(&own, &release);
        all &= match operator {
            ">=" => order != Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            "==" if any => begins(),
            "==" | "===" => order == Ordering::Equal,
            "!=" if any => !begins(),
            "!=" => order != Ordering::Equal,
            // `~=2.15.3` is `>=2.15.3, ==2.15.*`.
            "~=" if release.len() > 1 => {
                let head = &release[..release.len() - 1];
                order != Ordering::Less
                    && head.iter().enumerate().all(|(at, number)| own.get(at).copied().unwrap_or(0) == *number)
            }
            _ => return Err(part.to_owned()),
        };
    }
    Ok(all)
}

/// The numbers of a release; a suffix (`b1`, `.dev0`) is ignored.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    for part in version.trim_start_matches('v').split('.') {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            break;
        }
        numbers.push(part[..digits].parse().ok()?);
        if digits < part.len() {
            break;
        }
    }
    (!numbers.is_empty()).then_some(numbers)
}

fn compare(left: &[u64], right: &[u64]) -> Ordering {
    let part = |numbers: &[u64], at: usize| numbers.get(at).copied().unwrap_or(0);
    let places = 0..left.len().max(right.len());
    places.map(|at| part(left, at).cmp(&part(right, at))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
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
        assert_eq!(supports("about 2", "2.19.14"), Err("about 2".to_owned()));
    }
}
