//! Whether a password is the one of a hash.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

use super::algorithms::{md5_crypt, sha_crypt};

/// Whether the password is that of an entry in a htpasswd file: a hash of one of the schemes, `{SHA}` with the digest, or
/// the password itself. `None` if the entry is of a kind that cannot be computed here.
pub fn matches(password: &str, entry: &str) -> Option<bool> {
    let computed = match entry.split('$').collect::<Vec<_>>()[..] {
        ["", "apr1", salt, _] => md5_crypt(password, salt, "$apr1$"),
        ["", "1", salt, _] => md5_crypt(password, salt, "$1$"),
        ["", kind @ ("5" | "6"), rounds, salt, digest] => {
            let rounds: u32 = rounds.strip_prefix("rounds=")?.parse().ok()?;
            let computed = sha(kind, password, salt, rounds);
            // 5000 rounds may be named or not.
            return Some(same(computed.rsplit('$').next()?, digest));
        }
        ["", kind @ ("5" | "6"), salt, _] => sha(kind, password, salt, 5000),
        ["", "2a" | "2b" | "2y", ..] => return ::bcrypt::verify(password, entry).ok(),
        ["", _, ..] => return None,
        _ if entry.starts_with("{SHA}") => format!("{{SHA}}{}", STANDARD.encode(Sha1::digest(password))),
        _ if is_of_other_kind(entry) => return None,
        _ => password.to_owned(),
    };
    Some(same(&computed, entry))
}

fn sha(kind: &str, password: &str, salt: &str, rounds: u32) -> String {
    match kind {
        "5" => sha_crypt::<Sha256>(password, salt, rounds),
        _ => sha_crypt::<Sha512>(password, salt, rounds),
    }
}

/// The schemes of DES: 13 characters, or 20 of which the first is `_`.
fn is_of_other_kind(entry: &str) -> bool {
    let is_hash = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
    match entry.strip_prefix('_') {
        Some(rest) => rest.len() == 19 && is_hash(rest),
        None => entry.len() == 13 && is_hash(entry),
    }
}

/// Compares in a time that tells nothing about where they differ.
fn same(one: &str, other: &str) -> bool {
    let differing = one.bytes().zip(other.bytes()).fold(0, |found, (one, other)| found | one ^ other);
    differing == 0 && one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from passlib, for the password `x`.
    #[test]
    fn the_password_of_an_entry_is_recognised() {
        for entry in [
            "$6$rounds=1000$saltsalt$w9KQdgZ0Ki6LoC1UHsgXGBQaO4XJhW7upynW4LSaoTX6YuFX0KIqzhQcvdJFwTJS.I2sYmby8LApILDV7m1xF/",
            "$5$rounds=1000$saltsalt$z3t6rrtFn3lMdv6AmvXeEFzPOKLJ2JypZJIYx/pmpp/",
            "$1$fKgqjd8.$uDMHUUoKJw.LB/DXk.6MR0",
            "$apr1$saltsalt$Q17bmANhIA7pctgRGqF/S0",
            "$2b$04$123456789012345678901uYky4opVuwypwXlzFKPVnyRiaKMupjqK",
            "{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=",
            "x",
        ] {
            assert_eq!(matches("x", entry), Some(true), "{entry}");
            assert_eq!(matches("y", entry), Some(false), "{entry}");
        }
        let short = sha_crypt::<Sha256>("x", "salt", 5000);
        assert_eq!(matches("x", &short), Some(true));
        assert_eq!(matches("x", &short.replace("$5$", "$5$rounds=5000$")), Some(true));
    }

    #[test]
    fn an_entry_of_another_kind_is_told_apart() {
        for entry in ["/WrQezTbsbLl.", "_7C/.plcL5c2H1vPj6i2", "$P$HVINYXrHhr5aeP0gdjhv4bebNYW5nA1", "$sha1$480000$a$b"]
        {
            assert_eq!(matches("x", entry), None, "{entry}");
        }
    }
}
