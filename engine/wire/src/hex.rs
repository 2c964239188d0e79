//! Bytes as lower-case hexadecimal digits and back: for digests, vaults and names of cached files.

use thiserror::Error;

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Why a text is not valid hexadecimal.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HexError {
    #[error("it has an odd number of hexadecimal digits")]
    OddLength,
    #[error("it holds characters that are not hexadecimal")]
    NotADigit,
}

/// Two lower-case digits for each byte.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

/// Decodes pairs of digits, in either case.
///
/// # Errors
/// If the number of digits is odd, or a character is not a digit.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(HexError::OddLength);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8).ok_or(HexError::NotADigit);
    digits.chunks_exact(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Whether the text consists of exactly `digits` hexadecimal digits, in either case.
pub fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the text has the form of a SHA-256 digest, as Docker's IDs do.
pub fn is_sha256(text: &str) -> bool {
    is_hex(text, 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_digits_and_digits_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        let text = encode(&all);
        assert!(text.starts_with("000102") && text.ends_with("fdfeff") && text.len() == 512);
        assert_eq!(decode(&text), Ok(all.clone()));
        assert_eq!(decode(&text.to_uppercase()), Ok(all));
        assert_eq!((encode([]), decode("")), (String::new(), Ok(Vec::new())));
    }

    #[test]
    fn what_is_not_hexadecimal_is_refused() {
        assert_eq!(decode("abc"), Err(HexError::OddLength));
        for text in ["0g", "+1", " 1", "0x", "é"] {
            assert_eq!(decode(text), Err(HexError::NotADigit), "{text}");
        }
    }

    #[test]
    fn digests_are_known_by_their_length_and_digits() {
        assert!(is_sha256(&"aF".repeat(32)));
        assert!(!is_sha256(&"a".repeat(63)) && !is_sha256(&"g".repeat(64)) && !is_sha256(&"é".repeat(32)));
    }
}
