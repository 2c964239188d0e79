//! Text that keeps arbitrary bytes: invalid UTF-8 survives editing.

/// The first of the private-use characters that represent invalid bytes during editing.
const ESCAPE: u32 = 0x0010_FE00;

/// Decodes bytes as text.
pub fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(ESCAPE + u32::from(*byte))));
    }
    text
}

/// Decodes bytes of which only ASCII is text.
pub fn decode_ascii(bytes: &[u8]) -> String {
    let escaped = |byte: u8| char::from_u32(ESCAPE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
    bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { escaped(*byte) }).collect()
}

/// Encodes text from `decode` back to bytes.
pub fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(ESCAPE) {
            Some(byte @ 0..=0xff) => bytes.push(byte as u8),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back() {
        let bytes: Vec<u8> = "ü€😀\u{10fffd}".bytes().chain(0..=255).collect();
        assert_eq!(encode(&decode(&bytes)), bytes);
    }
}
