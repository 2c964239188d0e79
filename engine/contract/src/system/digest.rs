//! Digests of files, as hexadecimal text.

use std::{
    io::{self, Read},
    path::Path,
};

use md5::Md5;
use rplay_wire::hex;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

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
}
