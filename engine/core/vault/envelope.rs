//! The format of encrypted texts, `$ANSIBLE_VAULT;1.1;AES256` (1.2 with an ID), as documented by Ansible: AES-256 in
//! counter mode, HMAC-SHA256 over the ciphertext, keys from PBKDF2.

use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use rplay_wire::hex;
use sha2::Sha256;

use super::password_source::DEFAULT_ID;

const MAGIC: &str = "$ANSIBLE_VAULT";
const CIPHER: &str = "AES256";
const ROUNDS: u32 = 10_000;
const BLOCK: usize = 16;

/// A parsed encrypted text.
pub(super) struct Envelope {
    /// The vault ID of its password, if given.
    pub id: Option<String>,
    salt: Vec<u8>,
    digest: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Envelope {
    /// Parses `$ANSIBLE_VAULT;...` and the hexadecimal lines after it; the error is a message, in ansible-core's words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(str::trim);
        let header: Vec<&str> = lines.next().unwrap_or_default().split(';').map(str::trim).collect();
        // As in ansible-core, the version only says whether an ID may follow.
        let (cipher, id) = match header[..] {
            [_, "1.2", cipher, id, ..] => (cipher, Some(id.to_owned())),
            [_, _, cipher, ..] => (cipher, None),
            _ => return Err("Vault envelope format error: list index out of range".to_owned()),
        };
        if cipher != CIPHER {
            return Err(format!("Cipher '{cipher}' could not be found."));
        }
        let inner = unhex(&lines.collect::<String>())?;
        let parts: Vec<&[u8]> = inner.splitn(3, |byte| *byte == b'\n').collect();
        let [salt, digest, ciphertext] = parts[..] else {
            let expected = format!("not enough values to unpack (expected 3, got {})", parts.len());
            return Err(format!("Vault vaulttext format error: {expected}"));
        };
        let part = |part: &[u8]| unhex(&String::from_utf8_lossy(part));
        Ok(Envelope { id, salt: part(salt)?, digest: part(digest)?, ciphertext: part(ciphertext)? })
    }

    /// The content, if the password is correct.
    pub(super) fn open(&self, password: &[u8]) -> Option<Result<Vec<u8>, String>> {
        let keys = Keys::derive(password, &self.salt);
        keys.mac(&self.ciphertext)?.verify_slice(&self.digest).ok()?;
        let mut content = self.ciphertext.clone();
        Some(keys.apply(&mut content).and_then(|()| {
            let padding = content.last().copied().map_or(0, usize::from);
            let length = content.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
            content.truncate(length.ok_or("its padding is wrong")?);
            Ok(content)
        }))
    }
}

struct Keys([u8; 80]);

impl Keys {
    fn derive(password: &[u8], salt: &[u8]) -> Self {
        let mut keys = [0; 80];
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ROUNDS, &mut keys);
        Keys(keys)
    }

    /// The authentication code of a ciphertext. Comparison takes constant time.
    fn mac(&self, ciphertext: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[32..64]).ok()?;
        mac.update(ciphertext);
        Some(mac)
    }

    /// Encrypts or decrypts: in counter mode they are the same.
    fn apply(&self, content: &mut [u8]) -> Result<(), String> {
        let mut cipher = ctr::Ctr128BE::<aes::Aes256>::new_from_slices(&self.0[..32], &self.0[64..])
            .map_err(|error| error.to_string())?;
        cipher.try_apply_keystream(content).map_err(|error| error.to_string())
    }
}

/// Encrypts content; an ID other than `default` is included (version 1.2).
///
/// # Errors
/// If the cipher refuses the key, which does not happen with keys of this length.
pub fn encrypt(content: &[u8], password: &[u8], id: Option<&str>) -> Result<String, String> {
    let mut salt = [0; 32];
    rand::fill(&mut salt[..]);
    encrypt_salted(content, password, id, &salt)
}

/// Encrypts content with a given salt (`vault_encrypt_salt`): equal input gives equal text.
///
/// # Errors
/// Same as [`encrypt`].
pub fn encrypt_salted(content: &[u8], password: &[u8], id: Option<&str>, salt: &[u8]) -> Result<String, String> {
    let keys = Keys::derive(password, salt);
    let padding = BLOCK - content.len() % BLOCK;
    let mut ciphertext = content.to_vec();
    ciphertext.resize(content.len() + padding, padding as u8);
    keys.apply(&mut ciphertext)?;
    let digest = keys.mac(&ciphertext).ok_or("the key has the wrong length")?.finalize().into_bytes();
    let parts = [hex::encode(salt), hex::encode(digest), hex::encode(ciphertext)];
    let inner = hex::encode(parts.join("\n"));
    let mut text = match id.filter(|id| *id != DEFAULT_ID) {
        Some(id) => format!("{MAGIC};1.2;{CIPHER};{id}\n"),
        None => format!("{MAGIC};1.1;{CIPHER}\n"),
    };
    for (at, digit) in inner.chars().enumerate() {
        if at > 0 && at % 80 == 0 {
            text.push('\n');
        }
        text.push(digit);
    }
    text.push('\n');
    Ok(text)
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    // In Ansible's words, which scripts look for.
    let unhexlify = |what| format!("Vault format unhexlify error: {what}");
    if text.len() % 2 == 1 {
        return Err(unhexlify("Odd-length string"));
    }
    hex::decode(text).map_err(|_| unhexlify("Non-hexadecimal digit found"))
}
