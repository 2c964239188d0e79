//! Password hashes as in `/etc/shadow`: sha512-crypt, sha256-crypt and md5-crypt.

use md5::Md5;
use rand::RngExt;
use sha2::{Digest, Sha256, Sha512};

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Hashes a password, with a random salt if none is given.
///
/// # Errors
/// If the type is unknown or the salt contains invalid characters; a message in lower case.
pub(crate) fn hash(
    password: &str,
    kind: &str,
    salt: Option<&str>,
    rounds: Option<u32>,
    ident: Option<&str>,
) -> Result<String, String> {
    let longest = if matches!(kind, "md5" | "md5_crypt") { 8 } else { 16 };
    let salt = match salt {
        Some(salt) => salt.to_owned(),
        None => random_salt(longest),
    };
    if let Some(bad) = salt.chars().find(|c| !c.is_ascii() || !ALPHABET.contains(&(*c as u8))) {
        return Err(format!("the salt contains '{bad}': only letters, digits, '.' and '/' are allowed"));
    }
    if salt.len() > longest {
        return Err(format!("the salt has {} characters; at most {longest} are allowed", salt.len()));
    }
    if ident.is_some() {
        return Err("'ident' applies only to bcrypt, which is not supported".into());
    }
    // The numbers of rounds are those of passlib, which Ansible uses.
    match kind {
        "sha512" | "sha512_crypt" => Ok(sha_crypt::<Sha512>(password, &salt, rounds.unwrap_or(656_000))),
        "sha256" | "sha256_crypt" => Ok(sha_crypt::<Sha256>(password, &salt, rounds.unwrap_or(535_000))),
        "md5" | "md5_crypt" => Ok(md5_crypt(password, &salt)),
        other => Err(format!("cannot hash passwords with '{other}': use sha512, sha256 or md5")),
    }
}

/// Random characters of the salt alphabet.
pub(crate) fn random_salt(len: usize) -> String {
    let mut generator = rand::rng();
    (0..len).map(|_| ALPHABET[generator.random_range(0..ALPHABET.len())] as char).collect()
}

/// A digest, and the order in which its bytes are written.
trait Scheme: Digest {
    const MARK: char;
    const ORDER: &'static [[usize; 3]];
    /// The last bytes to write, fewer than three.
    const TAIL: &'static [usize];
}

impl Scheme for Sha512 {
    const MARK: char = '6';
    const ORDER: &'static [[usize; 3]] = &[
        [0, 21, 42],
        [22, 43, 1],
        [44, 2, 23],
        [3, 24, 45],
        [25, 46, 4],
        [47, 5, 26],
        [6, 27, 48],
        [28, 49, 7],
        [50, 8, 29],
        [9, 30, 51],
        [31, 52, 10],
        [53, 11, 32],
        [12, 33, 54],
        [34, 55, 13],
        [56, 14, 35],
        [15, 36, 57],
        [37, 58, 16],
        [59, 17, 38],
        [18, 39, 60],
        [40, 61, 19],
        [62, 20, 41],
    ];
    const TAIL: &'static [usize] = &[63];
}

impl Scheme for Sha256 {
    const MARK: char = '5';
    const ORDER: &'static [[usize; 3]] = &[
        [0, 10, 20],
        [21, 1, 11],
        [12, 22, 2],
        [3, 13, 23],
        [24, 4, 14],
        [15, 25, 5],
        [6, 16, 26],
        [27, 7, 17],
        [18, 28, 8],
        [9, 19, 29],
    ];
    const TAIL: &'static [usize] = &[31, 30];
}

/// Writes up to three bytes as six-bit characters, lowest bits first.
fn write64(bytes: &[u8], out: &mut String) {
    let value = bytes.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
    let count = bytes.len() + 1;
    out.extend((0..count).map(|at| ALPHABET[(value >> (6 * at) & 63) as usize] as char));
}

/// Repeats the bytes up to this length.
fn stretched(bytes: &[u8], len: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(len).collect()
}

/// Ulrich Drepper's scheme (Unix crypt using SHA-256 and SHA-512, version 0.6).
fn sha_crypt<D: Scheme>(password: &str, salt: &str, rounds: u32) -> String {
    let rounds = rounds.clamp(1000, 999_999_999);
    let (key, salt_bytes) = (password.as_bytes(), salt.as_bytes());
    let b = D::new().chain_update(key).chain_update(salt_bytes).chain_update(key).finalize();
    let mut a = D::new().chain_update(key).chain_update(salt_bytes).chain_update(stretched(&b, key.len()));
    let mut len = key.len();
    while len > 0 {
        match len & 1 {
            1 => a.update(&b),
            _ => a.update(key),
        }
        len >>= 1;
    }
    let mut a = a.finalize();
    let mut p = D::new();
    key.iter().for_each(|_| p.update(key));
    let p = stretched(&p.finalize(), key.len());
    let mut s = D::new();
    (0..16 + usize::from(a[0])).for_each(|_| s.update(salt_bytes));
    let s = stretched(&s.finalize(), salt_bytes.len());
    for round in 0..rounds {
        let odd = round & 1 == 1;
        let mut c = D::new();
        if odd {
            c.update(&p)
        } else {
            c.update(&a)
        }
        if round % 3 != 0 {
            c.update(&s);
        }
        if round % 7 != 0 {
            c.update(&p);
        }
        if odd {
            c.update(&a)
        } else {
            c.update(&p)
        }
        a = c.finalize();
    }
    let mut out = match rounds {
        5000 => format!("${}${salt}$", D::MARK),
        rounds => format!("${}$rounds={rounds}${salt}$", D::MARK),
    };
    for order in D::ORDER {
        write64(&order.map(|at| a[at]), &mut out);
    }
    write64(&D::TAIL.iter().map(|at| a[*at]).collect::<Vec<_>>(), &mut out);
    out
}

/// Poul-Henning Kamp's scheme.
fn md5_crypt(password: &str, salt: &str) -> String {
    let key = password.as_bytes();
    let b = Md5::new().chain_update(key).chain_update(salt).chain_update(key).finalize();
    let mut a = Md5::new().chain_update(key).chain_update("$1$").chain_update(salt);
    a.update(stretched(&b, key.len()));
    let mut len = key.len();
    while len > 0 {
        match len & 1 {
            1 => a.update([0]),
            _ => a.update(&key[..1]),
        }
        len >>= 1;
    }
    let mut a = a.finalize();
    for round in 0..1000 {
        let odd = round & 1 == 1;
        let mut c = Md5::new();
        if odd {
            c.update(key)
        } else {
            c.update(a)
        }
        if round % 3 != 0 {
            c.update(salt);
        }
        if round % 7 != 0 {
            c.update(key);
        }
        if odd {
            c.update(a)
        } else {
            c.update(key)
        }
        a = c.finalize();
    }
    let mut out = format!("$1${salt}$");
    for order in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        write64(&order.map(|at: usize| a[at]), &mut out);
    }
    write64(&[a[11]], &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn hashes_as_libcrypt_does() {
        let cases = [
            (
                "sha512",
                5000,
                "saltstring",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            ("sha256", 5000, "saltstring", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
            ("md5", 0, "saltstr", "$1$saltstr$QM9HTGmcCulEKt42JFhZ/."),
            (
                "sha512",
                10000,
                "saltstringsaltst",
                "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            ),
        ];
        for (kind, rounds, salt, want) in cases {
            assert_eq!(hash("Hello world!", kind, Some(salt), Some(rounds), None).as_deref(), Ok(want));
        }
    }

    #[test]
    fn refuses_a_salt_that_shadow_could_not_hold() {
        assert!(hash("x", "sha512", Some("a$b"), None, None).is_err());
        assert!(hash("x", "sha512", Some("aaaaaaaaaaaaaaaaa"), None, None).is_err());
    }
}
