//! Digest authentication, RFC 7616.

use std::hash::{BuildHasher, RandomState};

use super::Login;
use crate::system::digest::Algorithm;

/// The value of the `Authorization` header that meets one of a server's challenges: the digest if it asks for one,
/// otherwise the password itself. `None` if it asks for neither. `target` is the path of the URL, with its query.
pub(super) fn meet(login: &Login, challenges: &[&str], method: &str, target: &str) -> Option<String> {
    let mut digests = challenges.iter().filter_map(|asked| Challenge::read(asked));
    let met = digests.find_map(|challenge| challenge.met(login, method, target, &nonce()));
    met.or_else(|| {
        let asks_for_basic = |asked: &&str| asked.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("basic"));
        challenges.iter().any(asks_for_basic).then(|| login.basic())
    })
}

/// What a server asks for in its `WWW-Authenticate: Digest ...`.
#[derive(Debug, Default, PartialEq)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Option<String>,
    qop: Option<String>,
}

/// An unpredictable number.
fn nonce() -> String {
    format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1))
}

impl Challenge {
    /// `None` if the header asks for something other than a digest.
    fn read(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut challenge = Challenge::default();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => unquoted(quoted)?,
                None => {
                    let end = after.find(',').unwrap_or(after.len());
                    (after.get(..end)?.trim().to_owned(), after.get(end..)?)
                }
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => challenge.realm = value,
                "nonce" => challenge.nonce = value,
                "opaque" => challenge.opaque = Some(value),
                "algorithm" => challenge.algorithm = Some(value),
                "qop" => challenge.qop = Some(value),
                _ => {}
            }
            rest = after.trim_start_matches([',', ' ']);
        }
        (!challenge.nonce.is_empty()).then_some(challenge)
    }

    /// The value of the `Authorization` header; `None` if the server asks for an algorithm or a protection of the body
    /// that is not known here.
    fn met(&self, login: &Login, method: &str, target: &str, cnonce: &str) -> Option<String> {
        let name = self.algorithm.as_deref().unwrap_or("MD5");
        let algorithm = match name.to_ascii_uppercase().as_str() {
            "MD5" => Algorithm::Md5,
            "SHA" => Algorithm::Sha1,
            "SHA-256" => Algorithm::Sha256,
            _ => return None,
        };
        let hash = |parts: &[&str]| algorithm.of_bytes(parts.join(":").as_bytes());
        let account = hash(&[&login.user, &self.realm, &login.password.0]);
        let asked = hash(&[method, target]);
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut told = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\"",
            quoted(&login.user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(target)
        );
        match &self.qop {
            None => told += &format!(", response=\"{}\"", hash(&[&account, &self.nonce, &asked])),
            Some(qop) if qop.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) => {
                let response = hash(&[&account, &self.nonce, "00000001", cnonce, "auth", &asked]);
                told += &format!(", response=\"{response}\", qop=auth, nc=00000001, cnonce=\"{cnonce}\"");
            }
            Some(_) => return None,
        }
        if let Some(opaque) = &self.opaque {
            told += &format!(", opaque=\"{}\"", quoted(opaque));
        }
        if let Some(algorithm) = &self.algorithm {
            told += &format!(", algorithm={algorithm}");
        }
        Some(told)
    }
}

/// The value up to the closing quotation mark, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2617, section 3.5, and those of RFC 7616, section 3.9.1.
    #[test]
    fn the_published_examples() {
        let old = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
                   nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let login = Login::new("Mufasa", "Circle Of Life");
        let met = Challenge::read(old).unwrap().met(&login, "GET", "/dir/index.html", "0a4f113b").unwrap();
        assert!(met.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{met}");
        assert!(met.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"") && !met.contains("algorithm"), "{met}");
        let new = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let login = Login::new("Mufasa", "Circle of Life");
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let met = Challenge::read(&new(algorithm)).unwrap().met(&login, "GET", "/dir/index.html", cnonce).unwrap();
            assert!(met.contains(&format!("response=\"{response}\"")), "{met}");
        }
        assert_eq!(Challenge::read(&new("X")).unwrap().met(&login, "GET", "/", "c"), None);
    }

    #[test]
    fn what_is_no_challenge_for_a_digest() {
        for header in ["Basic realm=\"x\"", "Digest", "Digest realm=\"x\"", "Digest nonce=\"x"] {
            assert_eq!(Challenge::read(header), None, "{header}");
        }
        let login = Login::new("me", "pw");
        assert_eq!(meet(&login, &["basic realm=\"x\""], "GET", "/"), Some(login.basic()));
        let both = ["Basic realm=\"x\"", "Digest realm=\"x\", nonce=\"n\""];
        assert!(meet(&login, &both, "GET", "/").unwrap().starts_with("Digest username=\"me\""));
        assert_eq!(meet(&login, &["Negotiate"], "GET", "/"), None);
        assert_ne!(nonce(), nonce());
    }
}
