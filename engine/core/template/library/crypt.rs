//! Password hashes as in `/etc/shadow`: sha512-crypt, sha256-crypt, md5-crypt and bcrypt.

use std::ops::RangeInclusive;

use ::bcrypt::Version;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use md5::Md5;
use rand::RngExt;
use sha2::{Digest, Sha256, Sha512};

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Sha512,
    Sha256,
    Md5,
    Bcrypt,
}

/// What is asked for beyond the scheme.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options<'a> {
    /// Random if it is missing or empty.
    pub salt: Option<&'a str>,
    /// The length of a random salt.
    pub salt_size: Option<i128>,
    pub rounds: Option<i128>,
    /// The variant of bcrypt.
    pub ident: Option<&'a str>,
}

impl Scheme {
    /// The scheme of that name, which is Ansible's or passlib's.
    ///
    /// # Errors
    /// In Ansible's words.
    pub(crate) fn named(name: &str) -> Result<Scheme, String> {
        match name {
            "sha512" | "sha512_crypt" => Ok(Scheme::Sha512),
            "sha256" | "sha256_crypt" => Ok(Scheme::Sha256),
            "md5" | "md5_crypt" => Ok(Scheme::Md5),
            "blowfish" | "bcrypt" => Ok(Scheme::Bcrypt),
            _ => {
                Err(format!("{name} is not in the list of supported passlib algorithms: md5, blowfish, sha256, sha512"))
            }
        }
    }

    /// passlib's name of it.
    fn name(self) -> &'static str {
        match self {
            Scheme::Sha512 => "sha512_crypt",
            Scheme::Sha256 => "sha256_crypt",
            Scheme::Md5 => "md5_crypt",
            Scheme::Bcrypt => "bcrypt",
        }
    }

    /// The length of a salt: of a random one, and the most that is allowed.
    pub(crate) fn salt_size(self) -> usize {
        match self {
            Scheme::Sha512 | Scheme::Sha256 => 16,
            Scheme::Md5 => 8,
            Scheme::Bcrypt => 22,
        }
    }

    /// The variant that is taken if none is named.
    pub(crate) fn ident(self) -> Option<&'static str> {
        (self == Scheme::Bcrypt).then_some("2b")
    }

    /// Hashes a password.
    ///
    /// # Errors
    /// What is wrong with the options, in passlib's words.
    pub(crate) fn hash(self, password: &str, options: Options<'_>) -> Result<String, String> {
        let salt = self.salt(options).map_err(|why| format!("Could not hash the secret: {why}"))?;
        let rounds = |default, range: RangeInclusive<i128>| {
            self.rounds(options.rounds.unwrap_or(default), range)
                .map_err(|why| format!("Could not hash the secret: {why}"))
        };
        // The numbers of rounds are those of passlib, which Ansible uses.
        match self {
            Scheme::Sha512 => Ok(sha_crypt::<Sha512>(password, &salt, rounds(656_000, 1000..=999_999_999)?)),
            Scheme::Sha256 => Ok(sha_crypt::<Sha256>(password, &salt, rounds(535_000, 1000..=999_999_999)?)),
            Scheme::Md5 if options.rounds.is_some() => {
                Err("MinimalHandler.using() got an unexpected keyword argument 'rounds'".to_owned())
            }
            Scheme::Md5 => Ok(md5_crypt(password, &salt)),
            Scheme::Bcrypt => bcrypt(password, &salt, rounds(12, 4..=31)?, options.ident.or(self.ident()))
                .map_err(|why| format!("Could not hash the secret: {why}")),
        }
    }

    fn salt(self, options: Options<'_>) -> Result<String, String> {
        let (name, most) = (self.name(), self.salt_size());
        if let Some(size) = options.salt_size {
            let least = if self == Scheme::Bcrypt { 22 } else { 0 };
            match usize::try_from(size) {
                Ok(size) if size > most => {
                    return Err(format!("{name}: salt_size ({size}) above max_salt_size ({most})"));
                }
                Ok(size) if size >= least => {}
                _ => return Err(format!("{name}: salt_size ({size}) below min_salt_size ({least})")),
            }
        }
        let Some(salt) = options.salt.filter(|salt| !salt.is_empty()) else {
            let size = options.salt_size.and_then(|size| usize::try_from(size).ok());
            return Ok(random_salt(size.unwrap_or(most)));
        };
        if salt.bytes().any(|byte| !ALPHABET.contains(&byte)) {
            return Err(format!("invalid characters in {name} salt"));
        }
        let wanted = if self == Scheme::Bcrypt { "exactly 22" } else { &format!("<= {most}") };
        match salt.len() {
            length if length > most => Err(format!("salt too large ({name} requires {wanted} chars)")),
            length if length < most && self == Scheme::Bcrypt => {
                Err(format!("salt too small ({name} requires {wanted} chars)"))
            }
            _ => Ok(salt.to_owned()),
        }
    }

    fn rounds(self, rounds: i128, range: RangeInclusive<i128>) -> Result<u32, String> {
        let (name, least, most) = (self.name(), range.start(), range.end());
        match u32::try_from(rounds) {
            _ if rounds < *least => {
                Err(format!("{name}: min_desired_rounds ({rounds}) is too low, must be at least {least}"))
            }
            Ok(rounds) if i128::from(rounds) <= *most => Ok(rounds),
            _ => Err(format!("{name}: min_desired_rounds ({rounds}) is too large, cannot be more than {most}")),
        }
    }
}

/// The first 72 bytes of the password count.
fn bcrypt(password: &str, salt: &str, cost: u32, ident: Option<&str>) -> Result<String, String> {
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

/// Random characters of the salt alphabet.
pub(crate) fn random_salt(len: usize) -> String {
    let mut generator = rand::rng();
    (0..len).map(|_| ALPHABET[generator.random_range(0..ALPHABET.len())] as char).collect()
}

/// A digest, and the order in which its bytes are written.
trait ShaCrypt: Digest {
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
fn sha_crypt<D: ShaCrypt>(password: &str, salt: &str, rounds: u32) -> String {
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
    use super::*;

    fn hash(kind: &str, options: Options<'_>) -> Result<String, String> {
        Scheme::named(kind)?.hash("Hello world!", options)
    }

    #[test]
    fn hashes_as_libcrypt_does() {
        let cases = [
            (
                "sha512",
                Some(5000),
                "saltstring",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            ("sha256", Some(5000), "saltstring", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
            ("md5", None, "saltstr", "$1$saltstr$QM9HTGmcCulEKt42JFhZ/."),
            (
                "sha512",
                Some(10000),
                "saltstringsaltst",
                "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            ),
        ];
        for (kind, rounds, salt, want) in cases {
            assert_eq!(hash(kind, Options { salt: Some(salt), rounds, ..Options::default() }).as_deref(), Ok(want));
        }
    }

    /// Recorded from passlib.
    #[test]
    fn bcrypt_hashes_as_passlib_does() {
        let hashed = |password: &str, ident| {
            let options =
                Options { salt: Some("1234567890123456789012"), rounds: Some(4), ident, ..Options::default() };
            Scheme::Bcrypt.hash(password, options)
        };
        for (password, ident, want) in [
            ("hey", Some("2a"), "$2a$04$123456789012345678901uN/QGk/dPcVZ49R4XDiNLQFOwKuwpT.y"),
            ("hey", Some("2y"), "$2y$04$123456789012345678901uN/QGk/dPcVZ49R4XDiNLQFOwKuwpT.y"),
            ("", None, "$2b$04$123456789012345678901uVTVpbHniVAv2CmG4UV2sJqSWa2e9QRu"),
            (&"x".repeat(80), None, "$2b$04$123456789012345678901uEcbKRRJw4pAJmO1u1x0Xvr7B982j7p2"),
        ] {
            assert_eq!(hashed(password, ident).as_deref(), Ok(want));
        }
        assert_eq!(hashed("hey", Some("2x")).unwrap_err(), "Could not hash the secret: invalid ident: '2x'");
    }

    #[test]
    fn what_is_refused_is_told_as_passlib_tells_it() {
        let salted = |salt| Options { salt: Some(salt), ..Options::default() };
        let sized = |size| Options { salt_size: Some(size), ..Options::default() };
        let rounds = |rounds| Options { rounds: Some(rounds), ..Options::default() };
        for (kind, options, why) in [
            ("sha512", salted("a$b"), "invalid characters in sha512_crypt salt"),
            ("sha512", salted("aaaaaaaaaaaaaaaaa"), "salt too large (sha512_crypt requires <= 16 chars)"),
            ("blowfish", salted("abc"), "salt too small (bcrypt requires exactly 22 chars)"),
            ("md5", sized(99), "md5_crypt: salt_size (99) above max_salt_size (8)"),
            ("sha256", sized(-1), "sha256_crypt: salt_size (-1) below min_salt_size (0)"),
            ("sha256", rounds(999), "sha256_crypt: min_desired_rounds (999) is too low, must be at least 1000"),
            ("bcrypt", rounds(32), "bcrypt: min_desired_rounds (32) is too large, cannot be more than 31"),
        ] {
            assert_eq!(hash(kind, options).unwrap_err(), format!("Could not hash the secret: {why}"));
        }
        let unknown = "msdcc is not in the list of supported passlib algorithms: md5, blowfish, sha256, sha512";
        assert_eq!(hash("msdcc", Options::default()).unwrap_err(), unknown);
    }
}
