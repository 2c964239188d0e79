//! Percent-encoding of URLs (RFC 3986, section 2.1).

/// Replaces each byte by `%` and two upper-case digits, except for the unreserved characters (letters, digits, `-._~`)
/// and those in `safe`.
pub fn encode(text: &str, safe: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ if safe.as_bytes().contains(&byte) => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_unreserved_and_safe_characters_are_encoded() {
        assert_eq!(encode("aZ09-._~", ""), "aZ09-._~");
        assert_eq!(encode("a b/c+d%", ""), "a%20b%2Fc%2Bd%25");
        assert_eq!(encode("a b/c", "/ "), "a b/c");
        assert_eq!(encode("\u{e4}", ""), "%C3%A4");
    }
}
