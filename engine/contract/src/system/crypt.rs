//! Password hashes as in `/etc/shadow` and htpasswd files: sha512-crypt, sha256-crypt, md5-crypt, Apache's variant of it,
//! and bcrypt.

mod algorithms;
mod check;

use std::{io, ops::RangeInclusive};

use sha2::{Sha256, Sha512};

use self::algorithms::{ALPHABET, bcrypt, md5_crypt, sha_crypt};
pub use self::check::matches;
use crate::system::machine;

/// How a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Sha512,
    Sha256,
    Md5,
    /// Apache's variant of MD5, for htpasswd files alone.
    Apache,
    Bcrypt,
}

/// What is asked for beyond the scheme.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
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
    pub fn named(name: &str) -> Result<Scheme, String> {
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
            Scheme::Apache => "apr_md5_crypt",
            Scheme::Bcrypt => "bcrypt",
        }
    }

    /// The length of a salt: of a random one, and the most that is allowed.
    pub fn salt_size(self) -> usize {
        match self {
            Scheme::Sha512 | Scheme::Sha256 => 16,
            Scheme::Md5 | Scheme::Apache => 8,
            Scheme::Bcrypt => 22,
        }
    }

    /// The variant that is taken if none is named.
    pub fn ident(self) -> Option<&'static str> {
        (self == Scheme::Bcrypt).then_some("2b")
    }

    /// Hashes a password.
    ///
    /// # Errors
    /// What is wrong with the options, in passlib's words.
    pub fn hash(self, password: &str, options: Options<'_>) -> Result<String, String> {
        let salt = self.salt(options).map_err(|why| format!("Could not hash the secret: {why}"))?;
        let rounds = |default, range: RangeInclusive<i128>| {
            self.rounds(options.rounds.unwrap_or(default), range)
                .map_err(|why| format!("Could not hash the secret: {why}"))
        };
        // The numbers of rounds are those of passlib, which Ansible uses.
        match self {
            Scheme::Sha512 => Ok(sha_crypt::<Sha512>(password, &salt, rounds(656_000, 1000..=999_999_999)?)),
            Scheme::Sha256 => Ok(sha_crypt::<Sha256>(password, &salt, rounds(535_000, 1000..=999_999_999)?)),
            Scheme::Md5 | Scheme::Apache if options.rounds.is_some() => {
                Err("MinimalHandler.using() got an unexpected keyword argument 'rounds'".to_owned())
            }
            Scheme::Md5 => Ok(md5_crypt(password, &salt, "$1$")),
            Scheme::Apache => Ok(md5_crypt(password, &salt, "$apr1$")),
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
            return random_salt(size.unwrap_or(most)).map_err(|error| error.to_string());
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

/// Random characters of the salt alphabet.
///
/// # Errors
/// If the kernel gives no random data.
pub fn random_salt(len: usize) -> io::Result<String> {
    let mut bytes = vec![0; len];
    machine::random(&mut bytes)?;
    Ok(bytes.iter().map(|byte| ALPHABET[usize::from(byte & 63)] as char).collect())
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
