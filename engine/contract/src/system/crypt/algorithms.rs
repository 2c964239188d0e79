//! How the schemes turn a password, a salt and a number of rounds into a hash.

use ::bcrypt::Version;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

pub(super) const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The first 72 bytes of the password count.
pub(super) fn bcrypt(password: &str, salt: &str, cost: u32, ident: Option<&str>) -> Result<String, String> {
    let version = match ident {
        Some("2b") | None => Version::TwoB,
        Some("2a") => Version::TwoA,
        Some("2y") => Version::TwoY,
        Some(other) => return Err(format!("invalid ident: '{other}'")),
    };
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let bytes = GeneralPurpose::new(&alphabet::BCRYPT, lenient).decode(salt).map_err(|error| error.to_string())?;
    let bytes = bytes.try_into().map_err(|_| "invalid characters in bcrypt salt".to_owned())?;
    let hashed = ::bcrypt::hash_with_salt(password, cost, bytes).map_err(|error| error.to_string())?;
    Ok(hashed.format_for_version(version))
}

/// A digest, and the order in which its bytes are written.
pub(super) trait ShaCrypt: Digest {
    const MARK: char;
    const ORDER: &'static [[usize; 3]];
    /// The last bytes to write, fewer than three.
    const TAIL: &'static [usize];
}

impl ShaCrypt for Sha512 {
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

impl ShaCrypt for Sha256 {
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
pub(super) fn sha_crypt<D: ShaCrypt>(password: &str, salt: &str, rounds: u32) -> String {
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

/// Poul-Henning Kamp's scheme. The mark before the salt is hashed, too.
pub(super) fn md5_crypt(password: &str, salt: &str, mark: &str) -> String {
    let key = password.as_bytes();
    let b = Md5::new().chain_update(key).chain_update(salt).chain_update(key).finalize();
    let mut a = Md5::new().chain_update(key).chain_update(mark).chain_update(salt);
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
    let mut out = format!("{mark}{salt}$");
    for order in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        write64(&order.map(|at: usize| a[at]), &mut out);
    }
    write64(&[a[11]], &mut out);
    out
}
