//! Digests of files, as hexadecimal text.

use std::{
    io::{self, Read},
    path::Path,
};

use blake2::{Blake2b512, Blake2s256};
use md5::Md5;
use rplay_wire::hex;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

crate::choice! {
    /// The digest algorithm.
    pub enum Algorithm {
        Md5 = "md5",
        Sha1 = "sha1" | "sha",
        Sha224 = "sha224",
        Sha256 = "sha256",
        Sha384 = "sha384",
        Sha512 = "sha512",
    }
}

/// An algorithm by the name that Python's hashlib gives it, as in the checksum of `get_url`: those of [`Algorithm`],
/// the others of SHA-3, and BLAKE2.
#[derive(Clone, Copy)]
pub struct Hashlib(fn(&mut dyn Read) -> io::Result<String>);

impl Hashlib {
    /// All names.
    pub const NAMES: [&'static str; 12] = [
        "blake2b", "blake2s", "md5", "sha1", "sha224", "sha256", "sha384", "sha3_224", "sha3_256", "sha3_384",
        "sha3_512", "sha512",
    ];

    /// The algorithm of that name.
    pub fn named(name: &str) -> Option<Self> {
        Some(Hashlib(match name {
            "blake2b" => |mut reader| digest::<Blake2b512>(&mut reader),
            "blake2s" => |mut reader| digest::<Blake2s256>(&mut reader),
            "md5" => |mut reader| digest::<Md5>(&mut reader),
            "sha1" => |mut reader| digest::<Sha1>(&mut reader),
            "sha224" => |mut reader| digest::<Sha224>(&mut reader),
            "sha256" => |mut reader| digest::<Sha256>(&mut reader),
            "sha384" => |mut reader| digest::<Sha384>(&mut reader),
            "sha512" => |mut reader| digest::<Sha512>(&mut reader),
            "sha3_224" => |mut reader| digest::<Sha3_224>(&mut reader),
            "sha3_256" => |mut reader| digest::<Sha3_256>(&mut reader),
            "sha3_384" => |mut reader| digest::<Sha3_384>(&mut reader),
            "sha3_512" => |mut reader| digest::<Sha3_512>(&mut reader),
            _ => return None,
        }))
    }

    /// The digest of a file's content, in lower-case hexadecimal.
    ///
    /// # Errors
    /// If the file cannot be opened or read.
    pub fn of_file(self, path: &Path) -> io::Result<String> {
        (self.0)(&mut crate::system::regular::open(path)?)
    }

    /// The digest of bytes in memory.
    pub fn of_bytes(self, mut bytes: &[u8]) -> String {
        (self.0)(&mut bytes).unwrap_or_default()
    }
}

impl Algorithm {
    /// The digest of the reader's content, in lower-case hexadecimal.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of_reader(self, mut reader: impl Read) -> io::Result<String> {
        match self {
            Algorithm::Md5 => digest::<Md5>(&mut reader),
            Algorithm::Sha1 => digest::<Sha1>(&mut reader),
            Algorithm::Sha224 => digest::<Sha224>(&mut reader),
            Algorithm::Sha256 => digest::<Sha256>(&mut reader),
            Algorithm::Sha384 => digest::<Sha384>(&mut reader),
            Algorithm::Sha512 => digest::<Sha512>(&mut reader),
        }
    }

    /// The digest of a file's content.
    ///
    /// # Errors
    /// If the file cannot be opened or read.
    pub fn of_file(self, path: &Path) -> io::Result<String> {
        self.of_reader(crate::system::regular::open(path)?)
    }

    /// The digest of bytes in memory.
    pub fn of_bytes(self, bytes: &[u8]) -> String {
        self.of_reader(bytes).unwrap_or_default()
    }
}

fn digest<D: Digest>(reader: &mut impl Read) -> io::Result<String> {
    let mut digest = D::new();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => digest.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_published_ones() {
        assert_eq!(Algorithm::Md5.of_bytes(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(Algorithm::Sha1.of_bytes(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            Algorithm::Sha256.of_bytes(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    /// Those of "abc", of the standards and RFC 7693, by their first digits.
    #[test]
    fn names_of_hashlib() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        std::fs::write(&file, "abc").unwrap();
        for (name, digits) in [
            ("blake2b", "ba80a53f981c4d0d"),
            ("blake2s", "508c5e8c327c14e2"),
            ("md5", "900150983cd24fb0"),
            ("sha1", "a9993e364706816a"),
            ("sha224", "23097d223405d822"),
            ("sha256", "ba7816bf8f01cfea"),
            ("sha384", "cb00753f45a35e8b"),
            ("sha3_224", "e642824c3f8cf24a"),
            ("sha3_256", "3a985da74fe225b2"),
            ("sha3_384", "ec01498288516fc9"),
            ("sha3_512", "b751850b1a57168a"),
            ("sha512", "ddaf35a193617aba"),
        ] {
            assert!(Hashlib::NAMES.contains(&name));
            let found = Hashlib::named(name).unwrap().of_file(&file).unwrap();
            assert!(found.starts_with(digits), "{name}: {found}");
        }
        assert!(Hashlib::named("shake_128").is_none() && Hashlib::named("sha").is_none());
    }
}
